"""What is claimed of every input: each target reads it one way and fails by raising; it answers how the input ended."""

import base64
import binascii
import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import gettempdir
from typing import Any, TypeVar
from xml.etree import ElementTree as ET

from gateway.domain.dialect import NATIONAL
from gateway.domain.document import Attachment, AttachmentRole, Document
from gateway.domain.packet import Draft, PacketDefect, Unpacked, UnpackedDocument, UnpackedStatus
from gateway.rpc.convert.jsonform import document_json
from gateway.rpc.convert.jsonread import DescribedDocument, NotJsonError, read_document
from gateway.translate.edxml.codes import NS102, RAW_EXTENSIONS, TYPE_ADMINISTRATIVE, extension
from gateway.translate.edxml.contents.mistakable import mistakable
from gateway.translate.edxml.findings import WARNING_LIMIT, Defect
from gateway.translate.edxml.reading.reader import read_packet
from gateway.translate.edxml.splitting import join, split
from gateway.translate.edxml.workbench import strict
from gateway.translate.edxml.writing.packet import packet_bytes
from gateway.translate.edxml.writing.writer import write_document, write_status
from gateway.xmlsafe import Limits, XmlFault
from tests.fakes.blobs import MemoryBlobs
from tests.fuzz.plans import Plan

T = TypeVar("T")

CODES = frozenset([*Defect, *XmlFault])
LOOSE = Limits()
TIGHT = Limits(
    attachment=600, packet=5000, inflated=900, attachments=2, recipients=2, depth=9, header=3000
)  # near what the corpus has, so that every limit is met


@dataclass(frozen=True, slots=True)
class Case:
    """One input and how it is read."""

    data: bytes
    chunk: int = 1 << 30
    limits: Limits = LOOSE


