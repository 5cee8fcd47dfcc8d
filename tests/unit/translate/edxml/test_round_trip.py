"""Document to packet to document is identity in every dialect but for what the dialect cannot say; so is status."""

import re
import unicodedata
from dataclasses import replace
from datetime import date

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.domain.dialect import Dialect, Shape, StatusContainer, TypePractice
from gateway.domain.document import (
    AttachmentRole,
    Business,
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


_LONG = st.integers(300, 900).map(lambda size: ("Ủy ban nhân dân " * 60)[:size].strip())
ANY_TEXT = st.one_of(
    st.text(max_size=30).filter(carries).map(lambda text: text.strip(_SPACE)), _VIETNAMESE.flatmap(_forms), _LONG
)
TEXT = ANY_TEXT.filter(bool)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
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
STAFF = values(
    StaffInfo, **dict.fromkeys(("department", "staff", "mobile", "email", "department_id", "staff_id"), ANY_TEXT)
)
RESPONSE_FOR = values(ResponseFor, organ_id=CODE, code=TEXT, promulgation_date=DATE_OR_NONE, document_id=ANY_TEXT)
RECIPIENTS = st.lists(ORGANIZATION, min_size=1, max_size=3, unique_by=lambda body: body.organ_id).map(tuple)
BUSINESS = values(
    Business,
    reason=ANY_TEXT,
    document_id=ANY_TEXT,
    document_info_changed=st.booleans(),
    document_receiver_changed=st.booleans(),
    receivers=st.lists(values(ReceiverChange, receiver_type=st.integers(0, 2), organ_id=CODE), max_size=2).map(tuple),
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
    document_type=values(DocumentType, type=st.integers(0, 32), type_detail=COUNT, type_name=ANY_TEXT),
    business_type=st.integers(0, 9),
    content=ANY_TEXT,
    signer_info=values(SignerInfo, competence=ANY_TEXT, position=ANY_TEXT, full_name=ANY_TEXT),
    due_date=DATE_OR_NONE,
    to_places=TEXTS,
    other_info=values(
        OtherInfo,
        priority=st.integers(0, 9),
        sphere_of_promulgation=ANY_TEXT,
        typer_notation=ANY_TEXT,
        promulgation_amount=COUNT,
        page_amount=COUNT,
        appendixes=TEXTS,
        direction=st.booleans(),
        reply_fors=TEXTS,
        reference_codes=TEXTS,
    ),
    response_for=st.lists(RESPONSE_FOR, max_size=2).map(tuple),
    steering_type=st.none() | st.integers(0, 9),
    application_type=ANY_TEXT,
    task_codes=TEXTS,
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


DIALECT = values(
    Dialect,
    shape=st.sampled_from(Shape),
    status_container=st.sampled_from(StatusContainer),
    zip_rule=st.booleans(),
    type_practice=st.sampled_from(TypePractice),
    additions=st.booleans(),
    receiver_added=st.integers(0, 1),
    priority_five_is_normal=st.booleans(),
)
WORDS = st.tuples(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)


def typed(kind: DocumentType, practice: TypePractice) -> DocumentType:
    """What is left of Type and TypeDetail (edxml.md 2.1): an absent class means 2."""
    if practice is TypePractice.SDK:
        return replace(kind, type=1, type_detail=0)
    if practice is TypePractice.LIST_NUMBER:
        number = kind.type_detail if kind.type <= 2 and kind.type_detail else kind.type or 2
        return replace(kind, type=number, type_detail=0)
    return replace(kind, type=kind.type or 2)


def plain(staff: StaffInfo) -> StaffInfo:
    return replace(staff, department_id="", staff_id="")


def canonical(document: Document, dialect: Dialect) -> Document:
    """What a packet of this dialect can tell; the hop is appended."""
    if document.other_info.priority == 5 and dialect.priority_five_is_normal:
        document = replace(document, other_info=replace(document.other_info, priority=0))
    document = replace(
        document,
        attachments=tuple(replace(one, description=one.description or one.name) for one in document.attachments),
        document_type=typed(document.document_type, dialect.type_practice),
        trace=(*document.trace, HOP),
    )
    if dialect.additions:
        return document
    return replace(
        document,
        application_type="",
        task_codes=(),
        other_info=replace(document.other_info, direction=False, reply_fors=(), reference_codes=()),
        business=replace(document.business, staff_info=plain(document.business.staff_info)),
        attachments=tuple(replace(one, field_name="", mime_type="", format="") for one in document.attachments),
    )


@settings(max_examples=100, deadline=None)
@given(DOCUMENT, FILES, WORDS, DIALECT, st.integers(1, 700))
async def test_a_document_survives_its_packet(document, files, words, dialect, chunk):
    """Every field and every byte comes back, Vietnamese in either normal form and astral characters included.

    The packet's length is known before any byte of it is made. Two habits lose something: a practice other than
    as_given changes Type and TypeDetail, and without additions the national SDK's own elements are gone. A file without
    a description is described by its name.
    """
    assume(all(hop.organ_id != HOP.organ_id for hop in document.trace))
    blobs = MemoryBlobs(chunk=chunk)
    document, stored = attach(document, blobs, ("main.pdf", "application/pdf", b"%PDF-1.7 main"), *files)
    main, *rest = document.attachments
    description, field_name, mime_type, form = words
    main = replace(main, description=description, field_name=field_name, mime_type=mime_type, format=form)
    document = replace(document, attachments=(main, *rest))
    made = draft(blobs, document, stored, dialect)
    raw = await packet(blobs, made)
    assert translator(blobs).length(made) == len(raw)
    back = await read(blobs, raw, dialect=dialect)
    assert isinstance(back, UnpackedDocument)
    assert back.document == canonical(document, dialect)
    assert back.document.attachments[0].role is AttachmentRole.MAIN
    assert [blobs.objects[one.key] for one in back.objects] == [blobs.objects[one.key] for one in stored]


@settings(max_examples=60, deadline=None)
@given(STATUS, DIALECT, st.integers(1, 300))
async def test_a_status_survives_its_packet(report, dialect, chunk):
    """Every field comes back, whatever holds it; without additions the clerk's ids are gone."""
    blobs = MemoryBlobs(chunk=chunk)
    raw = await packet(blobs, translator(blobs, dialect=dialect).draft_status(report))
    back = await read(blobs, raw, kind=PacketKind.STATUS, dialect=dialect)
    assert isinstance(back, UnpackedStatus)
    assert back.report == (report if dialect.additions else replace(report, staff_info=plain(report.staff_info)))
