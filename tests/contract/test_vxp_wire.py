"""The VXP adapter sending to a scripted peer: what exactly goes over the wire, and what a dying peer does to it."""

import asyncio
import hashlib
import hmac
import socket
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from gateway.adapters.http import Connection
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AxisDocId
from gateway.domain.outcome import Accepted, Rejected, Unavailable, Uncertain
from gateway.domain.packet import PacketKind
from gateway.ports import Waiting
from gateway.sandbox.pki import make_pki, write_pki
from tests.contract.vxp_peer import (
    ITEM,
    NOTHING,
    PACKET,
    SHORT,
    TAKEN,
    FileWriter,
    TickingClock,
    answering,
    axis_at,
    hang_up,
    in_pieces,
    make_account,
    make_sealed,
    peer_running,
    read_and_hang_up,
    say_nothing,
    server_side,
    submit,
)


async def test_worked_example_on_the_wire():
    """A sendEdoc goes out as worked example 2 of axis.md: headers and hash, packet and CR LF, a length, no chunks."""
    bodies = []

    async def script(exchange):
        bodies.append(await exchange.body())
        exchange.answer(TAKEN)

    async with peer_running(script) as peer, axis_at(peer.url, clock=TickingClock()) as axis:
        outcome = await submit(axis, to=("H98.01", "H98.02"))
    assert outcome == Accepted(axis_doc_id=AxisDocId("66f0a1b2c3d4e5f601234567"))
    (exchange,) = peer.exchanges
    assert exchange.line == "POST /base/sendEdoc HTTP/1.1"
    assert bodies == [PACKET + b"\r\n"]
    sent = dict(exchange.headers)
    assert {name: sent[name] for name in sent if name.startswith("XroadVnpt-") and "sign" not in name} == {
        "XroadVnpt-systemid": "00.99.W00",
        "XroadVnpt-servicetype": "eDoc",
        "XroadVnpt-messagetype": "edoc",
        "XroadVnpt-hash-file": "726230607d1ec1f4663c7c7ff638121b1a85940779c25eb7589d6dcffd0e",
        "XroadVnpt-from": "H99.01",
        "XroadVnpt-to": '["H98.01","H98.02"]',
        "XroadVnpt-timestamp": "21112026T205045+0007",
        "XroadVnpt-Content-Type": "application/octet-stream",
        "XroadVnpt-hash-header": "78ff2915ec4a85789072443fc80ce8b9f6f4c2b7198f1e023f43c44ca842ebe1",
        "XroadVnpt-version": "3.0.201608",
    }
    assert sent["Content-Length"] == "25"
    assert sent["Content-Type"] == "application/octet-stream"
    assert sent["User-Agent"] == "JAVASDKAgent/1.0.0 XRoad/VPCP"
    assert "transfer-encoding" not in {name.lower() for name in sent}


async def test_every_attempt_is_signed_afresh():
    """A repeated request carries a new timestamp and a hash over it."""
    turns = iter((hang_up, answering(NOTHING)))

    async def script(exchange):
        await next(turns)(exchange)

    async with peer_running(script) as peer, axis_at(peer.url, clock=TickingClock()) as axis:
        assert await axis.waiting(PacketKind.STATUS) == Waiting(items=())
    stamps = [exchange.header("XroadVnpt-timestamp") for exchange in peer.exchanges]
    assert stamps == ["21112026T205045+0007", "21112026T205046+0007"]
    for exchange in peer.exchanges:
        signed = exchange.header("XroadVnpt-sign-header").encode()
        claimed = exchange.header("XroadVnpt-hash-header")
        assert hmac.new(b"dummy-secret", signed, hashlib.sha256).hexdigest() == claimed
        assert exchange.header("XroadVnpt-sign-header-key") == "systemid;servicetype;messagetype;timestamp;Content-Type"


