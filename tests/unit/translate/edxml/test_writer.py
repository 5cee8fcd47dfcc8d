"""Values to parts."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.domain.dialect import DIALECTS, NATIONAL, Dialect, TypePractice
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
    StaffInfo,
    TraceHeader,
)
from gateway.domain.ids import OrganId
from gateway.domain.packet import Draft, LiteralPart, PacketDefect, PacketKind, StoredObject
from gateway.sandbox.packet import PacketReader, PacketSummary
from gateway.translate.edxml.workbench.strict import check
from gateway.translate.edxml.writing.writer import write_document, write_status
from gateway.xmlsafe import Limits, UnwritableTextError
from tests.fakes.blobs import MemoryBlobs
from tests.unit.translate.edxml.sample import DOCUMENT, HOP, RECIPIENTS, STATUS, attach, draft, packet, translator

CASES = Path(__file__).parents[3] / "cases" / "edxml"
RECALLED = ResponseFor(organ_id=OrganId("H99.01"), code="9/ABC", document_id="H99.01,2026/01/02,9/ABC")
KINDS = [
    DOCUMENT,
    replace(
        DOCUMENT,
        business_type=BusinessType.RECALL,
        business=Business(reason="issued by mistake"),
        response_for=(replace(RECALLED, promulgation_date=DOCUMENT.promulgation_date),),
    ),
    replace(
        DOCUMENT,
        business_type=BusinessType.UPDATE,
        business=Business(
            document_id="H99.01,2026/01/02,9/ABC",
            document_receiver_changed=True,
            receivers=(ReceiverChange(receiver_type=1, organ_id=OrganId("H98.02")),),
        ),
    ),
    replace(
        DOCUMENT,
        business_type=BusinessType.REPLACE,
        business=Business(
            replacements=(ReplacementInfo(document_id="9", organ_ids=(OrganId("H98.02"), OrganId("H98.03"))),)
        ),
    ),
]


def squeezed(raw: bytes) -> str:
    """Without the white space between elements, which carries nothing."""
    return "".join(line.strip() for line in raw.decode().splitlines())


async def test_a_document_is_written_as_drawn():
    """The skeleton of edxml.md 1.7 comes out literally, but for white space between elements."""
    blobs = MemoryBlobs()
    document, stored = attach(DOCUMENT, blobs, ("a.pdf", "application/pdf", b"%PDF-1.4\n% dummy\n%%EOF\n"))
    drawn = (CASES / "document-plain" / "packet.edxml").read_bytes()
    assert squeezed(await packet(blobs, draft(blobs, document, stored))) == squeezed(drawn)


async def test_a_status_is_written_as_drawn():
    """The skeleton of edxml.md 1.8 comes out literally, but for white space between elements."""
    blobs = MemoryBlobs()
    made = translator(blobs).draft_status(STATUS)
    drawn = (CASES / "status-plain" / "packet.edxml").read_bytes()
    assert squeezed(await packet(blobs, made)) == squeezed(drawn)
    assert (made.kind, made.sender, made.recipients) == (PacketKind.STATUS, "H98.02", ("H99.01",))


def test_a_draft_carries_its_share_of_the_recipients():
    """To elements and the transport's recipients are those of the message, not all of the document."""
    share = Organization(organ_id=OrganId("H97"), organ_name="Body C")
    document = replace(DOCUMENT, to=(*RECIPIENTS, share))
    made = translator(MemoryBlobs()).draft_document(document, [], recipients=[share], hop=HOP)
    assert isinstance(made, Draft)
    (part,) = made.parts
    assert isinstance(part, LiteralPart)
    assert made.recipients == ("H97",)
    assert b"H97" in part.data
    assert b"H98.02" not in part.data


