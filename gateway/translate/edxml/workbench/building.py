"""A packet in a file, built by hand from any document that can be written: the command `packet build`."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from gateway.domain import following, rules
from gateway.domain.dialect import Dialect
from gateway.domain.document import Attachment, AttachmentRole, BusinessType, Document, TraceHeader
from gateway.domain.errors import ErrorCode, FieldViolation, required
from gateway.domain.ids import Digest
from gateway.domain.packet import Draft, EncodedPart, LiteralPart, PacketDefect, PacketWarning, UnpackedDocument
from gateway.domain.vntime import edxml_timestamp, vietnam_date
from gateway.translate.edxml.contents.attachments import kind_of, with_roles
from gateway.translate.edxml.contents.mistakable import mistakable
from gateway.translate.edxml.contents.objects import MeasuringObjects
from gateway.translate.edxml.reading.reader import read_packet
from gateway.translate.edxml.workbench.losses import NOT_CARRIED, WrittenFile, lost_fields, lost_files
from gateway.translate.edxml.workbench.material import ChangedError, Examined, Material
from gateway.translate.edxml.writing.packet import packet_bytes, packet_length
from gateway.translate.edxml.writing.writer import write_document
from gateway.xmlsafe import Limits

NOT_STANDARD = "NOT_STANDARD"
"""Warning: the standard, or SubmitDocument, wants it otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to build; attachments of `document` have an empty digest and a negative size where none was stated."""

    document: Document
    sources: tuple[Path | bytes, ...]
    """One per attachment, same order."""
    roles: tuple[AttachmentRole | None, ...]
    """One per attachment; None = not said."""
    hop: str
    """Code of a hop to append to the trace; empty = none."""
    passed_over: tuple[str, ...] = ()
    """Paths of what was given and has no place in a packet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which the packet is built."""

    limits: Limits
    counts: rules.Limits
    dialect: Dialect
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A packet written."""

    length: int
    """Bytes."""
    sha256: Digest
    warnings: tuple[PacketWarning, ...]


Refused = tuple[PacketDefect, ...]
"""Every reason why nothing was written; never empty."""


async def build(wanted: Wanted, out: Path, terms: Terms) -> Built | Refused:
    """Write the packet to `out`, which is replaced whole or not touched. Raises OSError where it cannot be written."""
    material = Material(wanted.sources)
    completed = _completed(wanted)
    examined = [
        await material.examine(i, path=f"document.attachments[{i}]", limit=terms.limits.attachment)
        for i in range(len(wanted.sources))
    ]
    found = [one for one in examined if isinstance(one, Examined)]
    defects = [one for one in examined if isinstance(one, PacketDefect)]
    if not defects:
        defects += _mismatches(completed.attachments, found)
    violations, warnings = _judge(completed, wanted.hop, terms)
    defects += [PacketDefect(code=ErrorCode.INVALID_FIELD, path=v.path, message=v.en) for v in violations]
    if defects:
        return tuple(defects)
    document, order = _arranged(completed, wanted.roles, found)
    objects = [found[i].stored for i in order]
    wrap = await mistakable(document.attachments, objects, material, terms.dialect)
    draft = write_document(
        document, objects, recipients=document.to, hop=_hop(wanted, terms.now), dialect=terms.dialect, wrap=wrap
    )
    if isinstance(draft, PacketDefect):
        return (draft,)
    length = packet_length(draft)
    if length > terms.limits.packet:
        message = f"{length} bytes; a packet may have {terms.limits.packet}"
        return (PacketDefect(code=ErrorCode.PACKET_TOO_LARGE, path="document", message=message),)
    said = await _read_back(draft, terms)
    if isinstance(said, PacketDefect):
        return (said,)
    try:
        sha256 = await _write(draft, material, out)
    except ChangedError as error:
        return (PacketDefect(code="FILE_CHANGED", path="document.attachments", message=str(error)),)
    stated = [wanted.document.attachments[i] for i in order]
    written = [
        WrittenFile(
            number=i,
            attachment=replace(one, description=stated.description, media_type=stated.media_type),
            role=wanted.roles[i],
            head=found[i].head,
            wrapped=part.zip_entry is not None,
        )
        for i, one, stated, part in zip(order, document.attachments, stated, _contents(draft), strict=True)
    ]
    unsaid = (PacketWarning(code=NOT_CARRIED, path=path, message="no packet says this") for path in wanted.passed_over)
    lost = (*unsaid, *lost_fields(document, said), *lost_files(written, said.attachments))
    return Built(length=length, sha256=sha256, warnings=(*warnings, *lost))


def _completed(wanted: Wanted) -> Document:
    """With the document id that the contract gives where none is said."""
    document = wanted.document
    files = tuple(
        replace(one, role=role or AttachmentRole.ANNEX)
        for one, role in zip(document.attachments, wanted.roles, strict=True)
    )
    document = replace(document, attachments=files)
    return replace(document, document_id=document.document_id or rules.default_document_id(document))


