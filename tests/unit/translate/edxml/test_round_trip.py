"""Document to packet to document is identity, and so is status."""

import re
import unicodedata
from dataclasses import replace
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.document import (
    AttachmentRole,
    Business,
    BusinessType,
    Document,
    DocumentType,
    Organization,
    OtherInfo,
    ReceiverChange,
    ReplacementInfo,
    ResponseFor,
    SignerInfo,
    StaffInfo,
    TraceHeader,
)
from gateway.domain.packet import PacketKind, UnpackedDocument, UnpackedStatus
from gateway.domain.status import StatusReport
from gateway.xmlsafe import carries
from tests.fakes.blobs import MemoryBlobs
from tests.unit.translate.edxml.sample import HOP, attach, draft, packet, read, translator

_SPACE = " \t\r\n"
_VIETNAMESE = st.sampled_from(["Ủy ban nhân dân", "Quyết định số 5", "đề nghị", 'V/v <họp> & "kết luận"', "𠀋 chữ Nôm"])


def _forms(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from([unicodedata.normalize(form, text) for form in ("NFC", "NFD")])


ANY_TEXT = st.one_of(
    st.text(max_size=30).filter(carries).map(lambda text: text.strip(_SPACE)), _VIETNAMESE.flatmap(_forms)
)
TEXT = ANY_TEXT.filter(bool)
CODE = st.from_regex(re.compile(r"[A-Z][0-9]{2}(\.[0-9A-Z]{1,4}){0,3}"), fullmatch=True)
DATE = st.dates(min_value=date(1, 1, 1))
DATE_OR_NONE = st.none() | DATE
COUNT = st.integers(min_value=0, max_value=65535)


def values(kind: type, **fields: st.SearchStrategy) -> st.SearchStrategy:
    return st.builds(kind, **fields)


ORGANIZATION = values(
    Organization,
    organ_id=CODE,
    **dict.fromkeys(
        ("organ_name", "organization_in_charge", "organ_add", "email", "telephone", "fax", "website"), ANY_TEXT
    ),
)
STAFF = values(StaffInfo, **dict.fromkeys(("department", "staff", "mobile", "email"), ANY_TEXT))
RESPONSE_FOR = values(ResponseFor, organ_id=CODE, code=TEXT, promulgation_date=DATE_OR_NONE, document_id=ANY_TEXT)
RECIPIENTS = st.lists(ORGANIZATION, min_size=1, max_size=3, unique_by=lambda body: body.organ_id).map(tuple)
BUSINESS = values(
    Business,
    reason=ANY_TEXT,
    document_id=ANY_TEXT,
    document_info_changed=st.booleans(),
    document_receiver_changed=st.booleans(),
    receivers=st.lists(values(ReceiverChange, receiver_type=st.integers(0, 1), organ_id=CODE), max_size=2).map(tuple),
    staff_info=STAFF,
    paper=st.booleans(),
    replacements=st.lists(
        values(ReplacementInfo, document_id=TEXT, organ_ids=st.lists(CODE, max_size=2).map(tuple)), max_size=2
    ).map(tuple),
)
HOPS = st.lists(values(TraceHeader, organ_id=CODE, timestamp=TEXT), max_size=2).map(tuple)
DOCUMENT = values(
    Document,
    sender=ORGANIZATION,
    to=RECIPIENTS,
    document_id=TEXT,
    code_number=TEXT,
    code_notation=TEXT,
    promulgation_place=ANY_TEXT,
    promulgation_date=DATE,
    subject=TEXT,
    document_type=values(DocumentType, type=st.integers(1, 32), type_detail=COUNT, type_name=ANY_TEXT),
    business_type=st.sampled_from(BusinessType),
    content=ANY_TEXT,
    signer_info=values(SignerInfo, competence=ANY_TEXT, position=ANY_TEXT, full_name=ANY_TEXT),
    due_date=DATE_OR_NONE,
    to_places=st.lists(TEXT, max_size=3).map(tuple),
    other_info=values(
        OtherInfo,
        priority=st.integers(0, 9),
        sphere_of_promulgation=ANY_TEXT,
        typer_notation=ANY_TEXT,
        promulgation_amount=COUNT,
        page_amount=COUNT,
        appendixes=st.lists(TEXT, max_size=3).map(tuple),
    ),
    response_for=st.lists(RESPONSE_FOR, max_size=2).map(tuple),
    steering_type=st.none() | st.integers(0, 2),
    business=BUSINESS,
    trace=HOPS,
)
STATUS = values(
    StatusReport,
    sender=ORGANIZATION,
    response_for=RESPONSE_FOR,
    status_code=st.integers(0, 99).map(lambda code: f"{code:02}"),
    timestamp=TEXT,
    description=ANY_TEXT,
    staff_info=STAFF,
)
FILES = st.lists(
    st.tuples(
        TEXT,
        st.sampled_from(
            [
                (".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
                (".txt", "text/plain"),
                (".doc", "application/msword"),
                (".không", "application/octet-stream"),
            ]
        ),
        # Bytes that are not what the name says come back with the type that they are (see the cases).
        st.binary(max_size=400).filter(lambda content: b"%PDF" not in content and b"PK" not in content),
    ).map(lambda made: (made[0] + made[1][0], made[1][1], made[2])),
    max_size=3,
)


def canonical(document: Document) -> Document:
    """What a packet can tell: a new document has no document it updates (edxml.md 2.2.4), and the hop is appended."""
    business = document.business
    if document.business_type is BusinessType.NEW:
        business = replace(business, document_id="")
    return replace(document, business=business, trace=(*document.trace, HOP))


@settings(max_examples=60, deadline=None)
@given(DOCUMENT, FILES, st.integers(1, 700))
async def test_a_document_survives_its_packet(document, files, chunk):
    """Every field and every byte comes back, Vietnamese in either normal form and astral characters included."""
    blobs = MemoryBlobs(chunk=chunk)
    document, stored = attach(document, blobs, ("main.pdf", "application/pdf", b"%PDF-1.7 main"), *files)
    raw = await packet(blobs, draft(blobs, document, stored))
    back = await read(blobs, raw)
    assert isinstance(back, UnpackedDocument)
    assert back.document == canonical(document)
    assert back.document.attachments[0].role is AttachmentRole.MAIN
    assert [blobs.objects[one.key] for one in back.objects] == [blobs.objects[one.key] for one in stored]


@settings(max_examples=60, deadline=None)
@given(STATUS, st.integers(1, 300))
async def test_a_status_survives_its_packet(report, chunk):
    """Every field comes back."""
    blobs = MemoryBlobs(chunk=chunk)
    raw = await packet(blobs, translator(blobs).draft_status(report))
    back = await read(blobs, raw, kind=PacketKind.STATUS)
    assert isinstance(back, UnpackedStatus)
    assert back.report == report