@pytest.mark.parametrize("document", KINDS, ids=lambda document: document.business_type.name.lower())
async def test_the_axis_takes_what_is_written(document, tmp_path):
    """The sandbox axis's own reader, which shares no code, accepts every kind, and the strict check finds nothing."""
    blobs = MemoryBlobs()
    document, stored = attach(document, blobs, ("a.pdf", "application/pdf", b"%PDF-1.4"), ("b.txt", "", b"text"))
    raw = await packet(blobs, draft(blobs, document, stored))
    axis = PacketReader()
    axis.feed(raw)
    summary = axis.finish()
    assert isinstance(summary, PacketSummary)
    assert (summary.from_code, summary.to_codes, summary.notation) == ("H99.01", ("H98.02",), "12/ABC-XYZ")
    path = tmp_path / "packet.edxml"
    path.write_bytes(raw)
    assert await check(path, Limits()) == ()


async def test_the_main_file_comes_first():
    """Receivers take the first PDF for the document, so MAIN is written first whatever its place."""
    blobs = MemoryBlobs()
    document, stored = attach(
        DOCUMENT, blobs, ("annex.pdf", "application/pdf", b"%PDF-a"), ("main.pdf", "application/pdf", b"%PDF-b")
    )
    annex, main = document.attachments
    document = replace(
        document,
        attachments=(replace(annex, role=AttachmentRole.ANNEX), replace(main, role=AttachmentRole.MAIN)),
    )
    raw = await packet(blobs, draft(blobs, document, stored))
    assert raw.index(b"main.pdf") < raw.index(b"annex.pdf")


async def test_an_absent_type_is_written_as_administrative():
    """Type must be there; absent means class 2, as the national SDK reads it."""
    blobs = MemoryBlobs()
    raw = await packet(blobs, draft(blobs, replace(DOCUMENT, document_type=DocumentType(type_name="Công văn"))))
    assert b"<edXML:Type>2</edXML:Type>" in raw
    assert b"TypeDetail" not in raw


def test_text_that_xml_cannot_carry_is_never_written():
    """A control character ends in an error, not in a packet that nobody can read."""
    with pytest.raises(UnwritableTextError):
        draft(MemoryBlobs(), replace(DOCUMENT, subject="a\x0bb"))


def written(document: Document, dialect: Dialect = NATIONAL) -> str:
    """The packet of a document without attachments."""
    (part,) = draft(MemoryBlobs(), document, (), dialect).parts
    assert isinstance(part, LiteralPart)
    return squeezed(part.data)


@pytest.mark.parametrize("organ_id", ["H99.01", "h99.01", " H99.01 "])
def test_a_packet_never_comes_back_to_where_it_was(organ_id):
    """A hop that stands in the trace already, however written, gives the reason instead of a packet (edxml.md 5.7)."""
    passed = TraceHeader(organ_id=organ_id, timestamp="2026/01/15 08:00:00")
    document = replace(DOCUMENT, trace=(TraceHeader(organ_id="H98.02", timestamp=""), passed))
    made = write_document(document, (), recipients=RECIPIENTS, hop=HOP)
    assert isinstance(made, PacketDefect)
    assert (made.code, made.path.rpartition("/")[2]) == ("TRACE_LOOP", "TraceHeader")
    assert "H99.01 already stands in the trace" in made.message
    other = write_document(document, (), recipients=RECIPIENTS, hop=replace(HOP, organ_id="H99.02"))
    assert isinstance(other, Draft)


def test_the_trace_can_be_left_as_it_is():
    """Without a hop the packet has the hops of the document and no other, also twice the same."""
    passed = TraceHeader(organ_id="H99.01", timestamp="2026/01/15 08:00:00")
    made = write_document(replace(DOCUMENT, trace=(passed, passed)), (), recipients=RECIPIENTS, hop=None)
    assert isinstance(made, Draft)
    (part,) = made.parts
    assert isinstance(part, LiteralPart)
    assert part.data.count(b"<edXML:TraceHeader>") == 2


