"""The simulated axis's SOAP face over real sockets: the exchange of axis.md 9.3, every action, other faces."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from lxml import etree

from gateway.sandbox.core import System
from tests.contract.sandbox_faces import read_peak
from tests.contract.soap_calls import (
    EDOC,
    PDF,
    RELATED,
    SOAP_12,
    SYSTEMS,
    Answer,
    Axis,
    envelope,
    flatten,
    header_of,
    manifest,
    multipart,
    read_answer,
    reference,
    soap_in_a_process,
    soap_running,
    status_of,
)
from tests.unit.sandbox.calls import make_document, make_status

EXCHANGE = """\
--B
Content-Type: text/xml; charset=UTF-8
Content-ID: <root>

<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:edXML="http://www.e-doc.vn/Schema/" \
xmlns:xlink="http://www.w3.org/1999/xlink">
 <soapenv:Header><edXML:MessageHeader>
   <edXML:From><edXML:OrganId>H99.01</edXML:OrganId><edXML:OrganName>Body A</edXML:OrganName></edXML:From>
   <edXML:To><edXML:OrganId>H98.01</edXML:OrganId><edXML:OrganName>Body B</edXML:OrganName></edXML:To>
   <edXML:Code><edXML:CodeNumber>12</edXML:CodeNumber><edXML:CodeNotation>ABC-XYZ</edXML:CodeNotation></edXML:Code>
   <edXML:PromulgationInfo><edXML:Place>Town</edXML:Place>\
<edXML:PromulgationDate>2026/01/15</edXML:PromulgationDate></edXML:PromulgationInfo>
   <edXML:DocumentType><edXML:Type>2</edXML:Type><edXML:TypeName>Công văn</edXML:TypeName></edXML:DocumentType>
   <edXML:Subject>V/v dummy</edXML:Subject>
   <edXML:SignerInfo><edXML:Position>Title</edXML:Position><edXML:FullName>Signer X</edXML:FullName></edXML:SignerInfo>
   <edXML:OtherInfo><edXML:Priority>0</edXML:Priority></edXML:OtherInfo>
   <edXML:DocumentId>H99.01,2026/01/15,12/ABC-XYZ</edXML:DocumentId></edXML:MessageHeader>
  <edXML:TraceHeaderList><edXML:TraceHeader><edXML:OrganId>H99.01</edXML:OrganId>\
<edXML:Timestamp>2026/01/15 08:30:00</edXML:Timestamp></edXML:TraceHeader>\
<edXML:Business><edXML:BusinessDocType>0</edXML:BusinessDocType><edXML:Paper>0</edXML:Paper></edXML:Business>\
</edXML:TraceHeaderList><edXML:ErrorList/>
  <edXML:Signature><KeyInfo><OrganId>H99.01</OrganId><Token>dummy</Token></KeyInfo></edXML:Signature></soapenv:Header>
 <soapenv:Body><edXML:Manifest><edXML:Reference xlink:href="cid:a1"><edXML:AttachmentName>a.pdf</edXML:AttachmentName>\
</edXML:Reference></edXML:Manifest></soapenv:Body>
</soapenv:Envelope>
--B
Content-Type: application/pdf
Content-ID: <a1>

