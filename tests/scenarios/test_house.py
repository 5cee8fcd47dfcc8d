import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gateway.domain.ids import OrganId
from gateway.domain.lifecycle import DeliveryState, MessageState
from gateway.domain.outcome import Unavailable
from gateway.domain.routing import LOCAL
from gateway.flows.worker import Worker
from tests.make import NOW, ROUTE
from tests.scenarios.world import (
    MINUTE,
    OURS,
    OUTBOUND,
    THEIRS,
    VENDOR,
    World,
    make_letter,
    run_until_idle,
    store_bytes,
    stored_keys,
    submit,
)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the conditions are plain state of the test
            await asyncio.sleep(0.005)


def make_worker(gateway, **policy):
    return Worker(
        account=gateway.outbound._accounts[ROUTE].policy,
        breaker=gateway.breaker,
        owner="w",
        outbox=gateway.outbox,
        deliver=gateway.outbound.deliver,
        policy=replace(OUTBOUND, **policy),
        clock=gateway.clock,
        wakeups=gateway.outbound._wakeups,
    )


async def test_the_directory_is_loaded_and_kept(world):
    """The first synchronisation makes it ready; without the axis the stored directory still does, at the next start."""
    async with world.gateway(ready=False) as gateway:
        assert not gateway.directory.loaded
        world.axis.down = True
        assert not await gateway.directory.sync()
        assert not gateway.directory.loaded
        world.axis.down = False
        assert await gateway.directory.sync()
        assert gateway.directory.loaded
    world.axis.down, world.serves = True, (OrganId("H98"), OrganId("H99"))
    async with world.gateway(ready=False) as gateway:
        assert not await gateway.directory.sync()
        assert gateway.directory.loaded
        theirs = (await gateway.store.directory.resolve([THEIRS]))[THEIRS]
        assert await gateway.store.directory.served([theirs.id]) == {theirs.id: VENDOR}


async def test_a_known_directory_serves_while_the_axis_hangs(world):
    """A restarted gateway has its mandates, by the settings of now, before the axis answers anything."""
    async with world.gateway():
        pass
    world.serves = (OrganId("H98"), OrganId("H99"))

    async def hang():
        await asyncio.Event().wait()

    world.axis.agencies = hang
    async with world.gateway(ready=False) as gateway:
        task = asyncio.create_task(gateway.directory.sync())
        await until(lambda: gateway.directory.loaded)
        theirs = (await gateway.store.directory.resolve([THEIRS]))[THEIRS]
        assert await gateway.store.directory.served([theirs.id]) == {theirs.id: VENDOR}
        task.cancel()
        await asyncio.wait([task])


async def test_an_empty_directory_closes_nobody(world):
    """An empty list from the axis is taken for the error it is."""
    async with world.gateway() as gateway:
        world.axis.rows = ()
        assert not await gateway.directory.sync()
        assert (await gateway.store.directory.resolve([OURS]))[OURS].active


async def test_the_directory_is_synchronised_until_stop(world):
    """The loop begins at once, goes on after an exception, and ends when told."""
    async with world.gateway(ready=False) as gateway:
        gateway.directory._periodic._after_failure = timedelta(milliseconds=1)
        agencies, calls = world.axis.agencies, 0

        async def break_first():
            nonlocal calls
            calls += 1
            if calls == 1:
                raise ArithmeticError("bug")
            return await agencies()

        world.axis.agencies = break_first
        task = asyncio.create_task(gateway.directory.run())
        await until(lambda: gateway.directory.loaded)
        gateway.directory.stop()
        await asyncio.wait_for(task, 10)


async def test_gauges_show_the_queue(world):
    """Depth by state, the age of what is overdue, and zeros where there is nothing."""
    async with world.gateway() as gateway:
        await submit(gateway, make_letter())
        world.clock.advance(timedelta(seconds=90))
        await gateway.upkeep.measure()
        read = gateway.metrics.registry.get_sample_value
        assert read("lgsp_outbox_messages", {"state": MessageState.QUEUED}) == 1
        assert read("lgsp_outbox_messages", {"state": MessageState.HELD}) == 0
        assert read("lgsp_outbox_oldest_due_seconds") == 90
        await run_until_idle(gateway)
        await gateway.upkeep.measure()
        assert read("lgsp_outbox_messages", {"state": MessageState.QUEUED}) == 0
        assert read("lgsp_outbox_oldest_due_seconds") == 0