async def test_the_dotnet_shape_is_written_as_drawn():
    """Declarations, trace attributes, xlink, `cid:` in Reference only, its order, a bare content (edxml.md 1, 4)."""
    blobs = MemoryBlobs()
    document, stored = attach(DOCUMENT, blobs, ("a.pdf", "application/pdf", b"%PDF-1.4"))
    raw = squeezed(await packet(blobs, draft(blobs, document, stored, DIALECTS["dotnet"])))
    assert (
        '?><edXML xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
        ' xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016"><edXML:edXMLEnvelope xmlns:edXML='
    ) in raw
    assert re.search(
        r'<edXML:TraceHeaderList id="[0-9a-f]{8}" version="1\.0" mustUnderstand="1"'
        r' actor="http://schemas\.xmlsoap\.org/soap/actor/next"><edXML:TraceHeader>',
        raw,
    )
    assert (
        '<edXML:Reference xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="cid:att-1" xlink:role="XLinkRole"'
        ' xlink:type="simple"><edXML:ContentId>cid:att-1</edXML:ContentId>'
    ) in raw
    assert (
        "<Attachment><ContentType>application/pdf</ContentType><ContentId>att-1</ContentId>"
        "<Description>a.pdf</Description><ContentTransferEncoded>JVBERi0xLjQ=</ContentTransferEncoded>"
        "<AttachmentName>a.pdf</AttachmentName></Attachment>"
    ) in raw
    assert "<edXML:Type>18</edXML:Type><edXML:TypeName>" in raw


def test_the_dotnet_trace_id_is_the_contents():
    """The same draft has the same id, another document another one."""
    found = [
        re.findall('TraceHeaderList id="(.*?)"', written(document, DIALECTS["dotnet"]))[0]
        for document in (DOCUMENT, DOCUMENT, replace(DOCUMENT, document_id="other"))
    ]
    assert found[0] == found[1] != found[2]


def test_a_status_stands_where_the_peer_looks_for_it():
    """Bkav's axis wants the container Status, everybody else MessageHeader; nothing else differs."""
    (bkav,), (national,) = (write_status(STATUS, dialect=DIALECTS[name]).parts for name in ("bkav", "national"))
    assert isinstance(bkav, LiteralPart)
    assert isinstance(national, LiteralPart)
    assert b"<edXML:Status>" in bkav.data
    assert bkav.data.replace(b"edXML:Status>", b"edXML:MessageHeader>") == national.data


@pytest.mark.parametrize(
    ("practice", "given", "texts"),
    [
        (TypePractice.AS_GIVEN, (2, 18), ("2", "18")),
        (TypePractice.AS_GIVEN, (1, 0), ("1", "")),
        (TypePractice.AS_GIVEN, (18, 0), ("18", "")),
        (TypePractice.AS_GIVEN, (0, 0), ("2", "")),
        (TypePractice.SDK, (2, 18), ("1", "0")),
        (TypePractice.SDK, (0, 0), ("1", "0")),
        (TypePractice.LIST_NUMBER, (2, 18), ("18", "")),
        (TypePractice.LIST_NUMBER, (1, 8), ("8", "")),
        (TypePractice.LIST_NUMBER, (0, 18), ("18", "")),
        (TypePractice.LIST_NUMBER, (18, 5), ("18", "")),
        (TypePractice.LIST_NUMBER, (2, 0), ("2", "")),
        (TypePractice.LIST_NUMBER, (0, 0), ("2", "")),
    ],
)
def test_the_type_follows_the_practice(practice, given, texts):
    """What Type and TypeDetail say of class and number in each of the three practices (edxml.md 2.1)."""
    kind, detail = given
    document = replace(DOCUMENT, document_type=DocumentType(type=kind, type_detail=detail, type_name="Công văn"))
    raw = written(document, Dialect(type_practice=practice))
    found = tuple("".join(re.findall(f"<edXML:{name}>(.*?)<", raw)) for name in ("Type", "TypeDetail"))
    assert found == texts


@pytest.mark.parametrize(("added", "texts"), [(1, ["1", "0", "7"]), (0, ["0", "1", "7"])])
def test_added_and_removed_are_told_in_the_peers_words(added, texts):
    """Where 0 means added both values change places; a value outside the list stays."""
    changes = tuple(ReceiverChange(receiver_type=kind, organ_id=OrganId("H98.02")) for kind in (1, 0, 7))
    document = replace(DOCUMENT, business_type=BusinessType.UPDATE, business=Business(receivers=changes))
    raw = written(document, Dialect(receiver_added=added))
    assert re.findall("<edXML:ReceiverType>(.*?)<", raw) == texts


