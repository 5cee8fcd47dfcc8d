"""The Quang Nam adapter and a scripted peer: what exactly goes over the wire, and what becomes of hostile answers."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from gateway.adapters.http import Access
from gateway.adapters.quangnam.axis import QuangNamAxis
from gateway.adapters.quangnam.config import QuangNamAccount, SecretIn
from gateway.domain.agency import AgencyEntry
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AccountName, AxisDocId, OrganId
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
    say_nothing,
    submit,
)
from tests.fakes.clock import SettableClock

SECRET = "0123456789abcdef" * 4
TAKEN = b'{"status":"OK","errorCode":"0","errorDesc":"ok","data":"","docId":"66f0a1b2c3d4e5f601234567"}'
NOTHING = b'{"status":"OK","errorCode":"0","errorDesc":"ok","data":[],"docId":""}'
ENCODED = base64.b64encode(PACKET)


class Platform(Access):
    """Numbered tokens."""

    def __init__(self):
        self.number = 1

    async def headers(self):
        return {"Authorization": f"Bearer t{self.number}"}

    def refused(self, headers):
        if headers["Authorization"] == f"Bearer t{self.number}":
            self.number += 1

    async def aclose(self):
        pass


def make_account(endpoint, **changes):
    account = QuangNamAccount(
        name=AccountName("quangnam"), endpoint=endpoint, secret=SECRET, timeouts=TIMEOUTS, retry=RETRY
    )
    return replace(account, **changes)


@asynccontextmanager
async def axis_at(endpoint, **changes):
    metrics = Metrics(CollectorRegistry())
    account = make_account(endpoint, **changes)
    axis = QuangNamAxis(account=account, clock=SettableClock(START), metrics=metrics, access=Platform())
    try:
        yield axis
    finally:
        await axis.aclose()


def answering(body, **how):
    async def script(exchange):
        if not exchange.line.startswith("GET"):
            await exchange.body()
        exchange.answer(body, **how)

    return script


async def test_a_packet_on_the_wire():
    """JSON with type and base64, a length and no chunks, the platform's token and the unit's secret."""
    bodies = []

    async def serve(exchange):
        bodies.append(await exchange.body())
        exchange.answer(TAKEN)

    async with peer_running(serve) as peer, axis_at(peer.url) as axis:
        assert await submit(axis) == Accepted(axis_doc_id=AxisDocId("66f0a1b2c3d4e5f601234567"))
    (sent,) = peer.exchanges
    assert sent.line == "POST /base/vanbans HTTP/1.1"
    assert sent.header("Authorization") == "Bearer t1"
    assert sent.header("secret") == SECRET
    assert sent.header("Content-Type") == "application/json"
    assert "transfer-encoding" not in {name.lower() for name, _ in sent.headers}
    assert json.loads(bodies[0]) == {"messageType": "edoc", "edxml": ENCODED.decode()}


async def test_everything_else_on_the_wire():
    """Collections, ids in paths, states in capitals; every call carries the secret in the query where it goes there."""
    bodies = []

    async def serve(exchange):
        if not exchange.line.startswith("GET"):
            bodies.append(await exchange.body())
        exchange.answer(NOTHING)

    async with (
        peer_running(serve) as peer,
        axis_at(peer.url, secret_in=SecretIn.QUERY, secret_name="ma", secret="a&b c") as axis,
    ):
        assert await axis.waiting(PacketKind.STATUS) == Waiting(items=())
        await axis.acknowledged(PacketKind.DOCUMENT, since=START - timedelta(days=20))
        assert isinstance(await axis.settle(AxisDocId("a/b?c#d"), done=True), Accepted)
        assert isinstance(await axis.settle(AxisDocId("d1"), done=False), Accepted)
        unit = AgencyEntry(code=OrganId("H99.77"), parent_code=OrganId("H99"), name="Ban", email="a@b", fax="1")
        assert await axis.register(unit) == Accepted(axis_doc_id=AxisDocId("H99.77"))
        assert await axis.deregister(OrganId("Hà Nội")) == Accepted(axis_doc_id=AxisDocId("Hà Nội"))
    lines = [exchange.line.removesuffix(" HTTP/1.1") for exchange in peer.exchanges]
    assert lines == [
        "GET /base/vanbans?messageType=status&ma=a%26b%20c",
        "GET /base/vanbans?messageType=edoc&status=DONE&fromDate=2026%2F11%2F01&ma=a%26b%20c",
        "PUT /base/vanbans/a%2Fb%3Fc%23d?ma=a%26b%20c",
        "PUT /base/vanbans/d1?ma=a%26b%20c",
        "POST /base/donvilienthongs?ma=a%26b%20c",
        "PUT /base/donvilienthongs/H%C3%A0%20N%E1%BB%99i?ma=a%26b%20c",
    ]
    assert [json.loads(body) for body in bodies] == [
        {"status": "DONE"},
        {"status": "FAIL"},
        {"code": "H99.77", "pcode": "H99", "name": "Ban", "email": "a@b", "mobile": "", "fax": "1"},
        {},
    ]


async def test_a_token_that_ended():
    """A 401 leads to one new token and one repetition, of a packet too; a second one ends the call."""

    async def serve(exchange):
        await exchange.body()
        good = exchange.header("Authorization") == "Bearer t2"
        exchange.answer(TAKEN if good else b"{}", status="200 OK" if good else "401 Unauthorized")

    async with peer_running(serve) as peer, axis_at(peer.url) as axis:
        assert isinstance(await submit(axis), Accepted)
        assert len(peer.exchanges) == 2
    async with peer_running(answering(b"{}", status="401 Unauthorized")) as peer, axis_at(peer.url) as axis:
        assert isinstance(await submit(axis), Unavailable)
        assert len(peer.exchanges) == 2


@pytest.mark.parametrize(
    ("body", "how", "outcome"),
    [
        (b'{"status":"FAIL","errorCode":"18","errorDesc":"x","data":"","docId":""}', {}, Rejected),
        (b'{"status":"FAIL","errorCode":"15","errorDesc":"x"}', {}, Unavailable),
        (b'{"status":"FAIL","errorCode":"900901","errorDesc":"x"}', {"status": "500 X"}, Unavailable),
        (b'{"status":"OK","errorCode":"0","docId":""}', {}, Uncertain),
        (b'{"status":"OK","errorCode":"20","docId":"d"}', {}, Uncertain),
        (b'{"fault":{"code":900800,"message":"Message throttled out"}}', {"status": "429 Too Many"}, Unavailable),
        (b"<html>", {}, Uncertain),
        (b"", {"status": "503 Service Unavailable"}, Unavailable),
        (b'{"status":"OK"', {"length": 500}, Uncertain),
    ],
)
async def test_answers_to_a_packet(body, how, outcome):
    """Only what certainly says no is no; nothing is sent twice."""
    async with peer_running(answering(body, **how)) as peer, axis_at(peer.url) as axis:
        assert isinstance(await submit(axis), outcome)
        assert len(peer.exchanges) == 1


@pytest.mark.parametrize("length", [len(PACKET) - 1, len(PACKET) + 1])
async def test_a_body_of_another_length_is_never_whole(length):
    """A packet that is not as long as sealed is an error of ours, even where its base64 is as long."""
    whole = []

    async def serve(exchange):
        whole.append(await exchange.body())

    async with peer_running(serve) as peer, axis_at(peer.url) as axis:
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
        b'[{"code":"H99","docId":"d"}]',
        b'{"status":"OK"}',
        b'{"status":"OK","errorCode":"0","data":"text"}',
        b'{"status":"OK","errorCode":"0","data":{"docId":"x"}}',
        b'{"status":"FAIL","errorCode":"20","data":[]}',
        b'{"status":"OK","errorCode":"7","data":[]}',
        b'{"status":"OK","errorCode":"0","data":[',
        b'{"fault":{"code":900901,"message":"Invalid Credentials"}}',
    ],
)
async def test_junk_is_no_empty_list(body):
    """Nothing but the facade's own good answer is read as "nothing is waiting" or "no units"."""
    async with peer_running(answering(body)) as peer, axis_at(peer.url) as axis:
        assert isinstance(await axis.waiting(PacketKind.DOCUMENT), Unavailable)
        assert isinstance(await axis.agencies(), Unavailable)