JVBERi0xLjQKJSBkdW1teQolJUVPRgo=
--B--
"""


@pytest.fixture
async def axis() -> AsyncIterator[Axis]:
    async with soap_running() as started:
        yield started


def post(action: str, body: bytes, content_type: str = "text/xml; charset=UTF-8") -> bytes:
    head = (
        f"POST /any/path HTTP/1.1\r\nHost: axis\r\nSOAPAction: {action}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def read_raw(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    (content_type,) = re.findall(rb"(?i)content-type: ([^\r]+)", head)
    return read_answer(int(head.split()[1]), content_type.decode(), body)


@pytest.mark.parametrize("end", ["\r\n", "\n"], ids=["crlf", "lf"])
async def test_the_exchange_of_the_facts_over_a_raw_socket(axis: Axis, end: str) -> None:
    """axis.md 9.3 byte for byte: send, pending, get (same header, manifest and base64 part), confirm, traces once."""
    body = EXCHANGE.replace("\n", end).encode()
    sent = read_raw(await axis.raw(post("SendDocument", body, RELATED)))
    assert (sent.status, sent.name, sent.success, sent.texts("Code")) == (200, "SendDocumentResponse", "true", [])
    assert re.fullmatch("[0-9a-f]{24}", "".join(sent.texts("DocumentId")))

    ask = "<{0}><OrganId>{1}</OrganId><Token>{2}</Token>{3}</{0}>".format
    asked = envelope("", ask("GetPendingDocumentIdsRequest", "H98.01", "token-98", "")).encode()
    pending = read_raw(await axis.raw(post("GetPendingDocumentIds", asked)))
    (doc_id,) = pending.texts("DocumentId")
    named = f"<DocumentId>{doc_id}</DocumentId>"

    asked = envelope("", ask("GetDocumentRequest", "H98.01", "token-98", named)).encode()
    got = read_raw(await axis.raw(post('"GetDocument"', asked)))
    given = etree.fromstring(EXCHANGE.split("\n\n")[1].split("\n--B", maxsplit=1)[0])
    for name in ("MessageHeader", "TraceHeaderList"):
        original = given.find(f".//{{{EDOC}}}{name}")
        assert original is not None
        assert flatten(got.header[name]) == flatten(original)
    assert got.result is not None
    (link,) = got.result.iter(f"{{{EDOC}}}Reference")
    assert (link.get("{http://www.w3.org/1999/xlink}href"), got.texts("AttachmentName")) == ("cid:a1", ["a.pdf"])
    assert got.parts == {"a1": b"JVBERi0xLjQKJSBkdW1teQolJUVPRgo="}

    asked = envelope("", ask("ConfirmReceived", "H98.01", "token-98", named)).encode()
    assert read_raw(await axis.raw(post("ConfirmReceived", asked))).success == "true"
    assert await axis.b.pending() == []
    assert (await axis.b.get(doc_id)).codes == ["M.GetDocumentCheckAllow"]
    asked = envelope("", ask("GetTraces", "H99.01", "dummy", "")).encode()
    first, second = [read_raw(await axis.raw(post("GetTraces", asked))) for _ in range(2)]
    assert first.texts("StatusCode") == ["01"]
    assert (second.success, second.texts("Status"), len(second.texts("Traces"))) == ("true", [], 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("edXML", "x"),
        lambda text: text.replace("<KeyInfo>", f'<KeyInfo xmlns="{EDOC}">'),
        lambda text: text.replace("<KeyInfo>", '<k:KeyInfo xmlns:k="urn:k">').replace("</KeyInfo>", "</k:KeyInfo>"),
        lambda text: text.replace(EDOC, "http://www.mic.gov.vn/TBT/QCVN_102_2016"),
        lambda text: text.replace("<edXML:", "<").replace("</edXML:", "</"),
        lambda text: text.replace("cid:a1", "cid:cid:a%31").replace("<edXML:ErrorList/>", ""),
    ],
)
async def test_names_are_read_in_any_namespace(axis: Axis, change: Any) -> None:
    """Prefixes and namespaces of the request's children do not matter, nor does a repeated or escaped cid."""
    root = change(envelope(header_of(), manifest()))
    body = multipart(root, ("a1", base64.b64encode(PDF)))
    answer = await axis.a.post("SendDocument", body, RELATED)
    assert (answer.success, answer.codes) == ("true", [])
    (doc_id,) = await axis.b.pending()
    got = await axis.b.get(doc_id)
    assert flatten(got.header["MessageHeader"])["Subject"] == "V/v thử nghiệm & hơn nữa"
    assert [base64.b64decode(part) for part in got.parts.values()] == [PDF]


@pytest.mark.parametrize("form", ["swa", "mtom", "inline"])
async def test_all_three_forms_of_attachments_in_and_out(axis: Axis, form: str) -> None:
    """Base64 parts, XOP parts and inline base64 are taken alike, and given in the form the test's header asks for."""
    data = bytes(range(256)) * 300
    inside = {
        "swa": "",
        "mtom": '<edXML:AttachmentContent><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" '
        'href="cid:a1"/></edXML:AttachmentContent>',
        "inline": f"<edXML:AttachmentContent>{base64.encodebytes(data).decode()}</edXML:AttachmentContent>",
    }[form]
    body = manifest(reference(inside=inside))
    part = {"swa": base64.encodebytes(data), "mtom": data, "inline": b"x"}[form]
    assert (await axis.a.send(("a1", part), body=body)).success == "true"
    (doc_id,) = await axis.b.pending()
    for wanted in ("swa", "mtom", "inline"):
        got = await axis.b.get(doc_id, X_Sandbox_Attachments=wanted)
        (text,) = got.texts("AttachmentContent") or [""]
        given = text.encode() if wanted == "inline" else got.parts["a1"]
        assert (given if wanted == "mtom" else base64.b64decode(given, validate=True)) == data
        assert bool(got.parts) == (wanted != "inline")
        assert ("application/xop+xml" in got.content_type) == (wanted == "mtom")


