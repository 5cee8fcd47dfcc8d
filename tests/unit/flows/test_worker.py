import asyncio
from collections import deque
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from gateway.domain.backoff import Backoff
from gateway.domain.circuit import CircuitRules, Sign
from gateway.domain.dialect import NATIONAL
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import MessageId, OrganId
from gateway.domain.lifecycle import MessageState
from gateway.flows.breaker import Breaker
from gateway.flows.config import AccountPolicy, OnUnknown, OutboundPolicy
from gateway.flows.wakeups import LocalWakeups
from gateway.flows.worker import LEASE_LOST, Worker
from gateway.observability.metrics import Metrics
from gateway.ports import LeasedMessage, OutboxQueue
from tests.fakes.clock import SettableClock
from tests.make import NOW, ROUTE

LONG = timedelta(hours=1)
ACCOUNT = AccountPolicy(
    name=ROUTE,
    local_roots=frozenset(),
    hop=OrganId("H98"),
    packet_limit=1,
    recipients_per_message=1,
    settling_time=LONG,
    dialect=NATIONAL,
    on_unknown=OnUnknown.HOLD,
    circuit=CircuitRules(failures=2, pause=timedelta(seconds=5)),
)


def make_message(name, lease=""):
    return LeasedMessage(
        id=MessageId(name),
        lease=lease or name,
        route=ROUTE,
        state=MessageState.QUEUED,
        attempts=0,
        created_at=NOW,
        first_submitted_at=None,
        settle_after=None,
        document=None,
        objects=(),
        recipients=(),
        report=None,
    )


class QueueOfNames(OutboxQueue):
    """Gives each name out once and notes what is asked of it."""

    def __init__(self, *names):
        self.names = deque(names)
        self.asked = []
        self.renewal = "granted"
        self.renewals = 0
        self.leases = 0
        self.broken_looks = 0
        self.fair = 0
        self.caps = set()
        self.hastened = 0
        self.hastenable = 0

    async def lease(self, owner, *, route, limit, lease_for, at, longest_waiting=False, cap=None):
        assert route == ROUTE
        self.asked.append(limit)
        self.fair += limit if longest_waiting else 0
        self.caps.add(cap)
        if self.broken_looks:
            self.broken_looks -= 1
            raise OSError("disk")
        return tuple(self._next() for _ in range(min(limit, len(self.names))))

    def _next(self):
        self.leases += 1
        name = self.names.popleft()
        return make_message(name, f"{name}{self.leases}")

    async def renew(self, message, *, lease_for, at):
        self.renewals += 1
        if self.renewal == "failing":
            raise GatewayError(ErrorCode.STORE_UNAVAILABLE)
        if self.renewal == "hanging":
            await asyncio.Event().wait()
        return self.renewal == "granted"

    async def abandon(self, owner, *, at):
        raise NotImplementedError

    async def begin_submit(self, message, *, at):
        raise NotImplementedError

    async def settle(self, message, settlement, *, at):
        raise NotImplementedError

    async def divide(self, message, *, reason, at):
        raise NotImplementedError

    async def fail_over(self, route, *, among, at, most=None):
        raise NotImplementedError

    async def is_anothers(self, message, axis_doc_id):
        raise NotImplementedError

    async def hasten(self, route, *, at):
        self.hastened += 1
        batch = min(self.hastenable, 2000)
        self.hastenable -= batch
        return batch

    async def known_axis_ids(self, route, *, since):
        raise NotImplementedError

    async def depth(self, *, at, near):
        raise NotImplementedError

    async def unsettled(self):
        raise NotImplementedError


def make_policy(**overrides):
    values = {
        "backoff": Backoff(first=LONG, factor=1, ceiling=LONG, jitter=0, give_up_after=LONG),
        "lease_for": LONG,
        "concurrency": 2,
        "poll_interval": LONG,
        "drain_grace": LONG,
    }
    return OutboundPolicy(**(values | overrides))


def make_worker(queue, deliver, *, account=ACCOUNT, **policy):
    wakeups, clock = LocalWakeups(), SettableClock()
    breaker = Breaker(
        account=account, outbox=queue, clock=clock, metrics=Metrics(CollectorRegistry()), draw=lambda: 0.0
    )
    worker = Worker(
        owner="w1",
        account=account,
        breaker=breaker,
        outbox=queue,
        deliver=deliver,
        policy=make_policy(**policy),
        clock=clock,
        wakeups=wakeups,
    )
    return worker, wakeups


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the conditions are plain state of the test
            await asyncio.sleep(0.001)


