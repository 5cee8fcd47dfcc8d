"""WatchEvents: the status log as a stream that can be resumed anywhere, nothing lost and nothing repeated."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.pb.lgsp.gateway.v1 import document_service_pb2 as pb
from gateway.ports import EventLog
from gateway.rpc.convert.events import event_out
from gateway.rpc.convert.form import Form
from gateway.rpc.identity import Callers, Context
from gateway.rpc.pauses import EVENTS, Pauses
from gateway.rpc.tokens import Cursor, resume_after

HEARTBEAT = timedelta(seconds=30)
"""Longest silence of a stream."""

_SHORTEST_HEARTBEAT = timedelta(seconds=1)
_PAGE = 100


class EventStreams:
    """Every watcher reads the log for itself; only its position tells it from another."""

    def __init__(self, *, callers: Callers, events: EventLog, pauses: Pauses) -> None:
        self._callers = callers
        self._events = events
        self._pauses = pauses

    async def watch(self, request: pb.WatchEventsRequest, context: Context) -> AsyncIterator[pb.WatchEventsResponse]:
        """First a heartbeat, whose token says from where; then events as they come, heartbeats in between.

        Raises GatewayError INVALID_FIELD, AGENCY_NOT_PERMITTED, CURSOR_EXPIRED (also in mid-stream, when the log is cut
        faster than the watcher reads), SHUTTING_DOWN.
        """
        form = Form()
        interval = form.span(
            "heartbeat_interval",
            request.heartbeat_interval,
            default=HEARTBEAT,
            lowest=_SHORTEST_HEARTBEAT,
            highest=HEARTBEAT,
        )
        form.check()
        vendor, under = await self._callers.acting_if_named(context, request.agency)
        cursor = await self._start(request)
        yield _heartbeat(cursor)
        loop = asyncio.get_running_loop()
        due = loop.time() + interval.total_seconds()
        while True:
            left = timedelta(seconds=max(due - loop.time(), 0))
            async with self._pauses.listening(EVENTS, at_most=left) as news:
                page = await self._events.read(vendor, under=under, after=cursor.position, limit=_PAGE)
                if page.up_to > cursor.position:
                    await self._check_unbroken(cursor)
                for event in page.events:
                    token = Cursor(epoch=cursor.epoch, position=event.position).token()
                    yield pb.WatchEventsResponse(event=event_out(event, token=token), resume_token=token)
                    due = loop.time() + interval.total_seconds()
                if page.up_to == cursor.position:
                    await news
                cursor = Cursor(epoch=cursor.epoch, position=page.up_to)
            if loop.time() >= due:
                yield _heartbeat(cursor)
                due = loop.time() + interval.total_seconds()

    async def _start(self, request: pb.WatchEventsRequest) -> Cursor:
        head = await self._events.head()
        if request.resume_token:
            return Cursor(epoch=head.epoch, position=resume_after(request.resume_token, head))
        return Cursor(epoch=head.epoch, position=head.first if request.from_beginning else head.last)

    async def _check_unbroken(self, cursor: Cursor) -> None:
        head = await self._events.head()
        if head.first > cursor.position:
            raise GatewayError(ErrorCode.CURSOR_EXPIRED)


def _heartbeat(cursor: Cursor) -> pb.WatchEventsResponse:
    return pb.WatchEventsResponse(resume_token=cursor.token())
