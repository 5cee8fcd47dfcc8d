import asyncio
from datetime import timedelta

from gateway.flows.wakeups import LocalWakeups

LONG = timedelta(seconds=30)


async def test_all_waiters_of_a_topic_wake():
    """One hint wakes everyone who waits for its topic, and nobody else."""
    wakeups = LocalWakeups()
    events = [asyncio.create_task(wakeups.wait("events", at_most=LONG)) for _ in range(3)]
    inbox = asyncio.create_task(wakeups.wait("inbox", at_most=LONG))
    await asyncio.sleep(0)
    wakeups.notify("events")
    await asyncio.wait_for(asyncio.gather(*events), 5)
    assert not inbox.done()
    inbox.cancel()
    await asyncio.wait([inbox])
    assert inbox.cancelled()


async def test_the_time_ends_a_wait():
    """Without a hint the wait ends by itself, and leaves nothing behind."""
    wakeups = LocalWakeups()
    await asyncio.wait_for(wakeups.wait("outbox", at_most=timedelta(milliseconds=1)), 5)
    wakeups.notify("outbox")
    assert not wakeups._waiting
