"""The SOAP adapter against a scripted peer on a real socket: every oddity of deployed services, and what breaks."""

import base64
import hashlib
import tracemalloc
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest
from lxml import etree
from prometheus_client import CollectorRegistry

from gateway.adapters.soap.axis import SoapAxis
from gateway.adapters.soap.config import Attachments, SoapAccount
from gateway.adapters.soap.envelopes import WSDL
from gateway.adapters.soap.names import Operation
from gateway.domain.ids import AccountName, AxisDocId, Digest, ObjectKey, OrganId
from gateway.domain.outcome import Accepted, CannotTell, Rejected, Unavailable, Uncertain
from gateway.domain.packet import AxisItem, PacketKind, StoredObject, UnpackedDocument
from gateway.observability.metrics import Metrics
from gateway.ports import DirectoryListing, Fetched, Waiting
from tests.contract.vxp_peer import (
    RETRY,
    SHORT,
    TIMEOUTS,
    FileWriter,
    SystemClock,
    answering,
    hang_up,
    peer_running,
    read_and_hang_up,
    say_nothing,
)
from tests.fakes.blobs import MemoryBlobs
from tests.unit.translate.edxml.sample import DOCUMENT, STATUS, attach, draft, read, translator

MIB = 1 << 20
PDF = b"%PDF-1.4\n% dummy\n%%EOF\n"
ITEM = AxisItem(axis_doc_id=AxisDocId("d1"), kind=PacketKind.DOCUMENT, recipients=())
ENVELOPE = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:e="http://www.e-doc.vn/Schema/">{}</s:Envelope>'
EMPTY = ENVELOPE.format("<s:Body/>").encode()
XML = "Content-Type: text/xml; charset=UTF-8\r\n"
HTML = "Content-Type: text/html\r\n"
SINCE = datetime(2026, 3, 1, 17, 0, tzinfo=UTC)


def body(name, inner):
    return ENVELOPE.format(f"<s:Body><e:{name}Response>{inner}</e:{name}Response></s:Body>").encode()


def report(*codes, success="false"):
    errors = "".join(f"<e:Error><e:Code>{code}</e:Code><e:Description>vi</e:Description></e:Error>" for code in codes)
    return f"<e:Report><e:IsSuccess>{success}</e:IsSuccess><e:ErrorList>{errors}</e:ErrorList></e:Report>"


GOOD = report(success="true")
TAKEN = body("SendDocument", f"{GOOD}<e:DocumentId>d1</e:DocumentId>")
TRACE = """<e:Status><e:From><e:OrganId>H98.02</e:OrganId><e:OrganName>B</e:OrganName></e:From><e:ResponseFor>
    <e:OrganId>H99.01</e:OrganId><e:Code>12/ABC-XYZ</e:Code><e:PromulgationDate>2026/01/15</e:PromulgationDate>
    <e:DocumentId>x</e:DocumentId></e:ResponseFor><e:StatusCode>{}</e:StatusCode>
    <e:Timestamp>2026/01/15 09:00:00</e:Timestamp></e:Status>"""


@asynccontextmanager
async def axis_at(script, **changes):
    async with peer_running(script) as peer:
        account = SoapAccount(
            name=AccountName("province"),
            endpoint=peer.url,
            organ_id=OrganId("H99.01"),
            token="dummy-token",
            timeouts=TIMEOUTS,
            retry=RETRY,
        )
        account = replace(account, **{key: value(peer) if callable(value) else value for key, value in changes.items()})
        axis = SoapAxis(account=account, clock=SystemClock(), metrics=Metrics(CollectorRegistry()))
        try:
            yield peer, axis
        finally:
            await axis.aclose()


async def send(axis, *contents):
    blobs = MemoryBlobs()
    files = [(f"{place}.pdf", "application/pdf", content) for place, content in enumerate(contents or (PDF,))]
    document, stored = attach(DOCUMENT, blobs, *files)
    made = draft(blobs, document, stored)
    speaks = translator(blobs)
    return await axis.submit(await speaks.seal(made), partial(speaks.stream, made))


async def tell(axis):
    speaks = translator(MemoryBlobs())
    made = speaks.draft_status(STATUS)
    return await axis.submit(await speaks.seal(made), partial(speaks.stream, made))


