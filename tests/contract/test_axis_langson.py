"""The Lang Son adapter and a scripted peer: what exactly goes over the wire, and what becomes of hostile answers."""

import asyncio
import base64
import json
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from gateway.adapters.http import Access
from gateway.adapters.langson.axis import LangSonAxis
from gateway.adapters.langson.config import LangSonAccount
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AccountName, AxisDocId
from gateway.domain.outcome import Accepted, Rejected, Unavailable, Uncertain
from gateway.domain.packet import PacketKind
from gateway.observability.metrics import Metrics
from gateway.ports import DirectoryListing, Fetched, Waiting
from tests.contract.vxp_peer import (
    ITEM,
    PACKET,
    RETRY,
    SHORT,
    START,
    TIMEOUTS,
    FileWriter,
    hang_up,
    in_pieces,
    make_sealed,
    peer_running,
    submit,
)
from tests.fakes.clock import SettableClock

LOGGED_IN = b'{"code":"0","message":"ok","data":{"token":"dummy-token"}}'
TAKEN = b'{"success":true,"message":"ok","docId":"66f0a1b2c3d4e5f601234567"}'
NOTHING = b'{"success":true,"message":"ok","count":0,"data":[]}'
ENCODED = base64.b64encode(PACKET)


def make_account(endpoint, **changes):
    account = LangSonAccount(
        name=AccountName("langson"),
        endpoint=endpoint,
        system_id="00.99.W00",
        secret="dummy-secret",
        username="user",
        password="dummy-password",
        application_code="app",
        timeouts=TIMEOUTS,
        retry=RETRY,
    )
    return replace(account, **changes)


@asynccontextmanager
async def axis_at(endpoint, *, clock=None, access=None, **changes):
    account = make_account(endpoint, **changes)
    metrics = Metrics(CollectorRegistry())
    axis = LangSonAxis(account=account, clock=clock or SettableClock(START), metrics=metrics, access=access)
    try:
        yield axis
    finally:
        await axis.aclose()


def after_login(script, *, login=LOGGED_IN):
    async def serve(exchange):
        if "/auth/login" in exchange.line:
            await exchange.body()
            exchange.answer(login)
        else:
            await script(exchange)

    return serve


def answering(body, **how):
    async def script(exchange):
        if exchange.line.startswith("POST"):
            await exchange.body()
        exchange.answer(body, **how)

    return after_login(script)


async def test_a_packet_on_the_wire():
    """One login, then multipart with the type and the file, a length and no chunks, token and system secret with it."""
    bodies = []

    async def serve(exchange):
        bodies.append(await exchange.body())
        exchange.answer(LOGGED_IN if "login" in exchange.line else TAKEN)

    async with peer_running(serve) as peer, axis_at(peer.url) as axis:
        assert await submit(axis) == Accepted(axis_doc_id=AxisDocId("66f0a1b2c3d4e5f601234567"))
        assert isinstance(await submit(axis), Accepted)
    login, sent, _ = peer.exchanges
    assert login.line == "POST /base/v1/auth/login?allow_anonymous=true HTTP/1.1"
    assert json.loads(bodies[0]) == {
        "username": "user",
        "password": "dummy-password",
        "applicationCode": "app",
        "otp": "",
        "twoFactorProvider": "",
        "typeObjs": "",
    }
    assert sent.line == "POST /base/v1/sendEdoc HTTP/1.1"
    for exchange in peer.exchanges:
        assert (exchange.header("X-SystemId"), exchange.header("X-SecretKey")) == ("00.99.W00", "dummy-secret")
    assert sent.header("Authorization") == "Bearer dummy-token"
    assert int(sent.header("Content-Length")) == len(bodies[1])
    assert "transfer-encoding" not in {name.lower() for name, _ in sent.headers}
    kind, boundary = sent.header("Content-Type").split("; boundary=")
    assert kind == "multipart/form-data"
    type_part, file_part = bodies[1].split(f"--{boundary}".encode())[1:3]
    assert type_part == b'\r\nContent-Disposition: form-data; name="messageType"\r\n\r\nedoc\r\n'
    head, _, content = file_part.partition(b"\r\n\r\n")
    assert b'form-data; name="edocFile"; filename="' in head
    assert content == PACKET + b"\r\n"


