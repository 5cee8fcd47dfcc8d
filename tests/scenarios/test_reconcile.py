from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.domain.lifecycle import DeliveryState, ItemState, MessageState
from gateway.domain.outcome import Unavailable
from gateway.domain.packet import PacketKind
from gateway.domain.reconciliation import DiscrepancyKind as Kind
from gateway.domain.status import ACCEPTED, FINISHED, StatusReport
from gateway.flows.receipts import report_on
from gateway.store.tables import messages
from tests.fakes.axis import Fate
from tests.make import ROUTE, make_agency, make_organization
from tests.scenarios.world import MINUTE, OURS, SETTLING, THEIRS, VENDOR, World, make_letter, run_until_idle, submit

HOUR = 60 * MINUTE


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def send(gateway):
    """A letter to one of theirs, as accepted."""
    return (await submit(gateway, make_letter(to=(make_organization(THEIRS),)))).sent


async def found(gateway):
    """What is open: (kind, key)."""
    return [(each.kind, each.key) for each in await gateway.store.discrepancies.open(ROUTE)]


async def compare(gateway):
    gateway.clock.advance(2 * SETTLING)
    await gateway.reconciler.compare()
    await gateway.reconciler.show()
    return await found(gateway)


def gauge(gateway, kind):
    return gateway.metrics.registry.get_sample_value("lgsp_discrepancies", {"account": ROUTE, "kind": kind})


@pytest.mark.parametrize("lists_sent", [True, False], ids=["by sender", "by id"])
async def test_a_sent_item_the_axis_lost_is_reported(world, lists_sent):
    """It is reported once, not resent, and closed should the axis list it again; what is listed is not reported."""
    world.axis.lists_sent = lists_sent
    async with world.gateway() as gateway:
        await send(gateway)
        await send(gateway)
        await run_until_idle(gateway)
        assert await compare(gateway) == []
        lost_sent = await send(gateway)
        await run_until_idle(gateway)
        lost = world.axis.taken.pop()
        for _ in range(2):
            ((kind, key),) = await compare(gateway)
            assert kind is Kind.SENT_MISSING
        assert gauge(gateway, Kind.SENT_MISSING) == 1
        (open_,) = await gateway.store.discrepancies.open(ROUTE)
        assert lost.axis_doc_id in open_.detail
        assert lost_sent.document.document_id in open_.detail
        assert await gateway.send_due() == 0
        world.axis.taken.append(lost)
        assert await compare(gateway) == []
        assert gauge(gateway, Kind.SENT_MISSING) == 0
        assert key


async def test_what_is_too_fresh_or_cannot_be_asked_is_not_reported(world):
    """An axis that is down proves nothing, and an item is not missed before the list has settled."""
    async with world.gateway() as gateway:
        await send(gateway)
        await gateway.send_due()
        world.axis.taken.clear()
        await gateway.reconciler.compare()
        assert await found(gateway) == []
        world.axis.down = True
        assert await compare(gateway) == []
        world.axis.down = False
        assert [kind for kind, _ in await compare(gateway)] == [Kind.SENT_MISSING]


@pytest.mark.parametrize("state", [MessageState.HELD, MessageState.UNCERTAIN])
async def test_what_the_axis_has_is_repaired_without_resending(world, state):
    """A held or unknown message that the axis lists counts as sent, with its id, without resending."""
    world.axis.fates.append(Fate.LOSE_ANSWER)
    world.axis.askable = state is not MessageState.HELD
    async with world.gateway() as gateway:
        sent = await send(gateway)
        await gateway.send_due()
        if state is MessageState.HELD:
            gateway.clock.advance(HOUR)
            await gateway.send_due()
        depth = await gateway.store.outbox.depth(at=gateway.clock.now(), near=HOUR)
        assert depth.outbox == {state: 1}
        assert await compare(gateway) == []
        (delivery,) = (await gateway.store.documents.get(sent.uid)).deliveries
        assert delivery.state is DeliveryState.SENT
        assert gateway.count("discrepancies_repaired", account=ROUTE, kind=Kind.SENT_REPAIRED) == 1
        await run_until_idle(gateway)
        assert await compare(gateway) == [], "the repaired message is listed, and known"
    assert len(world.axis.taken) == 1


async def test_a_failed_message_that_the_axis_lists_is_reported(world):
    """An operator is told that what failed here is listed after all, and nothing is changed."""
    async with world.gateway() as gateway:
        sent = await send(gateway)
        world.axis.fates.append(Fate.LOSE_ANSWER)
        await gateway.send_due()
        world.axis.askable = False
        gateway.clock.advance(HOUR)
        await gateway.send_due()
        await fail_what_is_held(gateway)
        ((kind, _),) = await compare(gateway)
        assert kind is Kind.FAILED_BUT_LISTED
        assert len(world.axis.taken) == 1
        (delivery,) = (await gateway.store.documents.get(sent.uid)).deliveries
        assert delivery.state is DeliveryState.HELD, "reconciliation leaves it as it is"


