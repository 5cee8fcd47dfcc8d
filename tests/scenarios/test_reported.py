"""A lost answer, an axis that cannot be asked, and the recipient's status that proves that the packet arrived."""

import asyncio
from contextlib import aclosing

import pytest

from gateway.domain.document import BusinessType
from gateway.domain.lifecycle import DeliveryState
from gateway.domain.outcome import Accepted
from gateway.domain.packet import PacketKind, UnpackedDocument
from gateway.domain.reconciliation import DiscrepancyKind
from gateway.domain.status import ACCEPTED, AGREED, ARRIVED, DeliveryChange
from gateway.flows.config import OnUnknown
from gateway.flows.receipts import report_on
from tests.contract.axis_worlds import SPOKEN, A, B, axis_world, langson
from tests.fakes.axis import Fate
from tests.make import ROUTE, make_agency, make_organization, recall_of
from tests.scenarios.world import (
    LEASE,
    MINUTE,
    SETTLING,
    THEIRS,
    THEIRS_TOO,
    VENDOR,
    World,
    make_letter,
    run_until_idle,
    submit,
)
from tests.scenarios.wrecks import wrecks

DAY = 24 * 60 * MINUTE


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.axis.askable = made.axis.lists_sent = False
    return made


async def put_status(world, document, code, *, by=THEIRS):
    report = report_on(document, make_agency(by), status_code=code, at=world.clock.now())
    return world.axis.put(await world.status_packet(report), kind=PacketKind.STATUS)


async def states(gateway, sent):
    found = await gateway.store.documents.get(sent.uid)
    return {each.state for each in found.deliveries}


async def changes(gateway):
    """What the vendor system hears, in order: states and status codes."""
    page = await gateway.store.events.read(VENDOR, under=None, after=0, limit=99)
    return [
        each.change.state if isinstance(each.change, DeliveryChange) else each.change.status_code
        for each in page.events
    ]


async def hold_letter(world, gateway, **letter):
    """A letter that arrived, and whose answer was lost."""
    world.axis.fates.append(Fate.LOSE_ANSWER)
    sent = (await submit(gateway, make_letter(**letter))).sent
    await run_until_idle(gateway)
    assert await states(gateway, sent) == {DeliveryState.HELD}
    return sent


async def test_a_status_frees_what_was_held_and_what_waits_behind(world):
    """The letter is SENT before its status is told; its recall, waiting since, leaves; nothing is sent twice."""
    to = (make_organization(THEIRS),)
    async with world.gateway() as gateway:
        sent = await hold_letter(world, gateway, to=to)
        recall = (await submit(gateway, recall_of(sent.document))).sent
        await run_until_idle(gateway)
        assert len(world.axis.taken) == 1
        await put_status(world, sent.document, ARRIVED)
        await gateway.poller.poll()
        assert await states(gateway, sent) == {DeliveryState.SENT}
        assert gateway.count("messages_delivered", route=ROUTE, kind="edoc") == 1
        await run_until_idle(gateway)
        assert await states(gateway, recall) == {DeliveryState.SENT}
        await put_status(world, sent.document, AGREED)
        await gateway.poller.poll()
        told = await changes(gateway)
    assert told == ["queued", "delayed", "held", "queued", "sent", ARRIVED, "sent", AGREED]
    assert len(world.axis.taken) == 2


async def test_the_status_wakes_whoever_sends(world):
    """What waited behind leaves at once, not at the outbox's next look."""
    to = (make_organization(THEIRS),)
    async with world.gateway() as gateway:
        sent = await hold_letter(world, gateway, to=to)
        await submit(gateway, recall_of(sent.document))
        working = asyncio.create_task(gateway.worker.run())
        async with asyncio.timeout(20):
            while not gateway.worker._wakeups._waiting.get("outbox"):  # noqa: ASYNC110 - plain state of the worker
                await asyncio.sleep(0)
            await put_status(world, sent.document, ACCEPTED)
            await gateway.poller.poll()
            while len(world.axis.taken) < 2:  # noqa: ASYNC110 - plain state of the axis
                await asyncio.sleep(0)
            gateway.worker.stop()
            await working


@pytest.mark.parametrize("on_unknown", [OnUnknown.RESEND, OnUnknown.RESEND_NEW, OnUnknown.HOLD])
async def test_what_its_recipient_has_is_never_sent_again(world, on_unknown):
    """Whatever is done with what nobody knows: a status that comes in the settling time ends it."""
    world.on_unknown = on_unknown
    world.axis.fates.append(Fate.LOSE_ANSWER)
    async with world.gateway() as gateway:
        sent = (await submit(gateway, make_letter())).sent
        await gateway.send_due()
        await put_status(world, sent.document, ACCEPTED, by=THEIRS_TOO)
        await gateway.poller.poll()
        await run_until_idle(gateway)
        assert await states(gateway, sent) == {DeliveryState.SENT}
    assert len(world.axis.taken) == 1


