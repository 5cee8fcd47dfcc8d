"""Reading headers: the additions of the national SDK, what dialects mean, and a warning for every tolerance used."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.dialect import NATIONAL, Dialect
from gateway.domain.document import Business, Document, DocumentType, TraceHeader
from gateway.domain.packet import PacketDefect, UnpackedDocument, UnpackedStatus
from gateway.domain.status import StatusReport
from gateway.translate.edxml.codes import conflicting_name, listed_name
from gateway.translate.edxml.elements import DOCUMENT_HEADER
from gateway.translate.edxml.reading.reader import read_packet
from gateway.xmlsafe import Limits
from tests.fakes.blobs import MemoryBlobs

NS102 = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
PARTS = {
    "From": "<From><OrganId>H99.01</OrganId><OrganName>Body A</OrganName></From>",
    "To": "<To><OrganId>H98.02</OrganId><OrganName>Body B</OrganName></To>",
    "Code": "<Code><CodeNumber>12</CodeNumber><CodeNotation>ABC-XYZ</CodeNotation></Code>",
    "PromulgationInfo": (
        "<PromulgationInfo><Place>Town</Place><PromulgationDate>2026/01/15</PromulgationDate></PromulgationInfo>"
    ),
    "DocumentType": (
        "<DocumentType><Type>2</Type><TypeDetail>18</TypeDetail><TypeName>Công văn</TypeName></DocumentType>"
    ),
    "Subject": "<Subject>V/v dummy</Subject>",
    "Content": "<Content>Words</Content>",
    "SignerInfo": "<SignerInfo><Competence>TL.</Competence><FullName>Signer X</FullName></SignerInfo>",
    "DueDate": "<DueDate>2026/02/15</DueDate>",
    "ToPlaces": "<ToPlaces><Place>Archive</Place></ToPlaces>",
    "OtherInfo": "<OtherInfo><Priority>1</Priority><PageAmount>3</PageAmount></OtherInfo>",
    "ResponseFor": "<ResponseFor><OrganId>H98.02</OrganId><Code>9/XYZ</Code></ResponseFor>",
    "SteeringType": "<SteeringType>1</SteeringType>",
    "DocumentId": "<DocumentId>H99.01,2026/01/15,12/ABC-XYZ</DocumentId>",
}
HOP = "<TraceHeader><OrganId>H99.01</OrganId><Timestamp>2026/01/15 08:30:00</Timestamp></TraceHeader>"
BLOCK = "<Bussiness><BussinessDocType>0</BussinessDocType><Paper>0</Paper></Bussiness>"
STATUS = (
    "<From><OrganId>H98.02</OrganId></From><ResponseFor><OrganId>H99.01</OrganId><Code>12/ABC-XYZ</Code></ResponseFor>"
    "<StatusCode>03</StatusCode><Timestamp>2026/01/15 09:00:00</Timestamp>"
)


def packet(message: str, trace: str = HOP + BLOCK, *, body: str = "", outside: str = "") -> bytes:
    return (
        f'<edXML xmlns="{NS102}"><edXML:edXMLEnvelope xmlns:edXML="{NS102}"><edXMLHeader><MessageHeader>{message}'
        f"</MessageHeader><TraceHeaderList>{trace}</TraceHeaderList></edXMLHeader><edXMLBody>{body}</edXMLBody>"
        f"</edXML:edXMLEnvelope>{outside}</edXML>"
    ).encode()


def header(**changed: str) -> str:
    """A message header in standard order, with some of its elements written otherwise."""
    return "".join((PARTS | changed).values())


async def result(raw: bytes, dialect: Dialect = NATIONAL) -> Any:
    async def chunks() -> AsyncIterator[bytes]:
        yield raw

    return await read_packet(chunks(), objects=MemoryBlobs(), limits=Limits(), said=None, dialect=dialect)


def codes(unpacked: UnpackedDocument | UnpackedStatus) -> list[str]:
    """The codes that concern the header; names are typed without prefix here, which is not its concern."""
    return [str(one.code) for one in unpacked.warnings if one.code not in {"PREFIX", "DECLARATION"}]


async def document(raw: bytes, dialect: Dialect = NATIONAL) -> tuple[Document, list[str]]:
    unpacked = await result(raw, dialect)
    assert isinstance(unpacked, UnpackedDocument), unpacked
    return unpacked.document, codes(unpacked)


async def status(message: str) -> tuple[StatusReport, list[str]]:
    raw = packet(message).replace(b"<TraceHeaderList>" + (HOP + BLOCK).encode() + b"</TraceHeaderList>", b"")
    unpacked = await result(raw)
    assert isinstance(unpacked, UnpackedStatus), unpacked
    return unpacked.report, codes(unpacked)


async def test_a_plain_header_needs_no_warning():
    """The packet that all others here are made from is in order."""
    assert (await document(packet(header())))[1] == []
    assert (await status(STATUS))[1] == []


async def test_the_additions_of_the_national_sdk():
    """All of them are read, without a warning, wherever they stand among the standard's elements."""
    tasks = "<ResponseForTask><TaskCode>T-1</TaskCode><TaskCode>T-2</TaskCode></ResponseForTask>"
    other = (
        "<OtherInfo><Direction>true</Direction><Priority>0</Priority><ReplyFors>11/A</ReplyFors>"
        "<ReferenceCodes><Any>9/A</Any><Thing>8/A</Thing></ReferenceCodes></OtherInfo>"
    )
    staff = "<StaffInfo><DepartmentId>D-1</DepartmentId><Staff>Clerk Y</Staff><StaffId>S-1</StaffId></StaffInfo>"
    more = (
        f"{tasks}<ApplicationType>office</ApplicationType><ResponseForTask><TaskCode>T-3</TaskCode></ResponseForTask>"
    )
    block = f"<Bussiness><BussinessDocType>0</BussinessDocType>{staff}</Bussiness>"
    made, said = await document(packet(more + header(OtherInfo=other), HOP + block))
    assert made.task_codes == ("T-1", "T-2", "T-3")
    assert made.application_type == "office"
    assert made.other_info.direction is True
    assert made.other_info.reply_fors == ("11/A",)
    assert made.other_info.reference_codes == ("9/A", "8/A")
    assert (made.business.staff_info.department_id, made.business.staff_info.staff_id) == ("D-1", "S-1")
    assert said == []
    report, said = await status(STATUS.replace("<StatusCode>", f"{staff}<StatusCode>"))
    assert (report.staff_info.department_id, report.staff_info.staff_id) == ("D-1", "S-1")
    assert said == []


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("", ()),
        ("<ReplyFors>1/A</ReplyFors>", ("1/A",)),
        ("<ReplyFors>1/A</ReplyFors><ReplyFors>2/A</ReplyFors>", ("1/A", "2/A")),
        ("<ReplyFors><ReplyFor>1/A</ReplyFor><ReplyFor>2/A</ReplyFor></ReplyFors>", ("1/A", "2/A")),
        ("<ReplyFors><ReplyFor><OrganId>H98</OrganId><Code>1/A</Code></ReplyFor></ReplyFors>", ("H98", "1/A")),
    ],
)
async def test_reply_fors_in_any_shape(written, read):
    """Nobody knows the element's shape, so every text in it is kept, in order, and none is called odd."""
    made, said = await document(packet(header(OtherInfo=f"<OtherInfo><Priority>0</Priority>{written}</OtherInfo>")))
    assert made.other_info.reply_fors == read
    assert said == []


