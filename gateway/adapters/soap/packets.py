"""SOAP's words as a QCVN edXML file: element for element, nothing dropped, prefixes literally as drawn (edxml.md 1.7).

Left out are what belongs to the call and not to the document: Signature with its token, Token, ErrorList, WS-Security.
The text is exactly reproducible, so that a status which comes again makes the same bytes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree

from gateway.adapters.soap.envelopes import Envelope
from gateway.adapters.soap.names import (
    CID,
    CONTENT,
    CONTENTS,
    NS102,
    XLINK,
    child,
    children,
    content_id,
    descendants,
    local,
    packet_name,
    words,
)
from gateway.xmlsafe import LiteralXml, UnwritableTextError

_PREFIX = "edXML:"
_MACHINERY = frozenset({"Signature", "Token", "ErrorList", "Security", "Manifest", "Action", "MessageID", "ReplyTo"})
_OF_ATTACHMENT = ("FieldName", "MimeType", "Format")
_MEDIA_TYPE = re.compile(r"[!-~]+/[!-~][ -~]*")
_ATTRIBUTE = re.compile(r"[A-Za-z][0-9A-Za-z.\-]*")
_DEEPEST = 60
"""Nested elements that are copied; the reader of packets takes not many more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One Reference of a Manifest."""

    content_id: str
    """Without `cid:`; "" if it names none."""
    name: str
    media_type: str
    """"" where it does not say."""
    others: Mapping[str, str]
    """What else belongs to the attachment."""
    element: etree._Element = field(repr=False)
    text: str | None = field(repr=False)
    """Its content, where the envelope carries that."""
    included: str
    """Content id of an xop:Include in it; "" = none."""


def document_id_of(envelope: Envelope) -> str:
    """The DocumentId that the header gives."""
    return words(child(_entry(envelope, "MessageHeader"), "DocumentId"))


def is_document(envelope: Envelope) -> bool:
    """True if the envelope carries a document."""
    return _entry(envelope, "MessageHeader") is not None


def read_references(envelope: Envelope) -> tuple[Reference, ...]:
    """The References of the Manifest in order."""
    manifest = next(descendants(envelope.body, "Manifest"), None)
    if manifest is None:
        manifest = _entry(envelope, "Manifest")
    return tuple(_reference(each) for each in children(manifest) if local(each) == "Reference")


class PacketText:
    """The packet's literal text, cut where contents go. Every method may raise UnwritableTextError."""

    def __init__(self) -> None:
        self._xml = LiteralXml()
        self._xml.open("edXML", xmlns=NS102)
        self._xml.open(f"{_PREFIX}edXMLEnvelope", xmlns_edXML=NS102)
        self._xml.open(f"{_PREFIX}edXMLHeader")

    def document(self, envelope: Envelope, references: Sequence[Reference]) -> None:
        """Everything before the first attachment."""
        for entry in _entries(envelope):
            if local(entry) not in _MACHINERY:
                self._copy(entry)
        self._xml.close()
        self._xml.open(f"{_PREFIX}edXMLBody")
        self._xml.open(f"{_PREFIX}edXMLManifest", version="1.0")
        for place, reference in enumerate(references, 1):
            self._reference(reference, place)
        for _ in ("edXMLManifest", "edXMLBody", "edXMLEnvelope"):
            self._xml.close()
        self._xml.open("AttachmentEncoded")

    def status(self, status: etree._Element) -> bytes:
        """A whole status packet."""
        self._copy(status, name="MessageHeader")
        for _ in ("edXMLHeader", "edXMLEnvelope", "edXML"):
            self._xml.close()
        return self._xml.cut()

    def begin_attachment(self, named: str, name: str, media_type: str, others: Mapping[str, str]) -> bytes:
        """The text up to an attachment's base64."""
        self._xml.open("Attachment")
        self._leaves(
            {"ContentId": f"{CID}{named}", "AttachmentName": name, "ContentType": media_type, **others}.items(), ""
        )
        self._xml.begin(f"{_PREFIX}{CONTENT}", xmlns_edXML=NS102)
        return self._xml.cut()

    def end_attachment(self) -> None:
        """Its base64 is written."""
        self._xml.end()
        self._xml.close()

    def finish(self) -> bytes:
        """The rest of the packet."""
        self._xml.close()
        self._xml.close()
        return self._xml.cut()

    def cut(self) -> bytes:
        """The text since the last cut."""
        return self._xml.cut()

    def _reference(self, reference: Reference, place: int) -> None:
        said = [each for each in children(reference.element) if local(each) not in {*CONTENTS, *_OF_ATTACHMENT}]
        names = {local(each) for each in said}
        self._xml.open(f"{_PREFIX}Reference")
        if "ContentId" not in names:
            self._leaves([("ContentId", f"{CID}{reference.content_id or place_id(place)}")], _PREFIX)
        if "ContentType" not in names:
            self._leaves([("ContentType", reference.media_type)], _PREFIX)
        if "Description" not in names:  # the file has one always, SOAP only where it says more than the name
            self._leaves([("Description", reference.name)], _PREFIX)
        for each in said:
            self._copy(each)
        self._xml.close()

    def _leaves(self, leaves: Iterable[tuple[str, str]], prefix: str) -> None:
        for name, text in leaves:
            if text:
                self._xml.leaf(f"{prefix}{name}", text)

    def _copy(self, element: etree._Element, *, name: str = "", depth: int = 0) -> None:
        if depth > _DEEPEST:
            raise UnwritableTextError("elements are nested too deeply")
        written = f"{_PREFIX}{name or packet_name(local(element))}"
        inside = list(children(element))
        attributes = dict(_attributes(element))
        if not inside:
            self._xml.leaf(written, words(element), **attributes)
            return
        self._xml.open(written, **attributes)
        for each in inside:
            self._copy(each, depth=depth + 1)
        self._xml.close()


