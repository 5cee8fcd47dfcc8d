"""Retention as it runs: one gateway at a time, bounded turns, and what vendors and the axis meet afterwards."""

from datetime import timedelta

import pytest

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.lifecycle import ItemState
from gateway.domain.packet import PacketKind
from gateway.flows.retention import CLAIM, HOLD, INTERVAL, SOONER, RetentionFlow, RetentionPolicy
from gateway.ports import Kept
from tests.make import ROUTE, make_attachment, make_document, make_organization
from tests.scenarios.world import (
    OURS,
    PDF,
    THEIRS,
    VENDOR,
    World,
    make_letter,
    run_until_idle,
    stored_keys,
    submit,
)

DAYS = timedelta(days=1)
KEEP = 30 * DAYS


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def retention(gateway, *, owner="one", kinds=tuple(Kept)):
    return RetentionFlow(
        retention=gateway.store.retention,
        claims=gateway.store.claims,
        owner=owner,
        policy=RetentionPolicy(keep=dict.fromkeys(kinds, KEEP), named=dict.fromkeys(kinds, "days=30")),
        clock=gateway.clock,
        metrics=gateway.metrics,
    )


async def take_in(world, gateway, document):
    world.axis.put(await world.document_packet(document), kind=PacketKind.DOCUMENT)
    await gateway.poller.poll()
    (entry,) = await gateway.store.receptions.lease(
        VENDOR, under=None, limit=9, lease_for=timedelta(minutes=1), at=gateway.clock.now()
    )
    await gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
    await run_until_idle(gateway)


async def test_a_whole_life_leaves_a_record_and_nothing_else(world):
    """Sent and received, statuses and packets, events: after their time all is gone, objects too, and still known."""
    letter = make_letter()
    document = make_document(
        sender=make_organization(THEIRS), to=(make_organization(OURS),), attachments=(make_attachment(PDF),)
    )
    async with world.gateway() as gateway:
        await submit(gateway, letter)
        await run_until_idle(gateway)
        await take_in(world, gateway, document)
        flow = retention(gateway)
        assert (await flow.remove()).removed == dict.fromkeys(Kept, 0)
        gateway.clock.advance(KEEP + DAYS)
        forecast = {kind: what.count for kind, what in (await flow.forecast()).items()}
        turn = await flow.remove()
        assert (turn.removed, turn.more) == (forecast, False)
        assert forecast.pop(Kept.EVENTS) > 0
        assert forecast == {Kept.SENT: 1, Kept.RECEIVED: 1, Kept.ITEMS: 0, Kept.STATUSES: 1}
        assert gateway.count("removed", kind="sent") == 1
        gateway.clock.advance(2 * DAYS)
        await gateway.upkeep.sweep()
        assert await stored_keys(gateway) == set()
        for about in (letter, document):
            assert all(entry.removed_at for entry in await gateway.store.operations.audit(about.document_id))
            assert await gateway.store.operations.audit(about.document_id)


async def test_repetitions_make_nothing(world):
    """The vendor submits a removed document again, the axis lists a removed item again: refused, settled, no second."""
    letter = make_letter()
    document = make_document(
        sender=make_organization(THEIRS), to=(make_organization(OURS),), attachments=(make_attachment(PDF),)
    )
    async with world.gateway() as gateway:
        await submit(gateway, letter, request_id="11111111-1111-4111-8111-111111111111")
        await run_until_idle(gateway)
        await take_in(world, gateway, document)
        gateway.clock.advance(KEEP + DAYS)
        await retention(gateway).remove()
        sent = len(world.axis.taken)
        for request_id in ("11111111-1111-4111-8111-111111111111", ""):
            with pytest.raises(GatewayError) as refused:
                await submit(gateway, letter, request_id=request_id)
            assert refused.value.code is ErrorCode.DOCUMENT_REMOVED
            assert letter.document_id in refused.value.english
        again = world.axis.put(await world.document_packet(document), kind=PacketKind.DOCUMENT).axis_doc_id
        await gateway.poller.poll()
        await run_until_idle(gateway)
        assert await gateway.store.items.states(ROUTE, [again]) == {again: ItemState.SETTLED}
        assert await gateway.store.operations.waiting(limit=9) == ()
        assert len(world.axis.taken) == sent


async def test_a_watcher_behind_the_removed_events_is_told(world):
    """The first position a reader can resume after moves on, which is what makes a cursor expired."""
    async with world.gateway() as gateway:
        await submit(gateway, make_letter())
        await run_until_idle(gateway)
        before = await gateway.store.events.head()
        gateway.clock.advance(KEEP + DAYS)
        await retention(gateway, kinds=(Kept.EVENTS,)).remove()
        after = await gateway.store.events.head()
    assert (before.first, after.first, after.last) == (0, before.last, before.last)


async def test_one_gateway_removes_at_a_time(world):
    """While another holds the claim nothing is done; a claim left behind ends by itself."""
    async with world.gateway() as gateway:
        await submit(gateway, make_letter())
        await run_until_idle(gateway)
        gateway.clock.advance(KEEP + DAYS)
        assert await gateway.store.claims.take(CLAIM, "other", hold_for=HOLD, at=gateway.clock.now())
        flow = retention(gateway)
        assert await flow.remove() is None
        gateway.clock.advance(HOLD + timedelta(seconds=1))
        assert (await flow.remove()).removed[Kept.SENT] == 1
        assert await gateway.store.claims.take(CLAIM, "other", hold_for=HOLD, at=gateway.clock.now())


async def test_a_turn_is_bounded_and_the_next_goes_on(world, monkeypatch):
    """With one candidate a share and one share a turn, three documents take three turns, one minute apart."""
    monkeypatch.setattr("gateway.store.retention.LOOKED_AT", 1)
    monkeypatch.setattr("gateway.flows.retention.SHARES", 1)
    async with world.gateway() as gateway:
        for _ in range(3):
            await submit(gateway, make_letter())
        await run_until_idle(gateway)
        gateway.clock.advance(KEEP + DAYS)
        flow = retention(gateway, kinds=(Kept.SENT,))
        turns = [await flow.remove() for _ in range(4)]
    assert [turn.removed[Kept.SENT] for turn in turns] == [1, 1, 1, 0]
    assert [turn.more for turn in turns] == [True, True, True, False]
    assert SOONER < INTERVAL


async def test_without_days_everything_is_kept(world):
    """The default policy removes nothing and claims nothing."""
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        await run_until_idle(gateway)
        gateway.clock.advance(10_000 * DAYS)
        turn = await retention(gateway, kinds=()).remove()
        assert (turn.removed, turn.more) == ({}, False)
        assert await gateway.store.documents.get(result.sent.uid) is not None