async def test_contents_may_hang_in_the_body_and_parts_may_be_encoded(axis: Axis) -> None:
    """Body/AttachmentEncoded/Attachment is read by content id; an XOP part may be base64 by its header."""
    attachment = (
        "<AttachmentEncoded><Attachment><ContentId>cid:a1</ContentId><ContentTransferEncoded>"
        f"{base64.b64encode(PDF).decode()}</ContentTransferEncoded></Attachment></AttachmentEncoded>"
    )
    assert (await axis.a.send(("zz", b"eA=="), body=manifest() + attachment)).success == "true"
    include = '<C><i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:a1"/></C>'
    root = envelope(header_of(number="13"), manifest(reference(inside=include)))
    body = multipart(root, ("a1", base64.b64encode(PDF)), encoding="base64")
    assert (await axis.a.post("SendDocument", body, RELATED)).success == "true"
    for doc_id in await axis.b.pending():
        assert list((await axis.b.get(doc_id)).parts.values()) == [base64.b64encode(PDF)]


async def test_soap_1_2_and_actions_without_the_header(axis: Axis) -> None:
    """SOAP 1.2 is answered in kind; without SOAPAction the action parameter or the body's first element decides."""
    body = (
        "<GetPendingDocumentIdsRequest><OrganId>H98.01</OrganId><Token>token-98</Token></GetPendingDocumentIdsRequest>"
    )
    request = envelope("", body, soap=SOAP_12).encode()
    for content_type in ("application/soap+xml", 'application/soap+xml; action="GetPendingDocumentIds"'):
        answer = await axis.a.post("", request, content_type)
        assert (answer.name, answer.success) == ("GetPendingDocumentIdsResponse", "true")
        assert answer.content_type.startswith("application/soap+xml")
    sent = await axis.a.post("", multipart(envelope(header_of(), manifest()), ("a1", b"eA==")), RELATED)
    assert (sent.name, sent.success) == ("SendDocumentResponse", "true")


async def test_a_wrong_token_opens_nothing(axis: Axis) -> None:
    """A foreign, wrong or missing token: IsSuccess false with code Permission, no lists, nothing stored."""
    await axis.a.send()
    (doc_id,) = await axis.b.pending()
    for organ, token in (("H98.01", "dummy"), ("H98.01", ""), ("H55", "dummy"), ("", ""), ("H98.02", "token-98")):
        client = axis.soap(organ, token)
        for action in ("GetPendingDocumentIds", "GetTraces", "GetOrganizations", "CheckPermission", "ConfirmReceived"):
            answer = await client.call(action, f"<DocumentId>{doc_id}</DocumentId>")
            assert (answer.success, answer.codes) == ("false", ["Permission"])
            assert answer.texts("DocumentIds") == answer.texts("Status") == answer.texts("Organization") == []
            assert len(answer.texts("Traces")) == (action == "GetTraces")
        answer = await client.send(sender="H99.01", number="13")
        assert (answer.name, answer.codes, answer.texts("DocumentId")) == ("SendDocumentResponse", ["Permission"], [])
        assert (await client.get(doc_id)).codes == ["Permission"]
    assert len(await axis.records("accepted")) == 1
    assert await axis.b.pending() == [doc_id]


async def test_the_token_may_stand_where_older_clients_put_it(axis: Axis) -> None:
    """A bare Token in the SOAP header counts, with OrganId in the body or, sending, in From."""
    token = '<Token xmlns="http://e-doc.vn/xsd">{0}</Token>'
    body = "<GetPendingDocumentIdsRequest><OrganId>H98.01</OrganId></GetPendingDocumentIdsRequest>"
    root = envelope(token.format("token-98"), body).encode()
    assert (await axis.a.post("GetPendingDocumentIds", root, "text/xml")).success == "true"
    header = re.sub("<edXML:Signature>.*", token.format("dummy"), header_of())
    body_parts = multipart(envelope(header, manifest()), ("a1", b"eA=="))
    assert (await axis.a.post("SendDocument", body_parts, RELATED)).success == "true"