async def test_connection_refused_then_there():
    """While nobody listens the packet is untouched; once the peer is up, the same call gets through."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    clock = TickingClock()
    async with axis_at(f"http://127.0.0.1:{port}", clock=clock) as axis:
        assert isinstance(await submit(axis), Unavailable)
        assert clock.looks > 2
        clock.clear()
        sending = asyncio.create_task(submit(axis))
        await asyncio.wait_for(clock.repeated.wait(), timeout=30)
        async with peer_running(answering(TAKEN), port=port):
            assert isinstance(await sending, Accepted)


async def test_dropped_right_after_connecting():
    """A forwarder that accepts and drops connections cannot have taken the packet: Unavailable."""

    async def drop(_reader, writer):
        writer.transport.abort()

    server = await asyncio.start_server(drop, "127.0.0.1", 0)
    async with server, axis_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as axis:
        assert isinstance(await submit(axis), Unavailable)


async def test_cut_after_the_packet():
    """A connection cut once the whole packet was read is Uncertain, and the packet is not sent again."""
    async with peer_running(read_and_hang_up) as peer, axis_at(peer.url) as axis:
        assert isinstance(await submit(axis), Uncertain)
        assert len(peer.exchanges) == 1


async def test_refused_before_the_packet_was_whole():
    """A peer that answers and closes early is heard."""

    async def script(exchange):
        exchange.answer(b'{"status":"FAIL","ErrorCode":"18","ErrorDesc":"Khong ton tai"}')
        exchange.writer.write_eof()
        await exchange.reader.read()

    async with peer_running(script) as peer, axis_at(peer.url) as axis:
        assert await submit(axis) == Rejected(code="18", reason="Khong ton tai")


@pytest.mark.parametrize("garbage", [b"NOT HTTP AT ALL\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000])
async def test_garbage_instead_of_http(garbage):
    """What is no HTTP is Uncertain after a packet and Unavailable for a list."""

    async def script(exchange):
        await exchange.body()
        exchange.writer.write(garbage)

    async with peer_running(script) as peer, axis_at(peer.url) as axis:
        assert isinstance(await submit(axis), Uncertain)
        assert isinstance(await axis.waiting(PacketKind.DOCUMENT), Unavailable)


async def test_no_call_hangs(tmp_path):
    """A peer that never answers ends every call at its total time; a packet that never left whole is Unavailable."""
    closed = asyncio.Event()

    async def stuck():
        try:
            yield PACKET[:5]
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with peer_running(say_nothing) as peer, axis_at(peer.url, timeouts=SHORT) as axis, asyncio.timeout(10):
        assert isinstance(await submit(axis), Uncertain)
        assert isinstance(await axis.submit(make_sealed(PACKET), stuck), Unavailable)
        assert closed.is_set()
        assert isinstance(await axis.waiting(PacketKind.DOCUMENT), Unavailable)
        assert isinstance(await axis.agencies(), Unavailable)
        assert isinstance(await axis.settle(AxisDocId("d1"), done=True), Uncertain)
        writer = FileWriter(tmp_path / "raw")
        assert isinstance(await axis.fetch(ITEM, writer), Unavailable)
        writer.close()


@pytest.mark.parametrize(
    ("how", "outcome"),
    [
        ({"status": "302 Found", "headers": "Location: http://127.0.0.1:1/\r\n"}, Unavailable),
        ({"status": "503 Service Unavailable", "headers": "Retry-After: 120\r\n"}, Unavailable),
        ({"status": "429 Too Many Requests", "headers": "Retry-After: 120\r\n"}, Unavailable),
        ({"status": "504 Gateway Timeout"}, Uncertain),
        ({"status": "500 Internal Server Error"}, Uncertain),
        ({"status": "200 OK"}, Uncertain),
    ],
)
async def test_pages_by_status(how, outcome):
    """Redirects are not followed, a wish to wait is passed on, other pages leave the packet's fate open."""
    async with peer_running(answering(b"<html></html>", **how)) as peer, axis_at(peer.url) as axis:
        answer = await submit(axis)
        assert isinstance(answer, outcome)
        assert len(peer.exchanges) == 1
        if "Retry-After" in how.get("headers", ""):
            assert answer.retry_after == timedelta(seconds=120)