async def fetch(axis, tmp_path, *, limit=1 << 30):
    """What was fetched, as the gateway's reader sees it; or the outcome."""
    writer = FileWriter(tmp_path / "raw", limit=limit)
    found = await axis.fetch(ITEM, writer)
    writer.close()
    if not isinstance(found, Fetched):
        assert not writer.finished
        return found
    blobs = MemoryBlobs()
    got = await read(blobs, (tmp_path / "raw").read_bytes())
    assert isinstance(got, UnpackedDocument), got
    return [(each.name, blobs.objects[o.key]) for each, o in zip(got.document.attachments, got.objects, strict=True)]


HEADER = """<s:Header><e:MessageHeader><e:From><e:OrganId>H98.02</e:OrganId><e:OrganName>B</e:OrganName></e:From>
    <e:To><e:OrganId>H99.01</e:OrganId><e:OrganName>A</e:OrganName></e:To><e:Code><e:CodeNumber>1</e:CodeNumber>
    <e:CodeNotation>X</e:CodeNotation></e:Code><e:PromulgationInfo><e:Place>P</e:Place>
    <e:PromulgationDate>2026/01/15</e:PromulgationDate></e:PromulgationInfo><e:DocumentType><e:Type>2</e:Type>
    <e:TypeName>Công văn</e:TypeName></e:DocumentType><e:Subject>S</e:Subject><e:SignerInfo><e:FullName>F</e:FullName>
    </e:SignerInfo><e:OtherInfo><e:Priority>0</e:Priority></e:OtherInfo><e:DocumentId>x</e:DocumentId></e:MessageHeader>
    <e:TraceHeaderList><e:TraceHeader><e:OrganId>H98.02</e:OrganId><e:Timestamp>2026/01/15 09:00:00</e:Timestamp>
    </e:TraceHeader></e:TraceHeaderList></s:Header>"""


def document(*references):
    inner = "".join(references)
    manifest = f'<e:Manifest xmlns:x="http://www.w3.org/1999/xlink">{inner}</e:Manifest>'
    return ENVELOPE.format(f"{HEADER}<s:Body>{manifest}</s:Body>").encode()


def reference(href, name="a.pdf", more=""):
    return f'<e:Reference x:href="{href}"><e:AttachmentName>{name}</e:AttachmentName>{more}</e:Reference>'


def multipart(root, *parts, end=True):
    pieces = [f"--B\r\n{XML}Content-ID: <root>\r\n\r\n".encode() + root]
    pieces += [b"\r\n--B\r\n" + headers.encode() + b"\r\n" + content for headers, content in parts]
    return b"".join(pieces) + (b"\r\n--B--\r\n" if end else b"")


RELATED = 'Content-Type: multipart/related; type="text/xml"; start="<root>"; boundary=B\r\n'
TEXT = base64.encodebytes(PDF)


async def test_a_document_on_the_wire():
    """One POST with a bare SOAPAction and exact length, read to its last byte, taken under the service's id."""
    seen = {}

    async def script(exchange):
        seen["body"] = await exchange.body()
        exchange.answer(TAKEN, headers=XML)

    async with axis_at(script, token_header=True) as (peer, axis):
        assert await send(axis) == Accepted(axis_doc_id="d1")
    (exchange,) = peer.exchanges
    assert exchange.line.startswith("POST /base/ ")
    assert exchange.header("SOAPAction") == "SendDocument"
    assert exchange.header("Content-Type").startswith("multipart/related")
    assert seen["body"].endswith(b"--\r\n")
    assert b'<Token xmlns="http://e-doc.vn/xsd">dummy-token</Token>' in seen["body"]


@pytest.mark.parametrize(
    ("answer", "headers", "status", "kind"),
    [
        (EMPTY, XML, "200 OK", Uncertain),
        (b"", XML, "200 OK", Uncertain),
        (
            ENVELOPE.format("<s:Body><s:Fault><faultcode>s:Server</faultcode></s:Fault></s:Body>").encode(),
            XML,
            "500 X",
            Uncertain,
        ),
        (
            ENVELOPE.format("<s:Body><s:Fault><faultcode>s:Client</faultcode></s:Fault></s:Body>").encode(),
            XML,
            "500 X",
            Unavailable,
        ),
        (b"<html>", HTML, "200 OK", Uncertain),
        (b"<html>", HTML, "404 X", Unavailable),
        (b"<html>", HTML, "502 X", Uncertain),
        (body("SendDocument", report("CheckSignature")), XML, "200 OK", Unavailable),
        (body("SendDocument", report("R.MessageHeader.Subject")), XML, "200 OK", Rejected),
        (b"x" * (5 * MIB), XML, "200 OK", Uncertain),
        (multipart(TAKEN), RELATED, "200 OK", Accepted),
        (multipart(TAKEN, end=False), RELATED, "200 OK", Uncertain),
        (
            TAKEN.replace(b"http://schemas.xmlsoap.org/soap/envelope/", b"http://www.w3.org/2003/05/soap-envelope"),
            XML,
            "200 OK",
            Accepted,
        ),
    ],
)
async def test_answers_to_a_document(answer, headers, status, kind):
    """Each answer has its outcome; the service's failures leave open what became of the document."""
    async with axis_at(answering(answer, headers=headers, status=status)) as (_, axis):
        assert isinstance(await send(axis), kind)