async def test_messages_of_a_removed_account_are_told(world):
    """What waits for an account that the settings no longer have is counted and named in the log; else nothing is."""
    async with world.gateway() as gateway:
        await submit(gateway, make_letter())
        read = gateway.metrics.registry.get_sample_value
        with capture_logs() as lines:
            assert await gateway.upkeep.count_stranded() == 0
        assert (read("lgsp_outbox_stranded"), lines) == (0, [])
        gateway.upkeep._routes = {LOCAL}
        with capture_logs() as lines:
            assert await gateway.upkeep.count_stranded() == 1
        (line,) = lines
        assert (line["event"], line["account"], line["messages"]) == ("outbox.account_missing", ROUTE, 1)
        assert read("lgsp_outbox_stranded") == 1
        gateway.upkeep._routes = {ROUTE}
        await run_until_idle(gateway)
        assert (await gateway.upkeep.count_stranded(), read("lgsp_outbox_stranded")) == (0, 0)


async def test_rubbish_is_removed_and_nothing_else(world):
    """Expired uploads and orphans go, a document's bytes stay."""
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        kept = await stored_keys(gateway)
        expired = await store_bytes(gateway.blobs, b"never used")
        await gateway.store.blobs.register_upload(VENDOR, expired, expires_at=NOW + MINUTE)
        await store_bytes(gateway.blobs, b"orphan")
        assert await gateway.upkeep.sweep() == 0
        world.clock.advance(timedelta(days=3650))
        assert await gateway.upkeep.sweep() == 1
        assert await gateway.upkeep.collect_orphans() == 1
        assert await stored_keys(gateway) == kept
        assert (await gateway.store.documents.attachment(result.sent.uid, 0)).key in kept


async def test_upkeep_goes_on_after_a_failure(world):
    """A store that cannot be measured does not keep rubbish from being removed; stop ends both."""
    async with world.gateway() as gateway:
        await store_bytes(gateway.blobs, b"orphan")
        world.clock.advance(timedelta(days=3650))

        class Failing:
            async def depth(self, *, at, near):
                raise OSError("disk")

        gateway.upkeep._outbox = Failing()
        task = asyncio.create_task(gateway.upkeep.run())
        await until(lambda: not list((world.folder / "blobs").glob("*/*")))
        gateway.upkeep.stop()
        await asyncio.wait_for(task, 10)


async def test_the_object_store_is_not_walked_at_every_cleaning(world):
    """Cleaning looks at rows only: listing every object is as rare as what it looks for, whatever the store holds."""
    async with world.gateway() as gateway:
        listed = 0
        keys = gateway.blobs.keys

        def count_listings(**wanted):
            nonlocal listed
            listed += 1
            return keys(**wanted)

        gateway.upkeep._blobs.keys = count_listings
        swept, sweep = 0, gateway.upkeep._blob_index.sweep

        async def count_sweeps(**wanted):
            nonlocal swept
            swept += 1
            return await sweep(**wanted)

        gateway.upkeep._blob_index.sweep = count_sweeps
        gateway.upkeep._policy = replace(gateway.upkeep._policy, clean_interval=timedelta(milliseconds=1))
        task = asyncio.create_task(gateway.upkeep.run())
        await until(lambda: swept >= 5)
        gateway.upkeep.stop()
        await asyncio.wait_for(task, 10)
    assert listed == 1


