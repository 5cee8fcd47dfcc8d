"""`probe` against real peers: what each step tells when it goes well, and the likely cause when it does not."""

import asyncio
import json
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway import settings as configuration
from gateway.bootstrap.probe import probe
from gateway.domain.probing import ADVICE, Step, Trouble, Verdict
from gateway.sandbox import pki as sandbox_pki
from gateway.sandbox.pki import make_pki, write_pki
from gateway.sandbox.serve import Address, SandboxOptions, running
from tests.contract.vxp_peer import answering, peer_running, server_side
from tests.fakes.platform import CONSUMER, CONSUMER_SECRET, Platform, Proxy, platform_running, proxy_running
from tests.fakes.terminal import run_beside


@pytest.fixture
async def sandbox():
    async with running(SandboxOptions()) as addresses:
        yield addresses


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    write_pki(make_pki(now=datetime.now(tz=UTC)), folder)
    write_pki(make_pki(now=datetime.now(tz=UTC) - timedelta(days=2 * 365)), folder / "old")
    return folder


def config_file(tmp_path, endpoint, *, platform=None, **keys) -> Path:
    (tmp_path / "trust").mkdir(exist_ok=True)
    account = {
        "endpoint": endpoint,
        "system_id": "00.99.W00",
        "secret": "dummy-secret",
        "agencies": ["H99"],
        "connect_seconds": 1,
        "read_seconds": 2,
        "total_seconds": 5,
        **keys,
    }
    lines = [
        f"{key} = {json.dumps(value if not isinstance(value, Path) else str(value))}"
        for key, value in account.items()
        if value is not None
    ]
    if platform is not None:
        lines += ["[axis.national.platform]", f'token_url = "{platform}"', f'consumer_key = "{CONSUMER}"']
        lines += [f'consumer_secret = "{CONSUMER_SECRET}"']
    file = tmp_path / "gateway.toml"
    file.write_text(
        "\n".join(
            (
                f'[server]\nplaintext_loopback_vendor = "vendor"\n[signatures]\ntrust_dir = "{tmp_path / "trust"}"',
                f'[store]\npath = "{tmp_path / "none" / "store.db"}"\n[blobs]\npath = "{tmp_path / "none" / "blobs"}"',
                '[[vendors]]\nid = "vendor"\nserves = ["H99"]\n[axis.national]',
                *lines,
            )
        ),
        encoding="utf-8",
    )
    return file


async def run(tmp_path, endpoint, *, route="national", send_to_self=False, within=10, **keys):
    """The lines, by step; a step tried for two places keeps its last line."""
    settings = configuration.load(config_file(tmp_path, endpoint, **keys))
    lines = []
    held = await probe(
        settings, route, send_to_self=send_to_self, tell=lines.append, returns_within=timedelta(seconds=within)
    )
    assert held is all(line.verdict is not Verdict.FAILED for line in lines)
    assert not (tmp_path / "none").exists()
    return {line.step: line for line in lines}


def failure(lines):
    """The one step that failed, and its likely cause."""
    ((step, line),) = [(step, line) for step, line in lines.items() if line.verdict is Verdict.FAILED]
    return step, line.trouble


async def records(sandbox, event):
    async with aiohttp.ClientSession() as session, session.get(f"{sandbox.control.url}/records") as answer:
        return [record for record in await answer.json() if record["event"] == event]


async def test_all_steps_hold(tmp_path, sandbox):
    """A good account: each step says what it saw; nothing was sent, taken or stored."""
    lines = await run(tmp_path, f"{sandbox.axis.url}/base")
    assert [step for step, line in lines.items() if line.verdict is Verdict.OK] == [
        Step.CONFIGURATION,
        Step.DNS,
        Step.TCP,
        Step.HTTP,
        Step.LIST,
        Step.DIRECTORY,
    ]
    assert {line.verdict for line in lines.values()} == {Verdict.OK, Verdict.SKIPPED}
    assert "its clock agrees" in lines[Step.HTTP].seen
    assert "ours among them" in lines[Step.DIRECTORY].seen
    assert await records(sandbox, "accepted") == []