async def test_a_list_with_odd_rows():
    """States in capitals count; rows that cannot be used are left out; units are read with their parents."""
    rows = [
        {"docId": "d1", "messageType": "edoc", "to": "H98.01", "status": "INITIAL", "createdTime": 1795269043000},
        {"docId": "d2", "messageType": "EDOC", "status": "DONE", "createdTime": "2026/11/20 10:00:00"},
        {"docId": "d3", "messageType": "status", "status": "INITIAL"},
        {"docId": "d4", "status": "FAIL"},
        "row",
    ]
    body = json.dumps({"status": "OK", "errorCode": 0, "data": rows}).encode()
    async with peer_running(answering(body)) as peer, axis_at(peer.url) as axis:
        waiting = await axis.waiting(PacketKind.DOCUMENT)
        assert isinstance(waiting, Waiting)
        assert [(item.axis_doc_id, item.recipients) for item in waiting.items] == [("d1", ("H98.01",))]
        done = await axis.acknowledged(PacketKind.DOCUMENT, since=START - timedelta(days=7))
        assert isinstance(done, Waiting)
        assert [item.axis_doc_id for item in done.items] == ["d2"]
    units = [{"id": 1, "pid": "", "code": "H99", "name": "T"}, {"id": 2, "pid": 1, "code": "H99.1"}, {"id": 3}]
    body = json.dumps({"status": "OK", "errorCode": "0", "data": units}).encode()
    async with peer_running(answering(body)) as peer, axis_at(peer.url) as axis:
        listing = await axis.agencies()
        assert isinstance(listing, DirectoryListing)
        assert [(row.code, row.axis_id, row.parent_axis_id) for row in listing.rows] == [
            ("H99", "1", ""),
            ("H99.1", "2", "1"),
        ]