async def test_the_token_never_reaches_a_receiver(axis: Axis) -> None:
    """What KeyInfo or a status body holds for authentication is in no packet."""
    await axis.a.send()
    (doc_id,) = await axis.b.pending()
    await axis.b.confirm(doc_id)
    await axis.b.update("03", more="<OrganId>H98.01</OrganId><Token>token-98</Token>")
    (item,) = await axis.rest("H98.01", "token-98").list_received("edoc", status="done")
    _, packet = await axis.rest("H98.01", "token-98").download(item["docId"])
    reader = axis.rest("H99.01", "dummy")
    statuses = [(await reader.download(each["docId"]))[1] for each in await reader.list_received("status")]
    assert len(statuses) == 2
    assert all(b"oken" not in each and b"KeyInfo" not in each for each in (packet, *statuses))


@pytest.mark.parametrize(
    ("action", "body", "content_type"),
    [
        ("Nothing", envelope("", "<Nothing/>").encode(), "text/xml"),
        ("", envelope("", "<Nothing/>").encode(), "text/xml"),
        ("", envelope("", "").encode(), "text/xml"),
        ("GetTraces", b"", "text/xml"),
        ("GetTraces", b"<a/>", "text/xml"),
        ("GetTraces", b"<Envelope><Body/></Envelope>", "text/xml"),
        ("GetTraces", b'<!DOCTYPE a [<!ENTITY b "c">]>' + envelope("", "<GetTraces/>").encode(), "text/xml"),
        ("GetTraces", b"<a>" * 100_000, "text/xml"),
        ("GetTraces", envelope("", "<a/>" * 60_000).encode(), "text/xml"),
        ("GetTraces", envelope("", "<x:a/>").encode(), "text/xml"),
        ("GetTraces", b"\xff\xfe<\x00", "text/xml"),
        ("SendDocument", b"junk", RELATED),
        ("SendDocument", b"--B\r\nContent-ID: <root>\r\n\r\njunk", RELATED),
        ("SendDocument", b"--B--\r\n", RELATED),
        ("SendDocument", b"--B\r\n" + b"X: y\r\n" * 10_000 + b"\r\n\r\n--B--", RELATED),
        ("SendDocument", b"--B\r\n\r\n\r\n" * 400 + b"--B--", RELATED),
        ("SendDocument", multipart(envelope(header_of(), manifest())), "multipart/related"),
        ("SendDocument", multipart(envelope(header_of(), manifest())), f'multipart/related; boundary="{"B" * 300}"'),
        ("SendDocument", multipart("<!DOCTYPE a>" + envelope(header_of(), manifest())), RELATED),
        ("SendDocument", multipart(envelope(header_of(), manifest()), ("a1", b"eA=="))[:-8], RELATED),
    ],
)
async def test_what_is_not_understood_gets_an_empty_envelope(
    axis: Axis, action: str, body: bytes, content_type: str
) -> None:
    """Unknown actions, no SOAP, DTDs and hostile multiparts: status 200, an empty body, no Fault, nothing kept."""
    answer = await axis.a.post(action, body, content_type)
    assert (answer.status, answer.result) == (200, None)
    assert await axis.records("accepted") == []


async def test_nothing_is_left_in_the_data_directory(tmp_path: Path) -> None:
    """Refused, repeated and confirmed documents leave no temporary file; only accepted packets stay."""
    async with soap_running(data=tmp_path) as axis:
        await axis.a.send()
        await axis.a.send()
        await axis.a.send(number="1" * 12)
        await axis.a.send(("a1", b"!!!!"), number="13")
        await axis.a.post("SendDocument", b"--B\r\n\r\nx", RELATED)
        (doc_id,) = await axis.b.pending()
        await axis.b.get(doc_id)
        await axis.b.confirm(doc_id)
        assert sorted(path.suffix for path in (tmp_path / "packets").iterdir()) == [".edxml", ".edxml"]


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"subject": ""}, "N.MessageHeader.Subject"),
        ({"document_id": ""}, "N.MessageHeader.DocumentId"),
        ({"to": ()}, "N.MessageHeader.To.OrganId"),
        ({"to": ("H98.01", "H98.01")}, "M.MessageHeader.To.OrganId"),
        ({"to": ("H55",)}, "M.MessageHeader.To.OrganId"),
        ({"to": ("H97.20",)}, "M.MessageHeader.To.OrganId"),
        ({"sender": "H98.01"}, "M.MessageHeader.From.OrganId"),
        ({"number": "1" * 12}, "R.MessageHeader.Code.CodeNumber"),
        ({"subject": "x" * 501}, "R.MessageHeader.Subject"),
        ({"date": "15/01/2026"}, "T.MessageHeader.PromulgationInfo.PromulgationDate"),
        ({"date": "2026/02/30"}, "T.MessageHeader.PromulgationInfo.PromulgationDate"),
        ({"date": "2126/01/15"}, "M.MessageHeader.PromulgationInfo.PromulgationDate"),
        (
            {"more": "<edXML:DocumentType><edXML:Type>18</edXML:Type></edXML:DocumentType>"},
            "M.MessageHeader.DocumentType.Type",
        ),
        (
            {"more": "<edXML:OtherInfo><edXML:Priority>x</edXML:Priority></edXML:OtherInfo>"},
            "T.MessageHeader.OtherInfo.Priority",
        ),
        (
            {"more": "<edXML:OtherInfo><edXML:Priority>5</edXML:Priority></edXML:OtherInfo>"},
            "R.MessageHeader.OtherInfo.Priority",
        ),
        ({"body": manifest(reference("zz"))}, "N.Attachment"),
        ({"body": manifest(reference(name=""))}, "N.AttachmentName"),
        ({"body": manifest(reference(name="x" * 501))}, "R.AttachmentName"),
        ({"body": manifest(reference(), reference())}, "M.Manifest.Reference"),
        ({"body": manifest(*([reference()] * 201))}, "R.Manifest.Reference"),
    ],
)
async def test_refusals_speak_the_error_grammar(axis: Axis, facts: dict[str, Any], code: str) -> None:
    """A document the axis will not take is refused with X.Path, and nothing is stored."""
    answer = await axis.a.send(**({"organ": "H99.01"} | facts))
    assert (answer.success, answer.codes, answer.texts("DocumentId")) == ("false", [code], [])
    assert all(answer.texts("Description"))
    assert await axis.records("accepted") == []