async def test_the_worker_sends_what_is_submitted(world):
    """Submission wakes the worker: with an hour between polls everything goes out, then it stops in peace."""
    async with world.gateway() as gateway:
        worker = make_worker(gateway, poll_interval=timedelta(hours=1))
        task = asyncio.create_task(worker.run())
        for _ in range(5):
            await submit(gateway, make_letter())
        await until(lambda: len(world.axis.taken) == 5)
        worker.stop()
        await asyncio.wait_for(task, 10)


async def test_a_stop_while_sending_is_asked_about_later(world):
    """Cut off in mid-submission the message stays unknown: the next process asks, finds it, and sends nothing twice."""
    sending, never = asyncio.Event(), asyncio.Event()
    submit_once = world.axis.submit

    async def take_and_hang(sealed, body):
        await submit_once(sealed, body)
        sending.set()
        await never.wait()

    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        world.axis.submit = take_and_hang
        worker = make_worker(gateway, drain_grace=timedelta(0))
        task = asyncio.create_task(worker.run())
        await asyncio.wait_for(sending.wait(), 10)
        worker.stop()
        await asyncio.wait_for(task, 10)
    world.axis.submit = submit_once
    world.clock.advance(2 * MINUTE)
    async with world.gateway() as gateway:
        await run_until_idle(gateway)
        sent = await gateway.store.documents.get(result.sent.uid)
    assert {d.state for d in sent.deliveries} == {DeliveryState.SENT}
    assert (world.axis.attempts, len(world.axis.taken)) == (1, 1)


async def test_a_stop_before_sending_costs_no_attempt(world):
    """Cut off while the packet is being sealed nothing left: it is due again at once, and no attempt is counted."""
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        sealing = asyncio.Event()

        class Slow:
            async def mistakable(self, *_):
                return frozenset()

            def draft_document(self, *_, **__):
                return None

            async def seal(self, draft):
                sealing.set()
                await asyncio.Event().wait()

        account = gateway.outbound._accounts[ROUTE]
        gateway.outbound._accounts[ROUTE] = replace(account, translator=Slow())
        worker = make_worker(gateway, drain_grace=timedelta(0))
        task = asyncio.create_task(worker.run())
        await asyncio.wait_for(sealing.wait(), 10)
        worker.stop()
        await asyncio.wait_for(task, 10)
        gateway.outbound._accounts[ROUTE] = account
        assert await gateway.send_due() == 1
        sent = await gateway.store.documents.get(result.sent.uid)
    assert {(d.state, d.attempts) for d in sent.deliveries} == {(DeliveryState.SENT, 1)}


async def test_the_poller_runs_until_stop(world):
    """The loop polls at once, goes on after an exception, and ends when told."""
    async with world.gateway() as gateway:
        gateway.poller._policy = replace(gateway.poller._policy, poll_interval=timedelta(milliseconds=1))
        for periodic in gateway.poller._periodics:
            periodic._after_failure = timedelta(milliseconds=1)
        polls = 0

        async def break_first(kind):
            nonlocal polls
            polls += 1
            if polls == 1:
                raise ArithmeticError("bug")
            return Unavailable(reason="down")

        world.axis.waiting = break_first
        task = asyncio.create_task(gateway.poller.run())
        await until(lambda: polls > 3)
        gateway.poller.stop()
        await asyncio.wait_for(task, 10)


async def test_the_poller_waits_for_a_directory(world):
    """Without a directory nothing is polled: every packet would be for nobody here. With one the poller begins."""
    polls = 0
    waiting = world.axis.waiting

    async def count(kind):
        nonlocal polls
        polls += 1
        return await waiting(kind)

    world.axis.waiting = count
    async with world.gateway(ready=False) as gateway:
        gateway.poller._policy = replace(gateway.poller._policy, poll_interval=timedelta(milliseconds=1))
        task = asyncio.create_task(gateway.poller.run())
        looks = 0
        ready = gateway.poller._ready

        def look():
            nonlocal looks
            looks += 1
            return ready()

        gateway.poller._ready = look
        await until(lambda: looks > 3)
        assert polls == 0
        await gateway.directory.sync()
        await until(lambda: polls > 1)
        gateway.poller.stop()
        await asyncio.wait_for(task, 10)