def case_of(plan: Plan, data: bytes) -> Case:
    """The case of a plan; a large input is cut into some thousand chunks at most, since each costs time of its own."""
    return Case(data=data, chunk=max(plan.chunk, len(data) // 4096), limits=TIGHT if plan.tight else LOOSE)


def drive(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end without an event loop: nothing here waits for anything but its turn."""
    try:
        while True:
            assert work.send(None) is None, "waits for the world"
    except StopIteration as done:
        return done.value


def read(case: Case, blobs: MemoryBlobs) -> Unpacked | PacketDefect:
    """Read; the answer is well-formed and the store holds what it names and nothing else."""

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(case.data), case.chunk):
            yield case.data[at : at + case.chunk]

    before = set(blobs.objects)
    found = drive(read_packet(chunks(), objects=blobs, limits=case.limits, said=None))
    left = set(blobs.objects) - before
    match found:
        case PacketDefect():
            assert found.code in CODES, found.code
            assert found.message.strip(), "a defect says nothing"
            assert not left, f"a defect left {len(left)} objects behind"
        case UnpackedDocument(document=document):
            assert {one.key for one in found.objects} == left, "objects differ from the document's"
            assert [(a.sha256, a.size) for a in document.attachments] == [(o.digest, o.size) for o in found.objects]
            _check_spans(found, len(case.data))
        case UnpackedStatus():
            assert not left, "a status left objects behind"
    if not isinstance(found, PacketDefect):
        assert len(found.warnings) <= WARNING_LIMIT + 1
        assert all(warning.code and warning.message for warning in found.warnings)
    return found


def _check_spans(found: UnpackedDocument, length: int) -> None:
    at = 0
    for span in found.spans:
        assert span.offset >= at, "spans overlap or are out of order"
        assert span.length >= 0
        at = span.offset + span.length
        assert span.part.stored in found.objects
    assert at <= length, "a span ends behind the packet"


def ending(found: Unpacked | PacketDefect) -> str:
    """The word under which an execution is counted."""
    match found:
        case PacketDefect(code=code):
            return str(code)
        case UnpackedDocument():
            return "document"
        case UnpackedStatus():
            return "status"


def reads(case: Case) -> str:
    """Reads or is refused with a code."""
    return ending(read(case, MemoryBlobs()))


def reads_in_any_chunks(case: Case) -> str:
    """How the bytes were cut on the way changes nothing."""
    whole = read(replace(case, chunk=1 << 30), MemoryBlobs())
    cut = read(case, MemoryBlobs())
    match whole, cut:
        case PacketDefect(), PacketDefect():
            # Which of two limits is met first may depend on the chunks; under the usual limits nothing may.
            assert case.limits is TIGHT or (whole.code, whole.path) == (cut.code, cut.path), (whole, cut)
        case UnpackedDocument(), UnpackedDocument():
            assert (whole.document, whole.warnings) == (cut.document, cut.warnings), "chunks change the document"
            assert _places(whole) == _places(cut), "chunks change the spans"
        case _:
            assert whole == cut, (whole, cut)
    return ending(whole)


def _places(found: UnpackedDocument) -> list[tuple[int, int, str]]:
    return [(span.offset, span.length, span.part.stored.digest) for span in found.spans]


_CONTENT = f"{{{NS102}}}ContentTransferEncoded"


def agrees_with_another_reader(case: Case) -> str:
    """What reads is well-formed XML for another parser too, and every attachment is what Python's own decoders give."""
    found = read(case, MemoryBlobs())
    if isinstance(found, PacketDefect):
        return ending(found)
    parser = ET.XMLParser(encoding="utf-8")
    root = ET.fromstring(case.data, parser)
    if isinstance(found, UnpackedDocument):
        given = {digest for node in root.iter(_CONTENT) for digest in _digests("".join(node.itertext()))}
        assert {one.digest for one in found.objects} <= given, "an attachment that is not in the packet"
    return ending(found)


def _digests(text: str) -> list[str]:
    try:
        file = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return []
    files = [file]
    try:
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            files += [archive.read(name) for name in archive.infolist()]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError, OSError):
        files += _by_hand(file)
    return [hashlib.sha256(one).hexdigest() for one in files]


def _by_hand(file: bytes) -> list[bytes]:
    """What a ZIP holds right behind its first header, for archives that Python refuses for their other headers."""
    size, extra = int.from_bytes(file[26:28], "little"), int.from_bytes(file[28:30], "little")
    start = 30 + size + extra
    made = [file[start:end] for end in [at.start() for at in re.finditer(b"PK\x01\x02|PK\x07\x08", file)]]
    with suppress(zlib.error):
        made.append(zlib.decompressobj(-15).decompress(file[start:]))
    return made


def survives_the_strict_check(case: Case) -> str:
    """`packet check` answers: deviations, or the defect."""
    path = Path(gettempdir()) / "packet.edxml"
    path.write_bytes(case.data)
    found = drive(strict.check(path, case.limits))
    if isinstance(found, PacketDefect):
        assert found.code in CODES
        return str(found.code)
    assert all(deviation.code and deviation.message for deviation in found)
    return "checked"


def survives_writing(case: Case) -> str:
    """What was read and is written again reads the same."""
    blobs = MemoryBlobs()
    found = read(case, blobs)
    match found:
        case PacketDefect():
            return ending(found)
        case UnpackedDocument(document=document, objects=objects):
            wrap = drive(mistakable(document.attachments, objects, blobs, NATIONAL))
            draft = write_document(document, objects, recipients=document.to, hop=None, wrap=wrap)
        case UnpackedStatus(report=report):
            draft = write_status(report)
    assert isinstance(draft, Draft), draft
    raw = drive(_gathered(packet_bytes(draft, blobs)))
    back = read(Case(data=raw), blobs)
    if isinstance(back, PacketDefect) and back.code == Defect.ZIP_NESTED:
        return "document, not again"  # kept as it came was a ZIP bomb, which in a wrapper of ours is one in a wrapper
    assert type(back) is type(found), back
    if isinstance(found, UnpackedDocument) and isinstance(back, UnpackedDocument):
        was, now = settled(found.document), replace(back.document, attachments=typed(back.document))
        assert now == was, _difference(was, now)
    elif isinstance(found, UnpackedStatus) and isinstance(back, UnpackedStatus):
        assert back.report == found.report, _difference(found.report, back.report)
    return ending(found)


def settled(document: Document) -> Document:
    """What a packet makes of a document: a class is always written."""
    kind = document.document_type
    return replace(
        document,
        document_type=replace(kind, type=kind.type or TYPE_ADMINISTRATIVE),
        attachments=typed(document),
    )


def typed(document: Document) -> tuple[Attachment, ...]:
    """The attachments, MAIN first; a wrapped one without its type: the packet says that it is wrapped instead."""
    described = [replace(each, description=each.description or each.name) for each in document.attachments]
    attachments = sorted(described, key=lambda each: each.role is not AttachmentRole.MAIN)
    if not all(each.size for each in attachments):  # an empty file is what it is called, so the roles may change
        attachments = [replace(each, role=AttachmentRole.ANNEX) for each in described]
        attachments.sort(key=lambda each: (each.name, each.description, each.sha256))
    return tuple(
        each if extension(each.name) in RAW_EXTENSIONS else replace(each, media_type="") for each in attachments
    )


def _difference(before: Any, after: Any) -> str:
    return "; ".join(
        f"{name}: {getattr(before, name)!r} became {getattr(after, name)!r}"
        for name in type(before).__slots__
        if getattr(before, name) != getattr(after, name)
    )


def survives_splitting(case: Case) -> str:
    """The raw packet comes back byte for byte from its parts, or there are no parts."""
    blobs = MemoryBlobs()
    raw = blobs.put(case.data)
    found = read(case, blobs)
    if not isinstance(found, UnpackedDocument) or not found.spans:
        return ending(found)
    parts = drive(split(raw, found.spans, blobs))
    if parts is None:
        return "document, kept whole"
    assert drive(_gathered(join(parts, blobs))) == case.data, "the parts do not give the packet"
    return "document, kept as parts"


async def _gathered(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def description_reads(case: Case) -> str:
    """A document described in JSON reads or is refused field by field; written and read again it is the same."""
    try:
        found = read_document(case.data.decode())
    except UnicodeDecodeError:
        return "NO_UTF8"
    except NotJsonError:
        return "NO_JSON"
    if isinstance(found, DescribedDocument):
        document = replace(found.document, attachments=())
        text = json.dumps(document_json(document))
        back = read_document(text)
        assert isinstance(back, DescribedDocument), (back, text)
        assert back.document == document, _difference(document, back.document)
        return "description"
    assert found
    assert all(violation.en and violation.path for violation in found)
    return "FIELDS"


Target = Callable[[Case], str]
JSON_TARGETS: Mapping[str, Target] = {description_reads.__name__: description_reads}
"""These read descriptions in JSON, the others packets."""
TARGETS: Mapping[str, Target] = dict(JSON_TARGETS) | {
    target.__name__: target
    for target in (
        reads,
        reads_in_any_chunks,
        agrees_with_another_reader,
        survives_the_strict_check,
        survives_writing,
        survives_splitting,
    )
}