@pytest.mark.parametrize(
    ("written", "direction", "said"),
    [
        ("true", True, []),
        ("false", False, []),
        ("1", True, ["FLAG_FORM"]),
        ("TRUE", True, ["FLAG_FORM"]),
        ("up", False, ["FLAG_FORM"]),
    ],
)
async def test_direction(written, direction, said):
    """`true` and `false` are its words; another word for the same is read with a warning."""
    other = f"<OtherInfo><Priority>0</Priority><Direction>{written}</Direction></OtherInfo>"
    made, found = await document(packet(header(OtherInfo=other)))
    assert (made.other_info.direction, found) == (direction, said)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999_999_999))
async def test_any_number_is_a_business_type(number):
    """A number outside the list is kept as it is, with a warning: it must not be taken for a new document."""
    block = f"<Bussiness><BussinessDocType>{number}</BussinessDocType></Bussiness>"
    made, said = await document(packet(header(), HOP + block))
    assert made.business_type == number
    assert said == ([] if number <= 3 else ["VALUE_UNKNOWN"])


@pytest.mark.parametrize("word", ["new", "-1", "1.0", "\u0661", "1234567890"])
async def test_a_word_is_no_business_type(word):
    """What is no number cannot be kept, and guessing would be wrong."""
    defect = await result(packet(header(), f"{HOP}<Bussiness><BussinessDocType>{word}</BussinessDocType></Bussiness>"))
    assert isinstance(defect, PacketDefect)
    assert defect.code == "BUSINESS_TYPE_UNKNOWN"