@pytest.mark.parametrize("text", [b"!!!!", b"eA", b"eA==eA==", "é".encode()])
async def test_parts_must_be_base64_text(axis: Axis, text: bytes) -> None:
    """A part that is no base64 is refused with T.Attachment."""
    assert (await axis.a.send(("a1", text))).codes == ["T.Attachment"]
    assert await axis.records("accepted") == []


async def test_a_new_document_is_taken_once(axis: Axis) -> None:
    """The same (From, DocumentId) is refused with M.Exist, by which face it came first; other business types pass."""
    await axis.national.send(make_document(number="30"), sender="H99.01")
    assert (await axis.a.send(number="30")).codes == ["M.Exist"]
    answers = await asyncio.gather(*(axis.a.send() for _ in range(5)))
    assert sorted(answer.success for answer in answers) == ["false"] * 4 + ["true"]
    assert {code for answer in answers for code in answer.codes} == {"M.Exist"}
    recall = "<edXML:Business><edXML:BusinessDocType>1</edXML:BusinessDocType></edXML:Business>"
    assert (await axis.a.send(business=recall)).success == "true"
    assert len(await axis.b.pending()) == 3


async def test_from_soap_to_the_national_face(axis: Axis) -> None:
    """What came by SOAP leaves by the REST face as a QCVN packet with every header element and attachment byte."""
    business = (
        "<edXML:Business><edXML:BusinessDocType>0</edXML:BusinessDocType><edXML:Paper>1</edXML:Paper></edXML:Business>"
    )
    more = "<edXML:OtherInfo><edXML:Priority>2</edXML:Priority></edXML:OtherInfo>"
    sent = await axis.a.send(more=more, business=business)
    reader = axis.rest("H98.01", "token-98")
    (item,) = await reader.list_received()
    _, packet = await reader.download(item["docId"])
    tree = flatten(etree.fromstring(packet))
    header = "edXMLEnvelope/edXMLHeader"
    assert tree[f"{header}/MessageHeader/Subject"] == "V/v thử nghiệm & hơn nữa"
    assert tree[f"{header}/MessageHeader/SignerInfo/FullName"] == "Signer X"
    assert tree[f"{header}/TraceHeaderList/Bussiness/Paper"] == "1"
    assert tree["edXMLEnvelope/edXMLBody/edXMLManifest/Reference/AttachmentName"] == "a.pdf"
    assert tree["AttachmentEncoded/Attachment/ContentId"] == "cid:a1"
    assert tree["AttachmentEncoded/Attachment/ContentType"] == "application/pdf"
    assert base64.b64decode(tree["AttachmentEncoded/Attachment/ContentTransferEncoded"], validate=True) == PDF
    (row,) = (await axis.rest("H99.01", "dummy").list_sent())["data"]
    assert [row["senderDocId"]] == sent.texts("DocumentId")