async def fail_what_is_held(gateway):
    """As an operator who gives up on it."""
    change = sa.update(messages).where(messages.c.state == MessageState.HELD.value)
    await gateway.store.database.write(lambda conn: conn.execute(change.values(state=MessageState.FAILED.value)))


async def test_what_another_system_sent_and_what_a_recipient_could_not_take(world):
    """A packet on our account that no message has is reported, and so is a recipient's failure until it is mended."""
    async with world.gateway() as gateway:
        await send(gateway)
        await run_until_idle(gateway)
        (ours,) = world.axis.taken
        world.axis.taken.append(replace(ours, axis_doc_id="foreign", at=gateway.clock.now()))
        world.axis.failed.add(ours.axis_doc_id)
        assert sorted(await compare(gateway)) == [
            (Kind.RECIPIENT_FAILED, f"{ours.axis_doc_id}|{THEIRS}"),
            (Kind.SENT_UNKNOWN_HERE, "foreign"),
        ]
        world.axis.failed.clear()
        assert await compare(gateway) == [(Kind.SENT_UNKNOWN_HERE, "foreign")]


async def put_done(world, document=None, *, report=None):
    """An item that somebody acknowledged as done: after a restore, what came since the backup."""
    if report is not None:
        item = world.axis.put(await world.status_packet(report), kind=PacketKind.STATUS)
    else:
        item = world.axis.put(await world.document_packet(document), kind=PacketKind.DOCUMENT)
    await world.axis.settle(item.axis_doc_id, done=True)
    world.axis.told.clear()
    return item


async def test_an_acknowledged_item_missing_here_is_fetched_and_stored_once(world):
    """After a restore the axis lists as done what this store never saw: it is taken in once, and the axis not told."""
    document = make_letter(sender=make_organization(THEIRS), to=(make_organization(OURS),))
    item = await put_done(world, document)
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        assert gateway.count("documents_received", account=ROUTE) == 0
        for _ in range(3):
            assert await compare(gateway) == []
        assert gateway.count("documents_received", account=ROUTE) == 1
        assert gateway.count("discrepancies_repaired", account=ROUTE, kind=Kind.RECEIVED_MISSING) == 1
        assert await gateway.store.items.states(ROUTE, [item.axis_doc_id]) == {item.axis_doc_id: ItemState.SETTLED}
    assert world.axis.told == []


async def test_missing_statuses_are_placed_in_the_axiss_order(world):
    """03 that cannot be fetched holds back its 06; both are placed in order once it can, and the report is closed."""
    async with world.gateway() as gateway:
        sent = (await send(gateway)).document
        await run_until_idle(gateway)
        items = [
            await put_done(
                world,
                report=report_on(sent, make_agency(THEIRS), status_code=code, at=gateway.clock.now()),
            )
            for code in (ACCEPTED, FINISHED)
        ]
        fetch = world.axis.fetch

        async def refuse(item, writer):
            return Unavailable(reason="busy") if item == items[0] else await fetch(item, writer)

        world.axis.fetch = refuse
        assert await compare(gateway) == [(Kind.RECEIVED_MISSING, items[0].axis_doc_id)]
        assert await gateway.store.items.states(ROUTE, [each.axis_doc_id for each in items]) == {}
        world.axis.fetch = fetch
        assert await compare(gateway) == []
        page = await gateway.store.events.read(VENDOR, under=None, after=0, limit=100)
        changes = [event.change for event in page.events if isinstance(event.change, StatusReport)]
        assert [change.status_code for change in changes] == [ACCEPTED, FINISHED]


async def test_a_poisoned_missing_item_stops_no_other(world):
    """An item whose handling breaks is reported; its neighbour is taken in; once it works the report ends."""
    letters = [make_letter(sender=make_organization(THEIRS), to=(make_organization(OURS),)) for _ in range(2)]
    items = [await put_done(world, letter) for letter in letters]
    async with world.gateway() as gateway:
        translator = gateway.intake._translator
        read = translator.read

        async def break_one(received):
            if received.item == items[0]:
                raise ArithmeticError("bug")
            return await read(received)

        translator.read = break_one
        assert await compare(gateway) == [(Kind.RECEIVED_MISSING, items[0].axis_doc_id)]
        assert gateway.count("documents_received", account=ROUTE) == 1
        translator.read = read
        await gateway.poller.poll()
        await gateway.reconciler.show()
        assert await found(gateway) == []
        assert gateway.count("documents_received", account=ROUTE) == 2


async def test_one_of_several_gateways_compares(world):
    """Without the claim nothing is asked."""
    async with world.gateway() as gateway:
        await gateway.store.claims.take(
            f"reconcile:{ROUTE}", "another", hold_for=timedelta(days=1), at=gateway.clock.now()
        )
        await send(gateway)
        await run_until_idle(gateway)
        world.axis.taken.clear()
        assert await compare(gateway) == []