async def test_questions_on_the_wire():
    """Lists are asked for by type and Vietnam days, an item by its id, an acknowledgement is JSON."""
    bodies = []

    async def script(exchange):
        if exchange.line.startswith("POST"):
            bodies.append(await exchange.body())
        exchange.answer(NOTHING)

    async with peer_running(after_login(script)) as peer, axis_at(peer.url, list_window=timedelta(days=2)) as axis:
        assert await axis.waiting(PacketKind.STATUS) == Waiting(items=())
        await axis.acknowledged(PacketKind.DOCUMENT, since=START - timedelta(days=20))
        strange = replace(ITEM, axis_doc_id=AxisDocId("a&b=/ c"))
        assert isinstance(await axis.fetch(strange, Nowhere()), Unavailable)
        assert isinstance(await axis.settle(AxisDocId("d1"), done=False), Accepted)
    lines = [exchange.line.split()[1].removeprefix("/base/v1/") for exchange in peer.exchanges[1:]]
    assert lines == [
        "syncReceivedEdocList?messageType=status&fromDate=2026%2F11%2F19&toDate=2026%2F11%2F22",
        "syncReceivedEdocList?messageType=edoc&fromDate=2026%2F11%2F01&toDate=2026%2F11%2F22",
        "getEdoc?docId=a%26b%3D%2F%20c",
        "updateStatus",
    ]
    assert [json.loads(body) for body in bodies] == [{"docId": "d1", "status": "fail"}]


class Nowhere(FileWriter):
    """A writer that nothing may reach."""

    def __init__(self):
        pass

    async def write(self, chunk):
        raise AssertionError(chunk)


async def test_one_login_for_many_and_a_new_one_in_time():
    """Many calls share one login; shortly before its end there is a new one."""
    clock = SettableClock(START)
    async with peer_running(answering(NOTHING)) as peer, axis_at(peer.url, clock=clock) as axis:

        def logins():
            return sum("login" in exchange.line for exchange in peer.exchanges)

        await asyncio.gather(*(axis.waiting(PacketKind.DOCUMENT) for _ in range(30)))
        assert logins() == 1
        clock.advance(timedelta(minutes=27))
        await axis.waiting(PacketKind.DOCUMENT)
        assert logins() == 1
        clock.advance(timedelta(minutes=2))
        await asyncio.gather(*(axis.waiting(PacketKind.DOCUMENT) for _ in range(30)))
        assert logins() == 2


async def test_a_login_that_ended_early():
    """A 401 leads to one new login and one repetition, of a packet too."""
    tokens = iter((b"first", b"second"))

    async def serve(exchange):
        await exchange.body()
        if "login" in exchange.line:
            exchange.answer(b'{"data":{"token":"%s"}}' % next(tokens))
        elif exchange.header("Authorization") == "Bearer second":
            exchange.answer(TAKEN)
        else:
            exchange.answer(b'{"message":"expired"}', status="401 Unauthorized")

    async with peer_running(serve) as peer, axis_at(peer.url) as axis:
        assert isinstance(await submit(axis), Accepted)
        assert len(peer.exchanges) == 4


@pytest.mark.parametrize(
    ("login", "how"),
    [
        (b'{"code":"401","message":"Sai mat khau","data":null}', {}),
        (b"<html>", {}),
        (b"<html>", {"status": "502 Bad Gateway"}),
        (b'{"message":"Sai mat khau"}', {"status": "401 Unauthorized"}),
        (b"{" + b" " * 100_000, {}),
        (b'{"data":{"token":"a\\r\\nX-Evil: 1"}}', {}),
    ],
)
async def test_no_login_no_call(login, how):
    """Without a login nothing else is asked; all is Unavailable and says that it is the login."""

    async def serve(exchange):
        await exchange.body()
        exchange.answer(login, **how)

    async with peer_running(serve) as peer, axis_at(peer.url) as axis:
        with capture_logs() as lines:
            answers = [await submit(axis), await axis.waiting(PacketKind.DOCUMENT), await axis.agencies()]
        assert all("login" in exchange.line for exchange in peer.exchanges)
    for answer in answers:
        assert isinstance(answer, Unavailable)
        assert "no login" in answer.reason
    shown = repr(lines)
    assert "dummy-password" not in shown
    assert "dummy-secret" not in shown


