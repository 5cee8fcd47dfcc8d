"""The listener for vendor systems that speak the national SDK: who calls, which operation, always an answer in JSON."""

import asyncio
import ssl
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from aiohttp import web
from structlog.contextvars import bind_contextvars, clear_contextvars

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import VendorId
from gateway.door.answers import DESCRIPTION_LIMIT, DoorCode, Refusal, refusal_of, rendered
from gateway.door.bodies import BrokenBodyError, SlowBodyError
from gateway.door.calls import Answer, Call
from gateway.door.config import HEADER_LIMIT, DoorConfig
from gateway.door.lists import Lists
from gateway.door.packets import BrokenStreamError, Packets
from gateway.door.sending import Sending
from gateway.door.signature import check
from gateway.door.units import Units
from gateway.observability.metrics import Metrics
from gateway.ports import Clock, StatusFeed

_log = structlog.get_logger()

_POST, _EITHER, _GET = frozenset({"POST"}), frozenset({"POST", "GET"}), frozenset({"GET"})
_OTHER = "other"
"""Label of what is no operation."""
_BROKEN = "broken"
"""Outcome of an answer that could not be ended."""
_CLOSING = timedelta(seconds=1)
"""For connections to end once no call is running, or the time for that is over."""
_JSON = "application/json; charset=utf-8"
_CLAIMED = 64
"""Characters of a system id that is logged although nobody proved to be it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """What the door can do."""

    sending: Sending
    packets: Packets
    lists: Lists
    units: Units

    def table(self) -> Mapping[str, tuple[frozenset[str], Callable[[Call], Awaitable[Answer]]]]:
        """Methods and work of each operation, by the last segment of the path (axis.md 3)."""
        return {
            "getAgenciesList": (_POST, self.lists.agencies),
            "getAgenciesListQD20": (_POST, self.lists.agencies_qd20),
            "getSynchronizeUnit": (_POST, self.lists.units),
            "registerAgency": (_POST, self.units.register),
            "deleteAgency": (_POST, self.units.deregister),
            "getReceivedEdocList": (_POST, self.lists.received),
            "getSentEdocList": (_POST, self.lists.sent),
            "sendEdoc": (_POST, self.sending.send),
            "getEdoc": (_POST, self.packets.get),
            "downloadEdoc": (_GET, self.packets.download),
            "updateStatus": (_POST, self.packets.update_status),
            "countReceiveEdoc": (_EITHER, self.lists.count_documents),
            "countReceiveStatus": (_EITHER, self.lists.count_statuses),
        }


class DoorServer:
    """Serves the VXP REST interface, whatever the path before the operation's name."""

    def __init__(
        self, *, config: DoorConfig, operations: Operations, feed: StatusFeed, clock: Clock, metrics: Metrics
    ) -> None:
        self._config = config
        self._operations = operations
        self._table = operations.table()
        self._vendors = {vendor.system_id: vendor for vendor in config.vendors}
        self._feed = feed
        self._clock = clock
        self._metrics = metrics
        self._begun: set[VendorId] = set()
        self._places: dict[VendorId, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(config.calls_of_vendor))
        self._server: _Server | None = None
        self._listening: asyncio.Server | None = None
        self._draining = False
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self) -> int:
        """Listen. The port bound. Raises OSError, ssl.SSLError for unusable files or an address that is taken."""
        self._server = _Server(
            self._answer,
            access_log=None,
            keepalive_timeout=self._config.quiet.total_seconds(),
            max_line_size=HEADER_LIMIT,
            max_field_size=HEADER_LIMIT,
            auto_decompress=False,  # a hash is of bytes as they came; and nobody's kilobyte becomes a gigabyte
            lingering_time=2.0,
        )
        host, _, port = self._config.listen.rpartition(":")
        context = None
        if self._config.tls is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self._config.tls.certificate, self._config.tls.key)
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(self._server, host.strip("[]"), int(port), ssl=context, backlog=128)
        bound: int = self._listening.sockets[0].getsockname()[1]
        _log.info("door.listening", port=bound, tls=context is not None)
        return bound

    async def stop(self, grace: timedelta) -> None:
        """Take no new connections and calls, give running calls `grace` to finish."""
        self._draining = True
        if self._listening is not None and self._server is not None:
            self._listening.close()
            # aiohttp's own shutdown reads nothing more, so uploads would never end.
            with suppress(TimeoutError):
                async with asyncio.timeout(grace.total_seconds()):
                    await self._idle.wait()
            self._server.pre_shutdown()
            await self._server.shutdown(_CLOSING.total_seconds())
        await self._operations.units.stop()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever it is."""
        with self._counted():
            response = await self._written(request)
            if self._draining:
                response.force_close()
            if not response.prepared:
                await response.prepare(request)
                await response.write_eof()
            return response

    async def _written(self, request: web.BaseRequest) -> web.StreamResponse:
        operation = request.path.rstrip("/").rpartition("/")[2]
        label = operation if operation in self._table else _OTHER
        request_id, started, outcome = str(uuid.uuid4()), time.perf_counter(), DoorCode.SYSTEM.value
        clear_contextvars()
        bind_contextvars(request_id=request_id, operation=label)
        try:
            result = await self._result(operation, request, request_id)
            if isinstance(result, web.StreamResponse):
                outcome = DoorCode.OK.value
                return result
            outcome = result.code.value if isinstance(result, Refusal) else DoorCode.OK.value
            return _response(operation, result)
        except BrokenStreamError:
            outcome = _BROKEN
            if request.transport is not None:
                request.transport.abort()  # the only way left to say that this is not the whole answer
            return web.Response()
        except (ConnectionError, BrokenBodyError) as error:
            outcome = _BROKEN
            _log.info("door.broken", error=type(error).__name__, length=request.content_length)
            return _response(operation, _SLOW if isinstance(error, SlowBodyError) else _CUT, close=True)
        finally:
            self._metrics.door_seconds.labels(label, outcome).observe(time.perf_counter() - started)
            _log.debug("door.ended", outcome=outcome)

    async def _result(self, operation: str, request: web.BaseRequest, request_id: str) -> Answer:
        try:
            result = await self._dispatch(operation, request)
        except GatewayError as error:
            _log.info("door.refused", reason=error.code.value, fields=[each.path for each in error.violations][:20])
            return refusal_of(error)
        except (BrokenStreamError, BrokenBodyError, ConnectionError):
            raise
        except Exception:  # noqa: BLE001 - a bug: the trace is logged, the caller learns no more than the id to quote
            _log.exception("door.failed")
            return refusal_of(GatewayError(ErrorCode.INTERNAL, request_id=request_id))
        if isinstance(result, Refusal) and result.code is not DoorCode.BAD_SIGNATURE:  # that one is logged already
            _log.info("door.refused", reason=result.sentence[:DESCRIPTION_LIMIT])
        return result

    async def _dispatch(self, operation: str, request: web.BaseRequest) -> Answer:
        known = self._table.get(operation)
        if known is None:
            return Refusal(code=DoorCode.SYSTEM, sentence="Không có thao tác này", status=404)
        methods, work = known
        if request.method not in methods:
            return Refusal(code=DoorCode.SYSTEM, sentence=f"Phương thức phải là {', '.join(methods)}", status=405)
        if self._draining or (self._server is not None and len(self._server.connections) > self._config.connections):
            return _BUSY
        signed = check(request.raw_headers, self._vendors, now=self._clock.now(), skew=self._config.clock_skew)
        if isinstance(signed, Refusal):
            claimed = request.headers.get("XroadVnpt-systemid", "")[:_CLAIMED]
            _log.warning("door.unsigned", reason=signed.sentence, remote=request.remote, system_id=claimed)
            return signed
        call = Call(request=request, signed=signed)
        bind_contextvars(vendor=call.vendor)
        async with self._place(call.vendor) as got:
            if not got:
                return _BUSY
            await self._begin(call.vendor)
            await _invite(request)
            return await work(call)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a request as running until its answer is written."""
        self._running += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    @asynccontextmanager
    async def _place(self, vendor: VendorId) -> AsyncIterator[bool]:
        """One of the vendor's places; False if none becomes free in time."""
        places = self._places[vendor]
        try:
            async with asyncio.timeout(self._config.patience.total_seconds()):
                await places.acquire()
        except TimeoutError:
            yield False
            return
        try:
            yield True
        finally:
            places.release()

    async def _begin(self, vendor: VendorId) -> None:
        """Statuses count from a vendor system's first call on."""
        if vendor not in self._begun:
            await self._feed.begin(vendor, at=self._clock.now())
            self._begun.add(vendor)


