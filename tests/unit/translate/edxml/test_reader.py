"""What reading one packet notes beside its values: places of contents, prefixes, the XML declaration."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.domain.dialect import Dialect
from gateway.domain.packet import PacketDefect, Unpacked, UnpackedDocument
from gateway.translate.edxml.contents.objects import MeasuringObjects
from gateway.translate.edxml.reading.reader import PacketReading, read_packet
from gateway.xmlsafe import Limits
from tests.fakes.blobs import MemoryBlobs

PLAIN = (Path(__file__).parents[3] / "cases" / "edxml" / "document-plain" / "packet.edxml").read_bytes()
CONTENT = b"JVBERi0xLjQKJSBkdW1teQolJUVPRgo="
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'


async def chunked(raw: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(raw), size):
        yield raw[at : at + size]


async def unpacked(raw: bytes, *, size: int = 1 << 20, dialect: Dialect | None = None) -> Unpacked:
    found = await read_packet(
        chunked(raw, size), objects=MeasuringObjects(), limits=Limits(), said=None, dialect=dialect or Dialect()
    )
    assert not isinstance(found, PacketDefect)
    return found


def said(found: Unpacked, code: str) -> list[str]:
    return [warning.path for warning in found.warnings if warning.code == code]


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
@pytest.mark.parametrize("long", [False, True])
async def test_a_content_is_found_again_where_it_stands(long, size):
    """A span names exactly the bytes of the packet that are the base64, though most of it never passes expat."""
    text = base64.b64encode(bytes(range(256)) * 1500) if long else CONTENT
    raw = PLAIN.replace(CONTENT, text)
    found = await unpacked(raw, size=size)
    assert isinstance(found, UnpackedDocument)
    [span] = found.spans
    assert raw[span.offset : span.offset + span.length] == text


@pytest.mark.parametrize(
    "written",
    [
        CONTENT[:-1] + b"&#61;",
        b"&#74;" + CONTENT[1:],
        CONTENT[:8] + b"<!-- -->" + CONTENT[8:],
        CONTENT[:8] + b"<![CDATA[" + CONTENT[8:] + b"]]>",
        CONTENT[:8] + b"\r\n" + CONTENT[8:],
    ],
)
async def test_a_content_written_otherwise_is_read_but_has_no_span(written):
    """References, comments, sections and line ends in the base64: the same file, but not the same bytes."""
    plain = await unpacked(PLAIN)
    found = await unpacked(PLAIN.replace(CONTENT, written))
    assert isinstance(plain, UnpackedDocument)
    assert isinstance(found, UnpackedDocument)
    assert [one.digest for one in found.objects] == [one.digest for one in plain.objects]
    assert found.spans == ()


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (DECLARATION, []),
        (b"<?xml version='1.0' encoding='utf-8' standalone='yes'?>", []),
        (b"<?xml version='1.0'?>", []),
        (b"", [""]),
        (b"\xef\xbb\xbf" + DECLARATION, [""]),
        (b'<?xml version="1.0" encoding="windows-1258"?>', [""]),
        (b"<!-- no declaration -->", [""]),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 20])
async def test_an_unusual_declaration_is_said(start, expected, size):
    """A byte order mark, no declaration, or one that names another encoding; the packet is read as UTF-8."""
    found = await unpacked(PLAIN.replace(DECLARATION, start), size=size)
    assert said(found, "DECLARATION") == expected
    assert isinstance(found, UnpackedDocument)
    assert found.document.document_type.type_name == "Công văn"


HEADER_END = b"</edXML:edXMLHeader>"
DECLARED = b' xmlns:edXML="http://www.mic.gov.vn/TBT/QCVN_102_2016"'


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], []),
        ([(b"edXML:Subject>", b"Subject>")], ["edXML/edXMLEnvelope/edXMLHeader/MessageHeader/Subject"]),
        (
            [
                (b"<AttachmentEncoded>", b"<AttachmentEncoded" + DECLARED + b">"),
                (b"<Description>a.pdf</D", b"<edXML:Description>a.pdf</edXML:D"),
            ],
            ["edXML/AttachmentEncoded/Attachment/Description"],
        ),
        ([(b"edXML:ContentTransferEncoded", b"ContentTransferEncoded")], []),
        ([(DECLARED, b""), (b"edXML:", b"")], ["edXML/edXMLEnvelope"]),
        ([(b"edXML:", b"edxml:"), (b"xmlns:edXML", b"xmlns:edxml")], ["edXML/edXMLEnvelope"]),
        ([(HEADER_END, b"<Signature><Signed/></Signature>" + HEADER_END)], []),
        ([(HEADER_END, b"<x:y xmlns:x='urn:x'><x:z/></x:y>" + HEADER_END)], []),
    ],
)
async def test_an_unusual_prefix_is_said_once(changes, expected):
    """`edXML:` inside the envelope, none outside, contents as one likes: the first other place is named."""
    raw = PLAIN
    for old, new in changes:
        assert old in raw
        raw = raw.replace(old, new)
    assert said(await unpacked(raw), "PREFIX") == expected


async def test_the_peers_dialect_reaches_the_header():
    """What a number means may depend on whose packet it is."""
    raw = PLAIN.replace(b"Priority>0<", b"Priority>5<")
    for dialect, priority in ((Dialect(), 5), (Dialect(priority_five_is_normal=True), 0)):
        found = await unpacked(raw, dialect=dialect)
        assert isinstance(found, UnpackedDocument)
        assert found.document.other_info.priority == priority


async def test_a_reading_can_be_looked_at_afterwards():
    """The strict check needs names as typed, what was passed over, and how contents were written."""
    raw = PLAIN.replace(CONTENT, CONTENT[:8] + b"\n" + CONTENT[8:])
    raw = raw.replace(b"<edXML:Subject>", b"<x:y xmlns:x='urn:x'/><edXML:Subject a='1'>")
    reading = PacketReading(objects=MeasuringObjects(), limits=Limits())
    assert isinstance(await reading.read(chunked(raw, 100), None), UnpackedDocument)
    assert raw.startswith(reading.opening)
    assert [item.spaced for item in reading.carried] == [True]
    envelope = reading.root.children[0]
    assert (envelope.typed, envelope.attributes.keys()) == ("edXML:edXMLEnvelope", {"xmlns:edXML"})
    message = envelope.children[0].children[0]
    assert message.passed_over == ["y"]
    subject = message.first("Subject")
    assert subject is not None
    assert (subject.prefix, subject.attributes) == ("edXML", {"a": "1"})


ENCODED = b"ContentTransferEncoded"


def in_attachment(*contents: bytes) -> bytes:
    """The plain packet with these contents, base64 each, in its one Attachment."""
    start, end = PLAIN.index(b"<edXML:" + ENCODED), PLAIN.index(b"</Attachment>")
    written = b"".join(b"<%b>%b</%b>" % (ENCODED, content, ENCODED) for content in contents)
    return PLAIN[:start] + written + PLAIN[end:]


@pytest.mark.parametrize(
    ("contents", "size", "repeated"),
    [
        ((b"QUJD", b"QQ=="), 3, 1),
        ((b"", b"QUJD"), 3, 0),
        ((b"", b"QUJD", b"", b"QQ==", b"QUI="), 3, 2),
        ((b"", b""), 0, 0),
    ],
)
async def test_the_first_content_of_an_attachment_counts(contents, size, repeated):
    """An Attachment is one file: of several contents the first with any bytes, and nothing is stored of the others."""
    blobs = MemoryBlobs()
    found = await read_packet(chunked(in_attachment(*contents), 1000), objects=blobs, limits=Limits(), said=None)
    assert isinstance(found, UnpackedDocument)
    assert [made.size for made in found.document.attachments] == [size]
    assert set(blobs.objects) == {stored.key for stored in found.objects}
    where = "edXML/AttachmentEncoded/Attachment/ContentTransferEncoded"
    assert said(found, "ELEMENT_REPEATED") == [where] * repeated


@pytest.mark.parametrize("before", [b"<Attachment>", b"<edXML:Subject>", b"</edXML:From>"])
async def test_a_content_outside_an_attachment_is_said_to_be_ignored(before):
    """Base64 where no file can come of it is not dropped in silence."""
    lost = b"<%b>QUJD</%b>" % (ENCODED, ENCODED)
    at = PLAIN.index(before) + (0 if before == b"<Attachment>" else len(before))
    found = await unpacked(PLAIN[:at] + lost + PLAIN[at:])
    plain = await unpacked(PLAIN)
    assert isinstance(found, UnpackedDocument)
    assert isinstance(plain, UnpackedDocument)
    assert found.document == plain.document
    [path] = said(found, "ELEMENT_UNKNOWN")
    assert path.endswith(ENCODED.decode())
