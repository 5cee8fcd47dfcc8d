"""From what a packet carries to attachments: linking, unwrapping, kinds by their bytes, roles (edxml.md 4)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.domain.document import Attachment, AttachmentRole
from gateway.domain.ids import ObjectKey
from gateway.domain.packet import StoredObject
from gateway.translate.edxml.codes import (
    PDF_TYPE,
    TYPE_BY_EXTENSION,
    UNKNOWN_TYPE,
    ZIP_FAMILY,
    ZIP_TYPE,
    extension,
)
from gateway.translate.edxml.findings import Defect, Findings, Tolerance, refusal
from gateway.translate.edxml.objects import ZIP_MAGIC, AttachmentObjects
from gateway.translate.edxml.tree import Node
from gateway.translate.edxml.unwrap import Entry, UnreadableZipError, inflate, judge, single_entry
from gateway.xmlsafe import Limits

HEAD = 1024
"""Bytes of a file that tell its kind; a PDF may begin anywhere in them."""

_CID = "cid:"
_PDF_MAGIC = b"%PDF-"
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_KINDS = frozenset({"doc", "xls", "ppt"})
_ZIP_TYPES = frozenset({ZIP_TYPE, "application/x-zip-compressed"})
_OWN_MAGIC = _ZIP_TYPES | {PDF_TYPE}
"""Types whose bytes are always recognised: declared for other bytes, they are wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The content of one Attachment element, stored as it came out of base64."""

    node: Node
    stored: StoredObject
    head: bytes
    """The first bytes, at most HEAD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Linked:
    """An Attachment with the words that belong to it, its own or its Reference's."""

    carried: Carried
    name: str
    description: str
    declared: str


def content_id(text: str) -> str:
    """The id without `cid:`, however often it stands there."""
    while text[: len(_CID)].lower() == _CID:
        text = text[len(_CID) :]
    return text


def link(carried: Sequence[Carried], references: Sequence[Node], findings: Findings) -> list[_Linked]:
    """Give every Attachment its Reference: by id, then by name, then by position."""
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


def _words(item: Carried, reference: Node | None, number: int, findings: Findings) -> _Linked:
    nodes = [item.node] if reference is None else [item.node, reference]

    def either(field: str) -> str:
        return next((found for node in nodes if (found := node.value(field))), "")

    for node in nodes:
        if node.value("ContentId").lower().startswith(_CID * 2):
            findings.add(Tolerance.CID_REPEATED, node, "ContentId")
    name = either("AttachmentName")
    description = either("Description")
    if not name:
        name = f"attachment-{number + 1}"
        findings.add(Tolerance.ATTACHMENT_UNNAMED, item.node, made=name)
    shown = "" if description == name else description
    return _Linked(carried=item, name=name, description=shown, declared=either("ContentType"))


class Unwrapper:
    """Takes attachments out of wrapping ZIPs; keeps the sum of what one packet inflates to."""

    def __init__(
        self, *, objects: AttachmentObjects, limits: Limits, findings: Findings, created: set[ObjectKey]
    ) -> None:
        """`created` holds the keys of everything stored for this packet and is kept up to date."""
        self._objects = objects
        self._limits = limits
        self._findings = findings
        self._created = created
        self._left = limits.inflated

    async def attachment(self, linked: _Linked) -> tuple[Attachment, StoredObject]:
        """The attachment (as an ANNEX, roles come last) and its object."""
        item = linked.carried
        stored, head, declared = item.stored, item.head, linked.declared
        inner = await self._unwrap(linked) if head.startswith(ZIP_MAGIC) else None
        if inner is not None:
            stored, head = inner
            honest = declared.lower() in _ZIP_TYPES
            if declared and not honest:
                self._findings.add(Tolerance.CONTENT_TYPE_WRONG, item.node, declared=declared, found=ZIP_TYPE)
            declared = "" if honest or extension(linked.name) in TYPE_BY_EXTENSION else declared
        media_type = kind_of(linked.name, head, declared)
        if inner is None and declared and media_type.lower() != declared.lower():
            self._findings.add(Tolerance.CONTENT_TYPE_WRONG, item.node, declared=declared, found=media_type)
        if not stored.size:
            self._findings.add(Tolerance.ATTACHMENT_EMPTY, item.node)
        made = Attachment(
            name=linked.name,
            media_type=media_type,
            size=stored.size,
            sha256=stored.digest,
            role=AttachmentRole.ANNEX,
            description=linked.description,
        )
        return made, stored

    async def _unwrap(self, linked: _Linked) -> tuple[StoredObject, bytes] | None:
        item = linked.carried
        async with self._objects.local_path(item.stored) as path:
            entry = single_entry(path)
            wrapping = judge(linked.name, entry)
            if entry is None or not wrapping.unwrap:
                return None
            self._refuse_bomb(entry, item.node)
            head = b""
            size = 0
            try:
                async with self._objects.writer(limit=self._limits.attachment) as writer:
                    for chunk in inflate(path, entry):
                        size += len(chunk)
                        if size > entry.size:
                            raise UnreadableZipError("more bytes than the archive says")  # noqa: TRY301 - one way out
                        head += chunk[: HEAD - len(head)]
                        await writer.write(chunk)
                        await asyncio.sleep(0)  # as in the reader: other tasks get their turn
                    inner = await writer.finish()
            except UnreadableZipError:
                self._findings.add(Tolerance.ZIP_UNREADABLE, item.node)
                return None
        self._created.add(inner.key)
        self._created.discard(item.stored.key)
        await self._objects.discard([item.stored.key])
        self._left -= inner.size
        if not wrapping.by_uuid:
            self._findings.add(Tolerance.ZIP_ENTRY_NAME, item.node)
        return inner, head

    def _refuse_bomb(self, entry: Entry, node: Node) -> None:
        """Judges what the archive claims; `inflate` is stopped as soon as it gives more than that."""
        if entry.size > self._limits.attachment:
            raise refusal(Defect.ATTACHMENT_TOO_LARGE, node.path, limit=self._limits.attachment)
        if entry.size > self._left:
            raise refusal(Defect.ZIP_TOO_LARGE, node.path, limit=self._limits.inflated)
        if entry.size > self._limits.ratio_from and entry.size > self._limits.ratio * entry.packed:
            raise refusal(Defect.ZIP_RATIO, node.path, limit=self._limits.ratio)


def kind_of(name: str, head: bytes, declared: str) -> str:
    """The media type: what the bytes say, then what was declared, then what the name says.

    `declared` empty = nothing was declared that counts, such as a wrapper's application/zip.
    """
    suffix = extension(name)
    by_name = TYPE_BY_EXTENSION.get(suffix, UNKNOWN_TYPE)
    if _PDF_MAGIC in head:
        return PDF_TYPE
    if head.startswith(ZIP_MAGIC):
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