@pytest.mark.parametrize(("script", "kind"), [(hang_up, Unavailable), (read_and_hang_up, Uncertain)])
async def test_cut_connections(script, kind):
    """A document that did not leave whole was not processed; one that did may have been. Lists are Unavailable."""
    async with axis_at(script) as (_, axis):
        assert isinstance(await send(axis, bytes(4 * MIB)), kind)
        for answer in (await axis.waiting(PacketKind.DOCUMENT), await axis.waiting(PacketKind.STATUS)):
            assert isinstance(answer, Unavailable)


async def test_a_silent_peer():
    """No call takes longer than its total time."""
    async with axis_at(say_nothing, timeouts=SHORT) as (_, axis):
        assert isinstance(await send(axis), Uncertain)
        assert isinstance(await axis.waiting(PacketKind.STATUS), Unavailable)
        assert isinstance(await axis.agencies(), Unavailable)


async def test_a_document_known_already():
    """M.Exist names the document by its own id where the answer names none, so that a lost answer counts as taken."""
    async with axis_at(answering(body("SendDocument", report("M.Exist")), headers=XML)) as (_, axis):
        outcome = await send(axis)
    assert isinstance(outcome, Rejected)
    assert (outcome.code, outcome.known_as) == ("M.Exist", DOCUMENT.document_id)


async def test_a_status_told_twice():
    """A refused repetition is as good as the first."""
    async with axis_at(answering(body("UpdateTraces", report("M.UpdateTraces")), headers=XML)) as (peer, axis):
        assert isinstance(await tell(axis), Accepted)
    assert peer.exchanges[0].header("SOAPAction") == "UpdateTraces"


async def test_contents_too_large_for_an_envelope():
    """More than 8 MiB inline is refused before anything is sent; 8 MiB pass."""
    async with axis_at(answering(TAKEN, headers=XML), attachments=Attachments.INLINE) as (peer, axis):
        outcome = await send(axis, bytes(8 * MIB + 1))
        assert isinstance(outcome, Rejected)
        assert outcome.code == "packet-too-large"
        assert not peer.exchanges
        assert isinstance(await send(axis, bytes(8 * MIB)), Accepted)


@pytest.mark.parametrize(
    ("answer", "ids"),
    [
        (
            body(
                "X",
                f"{GOOD}<e:DocumentIds><e:DocumentId>1</e:DocumentId><e:DocumentId>1</e:DocumentId></e:DocumentIds>",
            ),
            ["1"],
        ),
        (body("X", "<DocumentIds><DocumentId>1</DocumentId><DocumentId> 2 </DocumentId></DocumentIds>"), ["1", "2"]),
        (body("X", "<e:DocumentIds/>"), []),
        (body("X", GOOD), []),
        (body("X", report()), None),
        (body("X", ""), None),
        (EMPTY, None),
        (b"<html>", None),
    ],
)
async def test_pending_documents(answer, ids):
    """Ids whatever their namespace; an answer without them is an empty list only where the service says all is well."""
    async with axis_at(answering(answer, headers=XML)) as (_, axis):
        waiting = await axis.waiting(PacketKind.DOCUMENT)
    if ids is None:
        assert isinstance(waiting, Unavailable)
    else:
        assert isinstance(waiting, Waiting)
        assert [item.axis_doc_id for item in waiting.items] == ids


