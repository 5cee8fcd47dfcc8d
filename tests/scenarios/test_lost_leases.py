"""A replica that is frozen, or cut off from the store, while another one takes its messages over."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.lifecycle import DeliveryState
from gateway.flows.worker import LEASE_LOST
from tests.make import ROUTE, make_organization
from tests.scenarios.world import LEASE, OUTBOUND, SETTLING, THEIRS, World, make_letter, submit

TICK = timedelta(seconds=1)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def send(gateway):
    """A letter to one of theirs, as accepted."""
    return (await submit(gateway, make_letter(to=(make_organization(THEIRS),)))).sent


async def lease(gateway, owner):
    (message,) = await gateway.outbox.lease(owner, route=ROUTE, limit=1, lease_for=LEASE, at=gateway.clock.now())
    return message


async def state_of(gateway, sent):
    (delivery,) = (await gateway.store.documents.get(sent.uid)).deliveries
    return delivery.state


@pytest.mark.parametrize("way", ["frozen", "cut off"])
async def test_a_replica_without_its_lease_stops_sending(world, way):
    """One sends slowly and loses its lease, another asks and sends again: the axis has the letter once."""
    world.outbound = replace(OUTBOUND, lease_for=timedelta(seconds=0.3))
    async with world.gateway() as gateway:
        sent = await send(gateway)
        submit_now, renew = world.axis.submit, gateway.outbox.renew
        started, broken_off, thawed = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def submit_slowly(sealed, body):
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                broken_off.set()
            raise AssertionError(sealed, body)

        async def renew_late(*args, **kwargs):
            await thawed.wait()
            if way == "cut off":
                raise GatewayError(ErrorCode.STORE_UNAVAILABLE)
            return await renew(*args, **kwargs)

        world.axis.submit, gateway.outbox.renew = submit_slowly, renew_late
        first = asyncio.create_task(gateway.worker.run())
        await asyncio.wait_for(started.wait(), 10)
        gateway.worker.stop()
        world.axis.submit = submit_now
        world.clock.advance(LEASE + TICK)
        await gateway.outbound.deliver(await lease(gateway, "other"))  # asks: nothing there yet
        thawed.set()
        await asyncio.wait_for(broken_off.wait(), 10)
        await asyncio.wait_for(first, 10)
        world.clock.advance(SETTLING)
        for _ in ("asks: nothing there", "sends"):
            assert len(world.axis.taken) == 0
            await gateway.outbound.deliver(await lease(gateway, "other"))
        assert await state_of(gateway, sent) is DeliveryState.SENT
    assert len(world.axis.taken) == 1


async def test_a_known_answer_outlives_the_store_and_its_lease(world):
    """The axis took it, the store is away for minutes, the lease is cancelled and another holds it: it ends SENT."""
    world.axis.askable = False
    async with world.gateway() as gateway:
        sent = await send(gateway)
        message, settle, away = await lease(gateway, "first"), gateway.outbox.settle, asyncio.Event()

        async def fail(*args, **kwargs):
            away.set()
            raise GatewayError(ErrorCode.STORE_UNAVAILABLE)

        gateway.outbox.settle = fail
        first = asyncio.create_task(gateway.outbound.deliver(message))
        await asyncio.wait_for(away.wait(), 10)
        world.clock.advance(10 * LEASE)
        first.cancel(LEASE_LOST)
        await asyncio.sleep(0)
        gateway.outbox.settle = settle
        other = await lease(gateway, "other")
        await asyncio.wait_for(first, 10)
        assert await state_of(gateway, sent) is DeliveryState.SENT
        assert not await gateway.outbox.renew(other, lease_for=LEASE, at=world.clock.now())
        await gateway.outbound.deliver(other)  # cannot ask, and may not hold it either
        assert await state_of(gateway, sent) is DeliveryState.SENT
        assert not (await gateway.store.outbox.depth(at=world.clock.now(), near=LEASE)).outbox
    assert len(world.axis.taken) == 1


async def test_a_stop_interrupts_the_writing_of_an_answer(world):
    """With the store away, a cancelled delivery ends at once, not when the store is back."""
    async with world.gateway() as gateway:
        await send(gateway)
        message, away = await lease(gateway, "first"), asyncio.Event()

        async def fail(*args, **kwargs):
            away.set()
            raise GatewayError(ErrorCode.STORE_UNAVAILABLE)

        gateway.outbox.settle = fail
        delivering = asyncio.create_task(gateway.outbound.deliver(message))
        await asyncio.wait_for(away.wait(), 10)
        delivering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(delivering, 10)