def test_a_business_type_of_tomorrow_is_written():
    """A number outside the code list goes out as it is, with the document it names."""
    document = replace(DOCUMENT, business_type=7, business=Business(document_id="9"))
    raw = written(document)
    assert "<edXML:BussinessDocType>7</edXML:BussinessDocType><edXML:DocumentId>9</edXML:DocumentId>" in raw


ADDED = replace(
    DOCUMENT,
    application_type="QLVB",
    task_codes=("T-1", "T-2"),
    other_info=OtherInfo(direction=True, reply_fors=("1/A", "2/A"), reference_codes=("3/A",)),
    business=Business(staff_info=StaffInfo(staff="Clerk Y", department_id="d", staff_id="s")),
)
REPLIES = "<edXML:ReplyFors><edXML:ReplyFor>1/A</edXML:ReplyFor><edXML:ReplyFor>2/A</edXML:ReplyFor></edXML:ReplyFors>"
CODES = "<edXML:ReferenceCodes><edXML:ReferenceCode>3/A</edXML:ReferenceCode></edXML:ReferenceCodes>"
TASKS = "<edXML:TaskCode>T-1</edXML:TaskCode><edXML:TaskCode>T-2</edXML:TaskCode>"
ADDITIONS = (
    f"<edXML:Direction>true</edXML:Direction>{REPLIES}{CODES}</edXML:OtherInfo>",
    f"<edXML:ResponseForTask>{TASKS}</edXML:ResponseForTask>",
    "</edXML:ResponseForTask><edXML:ApplicationType>QLVB</edXML:ApplicationType><edXML:DocumentId>",
    "<edXML:DepartmentId>d</edXML:DepartmentId><edXML:StaffId>s</edXML:StaffId></edXML:StaffInfo>",
    "<FieldName>f</FieldName><MimeType>m</MimeType><Format>x</Format></Attachment>",
)


def added(blobs: MemoryBlobs) -> tuple[Document, tuple[StoredObject, ...]]:
    document, stored = attach(ADDED, blobs, ("a.pdf", "application/pdf", b"%PDF-1.4"))
    (one,) = document.attachments
    return replace(document, attachments=(replace(one, field_name="f", mime_type="m", format="x"),)), stored


async def test_the_sdks_additions_end_their_groups(tmp_path):
    """Each addition is written at the end of its group, and the strict check says nothing else of the packet."""
    blobs = MemoryBlobs()
    document, stored = added(blobs)
    raw = await packet(blobs, draft(blobs, document, stored))
    for drawn in ADDITIONS:
        assert drawn in squeezed(raw)
    path = tmp_path / "packet.edxml"
    path.write_bytes(raw)
    report = await check(path, Limits())
    assert {one.code for one in report} == {"ADDITION"}


async def test_without_additions_the_standard_alone_is_written():
    """A dialect without them writes what a document without them gives, byte for byte; statuses likewise."""
    blobs = MemoryBlobs()
    document, stored = added(blobs)
    bare = Dialect(additions=False)
    raw = await packet(blobs, draft(blobs, document, stored, bare))
    plain, same = attach(
        replace(DOCUMENT, other_info=OtherInfo(), business=Business(staff_info=StaffInfo(staff="Clerk Y"))),
        blobs,
        ("a.pdf", "application/pdf", b"%PDF-1.4"),
    )
    assert raw == await packet(blobs, draft(blobs, plain, same))
    staff = replace(STATUS.staff_info, department_id="d", staff_id="s")
    assert write_status(replace(STATUS, staff_info=staff), dialect=bare) == write_status(STATUS)


def test_a_direction_is_written_when_there_is_one():
    """False is what absence says (edxml.md 1.5)."""
    assert "Direction" not in written(DOCUMENT)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
async def test_the_axis_takes_every_dialect(dialect):
    """The sandbox axis's own reader finds sender, recipient and number in each of them."""
    blobs = MemoryBlobs()
    document, stored = added(blobs)
    axis = PacketReader()
    axis.feed(await packet(blobs, draft(blobs, document, stored, dialect)))
    summary = axis.finish()
    assert isinstance(summary, PacketSummary)
    assert (summary.from_code, summary.to_codes, summary.notation) == ("H99.01", ("H98.02",), "12/ABC-XYZ")