async def test_runs_everything_a_few_at_a_time():
    """All due messages run, never more at once than the policy allows, without waiting for a poll."""
    queue = QueueOfNames(*"abcdefg")
    running, most, done = 0, 0, []

    async def deliver(message):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        done.append(message.id)

    worker, _ = make_worker(queue, deliver, concurrency=3)
    task = asyncio.create_task(worker.run())
    await until(lambda: len(done) == 7)
    worker.stop()
    await asyncio.wait_for(task, 10)
    assert sorted(done) == list("abcdefg")
    assert most == 3


async def test_a_poisoned_message_stops_no_other():
    """One delivery that raises leaves the worker and its neighbours at work."""
    queue, done = QueueOfNames(*"abc"), []

    async def deliver(message):
        if message.id == "a":
            raise ArithmeticError("poison")
        done.append(message.id)

    worker, _ = make_worker(queue, deliver)
    task = asyncio.create_task(worker.run())
    await until(lambda: done == ["b", "c"])
    worker.stop()
    await asyncio.wait_for(task, 10)


async def test_a_broken_store_is_looked_at_again():
    """A failing look at the outbox ends nothing; the next hint looks again."""
    queue, done = QueueOfNames("a"), []
    queue.broken_looks = 1

    async def deliver(message):
        done.append(message.id)

    worker, wakeups = make_worker(queue, deliver)
    task = asyncio.create_task(worker.run())
    await until(lambda: queue.asked)
    wakeups.notify("outbox")
    await until(lambda: done)
    worker.stop()
    await asyncio.wait_for(task, 10)


async def test_a_hint_shortens_the_wait():
    """With an hour between polls, a new message is taken as soon as it is announced."""
    queue, done = QueueOfNames(), []

    async def deliver(message):
        done.append(message.id)

    worker, wakeups = make_worker(queue, deliver)
    task = asyncio.create_task(worker.run())
    await until(lambda: queue.asked)
    queue.names.append("late")
    wakeups.notify("outbox")
    await until(lambda: done == ["late"])
    worker.stop()
    await asyncio.wait_for(task, 10)


async def test_a_long_attempt_keeps_its_lease():
    """The lease is renewed while an attempt runs, for as long as it runs."""
    queue, go, done = QueueOfNames("a"), asyncio.Event(), []

    async def deliver(message):
        await go.wait()
        done.append(message.id)

    worker, _ = make_worker(queue, deliver, lease_for=timedelta(milliseconds=300))
    task = asyncio.create_task(worker.run())
    await until(lambda: queue.renewals == 8)  # longer than it may go on without
    go.set()
    await until(lambda: done)
    worker.stop()
    await asyncio.wait_for(task, 10)


@pytest.mark.parametrize("way", ["refused", "failing", "hanging"])
async def test_an_attempt_without_its_lease_is_ended(way):
    """An attempt whose lease is lost, or cannot be renewed for long, is cancelled as such; the worker goes on."""
    queue, ended = QueueOfNames("a"), []
    queue.renewal = way

    async def deliver(message):
        if message.id == "b":
            ended.append("b")
            return
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as cancelled:
            ended.append(cancelled.args)
            raise

    worker, wakeups = make_worker(queue, deliver, lease_for=timedelta(milliseconds=30))
    task = asyncio.create_task(worker.run())
    await until(lambda: ended)
    assert queue.renewals
    queue.names.append("b")
    wakeups.notify("outbox")
    await until(lambda: ended == [(LEASE_LOST,), "b"])
    worker.stop()
    await asyncio.wait_for(task, 10)


async def test_a_message_leased_again_by_the_same_process_takes_a_second_place():
    """Its first attempt still runs when a message comes back under another lease: a drain waits for both."""
    queue, go, done = QueueOfNames("a", "a"), asyncio.Event(), []

    async def deliver(message):
        await go.wait()
        if message.lease == "a1":
            await asyncio.sleep(0.01)  # ends last
        done.append(message.lease)

    worker, _ = make_worker(queue, deliver)
    task = asyncio.create_task(worker.run())
    await until(lambda: not queue.names)
    worker.stop()
    go.set()
    await asyncio.wait_for(task, 10)
    assert sorted(done) == ["a1", "a2"]


