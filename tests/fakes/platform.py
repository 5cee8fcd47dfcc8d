"""An LGSP platform as WSO2 API Manager is one: gives tokens for client credentials and passes calls with a good one on.

A scripted outside party: it checks what it is given by reading HTTP headers itself and shares no code with the gateway.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

CONSUMER = "consumer-key"
CONSUMER_SECRET = "consumer-secret"
INVALID = {"fault": {"code": 900901, "message": "Invalid Credentials", "description": "Access failure for API"}}

_OF_ONE_HOP = frozenset({"host", "connection", "authorization", "transfer-encoding", "lgspaccesstoken"})


@dataclass(kw_only=True)
class Platform:
    """What stands in front of `upstream`."""

    upstream: str = ""
    """Base URL that paths are appended to."""
    partner: str = ""
    """The header lgspaccesstoken that is demanded; "" = none."""
    expires_in: int | None = 3600
    same_token: bool = False
    """True: as WSO2, a token that is still good is given out again."""
    early: bool = False
    """True: 401 is answered before the body is read."""
    token_status: int = 200
    """Other than 200: how the token endpoint fails."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """While not set, token calls wait."""
    url: str = ""
    good: str = ""
    """The token that opens; "" = none does."""
    given: list[str] = field(default_factory=list)
    """Tokens given out."""
    token_calls: int = 0
    passed: int = 0
    refused: int = 0
    on_pass: Callable[[int], None] | None = None
    """Told how many calls have been passed on, before the next one is looked at."""

    @property
    def token_url(self) -> str:
        return f"{self.url}/token"

    def expire(self) -> None:
        """The token that opens opens no more."""
        self.good = ""

    async def give(self, request: web.Request) -> web.StreamResponse:
        self.token_calls += 1
        await self.gate.wait()
        wanted = "Basic " + base64.b64encode(f"{CONSUMER}:{CONSUMER_SECRET}".encode()).decode()
        form = await request.post()
        if request.headers.get("Authorization") != wanted or not self._is_partner(request):
            error = {"error": "invalid_client", "error_description": "Client Authentication failed."}
            return web.json_response(error, status=401)
        if form.get("grant_type") != "client_credentials":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        if self.token_status != 200:
            return web.Response(status=self.token_status, text="<html><title>Bad Gateway</title>")
        if not (self.same_token and self.good):
            self.good = f"token-{len(self.given) + 1}"
        self.given.append(self.good)
        answer = {"access_token": self.good, "token_type": "Bearer", "scope": form.get("scope", "default")}
        if self.expires_in is not None:
            answer["expires_in"] = self.expires_in
        return web.json_response(answer)

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        if not self.early:
            body = await request.read()
        if self.on_pass is not None:
            self.on_pass(self.passed)
        if not self.good or request.headers.get("Authorization") != f"Bearer {self.good}":
            self.refused += 1
            return web.json_response(INVALID, status=401)
        if not self._is_partner(request):
            return web.json_response({"code": 403, "message": "no lgspaccesstoken"}, status=403)
        self.passed += 1
        if self.early:
            body = await request.read()
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _OF_ONE_HOP]
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(request.method, f"{self.upstream}{request.path_qs}", headers=headers, data=body) as answer,
        ):
            said = {"Content-Type": answer.headers.get("Content-Type", "")}
            return web.Response(status=answer.status, body=await answer.read(), headers=said)

    def _is_partner(self, request: web.Request) -> bool:
        return request.headers.get("lgspaccesstoken", "") == self.partner


def partner_header(**members: str) -> str:
    """Header lgspaccesstoken as an operator of the platform would write it by hand."""
    return base64.b64encode(json.dumps(members, separators=(",", ":")).encode()).decode()


@asynccontextmanager
async def platform_running(platform: Platform, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Platform]:
    """The platform on a port of its own, token calls let through."""
    platform.gate.set()
    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/token", platform.give)
    app.router.add_route("*", "/{path:.*}", platform.pass_on)
    runner = web.AppRunner(app, access_log=None, max_line_size=1 << 18, max_field_size=1 << 18, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        scheme = "https" if tls else "http"
        platform.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
        yield platform
    finally:
        platform.gate.set()
        await runner.cleanup()


@dataclass(kw_only=True)
class Proxy:
    """An HTTP proxy: forwards plain requests, tunnels CONNECT."""

    url: str = ""
    lines: list[str] = field(default_factory=list)
    """Request lines that it saw."""
    refuses: bytes = b""
    """What it says instead of connecting, e.g. b"407 Proxy Authentication Required"."""

    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            line, _, rest = head.partition(b"\r\n")
            self.lines.append(line.decode())
            if self.refuses:
                writer.write(b"HTTP/1.1 " + self.refuses + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
                return
            method, target, version = line.split(b" ")
            if method == b"CONNECT":
                host, _, port = target.decode().rpartition(":")
                up_reader, up_writer = await asyncio.open_connection(host, int(port))
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                place, _, path = target.removeprefix(b"http://").partition(b"/")
                host, _, port = place.decode().rpartition(":")
                up_reader, up_writer = await asyncio.open_connection(host, int(port))
                up_writer.write(b" ".join((method, b"/" + path, version)) + b"\r\nConnection: close\r\n" + rest)
            pumps = [asyncio.create_task(each) for each in (_pump(reader, up_writer), _pump(up_reader, writer))]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                up_writer.close()
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def proxy_running(proxy: Proxy) -> AsyncIterator[Proxy]:
    """The proxy on a port of its own."""
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in proxy.tasks:
            task.cancel()
        await asyncio.gather(*proxy.tasks, return_exceptions=True)