async def test_from_the_national_face_to_soap(axis: Axis) -> None:
    """A REST packet is given by SOAP with its header, all attachments (even one without a Reference) and its state."""
    packet = make_document(attachment="JVBERi0=\n")
    sent = await axis.rest("H99.01", "dummy").send(packet, sender="H99.01")
    (doc_id,) = await axis.b.pending()
    got = await axis.b.get(doc_id)
    assert flatten(got.header["MessageHeader"])["DocumentId"] == "H99.01,2026/01/15,12/ABC-XYZ"
    assert got.parts == {"a": b"JVBERi0="}
    await axis.b.confirm(doc_id)
    (row,) = (await axis.rest("H99.01", "dummy").list_sent(sent["DocId"]))["data"]
    assert row["receiveStatus"] == "done"
    (status,) = await axis.rest("H99.01", "dummy").list_received("status")
    assert (status["from"], status["to"]) == ("H98.01", "H99.01")


async def test_statuses_cross_the_faces_both_ways(axis: Axis) -> None:
    """A REST status is a trace with the children of edxml.md 1.6; an update by SOAP is a REST status package."""
    await axis.a.send()
    rest_b, rest_a = axis.rest("H98.01", "token-98"), axis.rest("H99.01", "dummy")
    await rest_b.send(make_status(code="03"), sender="H98.01", messagetype="status")
    (trace,) = await axis.a.traces()
    assert (trace["From/OrganId"], trace["StatusCode"]) == ("H98.01", "03")
    assert trace["ResponseFor/DocumentId"] == "H99.01,2026/01/15,12/ABC-XYZ"
    assert trace["Timestamp"] == "2026/01/15 09:00:00"
    assert await rest_a.list_received("status") == [], "read once: acknowledged"
    assert (await axis.b.update("04")).success == "true"
    (item,) = await rest_a.list_received("status")
    _, packet = await rest_a.download(item["docId"])
    tree = flatten(etree.fromstring(packet))
    message = "edXMLEnvelope/edXMLHeader/MessageHeader"
    assert (tree[f"{message}/StatusCode"], tree[f"{message}/StaffInfo/Staff"]) == ("04", "Clerk Y")
    (trace,) = await axis.a.traces()
    assert (trace["Description"], trace["StaffInfo/Department"]) == ("why", "Registry")


async def test_traces_are_read_once_but_relisted_by_time(axis: Axis) -> None:
    """Without TimeStamp each trace comes once; with one all since then come again; a bad one is refused."""
    await axis.a.send()
    await axis.b.update("03")
    assert [each["StatusCode"] for each in await axis.a.traces("2020/01/01 00:00:00")] == ["03"]
    assert [each["StatusCode"] for each in await axis.a.traces()] == ["03"]
    await axis.b.update("04")
    assert [each["StatusCode"] for each in await axis.a.traces()] == ["04"]
    assert await axis.a.traces() == []
    assert [each["StatusCode"] for each in await axis.a.traces("2020/01/01 00:00:00")] == ["03", "04"]
    assert await axis.a.traces("2126/01/01 00:00:00") == []
    answer = await axis.a.call("GetTraces", "<TimeStamp>2020-01-01</TimeStamp>")
    assert (answer.codes, len(answer.texts("Traces"))) == (["T.TimeStamp"], 1)


async def test_updates_must_be_of_known_documents_and_not_repeat(axis: Axis) -> None:
    """A repeated code is M.UpdateTraces, but 05 passes again; unknown documents and strangers are M.UpdateStatusDoc."""
    await axis.a.send()
    assert (await axis.b.update("03")).success == "true"
    assert (await axis.b.update("3")).codes == ["M.UpdateTraces"]
    assert [(await axis.b.update("05")).success for _ in range(2)] == ["true", "true"]
    assert (await axis.b.update("03", number="99")).codes == ["M.UpdateStatusDoc"]
    assert (await axis.soap("H77", "token-77").update("03")).codes == ["M.UpdateStatusDoc"]
    assert (await axis.b.update("x")).codes == ["T.MessageHeader.StatusCode"]
    assert (await axis.b.call("UpdateTraces")).codes == ["N.StatusCode"]
    forged = status_of("04", sender="H98.01", to="H99.01")
    assert (await axis.soap("H77", "token-77").call("UpdateTraces", forged)).codes == ["M.MessageHeader.From.OrganId"]
    assert [each["StatusCode"] for each in await axis.a.traces()] == ["03", "05", "05"]