@pytest.mark.parametrize(
    ("added", "read", "said"),
    [(1, (1, 0, 5, 0), ["VALUE_UNKNOWN", "ELEMENT_ABSENT"]), (0, (0, 1, 5, 0), ["VALUE_UNKNOWN", "ELEMENT_ABSENT"])],
)
async def test_what_a_receiver_type_means(added, read, said):
    """Whichever number the peer writes for "added", inside it is 1; unknown numbers are kept, none means removed."""
    kinds = "".join(f"<Receiver><ReceiverType>{n}</ReceiverType><OrganId>H98</OrganId></Receiver>" for n in (1, 0, 5))
    block = (
        "<Bussiness><BussinessDocType>2</BussinessDocType><BussinessDocumentInfo><DocumentInfo>0</DocumentInfo>"
        f"<DocumentReceiver>1</DocumentReceiver><ReceiverList>{kinds}<Receiver><OrganId>H97</OrganId></Receiver>"
        "</ReceiverList></BussinessDocumentInfo></Bussiness>"
    )
    made, found = await document(packet(header(), HOP + block), Dialect(receiver_added=added))
    assert tuple(one.receiver_type for one in made.business.receivers) == read
    assert found == said


@pytest.mark.parametrize(
    ("written", "known", "read", "said"),
    [
        (5, True, 0, ["PRIORITY_FIVE"]),
        (5, False, 5, ["VALUE_UNKNOWN"]),
        (4, True, 4, []),
        (6, True, 6, ["VALUE_UNKNOWN"]),
    ],
)
async def test_priority_five(written, known, read, said):
    """Bkav's 5 is 0 where the peer is known to count so; elsewhere it is an unknown number and kept."""
    other = f"<OtherInfo><Priority>{written}</Priority></OtherInfo>"
    made, found = await document(packet(header(OtherInfo=other)), Dialect(priority_five_is_normal=known))
    assert (made.other_info.priority, found) == (read, said)


@settings(max_examples=60, deadline=None)
@given(st.permutations(list(PARTS)), st.booleans())
async def test_any_order_is_read(names, block_first):
    """The same document whatever the order; said once, at the first place, and only if it is not the standard order."""
    usual, _ = await document(packet(header()))
    trace = BLOCK + HOP if block_first else HOP + BLOCK
    unpacked = await result(packet("".join(PARTS[name] for name in names), trace))
    assert unpacked.document == usual
    found = [one for one in unpacked.warnings if one.code == "ELEMENT_ORDER"]
    order = list(PARTS)
    places = [order.index(name) for name in names]
    misplaced = next((names[i] for i in range(1, len(names)) if places[i] < max(places[:i])), None)
    expected = misplaced or ("TraceHeader" if block_first else None)
    assert [one.path.rpartition("/")[2] for one in found] == ([expected] if expected else [])


@pytest.mark.parametrize("name", [name for name in PARTS if name not in {"From", "To"}])
async def test_empty_is_absent(name):
    """An element that is there but empty, or has only empty ones in it, says what its absence says, and one warning."""
    without, _ = await document(packet(header(**{name: ""})))
    child = DOCUMENT_HEADER.child(name)
    inner = "".join(f"<{one.name}> </{one.name}>" for one in child.children) if child else ""
    hollow, said = await document(packet(header(**{name: f"<{name}>{inner}</{name}>"})))
    assert hollow == without
    assert said.count("ELEMENT_EMPTY") == 1


async def test_emptiness_is_said_once():
    """A hundred empty elements are one warning, at the first of them."""
    unpacked = await result(packet(header(ResponseFor="<ResponseFor/>" * 100, Content="<Content/>")))
    found = [one.path for one in unpacked.warnings if one.code == "ELEMENT_EMPTY"]
    assert found == ["edXML/edXMLEnvelope/edXMLHeader/MessageHeader/Content"]


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        (f"{HOP}{BLOCK}<Paper>1</Paper>", ["PAPER_PLACE"]),
        (f"{HOP}<Paper>1</Paper>", ["PAPER_PLACE", "BUSINESS_MISSING"]),
        (f"{HOP}{BLOCK.replace('<Paper>0', '<Paper>1')}", []),
        (f"{HOP}{BLOCK.replace('<Paper>0', '<Paper>yes')}<Paper>1</Paper>", ["PAPER_PLACE", "FLAG_FORM"]),
    ],
)
async def test_paper(trace, said):
    """A paper copy follows if either place says so; the old place is named."""
    made, found = await document(packet(header(), trace))
    assert (made.business.paper, found) == (True, said)


