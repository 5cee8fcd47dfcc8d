"""edXML to SOAP and back: nothing is lost, in any of the three ways in which files travel."""

import base64
import hashlib
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.adapters.soap.config import Attachments
from gateway.adapters.soap.names import EDOC
from gateway.adapters.soap.outgoing import read_draft
from gateway.adapters.soap.packets import PacketText
from gateway.adapters.soap.traces import read_statuses
from gateway.domain.dialect import DIALECTS
from gateway.domain.packet import LiteralPart, PacketKind, UnpackedDocument, UnpackedStatus
from gateway.translate.edxml.elements import BUSINESS, DOCUMENT_HEADER, REFERENCE, TRACE_LIST, Element
from tests.fakes.blobs import MemoryBlobs
from tests.unit.adapters.soap.exchange import ENVELOPES, answered, canonical, parts_of, request_of
from tests.unit.translate.edxml.sample import DOCUMENT, STATUS, attach, draft, packet, read, translator
from tests.unit.translate.edxml.test_round_trip import DOCUMENT as ANY_DOCUMENT
from tests.unit.translate.edxml.test_round_trip import STATUS as ANY_STATUS

BKAV = DIALECTS["bkav"]
PDF = ("a.pdf", "application/pdf", b"%PDF-1.4\n% dummy\n%%EOF\n")
FILES = (
    PDF,
    ('Bảng kê <1> & "2".xlsx', "application/vnd.ms-excel", bytes(range(256)) * 100),
    ("rỗng.pdf", "application/pdf", b""),
    ("abcd.txt", "text/plain", b"abcd"),
)

# Written by hand after axis.md 9.3, with the values of the sample document.
SHAPE = """
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:edXML="http://www.e-doc.vn/Schema/"
    xmlns:xlink="http://www.w3.org/1999/xlink">
 <soapenv:Header>
  <edXML:MessageHeader>
   <edXML:From><edXML:OrganId>H99.01</edXML:OrganId><edXML:OrganName>Body A</edXML:OrganName></edXML:From>
   <edXML:To><edXML:OrganId>H98.02</edXML:OrganId><edXML:OrganName>Body B</edXML:OrganName></edXML:To>
   <edXML:Code><edXML:CodeNumber>12</edXML:CodeNumber><edXML:CodeNotation>ABC-XYZ</edXML:CodeNotation></edXML:Code>
   <edXML:PromulgationInfo>
    <edXML:Place>Town</edXML:Place><edXML:PromulgationDate>2026/01/15</edXML:PromulgationDate>
   </edXML:PromulgationInfo>
   <edXML:DocumentType>
    <edXML:Type>2</edXML:Type><edXML:TypeDetail>18</edXML:TypeDetail><edXML:TypeName>Công văn</edXML:TypeName>
   </edXML:DocumentType>
   <edXML:Subject>V/v dummy</edXML:Subject>
   <edXML:SignerInfo><edXML:Position>Title</edXML:Position><edXML:FullName>Signer X</edXML:FullName></edXML:SignerInfo>
   <edXML:OtherInfo><edXML:Priority>0</edXML:Priority><edXML:PageAmount>1</edXML:PageAmount></edXML:OtherInfo>
   <edXML:DocumentId>H99.01,2026/01/15,12/ABC-XYZ</edXML:DocumentId>
  </edXML:MessageHeader>
  <edXML:TraceHeaderList>
   <edXML:TraceHeader>
    <edXML:OrganId>H99.01</edXML:OrganId><edXML:Timestamp>2026/01/15 08:30:00</edXML:Timestamp>
   </edXML:TraceHeader>
   <edXML:Business><edXML:BusinessDocType>0</edXML:BusinessDocType><edXML:Paper>0</edXML:Paper></edXML:Business>
  </edXML:TraceHeaderList>
  <edXML:ErrorList/>
  <edXML:Signature><KeyInfo><OrganId>H99.01</OrganId><Token>dummy</Token></KeyInfo></edXML:Signature>
 </soapenv:Header>
 <soapenv:Body>
  <edXML:Manifest>
   <edXML:Reference xlink:href="cid:att-1"><edXML:AttachmentName>a.pdf</edXML:AttachmentName></edXML:Reference>
  </edXML:Manifest>
 </soapenv:Body>
</soapenv:Envelope>"""
IN_THE_ENVELOPE = f"""<edXML:ContentType>application/pdf</edXML:ContentType><edXML:ContentTransferEncoded>{
    base64.b64encode(PDF[2]).decode()
}</edXML:ContentTransferEncoded>"""
IN_A_BINARY_PART = """<edXML:ContentTransferEncoded><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include"
    href="cid:att-1"/></edXML:ContentTransferEncoded>"""