_BUSY = Refusal(
    code=DoorCode.SYSTEM, sentence="Cổng đang bận hoặc đang dừng, hãy gọi lại", retry_after=timedelta(seconds=5)
)
_CUT = Refusal(code=DoorCode.BAD_FILE, sentence="Nội dung yêu cầu bị cắt, quá dài hoặc sai định dạng")
_SLOW = Refusal(
    code=DoorCode.SYSTEM, sentence="Nội dung yêu cầu đến quá chậm, hãy gửi lại", retry_after=timedelta(seconds=5)
)


async def _invite(request: web.BaseRequest) -> None:
    """Answer "Expect: 100-continue", which the SDK sends with its JSON bodies: only now is the body wanted."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _response(operation: str, result: Mapping[str, Any] | Refusal, *, close: bool = False) -> web.Response:
    headers = {"Content-Type": _JSON}
    status = 200
    if isinstance(result, Refusal):
        status = result.status
        if result.retry_after is not None:
            headers["Retry-After"] = str(max(1, round(result.retry_after.total_seconds())))
    response = web.Response(body=rendered(operation, result), status=status, headers=headers)
    if close:
        response.force_close()
    return response


class _Connection(web.RequestHandler):
    """A connection whose trouble below HTTP's surface is told in JSON as well."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's signature
    ) -> web.StreamResponse:
        """What is no HTTP, or has headers beyond the limit."""
        if request.writer.output_size > 0:
            raise ConnectionError
        _log.info("door.not_http", status=status, error=type(exc).__name__)
        refusal = Refusal(code=DoorCode.SYSTEM, sentence="Yêu cầu HTTP không hợp lệ hoặc header quá dài", status=status)
        return _response("sendEdoc", refusal, close=True)


class _Server(web.Server):
    """Makes such connections."""

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)