@pytest.mark.parametrize("length", [len(PACKET) - 3, len(PACKET) + 3])
async def test_a_body_of_another_length_is_never_whole(length):
    """A packet that is not as long as sealed is an error of ours; the peer never gets it whole."""
    whole = []

    async def script(exchange):
        whole.append(await exchange.body())

    async with peer_running(script) as peer, axis_at(peer.url) as axis:
        with pytest.raises(GatewayError) as caught:
            await axis.submit(make_sealed(PACKET, length=length), in_pieces(PACKET))
    assert caught.value.code is ErrorCode.SIZE_MISMATCH
    assert whole == []


@pytest.mark.parametrize("changes", [{"sender": "H99\r\nX-Evil: 1"}, {"to": ("H98.01", "Hà Nội")}, {"to": ("",)}])
async def test_codes_no_header_can_carry(changes):
    """Codes that are not printable ASCII are rejected before anything is sent."""
    async with peer_running(answering(TAKEN)) as peer, axis_at(peer.url) as axis:
        assert isinstance(await submit(axis, **changes), Rejected)
        assert peer.connections == 0


async def test_idle_connections():
    """A peer that closes kept-alive connections disturbs neither lists nor packets."""

    async def script(exchange):
        await exchange.body()
        exchange.answer(NOTHING if "List" in exchange.line else TAKEN)

    async with peer_running(script) as peer, axis_at(peer.url) as axis:
        for _ in range(5):
            assert await axis.waiting(PacketKind.DOCUMENT) == Waiting(items=())
            assert isinstance(await submit(axis), Accepted)


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    write_pki(make_pki(now=datetime.now(tz=UTC)), folder)
    return folder


async def test_tls(pki):
    """Over TLS a pinned CA is enough to send, and a peer it has not issued gets not a single header."""
    async with peer_running(answering(TAKEN), tls=server_side(pki)) as peer:
        async with axis_at(peer.url, connection=Connection(tls_ca_file=pki / "servers-ca.pem")) as axis:
            assert isinstance(await submit(axis), Accepted)
        for ca in (None, pki / "vendors-ca.pem"):
            async with axis_at(peer.url, connection=Connection(tls_ca_file=ca)) as axis:
                outcome = await submit(axis)
                assert isinstance(outcome, Unavailable)
                assert "certificate" in outcome.reason.lower()
        assert len(peer.exchanges) == 1


async def test_cut_after_the_packet_over_tls(pki):
    """Over TLS, too, a connection cut after the packet is Uncertain, and one cut before its end is Unavailable."""
    turns = iter((read_and_hang_up, hang_up))

    async def script(exchange):
        await next(turns)(exchange)

    async with (
        peer_running(script, tls=server_side(pki)) as peer,
        axis_at(peer.url, connection=Connection(tls_ca_file=pki / "servers-ca.pem")) as axis,
    ):
        assert isinstance(await submit(axis), Uncertain)
        assert isinstance(await submit(axis), Unavailable)


async def test_secrets_stay_inside():
    """Neither a repr nor a log line shows the secret, a signature or a signed header."""
    assert "dummy-secret" not in repr(make_account("http://127.0.0.1"))
    with capture_logs() as lines:
        async with peer_running(answering(b"<html>", status="502 Bad Gateway")) as peer, axis_at(peer.url) as axis:
            await submit(axis)
            await axis.waiting(PacketKind.DOCUMENT)
    assert {line["event"] for line in lines} == {"axis.call_failed"}
    assert {(line["operation"], line["outcome"]) for line in lines} == {
        ("sendEdoc", "uncertain"),
        ("getReceivedEdocList", "unavailable"),
    }
    shown = repr(lines)
    for exchange in peer.exchanges:
        assert exchange.header("XroadVnpt-hash-header") not in shown
    assert "dummy-secret" not in shown
    assert "sign-header" not in shown
