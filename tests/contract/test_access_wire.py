"""A platform in front of the axis, on real sockets: tokens, mutual TLS, proxies, and what a refused packet becomes."""

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from gateway.adapters.access import Partner, Platform, open_platform
from gateway.adapters.http import Connection
from gateway.adapters.vxp.axis import VxpAxis
from gateway.domain.ids import AxisDocId
from gateway.domain.outcome import Accepted, Unavailable
from gateway.domain.packet import PacketKind
from gateway.observability.metrics import Metrics
from gateway.ports import Waiting
from gateway.sandbox.pki import make_pki, write_pki
from gateway.sandbox.serve import SandboxOptions, running
from tests.contract.vxp_peer import (
    NOTHING,
    SHORT,
    TAKEN,
    TIMEOUTS,
    FileWriter,
    SystemClock,
    answering,
    hang_up,
    in_pieces,
    make_account,
    make_sealed,
    peer_running,
    server_side,
    submit,
)
from tests.fakes.platform import CONSUMER, CONSUMER_SECRET, Proxy, partner_header, platform_running, proxy_running
from tests.fakes.platform import Platform as Party
from tests.unit.sandbox.calls import make_document

PARTNER = Partner(access_key="ak", secret_key="sk", app_name="app", partner_code="H99", partner_code_cus="H99.1")
PARTNER_HEADER = partner_header(
    AccessKey="ak", SecretKey="sk", AppName="app", PartnerCode="H99", PartnerCodeCus="H99.1"
)


@asynccontextmanager
async def axis_behind(token_url, endpoint, *, clock=None, partner=None, **of_account):
    account = make_account(endpoint, **of_account)
    clock = clock or SystemClock()
    platform = Platform(
        token_url=token_url,
        consumer_key=CONSUMER,
        consumer_secret=CONSUMER_SECRET,
        scope="default",
        margin=timedelta(seconds=60),
        life=timedelta(hours=1),
        partner=partner,
        connection=account.connection,
        timeouts=account.timeouts,
    )
    access = open_platform(platform, clock=clock)
    axis = VxpAxis(account=account, clock=clock, metrics=Metrics(CollectorRegistry()), access=access)
    try:
        yield axis
    finally:
        await axis.aclose()


@pytest.fixture
async def sandbox():
    async with running(SandboxOptions()) as addresses:
        yield addresses


async def accepted(sandbox):
    async with aiohttp.ClientSession() as session, session.get(f"{sandbox.control.url}/records") as answer:
        return [record for record in await answer.json() if record["event"] == "accepted"]


@pytest.mark.parametrize("early", [False, True])
async def test_a_token_that_expires_among_two_hundred_sends(sandbox, early):
    """A token that ends in the middle of 200 parallel sends: one refresh, every document taken, none twice."""
    party = Party(upstream=sandbox.axis.url, early=early)

    def end_after_eighty(passed):
        if passed >= 80 and len(party.given) == 1:
            party.expire()

    party.on_pass = end_after_eighty
    packets = [make_document(sender="H99.01", to=("H98.01",), number=str(number)) for number in range(200)]
    async with (
        platform_running(party),
        axis_behind(party.token_url, f"{party.url}/base", concurrency=16) as axis,
        asyncio.timeout(120),
    ):
        outcomes = await asyncio.gather(*(axis.submit(make_sealed(packet), in_pieces(packet)) for packet in packets))
        assert {type(outcome) for outcome in outcomes} == {Accepted}
        assert len({outcome.axis_doc_id for outcome in outcomes}) == 200
    assert party.token_calls == 2
    assert party.given == ["token-1", "token-2"]
    assert party.refused > 0
    assert party.passed == 200
    assert len(await accepted(sandbox)) == 200


async def test_every_operation_passes_with_the_partner_header(sandbox, tmp_path):
    """One token serves sends, lists, downloads and the directory, with lgspaccesstoken on each call and the token's."""
    party = Party(upstream=sandbox.axis.url, partner=PARTNER_HEADER)
    packet = make_document(sender="H99.01", to=("H99.02",))
    async with (
        platform_running(party),
        axis_behind(party.token_url, f"{party.url}/base", partner=PARTNER) as axis,
    ):
        assert isinstance(await axis.submit(make_sealed(packet, to=("H99.02",)), in_pieces(packet)), Accepted)
        waiting = await axis.waiting(PacketKind.DOCUMENT)
        assert isinstance(waiting, Waiting)
        writer = FileWriter(tmp_path / "raw")
        fetched = await axis.fetch(waiting.items[0], writer)
        assert fetched.stored.digest == hashlib.sha256(packet).hexdigest()
        assert isinstance(await axis.settle(waiting.items[0].axis_doc_id, done=True), Accepted)
        assert len((await axis.agencies()).rows) > 0
    assert party.token_calls == 1