async def test_a_status_that_overtakes_the_answer(world):
    """It is read while the packet is still being sent: the lost answer is no question any more."""

    class Hasty(type(world.axis)):
        async def submit(self, sealed, body):
            outcome = await super().submit(sealed, body)
            await put_status(world, sent.document, ARRIVED)
            await gateway.poller.poll()
            return outcome

    world.axis.__class__ = Hasty
    world.axis.fates.append(Fate.LOSE_ANSWER)
    async with world.gateway() as gateway:
        sent = (await submit(gateway, make_letter())).sent
        await gateway.send_due()
        assert await states(gateway, sent) == {DeliveryState.SENT}
        assert await changes(gateway) == ["queued", "queued", ARRIVED, "sent", "sent"]
        assert gateway.count("messages_delivered", route=ROUTE, kind="edoc") == 1
        assert not gateway.count("messages_retried", route=ROUTE, outcome="uncertain")
    assert len(world.axis.taken) == 1


async def test_an_axis_that_lists_tells_the_id_in_the_end(world):
    """The document counts as SENT meanwhile; its recall, whose packet was lost, is not taken for it."""
    world.axis.askable = world.axis.lists_sent = True
    to = (make_organization(THEIRS),)
    world.axis.fates.extend([Fate.LOSE_ANSWER, Fate.LOSE_PACKET])
    async with world.gateway() as gateway:
        sent = (await submit(gateway, make_letter(to=to))).sent
        await gateway.send_due()
        await put_status(world, sent.document, ARRIVED)
        await gateway.poller.poll()
        assert await states(gateway, sent) == {DeliveryState.SENT}
        recall = (await submit(gateway, recall_of(sent.document))).sent
        await run_until_idle(gateway)
        assert await states(gateway, recall) == {DeliveryState.HELD}
        world.clock.advance(SETTLING)
        await gateway.reconciler.compare()
        assert await gateway.store.discrepancies.counts(ROUTE) == {}
        assert await states(gateway, recall) == {DeliveryState.HELD}
        since = world.clock.now() - DAY
        known = await gateway.store.outbox.known_axis_ids(ROUTE, since=since)
        assert known == {packet.axis_doc_id for packet in world.axis.taken}
        assert gateway.count("discrepancies_repaired", account=ROUTE, kind=DiscrepancyKind.SENT_REPAIRED) == 1


async def test_a_crash_between_any_two_steps(tmp_path):
    """Wherever the process dies while the answer is lost and a status comes in: it is SENT in the end, once."""
    base = World(tmp_path / "base")
    base.folder.mkdir()
    base.axis.askable = False
    async with base.gateway() as gateway:
        sent = (await submit(gateway, make_letter())).sent
    base.axis.fates.append(Fate.LOSE_ANSWER)

    async def exchange(gateway):
        await gateway.send_due()
        await put_status(base, sent.document, ARRIVED)
        await gateway.poller.poll()

    for world in await wrecks(base, exchange, least=20):
        world.clock.advance(2 * LEASE)
        async with world.gateway() as gateway:
            await gateway.poller.poll()
            await run_until_idle(gateway)
            if world.axis.taken and await states(gateway, sent) == {DeliveryState.HELD}:
                await put_status(world, sent.document, ACCEPTED)
                await gateway.poller.poll()
            left = await states(gateway, sent)
        assert len(world.axis.taken) == (left == {DeliveryState.SENT})
        assert left <= {DeliveryState.SENT, DeliveryState.HELD}


async def test_over_an_axis_that_cannot_be_asked(tmp_path):
    """The connection breaks after the packet was taken: held, then settled by its recipient, and the recall leaves."""
    spoken = next(each for each in SPOKEN if each.name == "langson")
    async with axis_world() as axis:
        theirs = await axis.correspondent(spoken, A)
        world = World(tmp_path)
        world.axis = ours = langson(axis.sandbox, B)
        async with aclosing(ours), world.gateway() as gateway:
            await axis.fault("reset-after", 1)
            sent = (await submit(gateway, make_letter(to=(make_organization(THEIRS),)))).sent
            await run_until_idle(gateway)
            assert await states(gateway, sent) == {DeliveryState.HELD}
            recall = (await submit(gateway, recall_of(sent.document))).sent
            await run_until_idle(gateway)
            (arrived,) = await documents(theirs)
            for code in (ARRIVED, ACCEPTED):
                told = report_on(arrived, make_agency(THEIRS), status_code=code, at=world.clock.now())
                assert isinstance(await theirs.tell(told), Accepted)
            await gateway.poller.poll()
            assert await states(gateway, sent) == {DeliveryState.SENT}
            await run_until_idle(gateway)
            assert await states(gateway, recall) == {DeliveryState.SENT}
            (second,) = await documents(theirs)
            assert second.business_type == BusinessType.RECALL


async def documents(correspondent):
    return [each.document for each in await correspondent.read_all() if isinstance(each, UnpackedDocument)]
