"""The way to a peer step by step, for the connection test: name, connection, proxy, TLS, HTTP. No request of an axis.

Nothing is ever sent to a peer whose certificate is not verified; it is only asked to show that certificate.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from gateway.adapters.answers import clip
from gateway.adapters.http import Broken, Call, Connection, HttpClient, Repeat, Timeouts, tls_context
from gateway.domain.backoff import Backoff
from gateway.domain.probing import Trouble, trouble_of
from gateway.ports import Clock

_HEAD_LIMIT = 64 * 1024
_ALERT_WAIT = 0.5
"""Seconds after a handshake in which a peer that wants a client certificate says so (TLS 1.3)."""
_ONCE = Backoff(first=timedelta(0), factor=1, ceiling=timedelta(0), jitter=0, give_up_after=timedelta(0))
_ADDRESSES_SHOWN = 4
_VERIFICATION: Mapping[int, Trouble] = {
    9: Trouble.NOT_YET_VALID,
    10: Trouble.EXPIRED,
    18: Trouble.SELF_SIGNED,
    19: Trouble.UNKNOWN_AUTHORITY,
    20: Trouble.UNKNOWN_AUTHORITY,
    21: Trouble.UNKNOWN_AUTHORITY,
    62: Trouble.WRONG_NAME,
    64: Trouble.WRONG_NAME,
}
"""OpenSSL's X509_V_ERR codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something listens."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        """`host:port`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A step that failed."""

    trouble: Trouble
    words: str


@dataclass(slots=True, kw_only=True)
class Link:
    """An open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    address: str

    def close(self) -> None:
        """Close it at once; nothing waits to be sent, and a broken handshake leaves nothing to wait for."""
        self.writer.transport.abort()


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """What TLS agreed on."""

    version: str
    cipher: str
    certificate: bytes
    """The peer's, DER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """HTTP spoken by the peer, whatever it said to an unsigned HEAD."""

    status: int
    server: str
    location: str
    skew: timedelta | None
    """The peer's clock less ours, exact to a second; None if it does not tell."""


def place_of(url: str) -> Place | Failed:
    """The place that a URL of http or https names."""
    try:
        parts = urlsplit(url)
        host, port, tls = parts.hostname or "", parts.port, parts.scheme == "https"
    except ValueError as error:
        return Failed(trouble=Trouble.CONFIGURATION, words=str(error))
    if not host:
        return Failed(trouble=Trouble.CONFIGURATION, words="the address names no host")
    return Place(host=host, port=port or (443 if tls else 80), tls=tls)


async def resolve(place: Place, *, seconds: float) -> tuple[str, ...] | Failed:
    """The addresses of a name."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        return Failed(trouble=Trouble.NO_NAME_SERVICE, words=f"no answer within {seconds:g} s")
    except socket.gaierror as error:
        passing = error.errno == socket.EAI_AGAIN
        return Failed(trouble=Trouble.NO_NAME_SERVICE if passing else Trouble.NAME_UNKNOWN, words=_of(error))
    except UnicodeError as error:
        return Failed(trouble=Trouble.NAME_UNKNOWN, words=clip(str(error)))
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


async def connect(addresses: tuple[str, ...], port: int, *, seconds: float) -> Link | Failed:
    """A connection to the first address that takes one; otherwise what all of them said."""
    said: list[tuple[Trouble, str]] = []
    for address in addresses[:_ADDRESSES_SHOWN]:
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await asyncio.open_connection(address, port, limit=_HEAD_LIMIT)
            return Link(reader=reader, writer=writer, address=address)
        except TimeoutError:
            said.append((Trouble.NO_ANSWER, f"{address}: no answer within {seconds:g} s"))
        except ConnectionRefusedError:
            said.append((Trouble.CONNECTION_REFUSED, f"{address}: connection refused"))
        except OSError as error:
            said.append((Trouble.NO_WAY_THERE, f"{address}: {_of(error)}"))
    return Failed(trouble=said[0][0], words=clip("; ".join(words for _, words in said)))


async def tunnel(link: Link, to: Place, *, seconds: float) -> str | Failed:
    """Have a proxy connect to `to`; its status line."""
    link.writer.write(f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n".encode())
    try:
        async with asyncio.timeout(seconds):
            head = await link.reader.readuntil(b"\r\n\r\n")
    except TimeoutError:
        return Failed(trouble=Trouble.NO_ANSWER, words=f"no answer within {seconds:g} s")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError) as error:
        return Failed(trouble=Trouble.PROXY_REFUSES, words=clip(f"no answer to CONNECT: {error}"))
    line = clip(head.partition(b"\r\n")[0].decode("latin-1"))
    match line.split(" ")[1:2]:
        case ["200"]:
            return line
        case ["407"]:
            return Failed(trouble=Trouble.PROXY_WANTS_LOGIN, words=line)
        case _:
            return Failed(trouble=Trouble.PROXY_REFUSES, words=line)


async def shake_hands(link: Link, place: Place, connection: Connection, *, seconds: float) -> Handshake | Failed:
    """TLS on an open connection, verified as every call is; the connection is of no further use."""
    session = _Session(link, tls_context(connection), place.host)
    try:
        async with asyncio.timeout(seconds):
            await session.until(session.tls.do_handshake)
        closed = await _closed_at_once(session)
    except ssl.SSLCertVerificationError as error:
        trouble = _VERIFICATION.get(error.verify_code, Trouble.UNKNOWN_AUTHORITY)
        return Failed(trouble=trouble, words=clip(error.verify_message))
    except ssl.SSLError as error:
        return Failed(trouble=_of_tls(error, connection), words=clip((error.reason or str(error)).replace("_", " ")))
    except TimeoutError:
        return Failed(trouble=Trouble.NO_ANSWER, words=f"no handshake within {seconds:g} s")
    except OSError as error:
        return Failed(trouble=Trouble.CUT, words=_of(error))
    if closed:
        trouble = Trouble.CERTIFICATE_REFUSED if connection.client_certificate else Trouble.CERTIFICATE_WANTED
        return Failed(trouble=trouble, words="the peer closed the connection right after the handshake")
    return Handshake(
        version=session.tls.version() or "",
        cipher=(session.tls.cipher() or ("",))[0],
        certificate=session.tls.getpeercert(binary_form=True) or b"",
    )


async def _closed_at_once(session: "_Session") -> bool:
    """True if the peer closes without a word, for want of a certificate; raises ssl.SSLError where it says so."""
    try:
        async with asyncio.timeout(_ALERT_WAIT):
            await session.until(lambda: session.tls.read(1))
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return False


async def shown_certificate(link: Link, place: Place, *, seconds: float) -> bytes | None:
    """The certificate that an unverified peer shows, DER; nothing but a handshake is sent to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    session = _Session(link, context, place.host)
    try:
        async with asyncio.timeout(seconds):
            await session.until(session.tls.do_handshake)
    except OSError:
        return None
    return session.tls.getpeercert(binary_form=True)