def is_media_type(value: str) -> bool:
    """True for a text that can be a media type."""
    return _MEDIA_TYPE.fullmatch(value) is not None


def place_id(place: int) -> str:
    """The content id of what has none, by its place from 1."""
    return f"part-{place}"


def status_packet(status: etree._Element) -> bytes | None:
    """A Status of GetTraces as a packet; None if it cannot be written."""
    try:
        return PacketText().status(status)
    except UnwritableTextError:
        return None


def status_recipient(status: etree._Element) -> str:
    """Whom a status is for."""
    return words(child(child(status, "ResponseFor"), "OrganId"))


def _entries(envelope: Envelope) -> list[etree._Element]:
    """The header entries; in the body, where a service puts them there."""
    found = list(children(envelope.header))
    if any(local(each) == "MessageHeader" for each in found):
        return found
    inside = next(descendants(envelope.body, "MessageHeader"), None)
    return [] if inside is None else list(children(inside.getparent()))


def _entry(envelope: Envelope, name: str) -> etree._Element | None:
    return next((each for each in _entries(envelope) if local(each) == name), None)


def _reference(element: etree._Element) -> Reference:
    content = child(element, *CONTENTS)
    include = next(descendants(element, "Include"), None)
    linked = element.get(f"{{{XLINK}}}href", "") or element.get("href", "") or words(child(element, "ContentId"))
    kind = words(child(element, "ContentType")) or element.get(f"{{{XLINK}}}type", "")
    return Reference(
        content_id=content_id(linked),
        name=words(child(element, "AttachmentName")),
        media_type=kind if is_media_type(kind) else "",
        others={name: said for name in _OF_ATTACHMENT if (said := words(child(element, name)))},
        element=element,
        text=words(content) if content is not None and include is None else None,
        included="" if include is None else content_id(include.get("href", "")),
    )


def _attributes(element: etree._Element) -> Iterable[tuple[str, str]]:
    """Those of the format's own; SOAP's and XLink's belong to the envelope."""
    return ((str(key), str(value)) for key, value in element.attrib.items() if _ATTRIBUTE.fullmatch(str(key)))