async def test_a_status_to_ourselves(tmp_path, sandbox):
    """--send-to-self sends one status, takes it back, compares it and leaves nothing waiting."""
    lines = await run(tmp_path, f"{sandbox.axis.url}/base", send_to_self=True)
    assert lines[Step.SEND].verdict is Verdict.OK
    assert lines[Step.RETURN].verdict is Verdict.OK
    assert "byte for byte" in lines[Step.RETURN].seen
    (sent,) = await records(sandbox, "accepted")
    assert sent["messagetype"] == "status"
    assert [each["status"] for each in await records(sandbox, "acknowledged")] == ["done"]


async def test_a_wrong_secret(tmp_path, sandbox):
    """The axis's code 15 points to system id and secret."""
    lines = await run(tmp_path, f"{sandbox.axis.url}/base", secret="wrong", send_to_self=True)
    assert lines[Step.LIST].trouble is Trouble.SECRET_WRONG
    assert lines[Step.SEND].verdict is Verdict.SKIPPED


async def test_an_agency_that_is_not_listed(tmp_path, sandbox):
    """A root that the directory does not hold is named."""
    lines = await run(tmp_path, f"{sandbox.axis.url}/base", agencies=["H99", "H77"])
    assert failure(lines) == (Step.DIRECTORY, Trouble.AGENCY_NOT_LISTED)
    assert "H77" in lines[Step.DIRECTORY].seen


async def test_no_such_route(tmp_path, sandbox):
    """An unknown account is told with those that there are."""
    lines = await run(tmp_path, sandbox.axis.url, route="elsewhere")
    assert failure(lines) == (Step.CONFIGURATION, Trouble.CONFIGURATION)
    assert "national" in lines[Step.CONFIGURATION].seen


