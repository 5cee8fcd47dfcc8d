"""Packets that an axis gives with its list, and never again."""

import asyncio
from datetime import timedelta
from itertools import count

import pytest

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.packet import PacketKind
from gateway.domain.reconciliation import DiscrepancyKind
from gateway.domain.status import ACCEPTED, ARRIVED, FINISHED
from gateway.flows import lanes
from gateway.flows.patience import TRIES
from gateway.flows.receipts import report_on
from tests.make import NOW, ROUTE, make_agency, make_document, make_organization
from tests.scenarios.test_inbound import put_document, put_status, waiting
from tests.scenarios.test_inbound import statuses as statuses_by
from tests.scenarios.world import OURS, PACKET_LIMIT, THEIRS, World, make_letter, run_until_idle, stored_keys, submit
from tests.scenarios.wrecks import wrecks

CODES = [ARRIVED, ACCEPTED, FINISHED]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def statuses(gateway):
    """The codes of every status in the log, in order."""
    return [code for _, code in await statuses_by(gateway)]


async def letter_sent(world):
    """A letter of ours sent out; from then on the axis gives statuses once."""
    async with world.gateway() as gateway:
        sent = (await submit(gateway, make_letter(to=(make_organization(THEIRS),)))).sent
        await run_until_idle(gateway)
    world.axis.gives_once = frozenset({PacketKind.STATUS})
    return sent


async def put_statuses(world):
    """Three statuses about a letter of ours, which the axis gives once."""
    sent = await letter_sent(world)
    return [await put_status(world, sent.document, code) for code in CODES]


async def test_statuses_given_once_are_logged_in_order_and_not_fetched(world):
    """What came with the list is placed in its order, told once, and nothing of it is asked for again."""
    items = await put_statuses(world)
    world.axis.fetch = None
    async with world.gateway() as gateway:
        assert await gateway.poller.poll() == len(CODES)
        assert await statuses(gateway) == CODES
        assert world.axis.told == [(item.axis_doc_id, True) for item in items]
        assert await gateway.poller.poll() == 0
        assert await statuses(gateway) == CODES


async def test_after_recording_no_crash_loses_a_status_given_once(tmp_path):
    """Whatever step a crash hits: a status that was recorded is in the log once, in its place, after the next start."""
    base = World(tmp_path / "base")
    base.folder.mkdir()
    items = await put_statuses(base)
    for world in await wrecks(base, lambda gateway: gateway.poller.poll(), least=20):
        async with world.gateway() as gateway:
            recorded = await gateway.store.items.states(ROUTE, [item.axis_doc_id for item in items])
            listed = await world.axis.waiting(PacketKind.STATUS)
            kept = len(recorded) + len(listed.items)
            assert [item.axis_doc_id in recorded for item in items] == sorted(
                (item.axis_doc_id in recorded for item in items), reverse=True
            )
            for item in listed.items:
                world.axis._waiting[item.axis_doc_id] = (item, listed.carried[item.axis_doc_id])
            await gateway.poller.poll()
            assert await statuses(gateway) == CODES[:kept]


async def test_statuses_given_once_outlive_an_outage_of_the_store(world, monkeypatch):
    """While they cannot be recorded they stay in memory and the axis is asked for nothing; then all are placed."""
    await put_statuses(world)
    async with world.gateway() as gateway:
        record, tries, asked = gateway.store.items.record, [], []
        wait = world.axis.waiting

        async def fail(received, *, at):
            tries.append(received.item)
            if len(tries) in (2, 3):
                raise GatewayError(ErrorCode.STORE_UNAVAILABLE)
            return await record(received, at=at)

        async def count(kind):
            asked.append(kind)
            return await wait(kind)

        monkeypatch.setattr(gateway.store.items, "record", fail)
        monkeypatch.setattr(world.axis, "waiting", count)
        for _ in range(2):
            with pytest.raises(GatewayError):
                await gateway.poller.poll()
        assert asked.count(PacketKind.STATUS) == 1
        await gateway.poller.poll()
        assert await statuses(gateway) == CODES


async def test_documents_that_come_with_the_list_are_taken_in(world):
    """A document given with the list is received like a fetched one, and no object is left over."""
    world.axis.gives_once = frozenset({PacketKind.DOCUMENT})
    await put_document(world, make_document(sender=make_organization(THEIRS), to=(make_organization(OURS),)))
    world.axis.fetch = None
    async with world.gateway() as gateway:
        assert await gateway.poller.poll() == 1
        (entry,) = await waiting(gateway)
        assert entry.recipient.code == OURS
        kept = await stored_keys(gateway)
        await gateway.poller.poll()
        assert await stored_keys(gateway) == kept


async def test_a_packet_longer_than_the_limit_is_not_kept(world):
    """What comes with the list is limited like what is fetched: it is not recorded, and holds up no later status."""
    world.axis.gives_once = frozenset({PacketKind.STATUS})
    large = world.axis.put(bytes(PACKET_LIMIT + 1), kind=PacketKind.STATUS)
    async with world.gateway() as gateway:
        before = await stored_keys(gateway)
        assert await gateway.poller.poll() == 0
        assert await gateway.store.items.states(ROUTE, [large.axis_doc_id]) == {}
        assert await stored_keys(gateway) == before
    await put_statuses(world)
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        assert await statuses(gateway) == CODES