def _hop(wanted: Wanted, now: datetime) -> TraceHeader | None:
    """The hop to append: the one asked for, else the sender where there is no trace yet."""
    document = wanted.document
    code = wanted.hop or ("" if document.trace else document.sender.organ_id)
    return TraceHeader(organ_id=code, timestamp=edxml_timestamp(now)) if code else None


def _mismatches(attachments: Sequence[Attachment], found: Sequence[Examined]) -> Iterator[PacketDefect]:
    for i, (stated, seen) in enumerate(zip(attachments, found, strict=True)):
        path = f"document.attachments[{i}]"
        if stated.size >= 0 and stated.size != seen.stored.size:
            message = f"stated {stated.size} bytes, found {seen.stored.size}"
            yield PacketDefect(code=ErrorCode.SIZE_MISMATCH, path=f"{path}.size_bytes", message=message)
        if stated.sha256 and stated.sha256 != seen.stored.digest:
            message = f"stated {stated.sha256}, found {seen.stored.digest}"
            yield PacketDefect(code=ErrorCode.DIGEST_MISMATCH, path=f"{path}.sha256", message=message)


def _judge(document: Document, hop: str, terms: Terms) -> tuple[Sequence[FieldViolation], list[PacketWarning]]:
    refused, warnings = rules.check_writable(document, limits=terms.counts, dialect=terms.dialect)
    violations = [*refused, *_unreadable(document), *_unwritable_trace(document, hop)]
    today = vietnam_date(terms.now)
    odd, _ = rules.check(document, today=today, limits=terms.counts, dialect=terms.dialect)
    known = {(v.path, v.en) for v in violations}
    passed = {v.path for v in following.judge_kind(document)}  # how SubmitDocument wants it named, no standard
    if document.business_type != BusinessType.NEW:
        passed.add("document.attachments")  # a recall, say, needs none
    told = [
        PacketWarning(code=NOT_STANDARD, path=v.path, message=v.en)
        for v in odd
        if v.path not in passed and (v.path, v.en) not in known
    ]
    return violations, [*warnings, *told]


def _unreadable(document: Document) -> Iterator[FieldViolation]:
    """Without these no reader takes the packet."""
    bodies = (
        ("document.from", document.sender),
        *((f"document.to[{i}]", body) for i, body in enumerate(document.to)),
    )
    for path, body in bodies:
        if not body.organ_id.strip():
            yield required(f"{path}.organ_id")


def _unwritable_trace(document: Document, hop: str) -> Iterator[FieldViolation]:
    texts = [("hop", hop)]
    for i, passed in enumerate(document.trace):
        path = f"document.trace[{i}]"
        texts += [(f"{path}.organ_id", passed.organ_id), (f"{path}.timestamp", passed.timestamp)]
    for path, text in texts:
        found = rules.NOT_IN_XML.search(text)
        if found:
            shown = f"U+{ord(found.group()):04X}"
            en, vi = f"character {shown} cannot be written in XML", f"Ký tự {shown} không dùng được trong XML."
            yield FieldViolation(path=path, en=en, vi=vi)


def _arranged(
    document: Document, roles: Sequence[AttachmentRole | None], found: Sequence[Examined]
) -> tuple[Document, list[int]]:
    """The document as it is written, and for each of its attachments the number it was given under.

    The order given is kept where a reader finds the main file in it; otherwise the main file goes first.
    """
    files = [
        replace(
            one,
            size=seen.stored.size,
            sha256=seen.stored.digest,
            media_type=one.media_type or kind_of(one.name, seen.head, ""),
        )
        for one, seen in zip(document.attachments, found, strict=True)
    ]
    recognised = with_roles(files)
    main = next((i for i, role in enumerate(roles) if role is AttachmentRole.MAIN), None)
    order = list(range(len(files)))
    if main is not None and recognised[main].role is not AttachmentRole.MAIN:
        order = [main, *(i for i in order if i != main)]
    written = tuple(replace(files[i], role=AttachmentRole.ANNEX) for i in order)
    return replace(document, attachments=written), order


async def _read_back(draft: Draft, terms: Terms) -> Document | PacketDefect:
    """What a reader gets from the packet, its attachments' bytes left out."""
    found = await read_packet(
        _words(draft), objects=MeasuringObjects(), limits=terms.limits, said=draft.kind, dialect=terms.dialect
    )
    if isinstance(found, PacketDefect):
        return found
    assert isinstance(found, UnpackedDocument)
    return found.document


def _contents(draft: Draft) -> Iterator[EncodedPart]:
    return (part for part in draft.parts if isinstance(part, EncodedPart))


async def _words(draft: Draft) -> AsyncIterator[bytes]:
    for part in draft.parts:
        if isinstance(part, LiteralPart):
            yield part.data


async def _write(draft: Draft, material: Material, out: Path) -> Digest:
    digest = hashlib.sha256()
    beside = out.with_name(f".lgsp-{secrets.token_hex(8)}.tmp")
    try:
        with beside.open("xb", buffering=0) as file:
            async for chunk in packet_bytes(draft, material):
                digest.update(chunk)
                file.write(chunk)
        beside.replace(out)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return Digest(digest.hexdigest())