@pytest.mark.parametrize("early", [False, True])
async def test_refused_twice_is_unavailable(early):
    """A packet refused with 401 twice is Unavailable and tells the platform's words, before or after its body."""
    attempts = []

    async def refuse(exchange):
        attempts.append(exchange.header("Authorization"))
        if not early:
            await exchange.body()
        exchange.answer(b'{"fault":{"code":900901,"message":"Invalid Credentials"}}', status="401 Unauthorized")
        if early:
            exchange.writer.write_eof()
            await exchange.reader.read()

    party = Party()
    async with (
        platform_running(party),
        peer_running(refuse) as peer,
        axis_behind(party.token_url, peer.url) as axis,
    ):
        outcome = await submit(axis, b"x" * 3_000_000 if early else b"<edXML/>")
        assert isinstance(outcome, Unavailable)
        assert "900901" in outcome.reason
        assert attempts == ["Bearer token-1", "Bearer token-2"]
        assert isinstance(await axis.waiting(PacketKind.DOCUMENT), Unavailable)


@pytest.mark.parametrize("how", ["hangs", "breaks off", "lies"])
async def test_a_401_whose_rest_does_not_come(how):
    """After the status 401 nothing can make a packet uncertain: not a body that hangs, breaks off or says OK."""

    async def script(exchange):
        await exchange.body()
        if exchange.header("Authorization") == "Bearer token-3":
            exchange.answer(TAKEN)
        elif how == "lies":
            exchange.answer(b'{"status":"OK","ErrorCode":"99"}', status="401 Unauthorized")
        else:
            exchange.answer(b'{"status":"OK"', status="401 Unauthorized", length=100)
            if how == "hangs":
                await exchange.writer.drain()
                await exchange.reader.read()

    party = Party()
    async with (
        platform_running(party),
        peer_running(script) as peer,
        axis_behind(party.token_url, peer.url, timeouts=replace(TIMEOUTS, total=3)) as axis,
    ):
        outcome = await submit(axis)
        assert isinstance(outcome, Unavailable)


async def test_no_new_token_in_time():
    """A packet refused once, for which no new token comes within its time, is Unavailable."""
    party = Party()

    async def refuse(exchange):
        await exchange.body()
        party.gate.clear()
        exchange.answer(b"", status="401 Unauthorized")

    async with (
        platform_running(party),
        peer_running(refuse) as peer,
        axis_behind(party.token_url, peer.url, timeouts=SHORT) as axis,
        asyncio.timeout(10),
    ):
        assert isinstance(await submit(axis), Unavailable)


async def test_token_endpoint_down():
    """Without a token nothing is sent: closed port, failing platform and wrong secret are Unavailable, and no storm."""
    party = Party()
    async with platform_running(party), peer_running(answering(TAKEN)) as peer:
        async with axis_behind("http://127.0.0.1:1/token", peer.url, timeouts=SHORT) as axis:
            assert isinstance(await submit(axis), Unavailable)
        party.token_status = 502
        async with axis_behind(party.token_url, peer.url, timeouts=replace(TIMEOUTS, total=2)) as axis:
            outcomes = await asyncio.gather(*(submit(axis) for _ in range(50)))
            assert {type(outcome) for outcome in outcomes} == {Unavailable}
        assert party.token_calls <= 6
        async with platform_running(Party(partner="another")) as other, axis_behind(other.token_url, peer.url) as axis:
            outcome = await submit(axis)
            assert isinstance(outcome, Unavailable)
            assert "invalid_client" in outcome.reason
            assert other.token_calls == 1
        assert peer.connections == 0


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    write_pki(make_pki(now=datetime.now(tz=UTC)), folder)
    return folder