async def test_a_login_that_hangs():
    """It ends with the call."""

    async def serve(exchange):
        await exchange.reader.read()

    async with peer_running(serve) as peer, axis_at(peer.url, timeouts=SHORT) as axis, asyncio.timeout(10):
        assert isinstance(await submit(axis), Unavailable)


class Front(Access):
    """A platform that wants its own token."""

    def __init__(self):
        self.refusals: list[Mapping[str, str]] = []
        self.closed = False

    async def headers(self):
        return {"Authorization": f"Bearer platform-{len(self.refusals)}", "lgspaccesstoken": "x"}

    def refused(self, headers):
        self.refusals.append(headers)

    async def aclose(self):
        self.closed = True


async def test_behind_a_platform():
    """The platform's token opens the login and every call; the login's own goes beside it."""
    front = Front()
    async with peer_running(answering(NOTHING)) as peer, axis_at(peer.url, access=front) as axis:
        assert await axis.waiting(PacketKind.DOCUMENT) == Waiting(items=())
    login, listed = peer.exchanges
    for exchange in (login, listed):
        assert exchange.header("Authorization") == "Bearer platform-0"
        assert exchange.header("lgspaccesstoken") == "x"
    assert listed.header("X-Authentication-Token") == "dummy-token"
    assert front.closed


async def test_refused_behind_a_platform():
    """Where nobody can say whose token was refused, both are renewed, once."""

    async def script(exchange):
        renewed = exchange.header("Authorization") == "Bearer platform-1"
        exchange.answer(NOTHING if renewed else b"{}", status="200 OK" if renewed else "401 Unauthorized")

    front = Front()
    async with peer_running(after_login(script)) as peer, axis_at(peer.url, access=front) as axis:
        assert await axis.waiting(PacketKind.DOCUMENT) == Waiting(items=())
        assert sum("login" in exchange.line for exchange in peer.exchanges) == 2


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("10", Rejected),
        ("18", Rejected),
        ("19", Rejected),
        ("22", Rejected),
        ("15", Unavailable),
        ("20", Unavailable),
        ("21", Unavailable),
        ("23", Unavailable),
        ("77", Unavailable),
        ("", Unavailable),
    ],
)
async def test_refusals(code, outcome):
    """The axis's codes decide, and its words are passed on."""
    data = {"docId": "", "status": "FAIL", "errorCode": code, "errorDesc": "ly do"}
    body = json.dumps({"success": False, "message": "m", "data": data}).encode()
    async with peer_running(answering(body)) as peer, axis_at(peer.url) as axis:
        answer = await submit(axis)
        assert isinstance(answer, outcome)
        assert "ly do" in answer.reason


@pytest.mark.parametrize(
    ("body", "how", "outcome"),
    [
        (b'{"success":true,"message":"ok"}', {}, Uncertain),
        (b'{"success":true,"docId":"' + b"x" * 65 + b'"}', {}, Uncertain),
        (b'{"success":true,"docId":"d1","data":{"errorCode":"20"}}', {}, Uncertain),
        (b"junk", {}, Uncertain),
        (b"<html>", {"status": "504 Gateway Timeout"}, Uncertain),
        (b"", {"status": "413 Content Too Large"}, Unavailable),
        (b"", {"status": "503 Service Unavailable", "headers": "Retry-After: 9\r\n"}, Unavailable),
        (b"", {"status": "302 Found", "headers": "Location: http://127.0.0.1:1/\r\n"}, Unavailable),
        (b'{"success":true', {"length": 500}, Uncertain),
    ],
)
async def test_strange_answers_to_a_packet(body, how, outcome):
    """Only what certainly says no is no; nothing is sent twice."""
    async with peer_running(answering(body, **how)) as peer, axis_at(peer.url) as axis:
        assert isinstance(await submit(axis), outcome)
        assert sum("sendEdoc" in exchange.line for exchange in peer.exchanges) == 1