@pytest.mark.parametrize(("kind", "read", "said"), [(0, "X", ["BUSINESS_ID_NOISE"]), (2, "X", []), (3, "X", [])])
async def test_the_updated_document(kind, read, said):
    """A new document updates none, whatever its block names."""
    block = f"<Bussiness><BussinessDocType>{kind}</BussinessDocType><DocumentId>X</DocumentId></Bussiness>"
    made, found = await document(packet(header(), HOP + block))
    assert (made.business.document_id, found) == (read, said)


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ({"trace": f"{HOP}{BLOCK}<Odd>1</Odd>"}, "edXMLEnvelope/edXMLHeader/TraceHeaderList/Odd"),
        (
            {"trace": HOP + BLOCK.replace("<Paper>", "<Odd>1</Odd><Paper>")},
            "edXMLEnvelope/edXMLHeader/TraceHeaderList/Bussiness/Odd",
        ),
        (
            {"body": "<edXMLManifest><Odd>1</Odd></edXMLManifest>"},
            "edXMLEnvelope/edXMLBody/edXMLManifest/Odd",
        ),
        ({"body": "<Odd>1</Odd>"}, "edXMLEnvelope/edXMLBody/Odd"),
        ({"outside": "<Odd>1</Odd>"}, "Odd"),
    ],
)
async def test_unknown_elements_anywhere(place, path):
    """What belongs nowhere is named with its path and passed over."""
    unpacked = await result(packet(header(), **place))
    assert [one.path for one in unpacked.warnings if one.code == "ELEMENT_UNKNOWN"] == [f"edXML/{path}"]


@pytest.mark.parametrize(
    ("hop", "read", "said"),
    [
        ("<OrganId>null</OrganId><Timestamp>2026/01/15 08:31:00</Timestamp>", ("", "2026/01/15 08:31:00"), "hop"),
        ("<Timestamp>2026/01/15 08:31:00</Timestamp>", ("", "2026/01/15 08:31:00"), "hop"),
        ("<OrganId>H00</OrganId>", ("H00", ""), "ELEMENT_ABSENT"),
        ("<OrganId>H00</OrganId><Timestamp>2026-01-15T08:31:00</Timestamp>", ("H00", "2026-01-15T08:31:00"), "time"),
        ("<OrganId>H00</OrganId><Timestamp>15/01/2026 08:31</Timestamp>", ("H00", "15/01/2026 08:31"), "time"),
    ],
)
async def test_sloppy_hops(hop, read, said):
    """A hop is kept as it is written; what it leaves out or writes otherwise is named."""
    made, found = await document(packet(header(), f"{HOP}<TraceHeader>{hop}</TraceHeader>{BLOCK}"))
    assert made.trace[1] == TraceHeader(organ_id=read[0], timestamp=read[1])
    assert found == [{"hop": "TRACE_WITHOUT_ORGAN", "time": "TIME_FORMAT"}.get(said, said)]


@pytest.mark.parametrize(
    ("written", "read", "said"),
    [
        (("2", "18", "Công văn"), (2, 18), []),
        (("1", "0", "Công văn"), (1, 0), ["TYPE_NAME_CONFLICT"]),
        (("1", "0", "Quyết định"), (1, 0), []),
        (("1", "8", "Quyết định"), (1, 8), []),
        (("2", "", "Nghị định"), (2, 0), ["TYPE_NAME_CONFLICT"]),
        (("18", "", "Công văn"), (18, 0), ["TYPE_AS_LIST_NUMBER"]),
        (("18", "0", "Tờ trình"), (18, 0), ["TYPE_AS_LIST_NUMBER", "TYPE_NAME_CONFLICT"]),
        (("", "18", "Công văn"), (0, 18), []),
        (("", "7", "Công văn"), (0, 7), ["TYPE_NAME_CONFLICT"]),
        (("2", "-1", "Công văn"), (2, 0), ["NUMBER_NEGATIVE"]),
        (("two", "18", "Công văn"), (0, 18), ["NUMBER_UNREADABLE"]),
        (("2", "18", "Co\u0302ng va\u0306n"), (2, 18), []),
    ],
)
async def test_three_practices_of_the_document_type(written, read, said):
    """Class and number, the SDK's constant class, a bare list number; the name is kept and conflicts are named."""
    fields = zip(("Type", "TypeDetail", "TypeName"), written, strict=True)
    block = "".join(f"<{name}>{value}</{name}>" for name, value in fields if value)
    made, found = await document(packet(header(DocumentType=f"<DocumentType>{block}</DocumentType>")))
    assert made.document_type == DocumentType(type=read[0], type_detail=read[1], type_name=written[2])
    assert found == said