async def test_traces_are_read_once(tmp_path):
    """Statuses come with their packets, the same under the same id; later only the list since a time has them."""
    asked = []

    async def script(exchange):
        request = etree.fromstring(await exchange.body())
        since = request.findtext(".//TimeStamp")
        asked.append(since)
        given = TRACE.format("03") + TRACE.format("04") if since or len(asked) == 1 else ""
        exchange.answer(body("GetTraces", f"{GOOD}<e:Traces>{given}</e:Traces>"), headers=XML)

    async with axis_at(script) as (peer, axis):
        first = await axis.waiting(PacketKind.STATUS)
        assert isinstance(first, Waiting)
        assert [item.recipients for item in first.items] == [("H99.01",)] * 2
        assert list(first.carried) == [item.axis_doc_id for item in first.items]
        assert await axis.waiting(PacketKind.STATUS) == Waiting(items=())
        assert await axis.acknowledged(PacketKind.STATUS, since=SINCE) == first
        kept = await axis.fetch(first.items[0], FileWriter(tmp_path / "kept"))
        assert isinstance(kept, Fetched)
        assert (tmp_path / "kept").read_bytes() == first.carried[first.items[0].axis_doc_id]
        calls = len(peer.exchanges)
        for item in first.items:
            assert await axis.settle(item.axis_doc_id, done=True) == Accepted(axis_doc_id=item.axis_doc_id)
        assert len(peer.exchanges) == calls
        unknown = replace(first.items[0], axis_doc_id=AxisDocId("trace:" + "0" * 48))
        writer = FileWriter(tmp_path / "none")
        assert isinstance(await axis.fetch(unknown, writer), Unavailable)
        writer.close()
    assert asked == [None, None, "2026/03/02 00:00:00"]


async def test_a_lost_list_of_traces_is_not_asked_again():
    """The second answer would be an empty list that hides the loss."""
    async with axis_at(read_and_hang_up) as (peer, axis):
        assert isinstance(await axis.waiting(PacketKind.STATUS), Unavailable)
        assert len(peer.exchanges) == 1
        assert isinstance(await axis.acknowledged(PacketKind.STATUS, since=SINCE), Unavailable)
        assert len(peer.exchanges) > 2


ANSWERS = {
    "base64 text": (RELATED, multipart(document(reference("cid:1")), ("Content-ID: <1>\r\n", TEXT))),
    "text that says it is binary": (
        RELATED,
        multipart(document(reference("cid:1")), ("Content-Transfer-Encoding: binary\r\nContent-ID: <1>\r\n", TEXT)),
    ),
    "text that says it is base64": (
        RELATED,
        multipart(document(reference("cid:cid:1")), ("Content-Transfer-Encoding: base64\r\nContent-ID: 1\r\n", TEXT)),
    ),
    "binary": (RELATED, multipart(document(reference("cid:1")), ("Content-ID: <1>\r\n", PDF))),
    "no id": (RELATED, multipart(document(reference("cid:1")), ("Content-Type: application/pdf\r\n", TEXT))),
    "another id": (RELATED, multipart(document(reference("cid:1")), ("Content-ID: <other@host>\r\n", TEXT))),
    "no reference": (RELATED, multipart(document(), ('Content-Type: application/pdf; name="a.pdf"\r\n', TEXT))),
    "no end of line": (
        RELATED.replace("=B", '="B"'),
        multipart(document(reference("cid:1")), ("Content-ID: <1>\r\n", TEXT)).rstrip(),
    ),
    "xop": (
        'Content-Type: multipart/related; type="application/xop+xml"; start-info="text/xml"; boundary=B\r\n',
        multipart(
            document(
                reference(
                    "cid:1",
                    more='<e:AttachmentContent><i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" '
                    'href="cid:p%40host"/></e:AttachmentContent>',
                )
            ),
            ("Content-ID: <p@host>\r\n", PDF),
        ),
    ),
    "inline": (
        XML,
        document(reference("cid:1", more=f"<e:ContentTransferEncoded>{TEXT.decode()}</e:ContentTransferEncoded>")),
    ),
    "linked by order": (RELATED, multipart(document(reference("")), ("X: y\r\n", TEXT))),
}


@pytest.mark.parametrize("way", ANSWERS)
async def test_files_however_they_come(tmp_path, way):
    """The file arrives, whatever the headers of its part say."""
    headers, answer = ANSWERS[way]
    async with axis_at(answering(answer, headers=headers)) as (_, axis):
        assert await fetch(axis, tmp_path) == [("a.pdf", PDF)]


async def test_parts_in_another_order(tmp_path):
    """References and parts are linked by content id."""
    answer = multipart(
        document(reference("cid:1", "a.pdf"), reference("cid:2", "b.txt")),
        ("Content-ID: <2>\r\n", base64.b64encode(b"two")),
        ("Content-ID: <1>\r\n", TEXT),
    )
    async with axis_at(answering(answer, headers=RELATED)) as (_, axis):
        assert sorted(await fetch(axis, tmp_path)) == [("a.pdf", PDF), ("b.txt", b"two")]