@pytest.mark.parametrize("length", [len(PACKET) - 3, len(PACKET) + 3])
async def test_a_body_of_another_length_is_never_whole(length):
    """A packet that is not as long as sealed is an error of ours; the peer never gets it whole."""
    whole = []

    async def script(exchange):
        whole.append(await exchange.body())

    async with peer_running(after_login(script)) as peer, axis_at(peer.url) as axis:
        with pytest.raises(GatewayError) as caught:
            await axis.submit(make_sealed(PACKET, length=length), in_pieces(PACKET))
    assert caught.value.code is ErrorCode.SIZE_MISMATCH
    assert whole == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!DOCTYPE html><html></html>",
        b"{}",
        b"[]",
        b"null",
        b'{"success":true}',
        b'{"success":true,"data":"text","count":0}',
        b'{"success":true,"data":{"docId":"x"}}',
        b'{"success":false,"data":[]}',
        b'{"success":true,"count":0,"data":[',
        b'{"success":true,"count":0,"data":[]} trailing',
        b'{"message":"ok","data":[]}',
        b"\xff\xfe{}",
    ],
)
async def test_junk_is_no_empty_list(body):
    """Nothing but the axis's own good answer is read as "nothing is waiting" or "no agencies"."""
    async with peer_running(answering(body)) as peer, axis_at(peer.url) as axis:
        assert isinstance(await axis.waiting(PacketKind.DOCUMENT), Unavailable)
        assert isinstance(await axis.agencies(), Unavailable)


async def test_a_list_with_odd_rows():
    """Rows that cannot be used are left out; done and failed ones do not wait; null for no list is none."""
    rows = [
        {"docId": "d1", "messageType": "edoc", "to": "H98.01,H98.02", "status": "initial"},
        {"docId": "d1", "messageType": "edoc", "to": "H98.01", "status": "initial"},
        {"docId": "d2", "messageType": "edoc", "to": None, "status": "PROCESSING"},
        {"docId": "d3", "messageType": "edoc", "status": "done", "createdTime": "2026/11/20 10:00:00"},
        {"docId": "d4", "messageType": "edoc", "status": "done", "createdTime": "2026/10/20 10:00:00"},
        {"docId": "d5", "messageType": "edoc", "status": "fail"},
        {"docId": "d6", "messageType": "status"},
        {"docId": "x\r\ny"},
        {},
        7,
        None,
    ]
    body = json.dumps({"success": True, "message": "ok", "count": len(rows), "data": rows}).encode()
    async with peer_running(answering(body)) as peer, axis_at(peer.url) as axis:
        waiting = await axis.waiting(PacketKind.DOCUMENT)
        assert isinstance(waiting, Waiting)
        assert [(item.axis_doc_id, item.recipients) for item in waiting.items] == [
            ("d1", ("H98.01", "H98.02")),
            ("d2", ()),
        ]
        done = await axis.acknowledged(PacketKind.DOCUMENT, since=START - timedelta(days=7))
        assert isinstance(done, Waiting)
        assert [item.axis_doc_id for item in done.items] == ["d3"]
    empty = b'{"success":true,"message":"ok","count":0,"data":null}'
    async with peer_running(answering(empty)) as peer, axis_at(peer.url) as axis:
        assert await axis.waiting(PacketKind.DOCUMENT) == Waiting(items=())


@pytest.mark.parametrize(
    "form", ['[{"orgCode":"H99"},{"orgName":"x"},3]', '{"success":true,"data":[{"orgCode":"H99"}]}']
)
async def test_directories(form):
    """The directory is read with an envelope and without."""
    async with peer_running(answering(form.encode())) as peer, axis_at(peer.url) as axis:
        listing = await axis.agencies()
        assert isinstance(listing, DirectoryListing)
        assert [row.code for row in listing.rows] == ["H99"]


async def test_a_bare_list_needs_a_good_status():
    """A list with an error's status is no directory."""
    body = b'[{"orgCode":"H99"}]'
    async with peer_running(answering(body, status="500 Internal Server Error")) as peer, axis_at(peer.url) as axis:
        assert isinstance(await axis.agencies(), Unavailable)


