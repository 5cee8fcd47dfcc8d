"""From what a packet carries to attachments: linking, unwrapping, kinds by their bytes, roles (edxml.md 4)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.domain.document import Attachment, AttachmentRole
from gateway.domain.ids import ObjectKey
from gateway.domain.packet import ContentSpan, EncodedPart, StoredObject
from gateway.translate.edxml.codes import (
    CID,
    CONTENT,
    PDF_TYPE,
    TYPE_BY_EXTENSION,
    UNKNOWN_TYPE,
    ZIP_FAMILY,
    ZIP_TYPE,
    extension,
)
from gateway.translate.edxml.contents.base64text import encoded_length
from gateway.translate.edxml.contents.objects import AttachmentObjects
from gateway.translate.edxml.contents.unwrap import Entry, inflates, is_wrapper
from gateway.translate.edxml.contents.ziprecords import END_MAGIC, LOCAL_MAGIC
from gateway.translate.edxml.findings import Defect, Findings, RefusedError, Tolerance, refusal
from gateway.translate.edxml.tree import Node
from gateway.xmlsafe import Limits

HEAD = 1024
"""Bytes of a file that tell its kind; a PDF may begin anywhere in them."""

_PDF_MAGIC = b"%PDF-"
_ZIP_MAGICS = (LOCAL_MAGIC, END_MAGIC)
"""How archives begin, with and without entries."""
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_KINDS = frozenset({"doc", "xls", "ppt"})
_ZIP_TYPES = frozenset({ZIP_TYPE, "application/x-zip-compressed"})
_OWN_MAGIC = _ZIP_TYPES | {PDF_TYPE}
"""Types whose bytes are always recognised: declared for other bytes, they are wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """The only entry of an archive, unpacked, durable, and what the archive's directory says of it."""

    stored: StoredObject
    head: bytes
    """The first bytes, at most HEAD."""
    nested: Entry | None
    """If these bytes are an archive of one entry again: that entry."""
    zip_entry: str | None
    """The entry's name, if an archive that we write for these bytes and this name is the very archive that came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The content of one Attachment element, stored as it came out of base64, or unpacked, or both."""

    node: Node
    size: int
    """Bytes as they came."""
    head: bytes
    """The first of them, at most HEAD."""
    stored: StoredObject | None
    """None only where `inner` is all that will be wanted."""
    entry: Entry | None
    """If they are an archive of one plain entry: what its directory says of that."""
    inner: Inner | Defect | None
    """The entry, or why the packet is refused if it has to be unpacked; None = it cannot be, or need not be."""
    inflated: int
    """Bytes inflated for this content, wanted or not."""
    offset: int
    """Of its base64 in the packet; 0 = the text is not what `size` bytes encode to, in one piece."""
    spaced: bool
    """True if there was white space in the base64."""

    @property
    def filled(self) -> bool:
        """True if there are any bytes."""
        return self.size > 0

    @property
    def keys(self) -> tuple[ObjectKey, ...]:
        """Of the objects it is stored in."""
        inner = self.inner.stored if isinstance(self.inner, Inner) else None
        return tuple(stored.key for stored in (self.stored, inner) if stored is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An attachment, where its bytes are, and where in the packet they came from, if they give its text again."""

    attachment: Attachment
    """An ANNEX: roles come last."""
    stored: StoredObject
    span: ContentSpan | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Linked:
    """An Attachment with the words that belong to it, its own or its Reference's."""

    carried: Carried
    name: str
    description: str
    declared: str


def content_id(text: str) -> str:
    """The id without `cid:`, however often it stands there."""
    while text[: len(CID)].lower() == CID:
        text = text[len(CID) :]
    return text


def link(carried: Sequence[Carried], references: Sequence[Node], findings: Findings) -> list[_Linked]:
    """Give every Attachment its Reference: by id, then by name, then by position."""
    _note_form(carried, references, findings)
    free = dict(enumerate(references))
    chosen: dict[int, Node] = {}
    for field, oddity in (("ContentId", None), ("AttachmentName", Tolerance.LINKED_BY_NAME)):
        by_value: dict[str, list[int]] = {}
        for place, reference in reversed(free.items()):
            by_value.setdefault(content_id(reference.value(field)), []).append(place)
        for number, item in enumerate(carried):
            places = by_value.get(content_id(item.node.value(field)) or "\0")
            if number in chosen or not places:
                continue
            chosen[number] = free.pop(places.pop())
            if oddity is not None:
                findings.add(oddity, item.node)
    for number, item in enumerate(carried):
        if number in chosen:
            continue
        if number in free:
            chosen[number] = free.pop(number)
            findings.add(Tolerance.LINKED_BY_POSITION, item.node)
        else:
            findings.add(Tolerance.ATTACHMENT_WITHOUT_REFERENCE, item.node)
    for reference in free.values():
        findings.add(Tolerance.REFERENCE_WITHOUT_ATTACHMENT, reference)
    return [_words(item, chosen.get(number), number, findings) for number, item in enumerate(carried)]


def _note_form(carried: Sequence[Carried], references: Sequence[Node], findings: Findings) -> None:
    for item in carried:
        if item.spaced and item.filled:
            findings.once(Tolerance.BASE64_LAYOUT, item.node, CONTENT)
    for node in (*references, *(item.node for item in carried)):
        written = node.value("ContentId")
        if written and written[: len(CID)].lower() != CID:
            findings.once(Tolerance.CID_MISSING, node, "ContentId")


def _words(item: Carried, reference: Node | None, number: int, findings: Findings) -> _Linked:
    nodes = [item.node] if reference is None else [item.node, reference]

    def either(field: str) -> str:
        return next((found for node in nodes if (found := node.value(field))), "")

    for node in nodes:
        if node.value("ContentId").lower().startswith(CID * 2):
            findings.add(Tolerance.CID_REPEATED, node, "ContentId")
    name = either("AttachmentName")
    description = either("Description")
    if not name:
        name = f"attachment-{number + 1}"
        findings.add(Tolerance.ATTACHMENT_UNNAMED, item.node, made=name)
    _note_difference(item.node, reference, findings)
    return _Linked(carried=item, name=name, description=description, declared=either("ContentType"))


def _note_difference(node: Node, reference: Node | None, findings: Findings) -> None:
    for field in ("AttachmentName", "Description"):
        ours, theirs = node.value(field), "" if reference is None else reference.value(field)
        if ours and theirs and ours != theirs:
            findings.add(Tolerance.REFERENCE_DIFFERS, node, field, ours=ours, theirs=theirs)


class Unwrapper:
    """Takes attachments out of wrapping ZIPs: of what is stored twice, one goes."""

    def __init__(
        self, *, objects: AttachmentObjects, limits: Limits, findings: Findings, created: set[ObjectKey]
    ) -> None:
        """`created` holds the keys of everything stored for this packet and is kept up to date."""
        self._objects = objects
        self._limits = limits
        self._findings = findings
        self._created = created

    async def attachment(self, linked: _Linked) -> Made:
        """The attachment. Raises RefusedError for a wrapper that must not be unpacked."""
        item = linked.carried
        inner = self._wanted(linked)
        stored = inner.stored if inner is not None else item.stored
        assert stored is not None  # what is_wrapper says of a name that is known, it says again
        await self._discard([key for key in item.keys if key != stored.key])
        media_type = self._media_type(linked, inner)
        if not stored.size:
            self._findings.add(Tolerance.ATTACHMENT_EMPTY, item.node)
        made = Attachment(
            name=linked.name,
            media_type=media_type,
            size=stored.size,
            sha256=stored.digest,
            role=AttachmentRole.ANNEX,
            description=linked.description,
            field_name=item.node.value("FieldName"),
            mime_type=item.node.value("MimeType"),
            format=item.node.value("Format"),
        )
        return Made(attachment=made, stored=stored, span=_span(item, stored, inner))

    def _wanted(self, linked: _Linked) -> Inner | None:
        """What the attachment is taken out of its wrapper as; None if it is kept as it came."""
        item = linked.carried
        entry = item.entry
        if entry is None:
            return None
        if not is_wrapper(linked.name, entry):
            if inflates(entry.size, entry.packed, self._limits):
                self._findings.add(Tolerance.ARCHIVE_INFLATES, item.node, limit=self._limits.ratio)
            return None
        match item.inner:
            case None:
                self._findings.add(Tolerance.ZIP_UNREADABLE, item.node)
                return None
            case Defect():
                raise self._refusal(item.inner, item.node)
            case Inner(nested=nested):
                if nested is not None and is_wrapper(linked.name, nested):
                    self._judge_nested(nested, linked)
                if not entry.by_uuid:
                    self._findings.add(Tolerance.ZIP_ENTRY_NAME, item.node)
                return item.inner

    def _judge_nested(self, nested: Entry, linked: _Linked) -> None:
        """A file that is itself a ZIP of one entry, in a wrapper; one that inflates out of proportion is refused."""
        if inflates(nested.size, nested.packed, self._limits):
            raise refusal(Defect.ZIP_NESTED, linked.carried.node.path, limit=self._limits.ratio)
        self._findings.add(Tolerance.ZIP_KEPT, linked.carried.node, name=linked.name)

    def _refusal(self, code: Defect, node: Node) -> RefusedError:
        limits = {Defect.ZIP_TOO_LARGE: self._limits.inflated, Defect.ZIP_RATIO: self._limits.ratio}
        return refusal(code, node.path, limit=limits.get(code, self._limits.attachment))

    async def _discard(self, keys: Sequence[ObjectKey]) -> None:
        self._created.difference_update(keys)
        await self._objects.discard(keys)

    def _media_type(self, linked: _Linked, inner: Inner | None) -> str:
        item, declared = linked.carried, linked.declared
        if inner is None:
            found = kind_of(linked.name, item.head, declared)
            if declared and found.lower() != declared.lower():
                self._findings.add(Tolerance.CONTENT_TYPE_WRONG, item.node, declared=declared, found=found)
            if found == ZIP_TYPE and item.entry is None and extension(linked.name) not in {"", "zip"}:
                self._findings.add(Tolerance.ZIP_KEPT, item.node, name=linked.name)
            return found
        honest = declared.lower() in _ZIP_TYPES
        if declared and not honest:
            self._findings.add(Tolerance.CONTENT_TYPE_WRONG, item.node, declared=declared, found=ZIP_TYPE)
        known = honest or extension(linked.name) in TYPE_BY_EXTENSION
        return kind_of(linked.name, inner.head, "" if known else declared)


def _span(item: Carried, stored: StoredObject, inner: Inner | None) -> ContentSpan | None:
    if not item.offset or not item.size or (inner is not None and inner.zip_entry is None):
        return None
    part = EncodedPart(stored=stored, zip_entry=None if inner is None else inner.zip_entry)
    return ContentSpan(offset=item.offset, length=encoded_length(item.size), part=part)


def kind_of(name: str, head: bytes, declared: str) -> str:
    """The media type: what the bytes say, then what was declared, then what the name says.

    `declared` empty = nothing was declared that counts, such as a wrapper's application/zip.
    """
    suffix = extension(name)
    by_name = TYPE_BY_EXTENSION.get(suffix, UNKNOWN_TYPE)
    if _PDF_MAGIC in head:
        return PDF_TYPE
    if head.startswith(_ZIP_MAGICS):
        return by_name if suffix in ZIP_FAMILY else ZIP_TYPE
    if head.startswith(_OLE_MAGIC) and suffix in _OLE_KINDS:
        return by_name
    if declared and (not head or declared.lower() not in _OWN_MAGIC):
        return declared
    return UNKNOWN_TYPE if by_name in _OWN_MAGIC else by_name


def with_roles(attachments: Sequence[Attachment]) -> tuple[Attachment, ...]:
    """The first file that is a PDF by its bytes is MAIN, failing that the first so named; the rest are ANNEX."""
    main = next((a for a in attachments if a.media_type == PDF_TYPE), None) or next(
        (a for a in attachments if extension(a.name) == "pdf"), None
    )
    return tuple(replace(a, role=AttachmentRole.MAIN if a is main else AttachmentRole.ANNEX) for a in attachments)