def shape(more=""):
    return canonical(SHAPE.replace("a.pdf</edXML:AttachmentName>", f"a.pdf</edXML:AttachmentName>{more}"))


async def sent(attachments, *files):
    blobs = MemoryBlobs()
    document, stored = attach(DOCUMENT, blobs, *files)
    return await request_of(draft(blobs, document, stored), translator(blobs), attachments)


async def test_swa_is_the_deployed_shape():
    """SendDocument with MIME parts is axis.md 9.3: its envelope in canonical XML, its headers, its base64 text."""
    made, data = await sent(Attachments.SWA, PDF)
    assert made.content_type.startswith('multipart/related; type="text/xml"; start="<root>"; boundary=')
    (root_headers, root), (headers, content) = parts_of(made, data)
    assert root_headers == b"Content-Type: text/xml; charset=UTF-8\r\nContent-ID: <root>"
    assert canonical(root) == shape()
    assert b"<edXML:MessageHeader><edXML:From><edXML:OrganId>" in root
    assert b'<edXML:Reference xlink:href="cid:att-1">' in root
    assert b"<KeyInfo><OrganId>" in root
    assert headers == b"Content-Type: application/pdf\r\nContent-ID: <att-1>"
    assert content == base64.b64encode(PDF[2])


async def test_mtom_is_xop():
    """The envelope includes the part, and the part is the file itself."""
    made, data = await sent(Attachments.MTOM, PDF)
    assert 'type="application/xop+xml"; start="<root>"; start-info="text/xml"' in made.content_type
    (root_headers, root), (headers, content) = parts_of(made, data)
    assert root_headers.startswith(b'Content-Type: application/xop+xml; charset=UTF-8; type="text/xml"')
    assert canonical(root) == shape(IN_A_BINARY_PART)
    assert headers.endswith(b"Content-ID: <att-1>\r\nContent-Transfer-Encoding: binary")
    assert content == PDF[2]


async def test_inline_is_one_envelope():
    """The base64 stands in the Reference, with the type that a part would have said."""
    made, data = await sent(Attachments.INLINE, PDF)
    assert made.content_type == "text/xml; charset=UTF-8"
    assert canonical(data) == shape(IN_THE_ENVELOPE)


async def test_without_files_there_is_no_multipart():
    """A recall without files is an envelope alone."""
    made, data = await sent(Attachments.SWA)
    assert made.content_type == "text/xml; charset=UTF-8"
    assert b"<edXML:Manifest/>" in data


@pytest.mark.parametrize("attachments", Attachments)
async def test_files_cross(attachments):
    """Files of any name, type and size arrive bit for bit, with their words."""
    blobs = MemoryBlobs()
    document, stored = attach(DOCUMENT, blobs, *FILES)
    made, data = await request_of(draft(blobs, document, stored, BKAV), translator(blobs), attachments)
    arrived = await answered(made.content_type, data, blobs)
    assert isinstance(arrived, bytes)
    got = await read(blobs, arrived, dialect=BKAV)
    assert isinstance(got, UnpackedDocument)
    assert [blobs.objects[each.key] for each in got.objects] == [content for _, _, content in FILES]
    assert [(each.name, each.role) for each in got.document.attachments] == [
        (each.name, each.role) for each in document.attachments
    ]