async def test_an_endless_list_ends():
    """A list without end is stopped by its cap."""

    async def flood(exchange):
        exchange.answer(b'{"success":true,"data":[', length=1 << 40)
        while True:
            exchange.writer.write((b'{"a":"' + b"x" * 90 + b'"},') * 1_000)
            await exchange.writer.drain()

    async with peer_running(after_login(flood)) as peer, axis_at(peer.url, max_list_bytes=1_000_000) as axis:
        assert await axis.waiting(PacketKind.DOCUMENT) == Unavailable(
            reason="HTTP 200: the answer is longer than allowed"
        )


READY = b'"attachments":[{"fileName":"a \\" ] }.pdf","fileContent":"' + b"QUJD" * 300_000 + b'"},{"deep":[[[{}]]]}]'


@pytest.mark.parametrize(
    "data",
    [
        b'"docId":"d1","from":"H99.01","edocCode":"1/A","edxml":"%s",%s' % (ENCODED, READY),
        b'%s,"edxml":"%s"' % (READY, ENCODED),
        b'"attachments":null,"edxml":"%s"' % ENCODED.replace(b"/", b"\\/"),
        b'"attachments":"none","edxml":"%s"' % ENCODED,
    ],
)
@pytest.mark.parametrize("envelope", [b'{"success":true,"message":"ok","data":{%s}}', b'{"data":{"docId":"d1",%s}}'])
async def test_packets_among_ready_attachments(tmp_path, data, envelope):
    """The packet comes out byte for byte, whatever stands beside it and in whatever order."""
    async with peer_running(answering(envelope % data)) as peer, axis_at(peer.url) as axis:
        fetched = await axis.fetch(ITEM, FileWriter(tmp_path / "raw"))
    assert isinstance(fetched, Fetched)
    assert (tmp_path / "raw").read_bytes() == PACKET


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        PACKET,
        b'{"success":true,"data":null}',
        b'{"success":true,"data":{}}',
        b'{"success":true,"data":{"edxml":null}}',
        b'{"success":true,"data":{"edxml":""}}',
        b'{"success":true,"data":{"edxml":"no base64!"}}',
        b'{"success":true,"data":{"edxml":"QUI"}}',
        b'{"success":true,"data":{"edxml":"QUJD","edxml":"QUJD"}}',
        b'{"success":true,"data":{"edxml":"QUJD","attachments":[{"fileContent":"QUJD',
        b'{"success":false,"message":"x","data":{"errorCode":"21","edxml":"QUJD"}}',
        b'{"data":{"edxml":"QUJD"}}',
    ],
)
async def test_what_is_no_packet(tmp_path, body):
    """Nothing of it is kept."""
    writer = FileWriter(tmp_path / "raw")
    async with peer_running(answering(body)) as peer, axis_at(peer.url) as axis:
        assert isinstance(await axis.fetch(ITEM, writer), Unavailable)
    assert not writer.finished
    writer.close()


async def test_a_packet_refused_for_good(tmp_path):
    """A final code of getEdoc is Rejected."""
    body = b'{"success":false,"message":"x","data":{"docId":"","errorCode":"10","errorDesc":"Tep hong"}}'
    writer = FileWriter(tmp_path / "raw")
    async with peer_running(answering(body)) as peer, axis_at(peer.url) as axis:
        assert await axis.fetch(ITEM, writer) == Rejected(code="10", reason="Tep hong")
    writer.close()


async def test_a_peer_that_hangs_up():
    """Cut connections are Unavailable for reading, and Uncertain for an acknowledgement whose answer is lost."""
    async with peer_running(after_login(hang_up)) as peer, axis_at(peer.url) as axis:
        assert isinstance(await axis.waiting(PacketKind.DOCUMENT), Unavailable)
        assert isinstance(await axis.settle(AxisDocId("d1"), done=True), Uncertain)


def test_secrets_stay_inside():
    """A repr shows neither secret nor password."""
    shown = repr(make_account("http://127.0.0.1"))
    assert "dummy-secret" not in shown
    assert "dummy-password" not in shown
