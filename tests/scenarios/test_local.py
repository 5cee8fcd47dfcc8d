"""Documents that go directly and by an axis too, and what ends in quarantine on the way."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.document import StaffInfo
from gateway.domain.lifecycle import DeliveryState, ItemState, MessageState
from gateway.domain.operating import Action, Order
from gateway.domain.packet import Misfit, PacketKind
from gateway.domain.routing import LOCAL
from gateway.domain.status import ACCEPTED, ARRIVED, FINISHED
from gateway.flows.config import ReceiptAt
from gateway.flows.receipts import report_on
from gateway.ports import MessageFilter
from gateway.store.messages import enqueue, status_message
from gateway.store.restored import Restoration, adopt
from tests.make import make_agency
from tests.scenarios.test_inbound import statuses
from tests.scenarios.test_routes import deliveries, lease, letter_to, make_world
from tests.scenarios.world import OURS, OURS_TOO, THEIRS, VENDOR, run_until_idle, submit

OPERATOR = "an"


@pytest.fixture
def world(tmp_path):
    return make_world(tmp_path)


async def requeue(gateway):
    """An operator has everything that failed sent again."""
    at = gateway.clock.now()
    failed = MessageFilter(states=frozenset({MessageState.FAILED}))
    for line in await gateway.store.operations.messages(failed, limit=9, at=at):
        await gateway.store.operations.carry_out(line.id, Order(action=Action.REQUEUE, operator=OPERATOR), at=at)
    await run_until_idle(gateway)


@pytest.mark.parametrize("axis_first", [True, False])
async def test_what_comes_by_the_axis_as_well_is_one_document(world, axis_first):
    """A document that arrives directly and by the axis is received and answered once, whichever comes first."""
    async with world.gateway() as gateway:
        sent = (await submit(gateway, letter_to(OURS_TOO))).sent
        world.axis.put(await world.document_packet(sent.document), kind=PacketKind.DOCUMENT)
        if axis_first:
            await gateway.poller.poll()
        await run_until_idle(gateway)
        await gateway.poller.poll()
        (entry,) = await lease(gateway)
        await gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
        await run_until_idle(gateway)
        for packet in world.axis.taken:
            world.axis.put(packet.data, kind=packet.kind)
        await gateway.poller.poll()
        assert await deliveries(gateway, sent) == {OURS_TOO: (DeliveryState.SENT, ARRIVED)}
        assert await statuses(gateway) == [(OURS_TOO, ARRIVED)]


async def test_a_receipt_at_storing_comes_back_directly(world):
    """The sender hears of the arrival though no vendor did anything, once for each recipient and by no axis."""
    world.receipt = ReceiptAt.STORED
    async with world.gateway() as gateway:
        await submit(gateway, letter_to(OURS_TOO, OURS))
        await run_until_idle(gateway)
        assert sorted(await statuses(gateway)) == [(OURS, ARRIVED), (OURS_TOO, ARRIVED)]
        assert world.axis.taken == []


async def test_statuses_keep_their_order_over_the_local_route(world):
    """Where the first cannot be handed over the later ones wait for it."""
    async with world.gateway() as gateway:
        await submit(gateway, letter_to(OURS_TOO))
        await run_until_idle(gateway)
        (entry,) = await lease(gateway)
        await gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
        for code in (ACCEPTED, FINISHED):
            words = {"status_code": code, "description": "", "staff": StaffInfo()}
            await gateway.inbox.report(VENDOR, entry.id, request_id=code, **words)
        world.disk.fill()
        await gateway.send_due()
        world.disk.clear()
        await run_until_idle(gateway)
        assert [code for _, code in await statuses(gateway)] == [ARRIVED, ACCEPTED, FINISHED]


async def test_a_status_in_quarantine_is_placed_once_it_is_requeued(world):
    """As after a restore: its document is handed over again later. Requeued before that it is refused again."""
    async with world.gateway() as gateway:
        letter = letter_to(OURS_TOO)
        named = replace(letter, document_id="000.00.01.H98,2026/03/02,1/CV")
        report = report_on(named, make_agency(OURS_TOO), status_code=ACCEPTED, at=gateway.clock.now())
        message = status_message(LOCAL, report)
        await gateway.store.database.write(lambda conn: enqueue(conn, [message], at=gateway.clock.now()))
        for again in (run_until_idle, requeue):
            await again(gateway)
            (problem,) = await gateway.store.operations.problems(limit=9)
            assert (problem.code, problem.state) == (Misfit.STATUS_UNPLACED, ItemState.REJECTED)
        await submit(gateway, named)
        await requeue(gateway)
        assert await statuses(gateway) == [(OURS_TOO, ACCEPTED)]
        assert await gateway.store.operations.problems(limit=9) == ()
        assert await gateway.store.items.unfinished(LOCAL, limit=9) == ()


async def test_a_requeued_document_that_cannot_be_taken_in_yet_stays_in_quarantine(world):
    """Without room nothing of it changes; with room it is read again, and refused for the same reason."""
    letter = letter_to(OURS_TOO)
    async with world.gateway() as gateway:
        foreign = replace(letter, subject="another letter under the same id")
        world.axis.put(await world.document_packet(foreign), kind=PacketKind.DOCUMENT)
        await gateway.poller.poll()
        sent = (await submit(gateway, letter)).sent
        await run_until_idle(gateway)
        world.disk.fill()
        at = gateway.clock.now()
        (line,) = await gateway.store.operations.messages(
            MessageFilter(states=frozenset({MessageState.FAILED})), limit=9, at=at
        )
        await gateway.store.operations.carry_out(line.id, Order(action=Action.REQUEUE, operator=OPERATOR), at=at)
        await gateway.send_due()
        (problem,) = await gateway.store.operations.problems(limit=9)
        assert problem.state is ItemState.REJECTED
        world.disk.clear()
        await run_until_idle(gateway)
        assert (await deliveries(gateway, sent))[OURS_TOO][0] is DeliveryState.FAILED
        assert len(await lease(gateway)) == 1


async def test_after_a_restore_local_documents_are_handed_over_without_asking(world):
    """There is no list to ask: what waited and what is submitted anew goes at once, and nothing is held."""
    async with world.gateway() as gateway:
        waiting = (await submit(gateway, letter_to(OURS_TOO))).sent
        at = gateway.clock.now()
        restoration = Restoration(at=at, source="copy", as_of=at, ask_first_until=at + timedelta(days=1))
        await adopt(gateway.store.database, restoration)
        fresh = (await submit(gateway, letter_to(OURS_TOO, THEIRS))).sent
        for _ in range(2):
            await gateway.send_due()
        assert (await deliveries(gateway, waiting))[OURS_TOO][0] is DeliveryState.SENT
        assert (await deliveries(gateway, fresh))[OURS_TOO][0] is DeliveryState.SENT
        assert len(await lease(gateway)) == len((waiting, fresh))