async def test_a_closed_port(tmp_path):
    """Nobody listens: said at the connection, nothing further is tried."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        lines = await run(tmp_path, f"http://127.0.0.1:{reserved.getsockname()[1]}")
    assert failure(lines) == (Step.TCP, Trouble.CONNECTION_REFUSED)
    assert lines[Step.LIST].verdict is Verdict.SKIPPED


@pytest.mark.parametrize(
    ("error", "trouble"), [(socket.EAI_NONAME, Trouble.NAME_UNKNOWN), (socket.EAI_AGAIN, Trouble.NO_NAME_SERVICE)]
)
async def test_an_unknown_host(tmp_path, monkeypatch, error, trouble):
    """A name without address and a dead name server are told apart."""

    def look_up(*_arguments, **_keywords):
        raise socket.gaierror(error, "scripted")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert failure(await run(tmp_path, "http://axis.invalid")) == (Step.DNS, trouble)


async def test_an_impossible_name(tmp_path):
    """A name or port that cannot be is a failure like any other."""
    assert failure(await run(tmp_path, f"http://{'x' * 64}.invalid")) == (Step.DNS, Trouble.NAME_UNKNOWN)
    assert failure(await run(tmp_path, "http://127.0.0.1:99999")) == (Step.DNS, Trouble.CONFIGURATION)


@pytest.mark.parametrize(
    ("how", "trouble"),
    [
        ({"status": "200 OK", "headers": "Content-Type: text/html\r\n"}, Trouble.NOT_THE_AXIS),
        ({"status": "404 Not Found", "headers": "Content-Type: text/html\r\n"}, Trouble.NOT_THERE),
        ({"status": "401 Unauthorized"}, Trouble.FORBIDDEN),
        ({"status": "403 Forbidden"}, Trouble.FORBIDDEN),
        ({"status": "302 Found", "headers": "Location: https://login.example/\r\n"}, Trouble.REDIRECTED),
        ({"status": "503 Service Unavailable"}, Trouble.BACKEND_DOWN),
        ({"status": "429 Too Many Requests"}, Trouble.THROTTLED),
        ({"status": "403 Forbidden", "headers": "Date: Sun, 01 Nov 2026 00:00:00 GMT\r\n"}, Trouble.CLOCK_WRONG),
    ],
)
async def test_pages_instead_of_the_axis(tmp_path, how, trouble):
    """HTML pages, redirects and refusals by status point to what stands there instead."""
    async with peer_running(answering_anything(b"<html><title>Welcome</title></html>", **how)) as peer:
        lines = await run(tmp_path, peer.url)
    assert lines[Step.HTTP].verdict is Verdict.OK
    assert lines[Step.LIST].trouble is trouble


def answering_anything(body, **how):
    async def script(exchange):
        if exchange.line.startswith("HEAD"):
            exchange.answer(b"", **how)
        else:
            await answering(body, **how)(exchange)

    return script


async def test_no_http(tmp_path):
    """A peer that accepts and drops, or speaks no HTTP, is told at the HTTP step."""

    async def drop(exchange):
        exchange.writer.transport.abort()

    async def babble(exchange):
        exchange.writer.write(b"220 mail ready\r\n\r\n")

    for script, trouble in ((drop, Trouble.CUT), (babble, Trouble.NOT_THE_AXIS)):
        async with peer_running(script) as peer:
            assert failure(await run(tmp_path, peer.url)) == (Step.HTTP, trouble)


@asynccontextmanager
async def tls_peer(folder, **how):
    async with peer_running(answering(b""), tls=server_side(folder, **how)) as peer:
        yield peer


async def test_tls_that_does_not_verify(tmp_path, pki):
    """Wrong authority, expired certificate and wrong name are told apart, with the certificate that was shown."""
    async with tls_peer(pki) as peer:
        lines = await run(tmp_path, peer.url, ca_file=pki / "vendors-ca.pem")
        assert failure(lines) == (Step.TLS, Trouble.UNKNOWN_AUTHORITY)
        assert "issued by CN=Throwaway servers CA" in lines[Step.TLS].seen
        assert failure(await run(tmp_path, peer.url)) == (Step.TLS, Trouble.UNKNOWN_AUTHORITY)
        other = peer.url.replace("127.0.0.1", "127.1")
        assert failure(await run(tmp_path, other, ca_file=pki / "servers-ca.pem")) == (Step.TLS, Trouble.WRONG_NAME)
        assert peer.exchanges == []
    async with tls_peer(pki / "old") as peer:
        lines = await run(tmp_path, peer.url, ca_file=pki / "old/servers-ca.pem")
        assert failure(lines) == (Step.TLS, Trouble.EXPIRED)
        assert "ended 20" in lines[Step.TLS].seen


async def test_a_self_signed_certificate(tmp_path, pki):
    """A certificate that is its own authority is told as such; pinned, it is good."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.IPAddress(ip_address("127.0.0.1"))]
    builder = sandbox_pki._begin_tls_leaf("own", key, datetime.now(tz=UTC), names, ExtendedKeyUsageOID.SERVER_AUTH)
    own = sandbox_pki._finish(builder, key, None)
    (tmp_path / "c").write_bytes(own.certificate_pem)
    (tmp_path / "k").write_bytes(own.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c", tmp_path / "k")
    async with peer_running(answering_anything(b""), tls=context) as peer:
        assert failure(await run(tmp_path, peer.url)) == (Step.TLS, Trouble.SELF_SIGNED)
        lines = await run(tmp_path, peer.url, ca_file=tmp_path / "c")
        assert lines[Step.TLS].verdict is Verdict.OK


async def test_tls_where_there_is_none_and_none_where_there_is(tmp_path, pki, sandbox):
    """TLS to a plain port and plain HTTP to a TLS port are told."""
    plain = sandbox.axis.url.replace("http:", "https:")
    assert failure(await run(tmp_path, plain)) == (Step.TLS, Trouble.NO_TLS)
    async with tls_peer(pki) as peer:
        assert failure(await run(tmp_path, peer.url.replace("https:", "http:"))) == (Step.HTTP, Trouble.TLS_WANTED)


async def test_client_certificates(tmp_path, pki):
    """A peer that wants a certificate: none, one of a stranger, and one whose key is another's."""
    keys = {"ca_file": pki / "servers-ca.pem"}
    stranger = {"client_certificate": pki / "stranger.pem", "client_key": pki / "stranger.key.pem"}
    async with tls_peer(pki, mutual=True) as peer:
        assert failure(await run(tmp_path, peer.url, **keys)) == (Step.TLS, Trouble.CERTIFICATE_WANTED)
        assert failure(await run(tmp_path, peer.url, **keys, **stranger)) == (Step.TLS, Trouble.CERTIFICATE_REFUSED)
        mixed = stranger | {"client_key": pki / "vendors/vendor-a.key.pem"}
        assert failure(await run(tmp_path, peer.url, **keys, **mixed)) == (Step.CONFIGURATION, Trouble.CONFIGURATION)
    async with alerting_peer(server_side(pki, mutual=True)) as url:
        assert failure(await run(tmp_path, url, **keys)) == (Step.TLS, Trouble.CERTIFICATE_WANTED)
        assert failure(await run(tmp_path, url, **keys, **stranger)) == (Step.TLS, Trouble.CERTIFICATE_REFUSED)


@asynccontextmanager
async def alerting_peer(context):
    """A TLS end that says why it closes, as OpenSSL does and asyncio does not."""

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as session:
                session.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(asyncio.to_thread(serve))
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            await serving


async def test_a_platform_with_everything(tmp_path, pki, sandbox):
    """Mutual TLS through a proxy to a platform in front of the axis: every step holds, the status comes back."""
    party, proxy = Platform(upstream=sandbox.axis.url), Proxy()
    async with platform_running(party, tls=server_side(pki, mutual=True)), proxy_running(proxy):
        lines = await run(
            tmp_path,
            f"{party.url}/base",
            platform=party.token_url,
            send_to_self=True,
            ca_file=pki / "servers-ca.pem",
            client_certificate=pki / "vendors/vendor-a.pem",
            client_key=pki / "vendors/vendor-a.key.pem",
            proxy=proxy.url,
        )
        skipped = {step for step, line in lines.items() if line.verdict is Verdict.SKIPPED}
        assert skipped == {Step.LOGIN, Step.WSDL, Step.PERMISSION}
        assert {line.verdict for line in lines.values()} == {Verdict.OK, Verdict.SKIPPED}
        assert set(lines) == set(Step)
        assert "CN=gateway-a" in lines[Step.TLS].seen
        proxy.refuses = b"403 Forbidden"
        lines = await run(tmp_path, f"{party.url}/base", proxy=proxy.url, ca_file=pki / "servers-ca.pem")
        assert failure(lines) == (Step.PROXY, Trouble.PROXY_REFUSES)
        proxy.refuses = b"407 Proxy Authentication Required"
        lines = await run(tmp_path, f"{party.url}/base", proxy=proxy.url, ca_file=pki / "servers-ca.pem")
        assert failure(lines) == (Step.PROXY, Trouble.PROXY_WANTS_LOGIN)


async def test_tokens(tmp_path, sandbox):
    """A wrong consumer, a platform that is down, and a token that the API refuses are told apart."""
    party = Platform(upstream=sandbox.axis.url, partner="another")
    async with platform_running(party):
        lines = await run(tmp_path, f"{party.url}/base", platform=party.token_url)
        assert failure(lines) == (Step.TOKEN, Trouble.CONSUMER_REFUSED)
        assert lines[Step.LIST].verdict is Verdict.SKIPPED
        party.partner, party.token_status = "", 502
        lines = await run(tmp_path, f"{party.url}/base", platform=party.token_url)
        assert failure(lines) == (Step.TOKEN, Trouble.BACKEND_DOWN)
        party.token_status = 200
        party.on_pass = lambda _: party.expire()
        lines = await run(tmp_path, f"{party.url}/base", platform=party.token_url)
        assert lines[Step.LIST].trouble is Trouble.TOKEN_REFUSED


async def test_a_platforms_fault(tmp_path):
    """A fault of WSO2 in the place of the axis's answer is told by its code: no subscription, nothing behind it."""
    faults = {
        b'{"fault":{"code":900908,"message":"Resource forbidden"}}': ("403 Forbidden", Trouble.NOT_SUBSCRIBED),
        b'{"fault":{"code":900802,"message":"Message throttled out"}}': ("429 Too Many", Trouble.THROTTLED),
        b"<am:fault><am:code>101503</am:code><am:message>Error connecting to the back end</am:message></am:fault>": (
            "500 Internal Server Error",
            Trouble.BACKEND_DOWN,
        ),
    }
    for body, (status, trouble) in faults.items():
        async with peer_running(answering_anything(body, status=status)) as peer:
            lines = await run(tmp_path, peer.url)
        assert lines[Step.LIST].trouble is trouble


LANGSON = {
    "kind": "langson",
    "username": "user",
    "password": "pass",
}


async def test_a_login(tmp_path):
    """The login of the Lang Son dialect is a step of its own: a wrong password, and none that could be had."""
    said = {
        b'{"code":"LOGIN","message":"Sai mat khau","data":{}}': ("200 OK", Trouble.LOGIN_REFUSED),
        b"": ("404 Not Found", Trouble.NOT_THERE),
        b'{"code":"0","data":{"token":"abc"}}': ("200 OK", None),
    }
    for body, (status, trouble) in said.items():
        async with peer_running(answering_anything(body, status=status)) as peer:
            lines = await run(tmp_path, peer.url, **LANGSON)
        assert lines[Step.LOGIN].trouble is trouble
        assert lines[Step.LIST].verdict is (Verdict.SKIPPED if trouble else Verdict.FAILED)


async def test_soap_sends_nothing_to_itself(tmp_path):
    """Where statuses are given away once, none is asked for: --send-to-self is refused and the rest is tried."""
    async with running(SandboxOptions(soap=Address(host="127.0.0.1", port=0))) as sandbox:
        lines = await run(
            tmp_path,
            f"{sandbox.soap.url}/",
            send_to_self=True,
            kind="soap",
            organ_id="00.99.W00",
            token="dummy-secret",
            system_id=None,
            secret=None,
        )
        assert lines[Step.PERMISSION].verdict is Verdict.OK
        assert lines[Step.LIST].verdict is Verdict.OK
        assert failure(lines) == (Step.SEND, Trouble.NOTHING_HARMLESS)
        assert await records(sandbox, "accepted") == []


async def test_the_command(tmp_path, sandbox):
    """The command prints a line per step, or JSON, with cause and remedy in both languages; its exit code says it."""

    async def command(endpoint, *options, **keys):
        return await run_beside("probe", "national", "--config", config_file(tmp_path, endpoint, **keys), *options)

    good = await command(f"{sandbox.axis.url}/base", "--send-to-self", "--json")
    assert (good.returncode, good.stderr) == (0, "")
    steps = [json.loads(line) for line in good.stdout.splitlines()]
    assert {step["step"]: step["verdict"] for step in steps}["return"] == "ok"
    bad = await command(f"{sandbox.axis.url}/base", secret="wrong")
    assert (bad.returncode, bad.stderr) == (2, "")
    advice = ADVICE[Trouble.SECRET_WRONG]
    for words in (advice.cause, advice.remedy, advice.vi):
        assert words in bad.stdout
    assert "wrong\n" not in bad.stdout.replace(advice.cause, "")