async def test_drain_lets_running_attempts_end():
    """After stop nothing new is leased, what runs ends in peace, then run returns."""
    queue, go, done = QueueOfNames(*"abc"), asyncio.Event(), []

    async def deliver(message):
        await go.wait()
        done.append(message.id)

    worker, _ = make_worker(queue, deliver)
    task = asyncio.create_task(worker.run())
    await until(lambda: not queue.names or len(queue.names) == 1)
    worker.stop()
    go.set()
    await asyncio.wait_for(task, 10)
    assert sorted(done) == ["a", "b"]
    assert list(queue.names) == ["c"]


async def test_attempts_past_the_grace_are_cancelled():
    """What does not end within the grace is cancelled, and run waits until it has dealt with that."""
    queue, interrupted = QueueOfNames("a"), []

    async def deliver(message):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0.001)
            interrupted.append(message.id)
            raise

    worker, _ = make_worker(queue, deliver, drain_grace=timedelta(milliseconds=1))
    task = asyncio.create_task(worker.run())
    await until(lambda: not queue.names)
    worker.stop()
    await asyncio.wait_for(task, 10)
    assert interrupted == ["a"]


async def test_some_places_go_by_waiting_time():
    """Of 40 places given one or a few at a time, ten were asked for by waiting time; the account's cap goes along."""
    queue, done = QueueOfNames(*(f"m{n}" for n in range(40))), []

    async def deliver(message):
        done.append(message.id)

    worker, _ = make_worker(queue, deliver, account=replace(ACCOUNT, max_in_flight=7), concurrency=3)
    task = asyncio.create_task(worker.run())
    await until(lambda: len(done) == 40)
    worker.stop()
    await asyncio.wait_for(task, 10)
    assert 10 <= queue.fair <= 11
    assert queue.caps == {7}


async def test_an_open_circuit_leases_nothing_then_one_probe():
    """While the peer is down nothing is leased; after the pause one message goes alone; its success lets all go."""
    queue, done, go = QueueOfNames(*"abcdef"), [], asyncio.Event()
    queue.hastenable = 2500

    async def deliver(message):
        if message.id == "c":
            await go.wait()
        breaker.heard(Sign.DOWN if message.id in "ab" else Sign.ALIVE)
        done.append(message.id)

    worker, wakeups = make_worker(queue, deliver)
    breaker, clock = worker._breaker, worker._clock
    task = asyncio.create_task(worker.run())
    await until(lambda: done == ["a", "b"])
    looks = len(queue.asked)
    for _ in range(3):
        wakeups.notify("outbox")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert len(queue.asked) == looks
    clock.advance(ACCOUNT.circuit.pause)
    wakeups.notify("outbox")
    await until(lambda: len(queue.names) == 3)
    wakeups.notify("outbox")
    await asyncio.sleep(0.01)
    assert (done, queue.hastened) == (["a", "b"], 0)
    go.set()
    await until(lambda: len(done) == 6)
    wakeups.notify("outbox")
    await until(lambda: queue.hastened == 2)
    worker.stop()
    await asyncio.wait_for(task, 10)
    assert queue.hastenable == 0


async def test_a_probe_that_ends_without_news_makes_room_for_another():
    """A probe that breaks says nothing of the peer: the next message is tried, and the circuit does not stick."""
    queue, tried = QueueOfNames(*"abcd"), []

    async def deliver(message):
        tried.append(message.id)
        if message.id in "ab":
            breaker.heard(Sign.DOWN)
        if message.id == "c":
            raise ArithmeticError("poison")

    worker, wakeups = make_worker(queue, deliver)
    breaker = worker._breaker
    task = asyncio.create_task(worker.run())
    await until(lambda: len(tried) == 2)
    worker._clock.advance(ACCOUNT.circuit.pause)
    wakeups.notify("outbox")
    await until(lambda: tried == ["a", "b", "c", "d"])
    worker.stop()
    await asyncio.wait_for(task, 10)
