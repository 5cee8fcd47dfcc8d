"""WatchEvents over real TLS and the real store: every watcher gets everything, reconnects lose and repeat nothing."""

import asyncio
from datetime import timedelta

import grpc
import pytest

from gateway.domain.ids import VendorId
from gateway.pb.lgsp.gateway.v1 import document_pb2
from gateway.pb.lgsp.gateway.v1 import document_service_pb2 as pb
from gateway.ports import EventLog, EventPage, LogHead
from tests.fakes.rpc_world import UNCLAIMED, UNIT, A, B, first_of, refusal, running
from tests.make import RECIPIENT, make_document, make_organization


@pytest.fixture
async def world(tmp_path):
    async with running(tmp_path) as world:
        yield world


async def _events(stream, count, *, within=10):
    """The next events, heartbeats left out, and the last token."""
    found, token = [], ""
    async with asyncio.timeout(within):
        while len(found) < count:
            response = await anext(stream)
            token = response.resume_token
            if response.HasField("event"):
                assert response.event.token == token
                found.append(response.event)
    return found, token


async def _watch(world, vendor=A, **request):
    """A stream that has begun: its first heartbeat has come."""
    stream = aiter(world.documents(vendor).WatchEvents(pb.WatchEventsRequest(**request)))
    hello = (await first_of(stream, 1))[0]
    assert not hello.HasField("event")
    assert hello.resume_token
    return stream, hello.resume_token


async def test_two_watchers_each_get_everything(world):
    """Watching takes nothing away from another watcher of the same vendor system."""
    one, _ = await _watch(world)
    two, _ = await _watch(world)
    names = [await world.accept() for _ in range(5)]
    for stream in (one, two):
        events, _ = await _events(stream, 5)
        assert [event.document for event in events] == names
        assert {event.delivery.state for event in events} == {document_pb2.DELIVERY_STATE_QUEUED}


async def test_without_a_token_the_stream_begins_now(world):
    """What happened before is not shown, what happens from the first heartbeat on is."""
    await world.accept()
    stream, _ = await _watch(world)
    name = await world.accept()
    events, _ = await _events(stream, 1)
    assert [event.document for event in events] == [name]


async def test_from_beginning_shows_all_kept_events(world):
    """from_beginning without a token starts at the oldest kept event."""
    names = [await world.accept() for _ in range(3)]
    stream, _ = await _watch(world, from_beginning=True)
    events, _ = await _events(stream, 3)
    assert [event.document for event in events] == names


async def test_the_first_heartbeat_is_a_place_to_come_back_to(world):
    """A client cut off before any event resumes from the first heartbeat and misses nothing."""
    _, token = await _watch(world)
    name = await world.accept()
    again, _ = await _watch(world, resume_token=token)
    events, _ = await _events(again, 1)
    assert [event.document for event in events] == [name]


@pytest.mark.parametrize("step", [1, 2, 3, 7])
async def test_reconnecting_loses_and_repeats_nothing(world, step):
    """Cut after every few events, by the token of the last one seen, the pieces make the whole, while events go on."""
    names = [await world.accept() for _ in range(8)]
    _, token = await _watch(world, from_beginning=True)
    seen = []
    while len(seen) < 14:
        stream, _ = await _watch(world, resume_token=token)
        if len(names) < 14:
            names.append(await world.accept())
        events, token = await _events(stream, min(step, len(names) - len(seen)))
        seen += [event.document for event in events]
    assert seen == names


async def test_events_go_to_those_who_may_act_only(world):
    """A vendor system sees events of its own agencies; foreign ones still move its heartbeat's token on."""
    foreign, _ = await _watch(world, B)
    own, _ = await _watch(world, A)
    await world.accept()
    await _events(own, 1)
    theirs = await world.accept(make_document(sender=make_organization(RECIPIENT)), vendor=B)
    events, _ = await _events(foreign, 1)
    assert [event.document for event in events] == [theirs]


async def test_an_agency_narrows_the_stream_to_its_subtree(world):
    """Named with an agency, the stream shows that agency and the units below it."""
    stream, _ = await _watch(world, agency=UNIT)
    await world.accept()
    below = await world.accept(make_document(sender=make_organization(UNIT)))
    events, _ = await _events(stream, 1)
    assert [(event.document, event.agency) for event in events] == [(below, UNIT)]


async def test_heartbeats_come_at_the_wished_pace_and_can_be_resumed(world):
    """With an interval of a second a silent stream beats, and a beat's token leads to the next event."""
    stream, first = await _watch(world, heartbeat_interval={"seconds": 1})
    beat = (await first_of(stream, 1, within=5))[0]
    assert not beat.HasField("event")
    assert beat.resume_token == first
    name = await world.accept()
    again, _ = await _watch(world, resume_token=beat.resume_token)
    assert [event.document for event in (await _events(again, 1))[0]] == [name]


async def test_polling_finds_what_no_hint_told(world):
    """Events that another process stored are found without any hint."""
    stream, _ = await _watch(world)
    notify, world.wakeups.notify = world.wakeups.notify, lambda topic: None
    name = await world.accept()
    events, _ = await _events(stream, 1)
    world.wakeups.notify = notify
    assert [event.document for event in events] == [name]


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (pb.WatchEventsRequest(resume_token="made up"), "resume_token"),
        (pb.WatchEventsRequest(heartbeat_interval={"nanos": 1}), "heartbeat_interval"),
        (pb.WatchEventsRequest(heartbeat_interval={"seconds": 31}), "heartbeat_interval"),
    ],
)
async def test_malformed_requests_are_refused(world, request_, path):
    """What was never a token, and intervals outside the limits, are INVALID_FIELD with the path."""
    told = await refusal(first_of(aiter(world.documents().WatchEvents(request_)), 1))
    assert (told.reason, set(told.violations)) == ("INVALID_FIELD", {path})


async def test_a_drain_ends_streams_so_that_clients_come_back(world):
    """At a stop every stream ends with UNAVAILABLE, SHUTTING_DOWN and a delay, not with a cut."""
    stream, _ = await _watch(world)
    stopping = asyncio.create_task(world.server.stop(timedelta(seconds=20)))
    told = await refusal(_events(stream, 1))
    async with asyncio.timeout(10):
        await stopping
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert told.retry_seconds


class _CutLog(EventLog):
    """A log whose beginning is removed between a watcher's looks."""

    def __init__(self) -> None:
        self.first, self.last = 0, 0

    async def head(self) -> LogHead:
        return LogHead(epoch="e", first=self.first, last=self.last)

    async def read(self, vendor: VendorId, *, under, after: int, limit: int) -> EventPage:
        return EventPage(events=(), up_to=self.last)


async def test_a_watcher_that_the_log_left_behind_is_told(tmp_path):
    """Events removed before a slow watcher read them end its stream with CURSOR_EXPIRED instead of a silent gap."""
    log = _CutLog()
    async with running(tmp_path, parts={"events": log}) as world:
        stream, _ = await _watch(world)
        log.first, log.last = 50, 60
        world.wakeups.notify("events")
        told = await refusal(_events(stream, 1))
        assert (told.code, told.reason) == (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED")


async def test_unclaimed_recipients_have_events_too(world):
    """Each recipient of a document has its own event, under the document's one name."""
    stream, _ = await _watch(world)
    to = (make_organization(RECIPIENT), make_organization(UNCLAIMED))
    name = await world.accept(make_document(to=to))
    events, _ = await _events(stream, 2)
    assert {(event.document, event.recipient) for event in events} == {(name, RECIPIENT), (name, UNCLAIMED)}