@settings(max_examples=25, deadline=None, phases=[Phase.generate])
@given(document=ANY_DOCUMENT, attachments=st.sampled_from(Attachments))
async def test_any_document_crosses(document, attachments):
    """Whatever a document says, it says after both conversions."""
    blobs = MemoryBlobs()
    document, stored = attach(document, blobs, PDF)
    written = draft(blobs, document, stored)
    made, data = await request_of(written, translator(blobs), attachments)
    arrived = await answered(made.content_type, data, blobs)
    assert isinstance(arrived, bytes)
    direct = await read(blobs, await packet(blobs, written))
    crossed = await read(blobs, arrived)
    assert isinstance(direct, UnpackedDocument), direct
    assert isinstance(crossed, UnpackedDocument), crossed
    assert crossed.document == direct.document


@settings(max_examples=25, deadline=None, phases=[Phase.generate])
@given(report=ANY_STATUS)
async def test_any_status_crosses(report):
    """A status is the same after UpdateTraces and GetTraces, and has the same id each time."""
    blobs = MemoryBlobs()
    written = translator(blobs, dialect=BKAV).draft_status(report)
    (status,) = _status_elements(written)
    once, twice = (read_statuses([etree.fromstring(etree.tostring(status))]) for _ in range(2))
    assert once == twice
    (carried,) = once.waiting.carried.values()
    (item,) = once.waiting.items
    assert item.kind is PacketKind.STATUS
    assert once.unwritable == 0
    direct = await read(blobs, await packet(blobs, written), kind=PacketKind.STATUS)
    crossed = await read(blobs, carried, kind=PacketKind.STATUS)
    assert isinstance(direct, UnpackedStatus)
    assert isinstance(crossed, UnpackedStatus)
    assert crossed.report == direct.report


def _status_elements(written):
    request = ENVELOPES.with_status(read_draft(written).header("Status"))
    return list(etree.fromstring(request).iter(f"{{{EDOC}}}Status"))


async def test_a_status_request_names_caller_and_status():
    """UpdateTraces carries the Status in the SOAP header and the caller in the body."""
    (status,) = _status_elements(translator(MemoryBlobs(), dialect=BKAV).draft_status(STATUS))
    assert [etree.QName(each).localname for each in status] == [
        *("From", "ResponseFor", "StaffInfo", "StatusCode", "Description", "Timestamp")
    ]
    body = status.getparent().getparent()[1]
    assert etree.tostring(body[0], method="c14n", exclusive=True) == (
        b"<UpdateTraces><OrganId>H99.01</OrganId><Token>dummy</Token></UpdateTraces>"
    )


def elements(element: Element):
    """One of each element of the table, filled."""
    made = etree.Element(f"{{{EDOC}}}{element.name}")
    for child in element.children:
        if child.name != "Bussiness":
            made.append(elements(child))
    if not element.children:
        made.text = f"said by {element.name}"
    return made


def names(element):
    return [(etree.QName(each).localname, each.text) for each in element.iter() if not len(each)]