class _Session:
    """TLS over a connection, by hand: asyncio's own keeps the peer's alerts to itself."""

    def __init__(self, link: Link, context: ssl.SSLContext, host: str) -> None:
        self._link = link
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    async def until(self, done: Callable[[], object]) -> None:
        """Exchange bytes until `done` does not want more. Raises OSError, and of it ssl.SSLError, TimeoutError."""
        while True:
            try:
                done()
            except ssl.SSLWantReadError:
                pass
            else:
                return
            finally:
                self._link.writer.write(self._outgoing.read())
            await self._link.writer.drain()
            data = await self._link.reader.read(_HEAD_LIMIT)
            if not data:
                raise ConnectionResetError("the peer closed the connection in the handshake")
            self._incoming.write(data)


async def ask(url: str, connection: Connection, *, timeouts: Timeouts, clock: Clock) -> Answered | Failed:
    """An unsigned HEAD of the address: does HTTP come back, and what time is it there?"""
    http = HttpClient(connection=connection, concurrency=1, retry=_ONCE)

    async def read(response: httpx.Response) -> Answered:
        return Answered(
            status=response.status_code,
            server=clip(response.headers.get("Server", ""))[:80],
            location=clip(response.headers.get("Location", ""))[:200],
            skew=_skew(response.headers.get("Date", ""), clock.now()),
        )

    call = Call(
        method="HEAD",
        url=url,
        headers=dict,
        body=None,
        timeouts=replace(timeouts, total=min(timeouts.total, timeouts.connect + timeouts.read)),
        repeat=Repeat.UNPROCESSED,
    )
    try:
        got = await http.exchange(call, read)
    finally:
        await http.aclose()
    return Failed(trouble=trouble_of(got.reason), words=clip(got.reason)) if isinstance(got, Broken) else got


def _skew(date: str, now: datetime) -> timedelta | None:
    try:
        there = parsedate_to_datetime(date)
        return there - now if there.tzinfo else None
    except (ValueError, TypeError, OverflowError):
        return None


def _of_tls(error: ssl.SSLError, connection: Connection) -> Trouble:
    """Alerts about certificates mean ours: there is none, or it is not the right one."""
    found = trouble_of(f"{error.reason or error}".replace("_", " "))
    if found is Trouble.CERTIFICATE_REFUSED and connection.client_certificate is None:
        return Trouble.CERTIFICATE_WANTED
    return found if found is not Trouble.UNKNOWN else Trouble.TLS_DISAGREES


def _of(error: BaseException) -> str:
    return clip(getattr(error, "strerror", None) or str(error) or type(error).__name__)