async def test_a_status_may_stand_in_the_soap_header(axis: Axis) -> None:
    """UpdateTraces reads its Status above the body too; two of them are refused."""
    await axis.a.send()
    status = status_of("03", sender="H98.01", to="H99.01")
    body = "<UpdateTraces><OrganId>H98.01</OrganId><Token>token-98</Token></UpdateTraces>"
    assert (await axis.b.post("UpdateTraces", envelope(status * 2, body).encode(), "text/xml")).codes == [
        "M.StatusCode"
    ]
    assert (await axis.b.post("UpdateTraces", envelope(status, body).encode(), "text/xml")).success == "true"
    assert [each["StatusCode"] for each in await axis.a.traces()] == ["03"]


async def test_a_take_back_goes_from_sender_to_receiver(axis: Axis) -> None:
    """Status 13 names the recipient in ResponseFor/OrganId and is known by the sender's own document."""
    await axis.a.send()
    take_back = status_of("13", sender="H99.01", to="H98.01").replace("<DocumentId>H98.01,", "<DocumentId>H99.01,")
    assert (await axis.a.call("UpdateTraces", take_back)).success == "true"
    assert [each["StatusCode"] for each in await axis.b.traces()] == ["13"]


async def test_arrival_is_told_once_whoever_tells_it(axis: Axis) -> None:
    """ConfirmReceived makes status 01 unless the receiver did, does it once, and refuses the receiver's later 01."""
    await axis.a.send()
    await axis.a.send(number="13")
    first, second = await axis.b.pending()
    assert (await axis.b.confirm(first)).success == "true"
    assert (await axis.b.update("01")).codes == ["M.UpdateTraces"]
    assert (await axis.b.update("01", number="13")).success == "true"
    assert [(await axis.b.confirm(each)).success for each in (second, second, first)] == ["true"] * 3
    traces = await axis.a.traces()
    assert [(each["StatusCode"], each["ResponseFor/Code"]) for each in traces] == [
        ("01", "12/ABC-XYZ"),
        ("01", "13/ABC-XYZ"),
    ]
    assert (await axis.b.confirm("nothing")).codes == ["M.DocumentId"]
    assert (await axis.a.confirm(first)).codes == ["M.DocumentId"]


async def test_organizations_and_systems_of_their_own(axis: Axis) -> None:
    """--system adds an agency that is not in the directory; centres are none; the list names parents and mails."""
    answer = await axis.a.call("GetOrganizations")
    assert answer.result is not None
    units = {each["OrganId"]: each for each in map(flatten, answer.result.iter(f"{{{EDOC}}}Organization"))}
    assert units["H99.01.01"]["OrganIdParent"] == "H99.01"
    assert units["H99"]["Email"] == "h99@axis.example"
    assert "H77" in units
    assert not {"00.99.W00", "H97"} & units.keys()
    assert (await axis.a.call("CheckPermission")).success == "true"
    assert (await axis.a.send(to=("H77", "H98.02"))).success == "true"
    assert len(await axis.soap("H77", "token-77").pending()) == 1
    assert (await axis.soap("H77", "token-77").send(to=("H99.02",))).success == "true"
    centre = axis.soap("00.99.W00", "dummy-secret")
    assert len(await centre.pending()) == 1, "the province's mailbox but for H99.01's"
    assert (await centre.send(sender="H99.02", number="14")).success == "true"


async def test_faults_make_sense_here_too(axis: Axis) -> None:
    """A page, a cut, a lost answer and half an answer; the work of the last two is done, M.Exist tells of it."""
    for fault, number in (
        ("html", "20"),
        ("down", "21"),
        ("reset", "22"),
        ("answer-lost", "23"),
        ("half-answer", "24"),
    ):
        await axis.control("POST", "/faults", {"name": fault, "count": 1})
        assert fault != "answer-lost" or await axis.b.pending() == []
        with pytest.raises((aiohttp.ClientError, AssertionError)):
            await axis.a.send(number=number)
        done = fault in {"answer-lost", "half-answer"}
        assert (await axis.a.send(number=number)).codes == (["M.Exist"] if done else []), fault
        for doc_id in await axis.b.pending():
            await axis.b.confirm(doc_id)
    assert (await axis.a.send(number="26")).success == "true"
    (doc_id,) = await axis.b.pending()
    await axis.control("POST", "/faults", {"name": "half-answer", "count": 1})
    with pytest.raises(aiohttp.ClientError):
        await axis.b.get(doc_id)
    await axis.b.confirm(doc_id)
    await axis.control("POST", "/faults", {"name": "reset-after", "count": 1})
    with pytest.raises(aiohttp.ClientError):
        await axis.a.traces()
    assert await axis.a.traces() == [], "read once: the lost answer had them"
    await axis.control("POST", "/faults", {"name": "lose", "count": 1})
    assert (await axis.a.send(number="25")).success == "true"
    assert await axis.b.pending() == []


