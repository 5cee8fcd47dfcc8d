"""The delivery engine: what one message, one recipient, one outage may do to the others."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.circuit import CircuitRules
from gateway.domain.lifecycle import DeliveryState
from gateway.domain.outcome import Rejected, Unavailable
from gateway.flows.settle import MOST_INTERRUPTIONS
from tests.fakes.axis import Fate
from tests.make import NOW, ROUTE, make_directory_row, make_organization
from tests.scenarios.world import LEASE, MINUTE, SETTLING, World, make_letter, run_until_idle, submit


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the conditions are plain state of the test
            await asyncio.sleep(0.001)


async def states(gateway, result):
    sent = await gateway.store.documents.get(result.sent.uid)
    return [delivery.state for delivery in sent.deliveries]


async def most_attempts(gateway, result):
    sent = await gateway.store.documents.get(result.sent.uid)
    return max(delivery.attempts for delivery in sent.deliveries)


async def lease(gateway):
    """One due message, taken by a worker that will not live to end it."""
    return await gateway.outbox.lease("w", route=ROUTE, limit=1, lease_for=LEASE, at=gateway.clock.now())


async def near_and_missed(gateway):
    await gateway.upkeep.measure()
    read = gateway.metrics.registry.get_sample_value
    return read("lgsp_deadline_near"), read("lgsp_deadline_missed")


async def test_one_bad_recipient_holds_no_other(world):
    """A packet refused because of one of its recipients is sent in halves, until only that one is left to fail."""
    world.divided_codes, world.recipients_per_message = frozenset({"18"}), 100
    codes = [f"H99.{n:02}" for n in range(1, 9)]
    world.axis.rows += tuple(make_directory_row(code, parent_axis_id="axis-H99") for code in codes[2:])
    submit_once = world.axis.submit

    async def refuse_unknown(sealed, body):
        if "H99.06" in sealed.draft.recipients:
            return Rejected(code="18", reason="unknown receiver")
        return await submit_once(sealed, body)

    world.axis.submit = refuse_unknown
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter(to=tuple(make_organization(code) for code in codes)))
        await run_until_idle(gateway)
        sent = await gateway.store.documents.get(result.sent.uid)
        assert gateway.count("messages_divided", route="national") == 3
    states_of = {delivery.recipient: delivery.state for delivery in sent.deliveries}
    assert states_of.pop("H99.06") is DeliveryState.FAILED
    assert set(states_of.values()) == {DeliveryState.SENT}
    taken = [code for packet in world.axis.taken for code in packet.recipients]
    assert sorted(taken) == sorted(states_of)


async def test_a_locked_recipient_is_divided_off_too(world):
    """A refusal that may pass holds the one recipient it is about, and says nothing against the axis."""
    world.divided_codes, world.circuit = frozenset({"23"}), CircuitRules(failures=1)
    world.axis.fates.extend([Unavailable(reason="locked", code="23"), Unavailable(reason="locked", code="23")])
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        await gateway.send_due()
        await gateway.send_due()
        assert sorted(await states(gateway, result)) == [DeliveryState.DELAYED, DeliveryState.SENT]
        assert gateway.breaker.places(4) == 4


@pytest.mark.parametrize("divided", [frozenset(), frozenset({"10"})])
async def test_other_refusals_fail_the_whole_packet(world, divided):
    """Without the code among those to divide for, a refusal ends the packet for all its recipients."""
    world.divided_codes = divided
    world.axis.fates.append(Rejected(code="18", reason="unknown receiver"))
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        await run_until_idle(gateway)
        assert set(await states(gateway, result)) == {DeliveryState.FAILED}
    assert world.axis.attempts == 1


async def test_a_message_that_breaks_is_put_off_like_any_failure(world):
    """A bug before anything left: counted, growing waits, an operator's in the end; its neighbours are sent."""
    async with world.gateway() as gateway:
        poisoned, good = await submit(gateway, make_letter()), await submit(gateway, make_letter())
        begin = gateway.outbox.begin_submit

        async def break_one(message, *, at):
            if message.document.subject == poisoned.sent.document.subject:
                raise ArithmeticError("bug")
            return await begin(message, at=at)

        gateway.outbox.begin_submit = break_one
        assert await gateway.send_due() == 2
        assert await gateway.send_due() == 0
        assert set(await states(gateway, good)) == {DeliveryState.SENT}
        sent = await gateway.store.documents.get(poisoned.sent.uid)
        assert {(d.state, d.attempts) for d in sent.deliveries} == {(DeliveryState.DELAYED, 1)}
        for _ in range(8):
            world.clock.advance(timedelta(hours=10))
            await gateway.send_due()
        sent = await gateway.store.documents.get(poisoned.sent.uid)
        assert {d.state for d in sent.deliveries} == {DeliveryState.FAILED}
        assert "given up after" in sent.deliveries[0].reason
        assert sent.deliveries[0].attempts < 10
        assert gateway.count("messages_failed", route="national", state="failed") == 1