@given(st.integers(0, 40), st.integers(0, 40), st.text(max_size=10))
def test_a_conflict_is_never_with_an_agreeing_name(type_number, detail, name):
    """Any numbers and names can be compared, and a name that contains what the numbers mean is no conflict."""
    listed = listed_name(type_number, detail)
    assert conflicting_name(type_number, detail, f"{name} {listed} {name}".upper() if listed else "") == ""
    assert conflicting_name(type_number, detail, "?") == listed


@pytest.mark.parametrize(
    ("part", "element"),
    [("OtherInfo", "Priority"), ("OtherInfo", "PageAmount"), ("OtherInfo", "PromulgationAmount")],
)
@pytest.mark.parametrize(("written", "said"), [("-1", "NUMBER_NEGATIVE"), ("many", "NUMBER_UNREADABLE")])
async def test_numbers_that_say_nothing(part, element, written, said):
    """Negative numbers, the SDK's word for absent, and words are absent, with a warning."""
    absent, _ = await document(packet(header(**{part: ""})))
    made, found = await document(packet(header(**{part: f"<{part}><{element}>{written}</{element}></{part}>"})))
    assert made == absent
    assert found == [said]


@pytest.mark.parametrize(("written", "read", "said"), [("2", 2, []), ("7", 7, ["VALUE_UNKNOWN"]), ("", None, [])])
async def test_steering_types(written, read, said):
    """A number outside the list is kept, with a warning."""
    made, found = await document(packet(header(SteeringType=written and f"<SteeringType>{written}</SteeringType>")))
    assert (made.steering_type, found) == (read, said)


@pytest.mark.parametrize(("written", "said"), [("13", []), ("12", ["VALUE_UNKNOWN"]), ("3", ["STATUS_CODE_SHORT"])])
async def test_status_codes(written, said):
    """Unknown codes are stored and shown; one digit means two."""
    report, found = await status(STATUS.replace("<StatusCode>03", f"<StatusCode>{written}"))
    assert (report.status_code, found) == (written.zfill(2), said)


async def test_lists_that_name_nobody():
    """A changed recipient without a code and a replaced document without an id are kept as they are and named."""
    block = (
        "<Bussiness><BussinessDocType>3</BussinessDocType><BussinessDocumentInfo><ReceiverList><Receiver>"
        "<ReceiverType>1</ReceiverType></Receiver></ReceiverList></BussinessDocumentInfo><ReplacementInfoList>"
        "<ReplacementInfo><OrganIdList><OrganId>H98</OrganId></OrganIdList></ReplacementInfo></ReplacementInfoList>"
        "</Bussiness>"
    )
    made, found = await document(packet(header(), HOP + block))
    assert found == ["ELEMENT_ABSENT", "ELEMENT_ABSENT"]
    assert made.business.receivers[0].organ_id == ""
    assert made.business.replacements[0].organ_ids == ("H98",)
    assert replace(made.business, receivers=(), replacements=()) == Business()


async def test_a_list_has_no_empty_texts():
    """An entry that says nothing itself, but holds an unknown element, is no entry."""
    odd = "<X>noise</X>"
    places = f"<ToPlaces><Place>{odd}</Place><Place>Archive</Place></ToPlaces>"
    tasks = f"<ResponseForTask><TaskCode>{odd}</TaskCode><TaskCode>T-2</TaskCode></ResponseForTask>"
    made, _ = await document(packet(header() + places + tasks))
    assert (made.to_places, made.task_codes) == (("Archive",), ("T-2",))
