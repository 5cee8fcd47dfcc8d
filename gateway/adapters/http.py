"""One HTTP exchange with a peer: TLS, time-outs, limits, and tenacity around what may be repeated.

A request may be repeated within seconds while it cannot have been processed (no connection, no TLS, body untouched);
a repeatable one also after that. Everything longer is the outbox's.
"""

import asyncio
import random
import select
import ssl
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpcore
import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_before_delay

from gateway.adapters.faultwords import fault_words
from gateway.domain.backoff import Backoff
from gateway.domain.errors import ErrorCode, GatewayError

_Answer = TypeVar("_Answer")

CHUNK = 64 * 1024
"""Bytes in which answers are read."""

_LAST_LOOK = 0.05
"""Seconds between a packet's last byte and the look whether the peer is still there. Port forwarders accept and then
drop connections of a dead backend within a round trip; without the look each such attempt would be uncertain."""

_LAST_WORDS = 2.0
"""Seconds given to the body of a 401: the status has said it all."""

_WORDS: Mapping[type[httpx.RequestError], str] = {
    httpx.ConnectTimeout: "no connection in time",
    httpx.ConnectError: "no connection",
    httpx.ProxyError: "the proxy did not connect",
    httpx.ReadTimeout: "no answer in time",
    httpx.WriteTimeout: "the peer took no more bytes in time",
    httpx.ReadError: "the connection was cut before an answer came",
    httpx.WriteError: "the connection was cut while sending",
    httpx.RemoteProtocolError: "the answer broke off or was no HTTP",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. `connect`, `read` and `write` bound one step; `total` bounds the call with all its repetitions."""

    connect: float
    read: float
    write: float
    total: float


class Repeat(StrEnum):
    """How far a call may have come to be repeated."""

    UNPROCESSED = "unprocessed"
    """Only while it cannot have been processed."""
    UNANSWERED = "unanswered"
    """Until its answer began: repeating is harmless, but the answer is consumed as it comes."""
    ANY_TIME = "any_time"
    """Whenever the exchange broke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """An exchange that ended without a whole answer."""

    reason: str
    processed: bool
    """True if the peer may have carried the request out."""
    answered: bool = False
    """True if the answer had begun."""
    refused: bool = False
    """True if the peer said no, or is not to be trusted: asking again within seconds cannot help."""


@dataclass(slots=True, kw_only=True)
class PacketBody:
    """A stream as a body of known length, which knows how much of it has left; not repeatable once touched."""

    chunks: Callable[[], AsyncIterator[bytes]]
    """The bytes from the beginning, at every call."""
    length: int
    """Bytes of `chunks`, without the trailer."""
    trailer: bytes
    """Not empty; kept back until the peer was seen to be still there."""
    looks_back: bool
    """Before the last bytes: wait a moment and see whether the peer is still there, so that a packet dropped by a
    forwarder counts as not sent. Wanted where an uncertain outcome is costly."""
    touched: bool = False
    whole: bool = False
    """True from the moment at which the last byte is handed over."""
    _stream: httpcore.AsyncNetworkStream | None = field(default=None, repr=False)
    _source: AsyncIterator[bytes] | None = field(default=None, repr=False)

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Receives httpcore's trace: remembers the connection the body leaves by."""
        if event == "connection.connect_tcp.complete":
            self._stream = info["return_value"]

    async def stream(self) -> AsyncIterator[bytes]:
        """The body. Raises GatewayError SIZE_MISMATCH if the chunks are not as long as declared."""
        self.touched, self.whole = True, False
        sent = 0
        self._source = self.chunks()
        async for chunk in self._source:
            sent += len(chunk)
            if sent > self.length:
                break
            self._stop_if_hung_up()  # say after an early 401: what it said is lost once more is sent
            yield chunk
        if sent != self.length:
            raise GatewayError(ErrorCode.SIZE_MISMATCH, declared=self.length, received=sent)
        if self.looks_back:
            await asyncio.sleep(_LAST_LOOK)
        self._stop_if_hung_up()
        self.whole = True
        yield self.trailer

    def thrown_away(self) -> None:
        """The peer has said that it did nothing with it: as if it had never left."""
        self.touched = self.whole = False

    async def aclose(self) -> None:
        """Let go of what the bytes come from; they may be asked for anew afterwards."""
        source, self._source = self._source, None
        if isinstance(source, AsyncGenerator):
            await source.aclose()

    def _stop_if_hung_up(self) -> None:
        """A WriteError makes httpcore stop sending and read what the peer may have said."""
        if self._hung_up():
            raise httpcore.WriteError("the peer closed the connection before the packet was whole")

    def _hung_up(self) -> bool:
        socket = self._stream.get_extra_info("socket") if self._stream else None
        if socket is None:
            return False
        if socket.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(socket.fileno(), getattr(select, "POLLRDHUP", 0))
        return bool(poll.poll(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How the peer is reached. TLS verification cannot be turned off."""

    tls_ca_file: Path | None = None
    """The only CA certificates to trust (PEM); None = those of the operating system."""
    client_certificate: Path | None = None
    """PEM chain shown to a peer that wants one."""
    client_key: Path | None = None
    proxy: str = ""
    """HTTP proxy on the way; "" = none."""


DIRECT = Connection()


class Access(Protocol):
    """What opens a platform in front of the peer: headers that are fetched, kept and expire."""

    @abstractmethod
    async def headers(self) -> Mapping[str, str] | Broken:
        """Headers that are good now; Broken if they cannot be had. Many callers share one request for new ones."""

    @abstractmethod
    def refused(self, headers: Mapping[str, str]) -> None:
        """The peer answered 401 to these: the next `headers` are new ones, unless others came since."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close what the headers are fetched with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request."""

    method: str
    url: str
    headers: Callable[[], Mapping[str, str]]
    """Made afresh for every attempt, since they carry the time."""
    body: bytes | PacketBody | None
    timeouts: Timeouts
    repeat: Repeat


class HttpClient:
    """Connections to one peer. Packets go out on connections of their own, so no idle one can die under them."""

    def __init__(
        self, *, connection: Connection, concurrency: int, retry: Backoff, access: Access | None = None
    ) -> None:
        """Hold up to `concurrency` connections for packets, and as many for all else.

        Raises OSError or ssl.SSLError if a file of the connection cannot be used.
        """
        self._retry = retry
        self._access = access
        proxy, tls = connection.proxy, tls_context(connection)
        self._calls = _client(proxy, tls, httpx.Limits(max_connections=concurrency))
        self._packets = _client(proxy, tls, httpx.Limits(max_connections=concurrency, max_keepalive_connections=0))

    async def exchange(self, call: Call, read: Callable[[httpx.Response], Awaitable[_Answer]]) -> _Answer | Broken:
        """Send `call` and let `read` consume the answer; repeats within `retry` as `call.repeat` allows.

        Never takes longer than `call.timeouts.total`. Raises what `read` and the body's chunks raise, nothing else.
        """
        retrying = AsyncRetrying(
            stop=stop_before_delay(self._retry.give_up_after),
            wait=self._wait,
            retry=retry_if_result(lambda result: isinstance(result, Broken) and _repeatable(call, result)),
            retry_error_callback=_last_result,
        )
        try:
            async with asyncio.timeout(call.timeouts.total) as deadline:
                result: _Answer | Broken = await retrying(self._attempt, call, read)
                return result
        except TimeoutError:
            if not deadline.expired():
                raise
            processed = not isinstance(call.body, PacketBody) or call.body.whole
            return Broken(reason=f"no answer within {call.timeouts.total:g} s", processed=processed)

    async def aclose(self) -> None:
        """Close all connections, the access's too."""
        await self._calls.aclose()
        await self._packets.aclose()
        if self._access is not None:
            await self._access.aclose()

    async def _attempt(self, call: Call, read: Callable[[httpx.Response], Awaitable[_Answer]]) -> _Answer | Broken:
        """Once; where the peer refuses the access's headers, once more with new ones: it has processed nothing."""
        if self._access is None:
            return await self._try(call, {}, read)
        headers = await self._access.headers()
        if isinstance(headers, Broken):
            return replace(headers, processed=False)
        result = await self._try(call, headers, partial(_read_unless_unauthorized, call, read))
        if not isinstance(result, _Unauthorized):
            return result
        self._access.refused(headers)
        headers = await self._access.headers()
        if isinstance(headers, Broken):
            return replace(headers, processed=False)
        result = await self._try(call, headers, partial(_read_unless_unauthorized, call, read))
        return result.broken if isinstance(result, _Unauthorized) else result

    async def _try(
        self, call: Call, headers: Mapping[str, str], read: Callable[[httpx.Response], Awaitable[_Answer]]
    ) -> _Answer | Broken:
        answered = False
        client = self._packets if isinstance(call.body, PacketBody) else self._calls
        request = _request(client, call, headers)
        try:
            response = await client.send(request, stream=True)
            answered = True
            try:
                return await read(response)
            finally:
                await response.aclose()
        except httpx.RequestError as error:
            return Broken(
                reason=_in_words(error),
                processed=_may_be_processed(call, error),
                answered=answered,
                refused=_distrusted(error),
            )
        finally:
            if isinstance(call.body, PacketBody):
                await call.body.aclose()

    def _wait(self, state: RetryCallState) -> float:
        draw = random.random()  # noqa: S311 - spreads load, guards nothing
        return self._retry.delay(state.attempt_number, draw).total_seconds()


@dataclass(frozen=True, slots=True)
class _Unauthorized:
    """The peer answered 401."""

    broken: Broken
    """The same as a result."""


async def _read_unless_unauthorized(
    call: Call, read: Callable[[httpx.Response], Awaitable[_Answer]], response: httpx.Response
) -> _Answer | _Unauthorized:
    """The answer; a 401 means that nothing was done, whatever becomes of the rest of it."""
    if response.status_code != HTTPStatus.UNAUTHORIZED:
        return await read(response)
    if isinstance(call.body, PacketBody):
        call.body.thrown_away()
    said = bytearray()
    with suppress(httpx.RequestError, TimeoutError):
        async with asyncio.timeout(_LAST_WORDS):
            async for chunk in response.aiter_raw(CHUNK):
                said += chunk
                if len(said) >= CHUNK:
                    break
    words = fault_words(bytes(said), response.headers.get("Content-Type", ""))
    reason = f"HTTP 401, a new token is refused too: {words}" if words else "HTTP 401, a new token is refused too"
    return _Unauthorized(Broken(reason=reason, processed=False, answered=True, refused=True))


def tls_context(connection: Connection) -> ssl.SSLContext:
    """How the peer is verified, and what it is shown. Raises OSError or ssl.SSLError if a file cannot be used."""
    context = ssl.create_default_context(cafile=str(connection.tls_ca_file) if connection.tls_ca_file else None)
    if connection.client_certificate is not None:
        context.load_cert_chain(str(connection.client_certificate), str(connection.client_key))
    return context


def _client(proxy: str, tls: ssl.SSLContext, limits: httpx.Limits) -> httpx.AsyncClient:
    """No proxy but the one named, no redirects or cookies; answers are asked for uncompressed and read raw."""
    return httpx.AsyncClient(
        verify=tls,
        limits=limits,
        proxy=proxy or None,
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        headers={"Accept-Encoding": "identity"},
    )


def _request(client: httpx.AsyncClient, call: Call, access: Mapping[str, str]) -> httpx.Request:
    timeouts = call.timeouts
    timeout = httpx.Timeout(connect=timeouts.connect, read=timeouts.read, write=timeouts.write, pool=timeouts.total)
    headers = {**call.headers(), **access}
    if not isinstance(call.body, PacketBody):
        return client.build_request(call.method, call.url, headers=headers, content=call.body, timeout=timeout)
    headers["Content-Length"] = str(call.body.length + len(call.body.trailer))
    return client.build_request(
        call.method,
        call.url,
        headers=headers,
        content=call.body.stream(),
        timeout=timeout,
        extensions={"trace": call.body.trace},
    )


def _in_words(error: httpx.RequestError) -> str:
    """What an operator reads of a broken exchange."""
    words = next((words for kind, words in _WORDS.items() if isinstance(error, kind)), "the exchange broke off")
    return f"{words} ({str(error) or type(error).__name__})"


def _distrusted(error: BaseException | None) -> bool:
    """True if the peer's certificate did not pass, which asking again does not change."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _repeatable(call: Call, broken: Broken) -> bool:
    if broken.refused or (isinstance(call.body, PacketBody) and call.body.touched):
        return False
    match call.repeat:
        case Repeat.UNPROCESSED:
            return not broken.processed
        case Repeat.UNANSWERED:
            return not broken.answered
        case Repeat.ANY_TIME:
            return True


def _may_be_processed(call: Call, error: httpx.RequestError) -> bool:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError):
        return False
    return not isinstance(call.body, PacketBody) or call.body.whole


def _last_result(state: RetryCallState) -> Any:
    return state.outcome.result() if state.outcome else None
