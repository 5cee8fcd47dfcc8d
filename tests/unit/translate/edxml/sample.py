"""A document and a status with dummy values, and the way through a packet and back."""

from dataclasses import replace
from datetime import date

from gateway.domain.dialect import NATIONAL, Dialect
from gateway.domain.document import (
    Attachment,
    AttachmentRole,
    Document,
    DocumentType,
    Organization,
    OtherInfo,
    ResponseFor,
    SignerInfo,
    StaffInfo,
    TraceHeader,
)
from gateway.domain.ids import AccountName, AxisDocId, OrganId
from gateway.domain.packet import AxisItem, Draft, PacketDefect, PacketKind, Received, StoredObject, Unpacked
from gateway.domain.status import StatusReport
from gateway.translate.edxml.translator import EdxmlTranslator
from gateway.xmlsafe import Limits
from tests.fakes.blobs import MemoryBlobs

HOP = TraceHeader(organ_id="H99.01", timestamp="2026/01/15 08:30:00")
RECIPIENTS = (Organization(organ_id=OrganId("H98.02"), organ_name="Body B"),)
DOCUMENT = Document(
    sender=Organization(organ_id=OrganId("H99.01"), organ_name="Body A"),
    to=RECIPIENTS,
    document_id="H99.01,2026/01/15,12/ABC-XYZ",
    code_number="12",
    code_notation="ABC-XYZ",
    promulgation_place="Town",
    promulgation_date=date(2026, 1, 15),
    subject="V/v dummy",
    document_type=DocumentType(type=2, type_detail=18, type_name="Công văn"),
    signer_info=SignerInfo(position="Title", full_name="Signer X"),
    other_info=OtherInfo(page_amount=1),
)
STATUS = StatusReport(
    sender=Organization(organ_id=OrganId("H98.02"), organ_name="Body B"),
    response_for=ResponseFor(
        organ_id=OrganId("H99.01"),
        code="12/ABC-XYZ",
        promulgation_date=date(2026, 1, 15),
        document_id="H99.01,2026/01/15,12/ABC-XYZ",
    ),
    status_code="03",
    timestamp="2026/01/15 09:00:00",
    description="accepted",
    staff_info=StaffInfo(department="Registry", staff="Clerk Y"),
)


def attach(
    document: Document, blobs: MemoryBlobs, *files: tuple[str, str, bytes]
) -> tuple[Document, tuple[StoredObject, ...]]:
    """The document with these files (name, media type, bytes); the first one is MAIN if it is a PDF."""
    stored = tuple(blobs.put(data) for _, _, data in files)
    attachments = tuple(
        Attachment(
            name=name,
            media_type=media_type,
            size=one.size,
            sha256=one.digest,
            role=AttachmentRole.MAIN if place == 0 and media_type == "application/pdf" else AttachmentRole.ANNEX,
        )
        for place, ((name, media_type, _), one) in enumerate(zip(files, stored, strict=True))
    )
    return replace(document, attachments=attachments), stored


def translator(blobs: MemoryBlobs, limits: Limits | None = None, dialect: Dialect = NATIONAL) -> EdxmlTranslator:
    return EdxmlTranslator(blobs=blobs, limits=limits or Limits(), dialect=dialect)


def draft(
    blobs: MemoryBlobs, document: Document, stored: tuple[StoredObject, ...] = (), dialect: Dialect = NATIONAL
) -> Draft:
    made = translator(blobs, dialect=dialect).draft_document(document, stored, recipients=document.to, hop=HOP)
    assert isinstance(made, Draft)
    return made


async def packet(blobs: MemoryBlobs, made: Draft) -> bytes:
    return b"".join([chunk async for chunk in translator(blobs).stream(made)])


async def read(
    blobs: MemoryBlobs,
    raw: bytes,
    *,
    kind: PacketKind = PacketKind.DOCUMENT,
    limits: Limits | None = None,
    dialect: Dialect = NATIONAL,
) -> Unpacked | PacketDefect:
    item = AxisItem(axis_doc_id=AxisDocId("1"), kind=kind, recipients=())
    received = Received(account=AccountName("axis"), item=item, raw=blobs.put(raw))
    return await translator(blobs, limits, dialect).read(received)
