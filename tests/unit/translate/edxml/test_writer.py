"""Values to parts."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.domain.document import (
    AttachmentRole,
    Business,
    BusinessType,
    DocumentType,
    Organization,
    ReceiverChange,
    ReplacementInfo,
    ResponseFor,
)
from gateway.domain.ids import OrganId
from gateway.domain.packet import LiteralPart, PacketKind
from gateway.sandbox.packet import PacketReader, PacketSummary
from gateway.translate.edxml.strict import check
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