def client_side(pki, *, ca="servers-ca.pem", certificate=None, proxy=""):
    return Connection(
        tls_ca_file=pki / ca,
        client_certificate=certificate and pki / f"{certificate}.pem",
        client_key=certificate and pki / f"{certificate}.key.pem",
        proxy=proxy,
    )


async def test_mutual_tls(pki, sandbox):
    """A platform that wants a client certificate is reached with one it knows, token call and packet alike."""
    party = Party(upstream=sandbox.axis.url)
    packet = make_document()
    async with platform_running(party, tls=server_side(pki, mutual=True)):
        for certificate, outcome in (("vendors/vendor-a", Accepted), (None, Unavailable), ("stranger", Unavailable)):
            connection = client_side(pki, certificate=certificate)
            short = replace(TIMEOUTS, total=2)
            async with axis_behind(party.token_url, f"{party.url}/base", connection=connection, timeouts=short) as axis:
                assert isinstance(await axis.submit(make_sealed(packet), in_pieces(packet)), outcome)
        assert party.passed == 1


async def test_a_platform_of_another_authority_gets_no_secret(pki):
    """The token endpoint is held to the same pinned authority as the axis."""
    party = Party()
    async with platform_running(party, tls=server_side(pki, mutual=False)), peer_running(answering(TAKEN)) as peer:
        connection = client_side(pki, ca="vendors-ca.pem")
        async with axis_behind(party.token_url, peer.url, connection=connection) as axis:
            outcome = await submit(axis)
            assert isinstance(outcome, Unavailable)
            assert "certificate" in outcome.reason
    assert party.token_calls == 0


async def test_through_a_proxy(pki, sandbox):
    """A proxy forwards plain calls and tunnels TLS; one that refuses leaves packets Unavailable."""
    packet = make_document()
    proxy = Proxy()
    async with proxy_running(proxy), platform_running(Party(upstream=sandbox.axis.url)) as plain:
        connection = Connection(proxy=proxy.url)
        async with axis_behind(plain.token_url, f"{plain.url}/base", connection=connection) as axis:
            assert isinstance(await axis.submit(make_sealed(packet), in_pieces(packet)), Accepted)
        assert [line.split()[0] for line in proxy.lines] == ["POST", "POST"]
        assert all(line.split()[1].startswith(plain.url) for line in proxy.lines)
        proxy.lines.clear()
        party = Party(upstream=sandbox.axis.url)
        async with platform_running(party, tls=server_side(pki, mutual=True)):
            connection = client_side(pki, certificate="vendors/vendor-a", proxy=proxy.url)
            async with axis_behind(party.token_url, f"{party.url}/base", connection=connection) as axis:
                assert isinstance(await axis.submit(make_sealed(packet), in_pieces(packet)), Accepted)
                place = party.url.removeprefix("https://")
                assert set(proxy.lines) == {f"CONNECT {place} HTTP/1.1"}
                proxy.refuses = b"407 Proxy Authentication Required"
                assert isinstance(await axis.submit(make_sealed(packet), in_pieces(packet)), Unavailable)
    assert len(await accepted(sandbox)) == 2


async def test_a_proxy_that_dies_in_the_tunnel(pki):
    """A packet cut off inside a tunnel before its end is Unavailable."""
    proxy = Proxy()
    async with proxy_running(proxy), peer_running(hang_up, tls=server_side(pki, mutual=False)) as peer:
        party = Party()
        async with platform_running(party, tls=server_side(pki, mutual=False)):
            connection = client_side(pki, proxy=proxy.url)
            async with axis_behind(party.token_url, peer.url, connection=connection) as axis:
                assert isinstance(await submit(axis, b"x" * 3_000_000), Unavailable)


async def test_tokens_stay_inside():
    """Neither a log line nor a reason shows a token, the consumer secret or the partner's header."""
    party = Party(partner=PARTNER_HEADER)
    with capture_logs() as lines:
        async with (
            platform_running(party),
            peer_running(answering(NOTHING, status="401 Unauthorized")) as peer,
            axis_behind(party.token_url, peer.url, partner=PARTNER) as axis,
        ):
            assert isinstance(await submit(axis), Unavailable)
            assert isinstance(await axis.settle(AxisDocId("d1"), done=True), Unavailable)
    assert party.given
    shown = repr(lines)
    assert lines
    for hidden in (*party.given, CONSUMER_SECRET, PARTNER_HEADER):
        assert hidden not in shown
