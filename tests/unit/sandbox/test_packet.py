"""The axis's strict packet reader: what it takes, what it refuses, at any chunking."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.codes import AxisCode, Refusal
from gateway.sandbox.packet import PacketReader, PacketSummary
from tests.unit.sandbox.calls import NS102, make_document, make_status

DOCUMENT, STATUS = make_document(to=("H98.01", "H98.02")).decode(), make_status().decode()


def read(packet: bytes | str, *, piece: int = 1 << 20) -> PacketSummary | Refusal:
    data = packet.encode() if isinstance(packet, str) else packet
    reader = PacketReader()
    for start in range(0, len(data), piece):
        reader.feed(data[start : start + piece])
    return reader.finish()


def test_document_is_summarised() -> None:
    """A document gives sender, receivers, subject, number/notation and DocumentId."""
    assert read(DOCUMENT) == PacketSummary(
        message_type="edoc",
        from_code="H99.01",
        to_codes=("H98.01", "H98.02"),
        subject="V/v thử nghiệm",
        notation="12/ABC-XYZ",
        document_id="H99.01,2026/01/15,12/ABC-XYZ",
        status_code="",
    )


def test_status_is_summarised() -> None:
    """A status goes to ResponseFor/OrganId and is named by the document it is about."""
    assert read(STATUS) == PacketSummary(
        message_type="status",
        from_code="H98.01",
        to_codes=("H99.01",),
        subject="03",
        notation="12/ABC-XYZ",
        document_id="H99.01,2026/01/15,12/ABC-XYZ",
        status_code="03",
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("edXML:MessageHeader>", "edXML:Status>"),
        ("<edXML:Timestamp>", "\n <edXML:Timestamp> "),
        ("<edXML:StatusCode>", "<!-- x --><edXML:Other><edXML:StatusCode/></edXML:Other><edXML:StatusCode>"),
    ],
)
def test_status_variants_are_taken(old: str, new: str) -> None:
    """The container Status, white space, comments and unknown elements make no difference."""
    assert read(STATUS.replace(old, new)) == read(STATUS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<AttachmentEncoded>", '<edXML:AttachmentEncoded xmlns:edXML="' + NS102 + '">'),
        ("</edXML:edXMLHeader>", "<Signature><SignedInfo/></Signature></edXML:edXMLHeader>"),
        ("</edXML:edXMLHeader>", '<s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"/></edXML:edXMLHeader>'),
        ("</edXML:edXMLHeader>", "<edXML:DigitalSignature/></edXML:edXMLHeader>"),
    ],
)
def test_document_variants_are_taken(old: str, new: str) -> None:
    """Signatures in any namespace and a prefixed AttachmentEncoded are met in the field."""
    packet = DOCUMENT.replace(old, new)
    if "edXML:AttachmentEncoded" in new:
        packet = packet.replace("</AttachmentEncoded>", "</edXML:AttachmentEncoded>")
    assert packet != DOCUMENT
    assert read(packet) == read(DOCUMENT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f'<edXML xmlns="{NS102}">', "<edXML>"),
        (f'<edXML xmlns="{NS102}">', '<edXML xmlns="http://www.e-doc.vn/Schema/">'),
        (f'<edXML:edXMLEnvelope xmlns:edXML="{NS102}">', '<edXML:edXMLEnvelope xmlns:edXML="urn:other">'),
        (f'<edXML:edXMLEnvelope xmlns:edXML="{NS102}">', "<edXML:edXMLEnvelope>"),
        ("edXML:edXMLEnvelope", "edXMLEnvelope"),
        ("edXML:Subject", "Subject"),
        ("edXML:", "e:"),
        ("AttachmentEncoded", "Attachments"),
        ("<edXML:edXMLManifest ", '<edXML:edXMLManifest xlink:href="" '),
        ("<?xml version", '<!DOCTYPE edXML [<!ENTITY a "b">]><?xml version'),
        ("?>\n", '?>\n<!DOCTYPE edXML SYSTEM "x">'),
        ("V/v", "&nbsp;"),
        ("UTF-8", "ISO-8859-1"),
        ("</edXML:Subject>", "</edXML:Subjekt>"),
        ("</edXML>", ""),
        ("<edXML:Subject>", "<edXML:Subject>" + "x" * 9000),
        ("<edXML:Subject>", "<edXML:A>" * 70 + "<edXML:Subject>"),
        ("<edXML:Subject>V/v thử nghiệm</edXML:Subject>", ""),
        ("<edXML:CodeNumber>12</edXML:CodeNumber>", "<edXML:CodeNumber/>"),
        ("2026/01/15<", "15/01/2026<"),
        ("edXML:To>", "edXML:Cc>"),
        ("H98.02", "H98.01"),
        ("edXML:TraceHeader>", "edXML:Trace>"),
        ("edXML:DocumentId>", "edXML:DocId>"),
        ("<edXML:OrganId>H99.01</edXML:OrganId></edXML:From>", "</edXML:From>"),
    ],
)
def test_faulty_documents_are_refused(old: str, new: str) -> None:
    """Wrong namespaces and prefixes, DTDs, entities, broken XML, missing or oversized values: ErrorCode 22."""
    packet = DOCUMENT.replace(old, new)
    assert packet != DOCUMENT
    refusal = read(packet)
    assert isinstance(refusal, Refusal)
    assert refusal.code is AxisCode.MALFORMED
    assert refusal.sentence.isascii()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<edXML:StatusCode>03", "<edXML:StatusCode>003"),
        ("<edXML:StatusCode>03", "<edXML:StatusCode>"),
        ("2026/01/15 09:00:00", "2026-01-15T09:00:00"),
        ("<edXML:Code>12/ABC-XYZ</edXML:Code>", ""),
        ("<edXML:ResponseFor>", "<edXML:ResponseFor/><edXML:ResponseFor>"),
        ("<edXML:OrganId>H99.01</edXML:OrganId>", ""),
    ],
)
def test_faulty_statuses_are_refused(old: str, new: str) -> None:
    """A status needs one ResponseFor with organ, Code and DocumentId, a numeric code and a timestamp."""
    packet = STATUS.replace(old, new)
    assert packet != STATUS
    assert isinstance(read(packet), Refusal)


@pytest.mark.parametrize("start", ["<!--", '<edXML a="', "<?x ", "<edXML", "</edXML"])
def test_endless_markup_is_refused(start: str) -> None:
    """A tag, comment, instruction or attribute that never ends is refused before it fills the memory."""
    reader = PacketReader()
    reader.feed((DOCUMENT.removesuffix("</edXML>") + start).encode())
    for _ in range(10):
        reader.feed(b" " * 100_000)
    refusal = reader.finish()
    assert isinstance(refusal, Refusal)
    assert "qua dai" in refusal.sentence


@given(st.sampled_from([DOCUMENT, STATUS, DOCUMENT[:-9], "<edXML>dummy 16</edXML>", ""]), st.integers(1, 400))
def test_chunking_makes_no_difference(packet: str, piece: int) -> None:
    """A packet is judged the same in pieces of any size."""
    assert type(read(packet, piece=piece)) is type(read(packet))
    if isinstance(read(packet), PacketSummary):
        assert read(packet, piece=piece) == read(packet)


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_refusal(junk: bytes) -> None:
    """No input raises; what is no packet is refused."""
    assert isinstance(read(junk), Refusal)
    assert isinstance(read(DOCUMENT.encode()[:700] + junk), Refusal)


def test_too_many_elements_are_refused() -> None:
    """A packet of endless small elements is refused instead of counted for ever."""
    assert isinstance(read(DOCUMENT.replace("<AttachmentEncoded>", "<AttachmentEncoded>" + "<a/>" * 200_001)), Refusal)