async def test_what_a_comparison_brings_with_its_list_is_taken_in(world):
    """An acknowledged status that is not recorded here, as after a restore, is recorded from the list and placed."""
    async with world.gateway() as gateway:
        sent = (await submit(gateway, make_letter(to=(make_organization(THEIRS),)))).sent
        await run_until_idle(gateway)
        report = report_on(sent.document, make_agency(THEIRS), status_code=ACCEPTED, at=NOW)
        item = world.axis.put(await world.status_packet(report), kind=PacketKind.STATUS)
        await world.axis.settle(item.axis_doc_id, done=True)
        world.axis.gives_once = frozenset({PacketKind.STATUS})
        world.axis.fetch = None
        await gateway.reconciler.compare()
        await gateway.poller.poll()
        assert await statuses(gateway) == [ACCEPTED]


async def test_a_list_read_again_keeps_its_order_whatever_its_ids(world):
    """A comparison records what came with its list so that it is placed in the list's order: ids say nothing of it."""
    async with world.gateway() as gateway:
        sent = (await submit(gateway, make_letter(to=(make_organization(THEIRS),)))).sent
        await run_until_idle(gateway)
    world.axis._ids = count(9999, -1)
    for code in CODES:
        item = await put_status(world, sent.document, code)
        await world.axis.settle(item.axis_doc_id, done=True)
    world.axis.gives_once = frozenset({PacketKind.STATUS})
    async with world.gateway() as gateway:
        await gateway.reconciler.compare()
        await gateway.poller.poll()
        assert await statuses(gateway) == CODES


async def test_a_list_keeps_its_order_while_the_clock_stands_still(world):
    """Statuses recorded within one tick of the clock are placed in the order of the list, whatever their ids."""
    world.axis._ids = count(9999, -1)
    await put_statuses(world)
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        assert await statuses(gateway) == CODES


async def test_one_poll_places_all_that_came_with_a_long_list(world, monkeypatch):
    """However long the list, nothing of it waits for the next poll."""
    monkeypatch.setattr(lanes, "BATCH", 1)
    await put_statuses(world)
    async with world.gateway() as gateway:
        assert await gateway.poller.poll() == len(CODES)
        assert await statuses(gateway) == CODES


async def test_a_stop_in_an_outage_of_the_store_loses_nothing_given_once(world, monkeypatch):
    """What could not be recorded before the stop is recorded before the poller ends, once the store is back."""
    await put_statuses(world)
    async with world.gateway() as gateway:
        record, tries = gateway.store.items.record, []

        async def fail(received, *, at):
            tries.append(received.item)
            if len(tries) == 1:
                gateway.poller.stop()
            if len(tries) < 3:
                raise GatewayError(ErrorCode.STORE_UNAVAILABLE)
            return await record(received, at=at)

        monkeypatch.setattr(gateway.store.items, "record", fail)
        async with asyncio.timeout(30):
            await gateway.poller.run()
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        assert await statuses(gateway) == CODES


async def test_a_list_that_is_on_its_way_at_a_stop_is_awaited(world, monkeypatch):
    """An axis that gives packets once is not asked in vain: what it answers after the stop is recorded."""
    sent = await letter_sent(world)
    await put_status(world, sent.document, CODES[0])
    async with world.gateway() as gateway:
        assert await gateway.poller.poll() == 1
        wait, asked = world.axis.waiting, asyncio.Event()

        async def late(kind):
            listed = await wait(kind)
            if kind is PacketKind.STATUS:
                asked.set()
                await asyncio.sleep(0.2)
            return listed

        monkeypatch.setattr(world.axis, "waiting", late)
        for each in gateway.poller._periodics:
            monkeypatch.setattr(each, "_grace", timedelta(0))
        for code in CODES[1:]:
            await put_status(world, sent.document, code)
        async with asyncio.timeout(30):
            running = asyncio.create_task(gateway.poller.run())
            await asked.wait()
            gateway.poller.stop()
            await running
    monkeypatch.setattr(world.axis, "waiting", wait)
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        assert await statuses(gateway) == CODES


async def test_an_axis_that_hangs_is_not_awaited_at_a_stop(world, monkeypatch):
    """Whose lists can be had again need not be heard out."""
    async with world.gateway() as gateway:
        asked = asyncio.Event()

        async def never(kind):
            asked.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(world.axis, "waiting", never)
        for each in gateway.poller._periodics:
            monkeypatch.setattr(each, "_grace", timedelta(0))
        async with asyncio.timeout(7):
            running = asyncio.create_task(gateway.poller.run())
            await asked.wait()
            gateway.poller.stop()
            await running


async def test_one_packet_that_breaks_our_work_holds_up_the_others_for_a_while_only(world, monkeypatch):
    """After a few tries a status that cannot be recorded is a discrepancy, and those behind it are taken in."""
    items = await put_statuses(world)
    async with world.gateway() as gateway:
        record = gateway.store.items.record

        async def fail(received, *, at):
            if received.item == items[0]:
                raise ValueError("a bug")
            return await record(received, at=at)

        monkeypatch.setattr(gateway.store.items, "record", fail)
        for _ in range(TRIES - 1):
            with pytest.raises(ValueError, match="a bug"):
                await gateway.poller.poll()
        await gateway.poller.poll()
        assert await statuses(gateway) == CODES[1:]
        (found,) = await gateway.store.discrepancies.open(ROUTE, kind=DiscrepancyKind.HANDLING_BROKE)
        assert found.key == items[0].axis_doc_id
        monkeypatch.setattr(gateway.store.items, "record", record)
        await gateway.poller.poll()
        assert sorted(await statuses(gateway)) == sorted(CODES)