async def test_every_element_of_the_table_survives():
    """Each element that the format knows, and one that it does not, comes back with its text, in QCVN's spelling."""
    message, trace, business = elements(DOCUMENT_HEADER), elements(TRACE_LIST), elements(BUSINESS)
    for each in business.iter():
        each.tag = each.tag.replace("Buss", "Bus")
    business.tag = f"{{{EDOC}}}Business"
    trace.append(business)
    reference = elements(REFERENCE)
    etree.SubElement(reference, f"{{{EDOC}}}Unheard").text = "of"
    etree.SubElement(message, "{urn:other}Foreign").text = "kept"
    etree.SubElement(etree.SubElement(message, f"{{{EDOC}}}New"), "Inner").text = "kept too"
    envelope = etree.Element("{http://schemas.xmlsoap.org/soap/envelope/}Envelope")
    header = etree.SubElement(envelope, "{http://schemas.xmlsoap.org/soap/envelope/}Header")
    header.extend([message, trace])
    body = etree.SubElement(envelope, "{http://schemas.xmlsoap.org/soap/envelope/}Body")
    etree.SubElement(body, f"{{{EDOC}}}Manifest").append(reference)
    expected = [names(message), [(n.replace("Busi", "Bussi"), t) for n, t in names(trace)], names(reference)]
    arrived = await answered("text/xml", etree.tostring(envelope), MemoryBlobs())
    assert isinstance(arrived, bytes)
    root = etree.fromstring(arrived)
    found = [next(root.iter(f"{{*}}{name}")) for name in ("MessageHeader", "TraceHeaderList", "Reference")]
    assert [names(each) for each in found] == expected
    assert all(each.prefix == "edXML" for group in found for each in group.iter())


async def test_the_packet_is_drawn_as_the_standard_draws_it():
    """Prefixes stand literally where the national side wants them, and none of the caller's secrets is in it."""
    made, data = await sent(Attachments.SWA, PDF)
    arrived = await answered(made.content_type, data, MemoryBlobs())
    assert isinstance(arrived, bytes)
    text = "".join(line.strip() for line in arrived.decode().splitlines())
    assert text.startswith(
        '<?xml version="1.0" encoding="UTF-8"?><edXML xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016">'
        '<edXML:edXMLEnvelope xmlns:edXML="http://www.mic.gov.vn/TBT/QCVN_102_2016"><edXML:edXMLHeader>'
        "<edXML:MessageHeader><edXML:From><edXML:OrganId>H99.01</edXML:OrganId>"
    )
    assert "<edXML:Bussiness><edXML:BussinessDocType>0</edXML:BussinessDocType>" in text
    assert "</edXML:edXMLEnvelope><AttachmentEncoded><Attachment><ContentId>cid:att-1</ContentId>" in text
    assert text.endswith("</edXML:ContentTransferEncoded></Attachment></AttachmentEncoded></edXML>")
    assert "dummy</" not in text.replace("V/v dummy", "")
    assert "Token" not in text


async def test_contents_may_stand_in_our_own_words():
    """A packet that holds its base64 among the words, with line ends in it, is carried as well as one of parts."""
    blobs = MemoryBlobs()
    document, stored = attach(DOCUMENT, blobs, PDF, FILES[1])
    whole = await packet(blobs, draft(blobs, document, stored))
    cut = whole.replace(base64.b64encode(PDF[2]), base64.encodebytes(PDF[2]))
    one = replace(draft(blobs, document, stored), parts=(LiteralPart(data=cut),))
    for attachments in Attachments:
        made, data = await request_of(one, translator(blobs), attachments)
        arrived = await answered(made.content_type, data, blobs)
        assert isinstance(arrived, bytes)
        got = await read(blobs, arrived)
        assert isinstance(got, UnpackedDocument)
        digests = [hashlib.sha256(content).hexdigest() for _, _, content in (PDF, FILES[1])]
        assert [each.sha256 for each in got.document.attachments] == digests


def test_attributes_come_along():
    """Those of the document's own are kept, whatever they are called; the envelope's are not."""
    status = etree.fromstring(
        '<Status xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:mustUnderstand="1" name="a" text="b" self="c">'
        '<From name="d" text="e" my_own="f">x</From></Status>'
    )
    (packet,) = read_statuses([status]).waiting.carried.values()
    assert b'<edXML:MessageHeader name="a" text="b" self="c">' in packet
    assert b'<edXML:From name="d" text="e">x</edXML:From>' in packet


def test_depth_is_bounded():
    """An envelope of thousands of nested elements is refused before the stack is."""
    status = etree.fromstring("<Status>" + "<a>" * 200 + "</a>" * 200 + "</Status>")
    assert read_statuses([status]).unwritable == 1
    assert PacketText().finish()
