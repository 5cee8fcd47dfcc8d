import asyncio
from collections import deque
from datetime import timedelta

import pytest

from gateway.domain.backoff import Backoff
from gateway.domain.ids import MessageId
from gateway.domain.lifecycle import MessageState
from gateway.flows.config import OutboundPolicy
from gateway.flows.wakeups import LocalWakeups
from gateway.flows.worker import Worker
from gateway.ports import LeasedMessage, OutboxQueue
from tests.fakes.clock import SettableClock
from tests.make import NOW, ROUTE

LONG = timedelta(hours=1)


def make_message(name):
    return LeasedMessage(
        id=MessageId(name),
        lease=name,
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
        self.renewed = asyncio.Event()
        self.lose_leases = False
        self.broken_looks = 0

    async def lease(self, owner, *, limit, lease_for, at):
        self.asked.append(limit)
        if self.broken_looks:
            self.broken_looks -= 1
            raise OSError("disk")
        return tuple(make_message(self.names.popleft()) for _ in range(min(limit, len(self.names))))

    async def renew(self, message, *, lease_for, at):
        self.renewed.set()
        return not self.lose_leases

    async def begin_submit(self, message, *, at):
        raise NotImplementedError

    async def settle(self, message, settlement, *, at):
        raise NotImplementedError

    async def known_axis_ids(self, route, *, since):
        raise NotImplementedError

    async def depth(self, *, at):
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


def make_worker(queue, deliver, **policy):
    wakeups = LocalWakeups()
    worker = Worker(
        owner="w1",
        outbox=queue,
        deliver=deliver,
        policy=make_policy(**policy),
        clock=SettableClock(),
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


@pytest.mark.parametrize("lost", [False, True])
async def test_a_long_attempt_keeps_its_lease(lost):
    """The lease is renewed while an attempt runs; a lost one does not break the attempt, whose end is refused."""
    queue, go, done = QueueOfNames("a"), asyncio.Event(), []
    queue.lose_leases = lost

    async def deliver(message):
        await go.wait()
        done.append(message.id)

    worker, _ = make_worker(queue, deliver, lease_for=timedelta(milliseconds=3))
    task = asyncio.create_task(worker.run())
    await asyncio.wait_for(queue.renewed.wait(), 10)
    go.set()
    await until(lambda: done)
    worker.stop()
    await asyncio.wait_for(task, 10)


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