WHOLE = multipart(document(reference("cid:1")), ("Content-ID: <1>\r\n", TEXT))


@pytest.mark.parametrize(
    ("answer", "headers", "status"),
    [
        (EMPTY, XML, "200 OK"),
        (body("GetDocument", report("M.GetDocumentCheckAllow")), XML, "200 OK"),
        (body("GetDocument", GOOD), XML, "200 OK"),
        (b"<html>", HTML, "200 OK"),
        (WHOLE, RELATED, "500 X"),
        (WHOLE[:-9], RELATED, "200 OK"),
        (WHOLE[:-60], RELATED, "200 OK"),
        (WHOLE[:300], RELATED, "200 OK"),
        (WHOLE, RELATED.replace("boundary=B", "boundary=C"), "200 OK"),
        (WHOLE, "Content-Type: multipart/related\r\n", "200 OK"),
        (WHOLE.replace(b"<s:Envelope", b"<!DOCTYPE s:Envelope><s:Envelope"), RELATED, "200 OK"),
        (multipart(b"x" * (5 * MIB)), RELATED, "200 OK"),
        (multipart(document(), *[("X: y\r\n", b"")] * 10_000), RELATED, "200 OK"),
    ],
)
async def test_answers_that_are_no_document(tmp_path, answer, headers, status):
    """Nothing is stored of an answer that is cut, refused, hostile or something else."""
    async with axis_at(answering(answer, headers=headers, status=status)) as (_, axis):
        assert isinstance(await fetch(axis, tmp_path), Unavailable)


async def test_a_connection_cut_within_a_document(tmp_path):
    """A document that breaks off is Unavailable and not asked for again within the call."""
    cut = answering(WHOLE[:-30], headers=RELATED, length=len(WHOLE))
    async with axis_at(cut) as (peer, axis):
        assert isinstance(await fetch(axis, tmp_path), Unavailable)
        assert len(peer.exchanges) == 1


async def test_a_document_over_the_limit(tmp_path):
    """A document longer than the writer takes is Rejected."""
    async with axis_at(answering(WHOLE, headers=RELATED)) as (_, axis):
        assert isinstance(await fetch(axis, tmp_path, limit=500), Rejected)


async def test_text_that_turns_out_to_be_none(tmp_path):
    """Base64 with foreign bytes in it stays visible as such, and the packet well-formed, so that it is quarantined."""
    answer = multipart(document(reference("cid:1")), ("Content-ID: <1>\r\n", b"QUJD" * 5000 + b"<evil>\x00&" * 10))
    async with axis_at(answering(answer, headers=RELATED)) as (_, axis):
        assert isinstance(await axis.fetch(ITEM, FileWriter(tmp_path / "raw")), Fetched)
    got = await read(MemoryBlobs(), (tmp_path / "raw").read_bytes())
    assert not isinstance(got, UnpackedDocument)
    assert "BASE64" in got.code


@pytest.mark.parametrize("done", [True, False])
async def test_settling_confirms(done):
    """What is stored and what cannot be read are both confirmed: the dialect has no other word."""
    async with axis_at(answering(body("ConfirmReceived", GOOD), headers=XML)) as (peer, axis):
        assert await axis.settle(AxisDocId("d1"), done=done) == Accepted(axis_doc_id="d1")
    assert peer.exchanges[0].header("SOAPAction") == "ConfirmReceived"


async def test_the_directory():
    """Organizations by local names; entries without a code are left out, and an empty directory is none."""
    rows = (
        "<Organization><OrganId>H99</OrganId><OrganName>Tỉnh A</OrganName></Organization>"
        "<e:Organization><e:OrganId>H99.01</e:OrganId><e:OrganName>Sở</e:OrganName><e:OrganIdParent>H99</e:OrganIdParent>"
        "<e:Email>a@example.org</e:Email></e:Organization><e:Organization/>"
    )
    answer = body("GetOrganizations", f"{GOOD}<e:Organizations>{rows}</e:Organizations>")
    async with axis_at(answering(answer, headers=XML)) as (_, axis):
        listing = await axis.agencies()
    assert isinstance(listing, DirectoryListing)
    assert [(row.axis_id, row.parent_axis_id, row.code, row.name, row.email) for row in listing.rows] == [
        ("H99", "", "H99", "Tỉnh A", ""),
        ("H99.01", "H99", "H99.01", "Sở", "a@example.org"),
    ]
    async with axis_at(answering(body("GetOrganizations", GOOD), headers=XML)) as (_, axis):
        assert isinstance(await axis.agencies(), Unavailable)


