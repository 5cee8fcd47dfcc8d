"""One HTTP exchange with a peer: TLS, time-outs, limits, and tenacity around what may be repeated.

A request may be repeated within seconds while it cannot have been processed (no connection, no TLS, body untouched);
a repeatable one also after that. Everything longer is the outbox's.
"""

import asyncio
import random
import select
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, TypeVar

import httpcore
import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_before_delay

from gateway.domain.backoff import Backoff
from gateway.domain.errors import ErrorCode, GatewayError

_Answer = TypeVar("_Answer")

CHUNK = 64 * 1024
"""Bytes in which answers are read."""

_LAST_LOOK = 0.05
"""Seconds between a packet's last byte and the look whether the peer is still there. Port forwarders accept and then
drop connections of a dead backend within a round trip; without the look each such attempt would be uncertain."""


_WORDS: Mapping[type[httpx.RequestError], str] = {
    httpx.ConnectTimeout: "no connection in time",
    httpx.ConnectError: "no connection",
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


@dataclass(slots=True, kw_only=True)
class PacketBody:
    """A one-shot stream as a body of known length, which knows how much of it has left; not repeatable once touched."""

    chunks: AsyncIterator[bytes]
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

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Receives httpcore's trace: remembers the connection the body leaves by."""
        if event == "connection.connect_tcp.complete":
            self._stream = info["return_value"]

    async def stream(self) -> AsyncIterator[bytes]:
        """The body. Raises GatewayError SIZE_MISMATCH if the chunks are not as long as declared."""
        self.touched = True
        sent = 0
        async for chunk in self.chunks:
            sent += len(chunk)
            if sent > self.length:
                break
            yield chunk
        if sent != self.length:
            raise GatewayError(ErrorCode.SIZE_MISMATCH, declared=self.length, received=sent)
        if self.looks_back:
            await asyncio.sleep(_LAST_LOOK)
        if self._hung_up():
            # httpcore takes a WriteError as "stop sending and read what the peer may have said"
            raise httpcore.WriteError("the peer closed the connection before the packet was whole")
        self.whole = True
        yield self.trailer

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

    def __init__(self, *, tls_ca_file: Path | None, concurrency: int, retry: Backoff) -> None:
        """Trust `tls_ca_file` alone, or the system's CAs; hold up to `concurrency` connections for packets and calls.

        Raises OSError or ssl.SSLError if the CA file cannot be read.
        """
        self._retry = retry
        context = ssl.create_default_context(cafile=str(tls_ca_file) if tls_ca_file else None)
        self._calls = _client(context, httpx.Limits(max_connections=concurrency))
        self._packets = _client(context, httpx.Limits(max_connections=concurrency, max_keepalive_connections=0))

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
        """Close all connections."""
        await self._calls.aclose()
        await self._packets.aclose()

    async def _attempt(self, call: Call, read: Callable[[httpx.Response], Awaitable[_Answer]]) -> _Answer | Broken:
        answered = False
        client = self._packets if isinstance(call.body, PacketBody) else self._calls
        request = _request(client, call)
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
            )

    def _wait(self, state: RetryCallState) -> float:
        draw = random.random()  # noqa: S311 - spreads load, guards nothing
        return self._retry.delay(state.attempt_number, draw).total_seconds()


def _client(context: ssl.SSLContext, limits: httpx.Limits) -> httpx.AsyncClient:
    """No proxies, redirects or cookies; answers are asked for uncompressed and read raw, so nothing is inflated."""
    return httpx.AsyncClient(
        verify=context,
        limits=limits,
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        headers={"Accept-Encoding": "identity"},
    )


def _request(client: httpx.AsyncClient, call: Call) -> httpx.Request:
    timeouts = call.timeouts
    timeout = httpx.Timeout(connect=timeouts.connect, read=timeouts.read, write=timeouts.write, pool=timeouts.total)
    headers = dict(call.headers())
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


def _repeatable(call: Call, broken: Broken) -> bool:
    if isinstance(call.body, PacketBody) and call.body.touched:
        return False
    match call.repeat:
        case Repeat.UNPROCESSED:
            return not broken.processed
        case Repeat.UNANSWERED:
            return not broken.answered
        case Repeat.ANY_TIME:
            return True


def _may_be_processed(call: Call, error: httpx.RequestError) -> bool:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return False
    return not isinstance(call.body, PacketBody) or call.body.whole


def _last_result(state: RetryCallState) -> Any:
    return state.outcome.result() if state.outcome else None
