"""What the tests of the VXP adapter share: a writer to disk, packets, an account, and a scripted raw HTTP peer."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from gateway.adapters.http import Timeouts
from gateway.adapters.vxp.axis import VxpAxis
from gateway.adapters.vxp.config import VxpAccount
from gateway.domain.backoff import Backoff
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AccountName, AxisDocId, Digest, ObjectKey, OrganId
from gateway.domain.packet import AxisItem, Draft, LiteralPart, PacketKind, Sealed, StoredObject
from gateway.observability.metrics import Metrics
from gateway.ports import BlobWriter, Clock, PacketBytes

PACKET = b"<edXML>dummy 16</edXML>"
START = datetime(2026, 11, 21, 13, 50, 45, 7000, tzinfo=UTC)
ITEM = AxisItem(axis_doc_id=AxisDocId("d1"), kind=PacketKind.DOCUMENT, recipients=())
TAKEN = b'{"status":"OK","ErrorCode":"0","ErrorDesc":"Thanh cong","DocId":"66f0a1b2c3d4e5f601234567"}'
NOTHING = b'{"status":"OK","ErrorCode":"0","ErrorDesc":"Thanh cong","data":[]}'
SHORT = Timeouts(connect=1, read=5, write=5, total=0.4)

TIMEOUTS = Timeouts(connect=2, read=5, write=5, total=20)
RETRY = Backoff(
    first=timedelta(milliseconds=20),
    factor=2,
    ceiling=timedelta(milliseconds=200),
    jitter=0.5,
    give_up_after=timedelta(seconds=1),
)


class SystemClock(Clock):
    def now(self) -> datetime:
        return datetime.now(tz=UTC)


class FileWriter(BlobWriter):
    def __init__(self, path: Path, *, limit: int = 1 << 30) -> None:
        self._file = path.open("wb")
        self._limit = limit
        self._sha256 = hashlib.sha256()
        self.size = 0
        self.finished = False

    async def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > self._limit:
            self._file.close()
            raise GatewayError(ErrorCode.ATTACHMENT_TOO_LARGE, limit=self._limit)
        self._sha256.update(chunk)
        self._file.write(chunk)

    async def finish(self) -> StoredObject:
        self._file.close()
        self.finished = True
        return StoredObject(digest=Digest(self._sha256.hexdigest()), size=self.size, key=ObjectKey("k"))

    def close(self) -> None:
        self._file.close()


def make_sealed(
    packet: bytes = b"",
    *,
    length: int | None = None,
    sha256: str | None = None,
    sender: str = "H99.01",
    to: tuple[str, ...] = ("H98.01",),
    kind: PacketKind = PacketKind.DOCUMENT,
) -> Sealed:
    draft = Draft(
        kind=kind,
        parts=(LiteralPart(data=packet),),
        sender=OrganId(sender),
        recipients=tuple(OrganId(code) for code in to),
    )
    return Sealed(
        draft=draft,
        length=len(packet) if length is None else length,
        sha256=Digest(sha256 or hashlib.sha256(packet).hexdigest()),
    )


def in_pieces(packet: bytes, size: int = 1000) -> PacketBytes:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(packet), size):
            yield packet[start : start + size]

    return pieces


def make_account(endpoint: str, **changes: object) -> VxpAccount:
    account = VxpAccount(
        name=AccountName("national"),
        endpoint=endpoint,
        system_id="00.99.W00",
        secret="dummy-secret",
        timeouts=TIMEOUTS,
        retry=RETRY,
    )
    return replace(account, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def axis_at(
    endpoint: str, *, registry: CollectorRegistry | None = None, clock: Clock | None = None, **changes: object
) -> AsyncIterator[VxpAxis]:
    metrics = Metrics(registry or CollectorRegistry())
    axis = VxpAxis(account=make_account(endpoint, **changes), clock=clock or SystemClock(), metrics=metrics)
    try:
        yield axis
    finally:
        await axis.aclose()


@dataclass(kw_only=True)
class Exchange:
    """One request as it came over the wire."""

    line: str
    headers: list[tuple[str, str]]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def header(self, name: str) -> str:
        (value,) = [value for each, value in self.headers if each.lower() == name.lower()]
        return value

    async def body(self) -> bytes:
        return await self.reader.readexactly(int(self.header("Content-Length")))

    def answer(self, body: bytes, *, status: str = "200 OK", headers: str = "", length: int | None = None) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n{headers}\r\n"
        self.writer.write(head.encode() + body)


@dataclass(kw_only=True)
class Peer:
    """A listening peer; `exchanges` counts the requests whose headers it has read."""

    url: str
    exchanges: list[Exchange] = field(default_factory=list)
    connections: int = 0


@asynccontextmanager
async def peer_running(
    script: Callable[[Exchange], Awaitable[None]], *, tls: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[Peer]:
    """A peer that runs `script` for each request; the connection is closed when the script returns."""
    peer = Peer(url="")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            line, *rest = head.decode().rstrip().split("\r\n")
            headers = [(name, value) for name, _, value in (each.partition(": ") for each in rest)]
            exchange = Exchange(line=line, headers=headers, reader=reader, writer=writer)
            peer.exchanges.append(exchange)
            await script(exchange)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=tls)
    scheme = "https" if tls else "http"
    peer.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/base/"
    try:
        yield peer
    finally:
        server.close()
        await server.wait_closed()


def server_side(folder: Path, *, mutual: bool = False) -> ssl.SSLContext:
    """A TLS server of gateway-a's certificate in the sandbox's PKI; `mutual`: it wants one of a vendor."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "gateways/gateway-a.pem", folder / "gateways/gateway-a.key.pem")
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "vendors-ca.pem")
    return context


class TickingClock(Clock):
    """Moves on by a second at every look; `repeated` is set by the second look after it was cleared."""

    def __init__(self) -> None:
        self.looks = 0
        self.repeated = asyncio.Event()
        self._since = 0

    def clear(self) -> None:
        self.repeated.clear()
        self._since = self.looks

    def now(self) -> datetime:
        self.looks += 1
        if self.looks - self._since > 1:
            self.repeated.set()
        return START + timedelta(seconds=self.looks - 1)


def answering(body, **how):
    """A script that reads the request and gives one answer."""

    async def script(exchange):
        if exchange.line.startswith("POST"):
            await exchange.body()
        exchange.answer(body, **how)

    return script


async def hang_up(exchange):
    exchange.writer.transport.abort()


async def read_and_hang_up(exchange):
    await exchange.body()


async def say_nothing(exchange):
    await exchange.reader.read()


async def submit(axis, packet=PACKET, **changes):
    return await axis.submit(make_sealed(packet, **changes), in_pieces(packet))