async def test_rewriting_applies_to_soap(axis: Axis) -> None:
    """With --rewrite the receiver finds the axis's own TraceHeader in the list."""
    async with soap_running(rewrite=True) as rewriting:
        await rewriting.a.send()
        (doc_id,) = await rewriting.b.pending()
        got = await rewriting.b.get(doc_id)
    trace = [node.text for node in got.header["TraceHeaderList"].iter(f"{{{EDOC}}}OrganId")]
    assert trace == ["H99.01", "00.00.W00"]


async def test_a_restart_continues(tmp_path: Path) -> None:
    """With a data directory mailboxes, read traces, known documents and added agencies are as before."""
    async with soap_running(data=tmp_path) as axis:
        await axis.a.send(to=("H98.01", "H77"))
        await axis.b.update("03")
        await axis.a.traces()
        pending, records = await axis.b.pending(), await axis.control("GET", "/records")
    async with soap_running(data=tmp_path) as axis:
        assert await axis.control("GET", "/records") == records
        assert await axis.b.pending() == pending
        assert await axis.a.traces() == []
        assert (await axis.a.send()).codes == ["M.Exist"]
        assert (await axis.b.update("03")).codes == ["M.UpdateTraces"]
        assert list((await axis.b.get(pending[0])).parts.values()) == [base64.b64encode(PDF)]
        assert len(await axis.soap("H77", "token-77").pending()) == 1


async def test_systems_come_and_go_between_restarts(tmp_path: Path) -> None:
    """An added agency outlives its system, a known one gets a mailbox when its system comes, a closed one stays so."""
    systems = {each.id: each for each in SYSTEMS}
    some = tuple(systems[name] for name in ("00.99.W00", "H99.01"))
    unit = {"pcode": "H99.01", "code": "H99.01.88", "name": "Unit"}
    async with soap_running(data=tmp_path, systems=(*some, systems["H77"])) as axis:
        assert (await axis.a.send(to=("H77",))).success == "true"
        answer = await axis.rest("H99.01", "dummy").call("registerAgency", json.dumps(unit).encode())
        assert answer["status"] == "OK"
    async with soap_running(data=tmp_path, systems=(*some, System(id="H99.01.88", secret="s"))) as axis:
        assert (await axis.a.send(to=("H77", "H99.01.88"), number="13")).success == "true"
        assert len(await axis.soap("H99.01.88", "s").pending()) == 1
        answer = await axis.rest("H99.01", "dummy").call("deleteAgency", b"{}", AgencyCode="H99.01.88")
        assert answer["status"] == "OK"
    async with soap_running(data=tmp_path, systems=(*some, systems["H77"], System(id="H99.01.88", secret="s"))) as axis:
        assert len(await axis.soap("H77", "token-77").pending()) == 2, "its mail waited"
        assert len(await axis.records("registered")) == 2
        assert (await axis.a.send(to=("H99.01.88",), number="14")).codes == ["M.MessageHeader.To.OrganId"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
async def test_the_command_tells_its_address_and_a_large_document_streams(tmp_path: Path) -> None:
    """`sandbox --soap` prints the address; 100 MB in and out in two forms grow its memory by less than 64 MB."""
    size = 100 * 1024 * 1024
    async with soap_in_a_process("--data", str(tmp_path)) as (axis, pid):
        await axis.a.send()
        before = psutil.Process(pid).memory_info().rss
        text = b"QUFB" * (size // 3)
        assert (await axis.a.send(("a1", text), number="99")).success == "true"
        doc_id = (await axis.b.pending())[-1]
        del text
        for form, least in (("swa", size * 4 // 3), ("mtom", size)):
            body = envelope(
                "",
                "<GetDocumentRequest><OrganId>H98.01</OrganId><Token>token-98</Token>"
                f"<DocumentId>{doc_id}</DocumentId></GetDocumentRequest>",
            )
            headers = {"SOAPAction": "GetDocument", "Content-Type": "text/xml", "X-Sandbox-Attachments": form}
            read = 0
            async with axis.session.post(f"{axis.b.url}/x", data=body.encode(), headers=headers) as answer:
                async for chunk in answer.content.iter_any():
                    read += len(chunk)
            assert least - 3 <= read < least + 8192
        assert read_peak(pid) - before < 64 * 1024 * 1024