async def test_a_question_that_breaks_is_held(world):
    """A bug between sending and asking: nothing is resent, an operator is told."""
    world.axis.fates.append(Fate.LOSE_ANSWER)
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        await gateway.send_due()
        world.clock.advance(SETTLING)

        async def broken(route, *, since):
            raise ArithmeticError("bug")

        gateway.outbox.known_axis_ids = broken
        await gateway.send_due()
        sent = await gateway.store.documents.get(result.sent.uid)
        assert {d.state for d in sent.deliveries} == {DeliveryState.HELD}
        assert "first submitted 2026-03-02" in sent.deliveries[0].reason
    assert len(world.axis.taken) == 1


@pytest.mark.parametrize(("steps", "ends"), [(2, DeliveryState.FAILED), (8, DeliveryState.HELD)])
async def test_a_message_that_kills_its_process_does_not_loop_for_ever(world, steps, ends):
    """Each attempt ends with the process: after five in a row the message is an operator's, its neighbour is sent.

    Cut before anything can have left it is FAILED, cut after the first byte it is asked about, and HELD in the end.
    """
    world.axis.askable = False
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
    if ends is DeliveryState.HELD:
        async with world.gateway() as gateway:
            (message,) = await lease(gateway)
            await gateway.outbox.begin_submit(message, at=world.clock.now())
        world.clock.advance(LEASE + MINUTE)
    for _ in range(MOST_INTERRUPTIONS - (ends is DeliveryState.HELD)):
        async with world.gateway() as gateway:
            (message,) = await lease(gateway)
        world.clock.advance(LEASE + MINUTE)
    async with world.gateway() as gateway:
        good = await submit(gateway, make_letter())
        await run_until_idle(gateway)
        sent = await gateway.store.documents.get(result.sent.uid)
        assert set(await states(gateway, good)) == {DeliveryState.SENT}
    assert {d.state for d in sent.deliveries} == {ends}
    assert f"within {MOST_INTERRUPTIONS} attempts in a row" in sent.deliveries[0].reason
    assert len(world.axis.taken) == 1


async def test_kills_now_and_then_are_forgotten(world):
    """Interruptions in a row count: an attempt that ends, even badly, clears the suspicion."""
    world.axis.fates.append(Unavailable(reason="down"))
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        for _ in range(MOST_INTERRUPTIONS - 1):
            (message,) = await lease(gateway)
            world.clock.advance(LEASE + MINUTE)
        await gateway.send_due()
        world.clock.advance(60 * MINUTE)
        (message,) = await lease(gateway)
        assert message.interruptions == 0
        world.clock.advance(LEASE + MINUTE)
        await run_until_idle(gateway)
        assert set(await states(gateway, result)) == {DeliveryState.SENT}


async def test_an_outage_costs_few_attempts_and_no_waiting(world):
    """While the axis is down probes alone go out; the first success sends all that was put off, however long."""
    world.axis.fates.extend([Unavailable(reason="no connection")] * 12)
    async with world.gateway() as gateway:
        results = [await submit(gateway, make_letter()) for _ in range(12)]
        worker = asyncio.create_task(gateway.worker.run())
        await until(lambda: world.axis.attempts >= 5 and not gateway.worker._running)
        while world.axis.fates:
            tried = world.axis.attempts
            world.clock.advance(world.circuit.pause)
            gateway.outbound._wakeups.notify("outbox")
            await until(lambda: not gateway.worker._running and world.axis.attempts == tried + 1)  # noqa: B023 - at once
        assert sorted([await most_attempts(gateway, result) for result in results])[-3:] == [1, 1, 1]
        world.clock.advance(NOW + MINUTE - world.clock.now())  # the first ones are due, the others not yet
        gateway.outbound._wakeups.notify("outbox")
        await until(lambda: len(world.axis.taken) == 12)
        gateway.worker.stop()
        await worker
        assert {state for result in results for state in await states(gateway, result)} == {DeliveryState.SENT}


async def test_a_slow_message_keeps_one_place(world):
    """One packet that the axis never answers leaves the other places to its neighbours."""
    submit_once, slow = world.axis.submit, asyncio.Event()

    async def hang_once(sealed, body):
        if not slow.is_set():
            slow.set()
            await asyncio.Event().wait()
        return await submit_once(sealed, body)

    world.axis.submit = hang_once
    world.outbound = replace(world.outbound, drain_grace=MINUTE * 0)
    async with world.gateway() as gateway:
        for _ in range(6):
            await submit(gateway, make_letter())
        worker = asyncio.create_task(gateway.worker.run())
        await until(lambda: len(world.axis.taken) == 5)
        gateway.worker.stop()
        await worker


async def test_the_deadline_is_kept_and_shown(world):
    """Accepted on Monday morning: due by Tuesday noon in Vietnam; near and missed are counted until it is sent."""
    world.axis.fates.append(Unavailable(reason="busy", code="99"))
    async with world.gateway() as gateway:
        await submit(gateway, make_letter())
        (message,) = await lease(gateway)
        assert message.deadline_at == datetime(2026, 3, 3, 5, tzinfo=UTC)
        await gateway.outbound.deliver(message)
        assert await near_and_missed(gateway) == (0, 0)
        for left, shown in ((timedelta(hours=2), (1, 0)), (timedelta(0), (1, 0)), (-timedelta(seconds=1), (0, 1))):
            world.clock.advance(message.deadline_at - left - world.clock.now())
            assert await near_and_missed(gateway) == shown
        await run_until_idle(gateway)
        assert await near_and_missed(gateway) == (0, 0)