@pytest.mark.parametrize(
    "body",
    [
        b'{"status":"OK","errorCode":"0","errorDesc":"","data":"%s","docId":"d1"}' % ENCODED,
        b'{"docId":"d1","data":"%s","status":"OK"}' % ENCODED.replace(b"/", b"\\/").replace(b"=", b"\\u003d"),
    ],
)
async def test_a_packet_in_an_answer(tmp_path, body):
    """The packet comes out byte for byte."""
    async with peer_running(answering(body)) as peer, axis_at(peer.url) as axis:
        assert isinstance(await axis.fetch(ITEM, FileWriter(tmp_path / "raw")), Fetched)
    assert (tmp_path / "raw").read_bytes() == PACKET
    assert peer.exchanges[0].line == "GET /base/vanbans/d1 HTTP/1.1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        PACKET,
        b"<html></html>",
        b'{"status":"OK","errorCode":"0","data":""}',
        b'{"status":"OK","errorCode":"0","data":null}',
        b'{"status":"OK","errorCode":"0","data":{"edxml":"QUJD"}}',
        b'{"status":"OK","errorCode":"0","data":"no base64!"}',
        b'{"status":"OK","errorCode":"0","data":"QUJD"',
        b'{"status":"FAIL","errorCode":"21","data":"QUJD"}',
        b'{"data":"QUJD"}',
    ],
)
async def test_what_is_no_packet(tmp_path, body):
    """Nothing of it is kept."""
    writer = FileWriter(tmp_path / "raw")
    async with peer_running(answering(body)) as peer, axis_at(peer.url) as axis:
        assert isinstance(await axis.fetch(ITEM, writer), Unavailable)
    assert not writer.finished
    writer.close()


async def test_peers_that_hang_up_or_hang():
    """Cut connections and silence end every call, and are Uncertain only where something may have been done."""
    async with peer_running(hang_up) as peer, axis_at(peer.url) as axis:
        assert isinstance(await axis.waiting(PacketKind.DOCUMENT), Unavailable)
        assert isinstance(await axis.settle(AxisDocId("d1"), done=True), Uncertain)
        assert isinstance(await submit(axis), Unavailable)
    async with peer_running(say_nothing) as peer, axis_at(peer.url, timeouts=SHORT) as axis, asyncio.timeout(10):
        assert isinstance(await submit(axis), Uncertain)
        assert isinstance(await axis.agencies(), Unavailable)


async def test_secrets_stay_inside():
    """Neither a repr nor a log line shows the secret, in header or query."""
    assert SECRET not in repr(make_account("http://127.0.0.1"))
    with capture_logs() as lines:
        async with (
            peer_running(answering(b"<html>", status="502 Bad Gateway")) as peer,
            axis_at(peer.url, secret_in=SecretIn.QUERY) as axis,
        ):
            await submit(axis)
            await axis.waiting(PacketKind.DOCUMENT)
    assert lines
    assert SECRET not in repr(lines)