async def test_permission():
    """Whether organ and token are good can be asked."""
    for answer, kind in ((GOOD, Accepted), (report("M.CheckPermission"), Unavailable)):
        async with axis_at(answering(body("CheckPermission", answer), headers=XML)) as (_, axis):
            assert isinstance(await axis.check_permission(), kind)


async def test_there_is_no_list_of_sent_packets():
    """Asking later is no help."""
    async with axis_at(hang_up) as (peer, axis):
        for found in (await axis.sent_list(), await axis.sent_packet(AxisDocId("d1"))):
            assert isinstance(found, CannotTell)
            assert not found.passing
        assert await axis.acknowledged(PacketKind.DOCUMENT, since=SINCE) == Waiting(items=())
        assert not peer.exchanges


async def test_the_peers_own_description():
    """The WSDL is read over the account's own connection, and its SOAPActions are gone by."""

    async def script(exchange):
        path = exchange.line.split()[1]
        if path.endswith((".wsdl", ".xsd")):
            found = WSDL.with_name(path.rpartition("/")[2]).read_bytes()
            exchange.answer(found.replace(b'soapAction="GetPendingDocumentIds"', b'soapAction="urn:pending"'))
        else:
            await answering(body("X", "<e:DocumentIds/>"), headers=XML)(exchange)

    async with axis_at(script, wsdl=lambda peer: f"{peer.url}edoc.wsdl") as (peer, axis):
        binding = await axis.bind()
        assert binding.problems == ()
        assert binding.actions == {Operation.PENDING: "urn:pending"}
        assert isinstance(await axis.waiting(PacketKind.DOCUMENT), Waiting)
    assert peer.exchanges[-1].header("SOAPAction") == "urn:pending"


class Zeros(MemoryBlobs):
    """An object of zeros that is nowhere in memory."""

    async def stream(self, stored, *, offset=0):
        left = stored.size - offset
        while left > 0:
            yield bytes(min(left, 256 * 1024))
            left -= 256 * 1024


LARGE = 100 * MIB


@pytest.mark.parametrize("attachments", [Attachments.SWA, Attachments.MTOM])
async def test_a_large_document_leaves_in_bounded_memory(attachments):
    """100 MiB on their way out cost less than 64 MiB."""
    received = hashlib.sha256()

    async def script(exchange):
        left = int(exchange.header("Content-Length"))
        while left:
            chunk = await exchange.reader.read(min(left, 256 * 1024))
            received.update(chunk)
            left -= len(chunk)
        exchange.answer(TAKEN, headers=XML)

    stored = StoredObject(digest=Digest("0" * 64), size=LARGE, key=ObjectKey("zeros"))
    document, _ = attach(DOCUMENT, MemoryBlobs(), ("a.pdf", "application/pdf", b""))
    document = replace(document, attachments=tuple(replace(each, size=LARGE) for each in document.attachments))
    speaks = translator(Zeros())
    made = draft(MemoryBlobs(), document, (stored,))
    sealed = await speaks.seal(made)
    async with axis_at(script, attachments=attachments) as (_, axis):
        tracemalloc.start()
        try:
            assert isinstance(await axis.submit(sealed, partial(speaks.stream, made)), Accepted)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 64 * MIB


async def test_a_large_document_arrives_in_bounded_memory(tmp_path):
    """100 MiB of base64 text on their way in cost less than 64 MiB."""
    first, _, last = multipart(document(reference("cid:1")), ("Content-ID: <1>\r\n", b"@@")).partition(b"@@")

    async def script(exchange):
        await exchange.body()
        exchange.answer(first, headers=RELATED, length=len(first) + LARGE + len(last))
        for _ in range(LARGE // (256 * 1024)):
            exchange.writer.write(b"AAAA" * (64 * 1024))
            await exchange.writer.drain()
        exchange.writer.write(last)

    async with axis_at(script) as (_, axis):
        writer = FileWriter(tmp_path / "raw")
        tracemalloc.start()
        try:
            assert isinstance(await axis.fetch(ITEM, writer), Fetched)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert writer.size > LARGE
    assert peak < 64 * MIB
