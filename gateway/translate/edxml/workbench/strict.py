"""The strict check: every deviation of a packet from what edxml.md says to write. The command `packet check`."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from gateway.domain.agency import CodeForm, form_of
from gateway.domain.packet import PacketDefect, PacketWarning
from gateway.translate.edxml.codes import CID, CONTENT, NS102, ZIP_TYPE, is_wrapped
from gateway.translate.edxml.contents.attachments import content_id
from gateway.translate.edxml.contents.objects import MeasuringObjects
from gateway.translate.edxml.dates import is_strict_date, is_strict_time
from gateway.translate.edxml.elements import (
    ATTACHMENT,
    CORRECTED_SPELLINGS,
    DOCUMENT_HEADER,
    REFERENCE,
    STATUS_HEADER,
    TRACE_LIST,
    Element,
    Form,
)
from gateway.translate.edxml.findings import Deviation, Findings, Tolerance
from gateway.translate.edxml.reading.prefixes import misprefixed
from gateway.translate.edxml.reading.reader import PacketReading
from gateway.translate.edxml.reading.shape import SIGNATURES
from gateway.translate.edxml.tree import Node
from gateway.translate.edxml.workbench.inspection import packet_chunks
from gateway.xmlsafe import Limits

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'
_SHORT = 65535
_SHOWN = 40
"""Characters shown of a text that belongs nowhere."""
_BEYOND_FORM = frozenset(
    {
        Tolerance.CONTENT_TYPE_WRONG,
        Tolerance.REFERENCE_DIFFERS,
        Tolerance.ZIP_ENTRY_NAME,
        Tolerance.ZIP_UNREADABLE,
        Tolerance.TYPE_AS_LIST_NUMBER,
        Tolerance.TYPE_NAME_CONFLICT,
    },
)
"""What only the reader can see, since it looks into contents; everything else has its own strict code."""


async def check(path: Path, limits: Limits) -> tuple[PacketWarning, ...] | PacketDefect:
    """All deviations, or the one defect that keeps the packet from being read at all. Raises OSError."""
    reading = PacketReading(objects=MeasuringObjects(), limits=limits, warnings=None)
    unpacked = await reading.read(packet_chunks(path), None)
    if isinstance(unpacked, PacketDefect):
        return unpacked
    beyond_form = tuple(warning for warning in unpacked.warnings if warning.code in _BEYOND_FORM)
    return (*_Checker(reading).run(), *beyond_form)


class _Checker:
    """One pass over what a reading came across."""

    def __init__(self, reading: PacketReading) -> None:
        self._root = reading.root
        self._opening = reading.opening
        self._carried = {id(item.node): item for item in reading.carried}
        self._findings = Findings(limit=None)

    def run(self) -> tuple[PacketWarning, ...]:
        """Check everything, in document order within each concern."""
        root = self._root
        if not self._opening.startswith(_DECLARATION):
            self._findings.add(Deviation.DECLARATION, "")
        self._declarations(root)
        for node, wanted in misprefixed(root):
            self._findings.add(Deviation.PREFIX, node, found=node.typed, wanted=wanted)
        envelope = root.first("edXMLEnvelope")
        header = envelope.first("edXMLHeader") if envelope else None
        if envelope is None or header is None:
            return self._findings.all()
        message = header.first("MessageHeader", "Status")
        if message is not None and (message.name == "Status" or message.first("StatusCode")):
            self._status(root, envelope, header, message)
        else:
            self._document(root, envelope, header)
        return self._findings.all()

    def _declarations(self, root: Node) -> None:
        if root.attributes.get("xmlns") != NS102:
            self._findings.add(Deviation.NAMESPACE_DECLARATION, root, what="edXML", wanted=f'xmlns="{NS102}"')
        for node in root.children:
            if node.name == "edXMLEnvelope" and node.attributes.get("xmlns:edXML") != NS102:
                wanted = f'xmlns:edXML="{NS102}"'
                self._findings.add(Deviation.NAMESPACE_DECLARATION, node, what="edXMLEnvelope", wanted=wanted)

    def _status(self, root: Node, envelope: Node, header: Node, message: Node) -> None:
        for parent, names in ((root, {"edXMLEnvelope"}), (envelope, {"edXMLHeader"}), (header, {message.name})):
            self._stray_text(parent)
            self._repeated([node for node in parent.children if node.name in names])
            for node in parent.children:
                if node.name not in names:
                    self._findings.add(Deviation.STATUS_PART, node, what=node.name)
            for name in parent.passed_over:
                self._findings.add(Deviation.STATUS_PART, parent, name, what=name)
        if message.name != STATUS_HEADER.name:
            self._findings.add(Deviation.SPELLING, message, found=message.name, usual=STATUS_HEADER.name)
        self._group(message, STATUS_HEADER)

    def _document(self, root: Node, envelope: Node, header: Node) -> None:
        self._children(root, ("edXMLEnvelope", "AttachmentEncoded"))
        self._children(envelope, ("edXMLHeader", "edXMLBody"))
        self._children(header, ("MessageHeader", "TraceHeaderList", *SIGNATURES))
        for body in envelope.all("edXMLBody"):
            self._children(body, ("edXMLManifest", "Manifest"))
            for manifest in body.all("edXMLManifest", "Manifest"):
                self._children(manifest, ("Reference",), many=True)
        for outer in root.all("AttachmentEncoded"):
            self._children(outer, ("Attachment",), many=True)
        for element in (DOCUMENT_HEADER, TRACE_LIST):
            node = header.first(element.name)
            if node is None:
                self._findings.add(Deviation.MISSING, header, element.name, what=element.name)
            else:
                self._group(node, element)
        self._recipients(header)
        self._attachments(root, envelope)

    def _children(self, parent: Node, known: Sequence[str], *, many: bool = False) -> None:
        self._stray_text(parent)
        for node in parent.children:
            if node.name not in known:
                self._findings.add(Deviation.UNKNOWN, node, what=node.name)
        if not many:
            self._repeated([node for node in parent.children if node.name in known])
        self._passed_over(parent, known)

    def _repeated(self, nodes: Sequence[Node]) -> None:
        seen: set[str] = set()
        for node in nodes:
            if node.name in seen:
                self._findings.add(Deviation.REPEATED, node, what=node.name)
            seen.add(node.name)

    def _stray_text(self, group: Node) -> None:
        """Text between elements is read by nobody."""
        if group.text:
            self._findings.add(Deviation.UNKNOWN, group, what=f"the text {group.text[:_SHOWN]!r}")

    def _passed_over(self, parent: Node, known: Sequence[str] = ()) -> None:
        for name in parent.passed_over:
            if name not in known:
                self._findings.add(Deviation.UNKNOWN, parent, name, what=name)

    def _group(self, node: Node, element: Element) -> None:
        """Names, order, number and presence of a group's children, then the children themselves."""
        if not element.addition:  # nobody knows their shape
            self._stray_text(node)
        order = [child.name for child in element.children if not child.addition]
        seen: set[str] = set()
        placed: list[tuple[int, Node]] = []
        for child in node.children:
            usual = CORRECTED_SPELLINGS.get(child.name, child.name)
            known = element.child(usual)
            if known is None:
                code = Deviation.ADDITION if element.addition else Deviation.UNKNOWN
                self._findings.add(code, child, what=child.name)
                continue
            if usual != child.name:
                self._findings.add(Deviation.SPELLING, child, found=child.name, usual=usual)
            if usual in seen and not known.many:
                self._findings.add(Deviation.REPEATED, child, what=usual)
            seen.add(usual)
            if known.addition:
                self._findings.add(Deviation.ADDITION, child, what=child.name)
            else:
                placed.append((order.index(usual), child))
            self._element(child, known)
        self._passed_over(node)
        self._order(placed, order)
        for known in element.children:
            if known.required and known.name not in seen:
                self._findings.add(Deviation.MISSING, node, known.name, what=known.name)

    def _order(self, placed: Sequence[tuple[int, Node]], order: Sequence[str]) -> None:
        for (before, earlier), (place, later) in pairwise(placed):
            if place < before:
                shown = ", ".join(order)
                self._findings.add(Deviation.ORDER, later, what=later.name, after=earlier.name, order=shown)

    def _element(self, node: Node, element: Element) -> None:
        if element.name == CONTENT:
            return
        if element.form is Form.GROUP and not node.is_empty():
            self._group(node, element)
            return
        if not node.is_empty():
            self._within(node)
        if not node.text:
            code = Deviation.MISSING if element.required else Deviation.EMPTY
            self._findings.add(code, node, what=element.name)
        else:
            self._length(node, element)
            self._form(node, element)

    def _within(self, leaf: Node) -> None:
        """Elements inside a text: what they hold is not part of it."""
        for child in leaf.children:
            self._findings.add(Deviation.UNKNOWN, child, what=child.name)
        self._passed_over(leaf)

    def _length(self, node: Node, element: Element) -> None:
        size = len(node.text)
        if element.technical and size > element.technical:
            self._findings.add(Deviation.TECHNICAL_LENGTH, node, size=size, limit=element.technical)
        elif element.legal and size > element.legal:
            self._findings.add(Deviation.LEGAL_LENGTH, node, size=size, limit=element.legal)

    def _form(self, node: Node, element: Element) -> None:
        text = node.text
        match element.form:
            case Form.DATE if not is_strict_date(text):
                self._findings.add(Deviation.DATE, node, found=text)
            case Form.TIME if not is_strict_time(text):
                self._findings.add(Deviation.TIMESTAMP, node, found=text)
            case Form.ORGAN_ID if form_of(text) is CodeForm.OTHER:
                self._findings.add(Deviation.ORGAN_ID, node, found=text)
            case Form.NUMBER if not _is_number(text, element.allowed):
                allowed = ", ".join(element.allowed) or f"0..{_SHORT}"
                self._findings.add(Deviation.NUMBER, node, found=text, allowed=allowed)
            case _:
                pass

    def _recipients(self, header: Node) -> None:
        message = header.first("MessageHeader")
        seen: set[str] = set()
        for node in message.all("To") if message else ():
            code = node.value("OrganId").upper()
            if code in seen:
                self._findings.add(Deviation.RECIPIENT, node, found=code)
            seen.add(code)

    def _attachments(self, root: Node, envelope: Node) -> None:
        """References and Attachments one to one by ContentId, each written by the rules."""
        body = envelope.first("edXMLBody")
        manifest = body.first("edXMLManifest", "Manifest") if body else None
        references = manifest.all("Reference") if manifest else []
        outers = [node for node in root.children if node.name == "AttachmentEncoded"]
        carried = [node for outer in outers for node in outer.children if node.name == "Attachment"]
        if manifest is not None and manifest.attributes.get("version") != "1.0":
            self._findings.add(Deviation.NAMESPACE_DECLARATION, manifest, what=manifest.name, wanted='version="1.0"')
        if manifest is not None and manifest.name == "Manifest":
            self._findings.add(Deviation.SPELLING, manifest, found="Manifest", usual="edXMLManifest")
        for node in references:
            self._group(node, REFERENCE)
            self._content_id(node)
        for node in carried:
            self._group(node, ATTACHMENT)
            self._content_id(node)
            self._content(node)
        self._links(references, carried)

    def _content_id(self, node: Node) -> None:
        written = node.value("ContentId")
        if written and f"{CID}{content_id(written)}" != written:
            self._findings.add(Deviation.CONTENT_ID, node, "ContentId", found=written)

    def _content(self, node: Node) -> None:
        content = next((child for child in node.children if child.name == CONTENT), None)
        item = self._carried.get(id(node))
        if content is None or item is None or not item.filled:
            self._findings.add(Deviation.MISSING, node, CONTENT, what=CONTENT)
        elif item.spaced:
            self._findings.add(Tolerance.BASE64_LAYOUT, content)
        name = node.value("AttachmentName")
        declared = node.value("ContentType")
        if name and declared and is_wrapped(name) != (declared == ZIP_TYPE) and not name.lower().endswith(".zip"):
            what = (
                "must travel in a ZIP, as application/zip" if is_wrapped(name) else "must travel as it is, not in a ZIP"
            )
            self._findings.add(Deviation.ZIP_RULE, node, "ContentType", what=f"a file of this name {what}")
        elif name and is_wrapped(name) and item is not None and item.filled and item.entry is None:
            self._findings.add(Deviation.ZIP_RULE, node, CONTENT, what="it must hold a ZIP of this one file")

    def _links(self, references: Sequence[Node], carried: Sequence[Node]) -> None:
        for nodes, others, what in ((references, carried, "Attachment"), (carried, references, "Reference")):
            there = {content_id(node.value("ContentId")) for node in others}
            seen: set[str] = set()
            for node in nodes:
                key = content_id(node.value("ContentId"))
                if key not in there:
                    self._findings.add(Deviation.LINK, node, what=f"no {what} has the ContentId {key}")
                if key in seen:
                    self._findings.add(Deviation.LINK, node, what=f"the ContentId {key} occurs twice")
                seen.add(key)


def _is_number(text: str, allowed: Sequence[str]) -> bool:
    if allowed:
        return text in allowed
    return text.isascii() and text.isdigit() and len(text) <= len(str(_SHORT)) and int(text) <= _SHORT
