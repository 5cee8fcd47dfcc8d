"""Several accounts and the local route in one gateway."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.agency import AgencyEntry
from gateway.domain.circuit import CircuitRules, Sign
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AccountName, AxisDocId, OrganId
from gateway.domain.lifecycle import DeliveryState
from gateway.domain.outcome import NOT_OFFERED, CannotTell, Rejected, Unavailable
from gateway.domain.packet import Misfit, PacketKind
from gateway.domain.routing import LOCAL, Route, RouteTable
from gateway.domain.status import ACCEPTED, ARRIVED, FINISHED
from gateway.flows.receipts import report_on
from gateway.ports import Waiting
from tests.fakes.axis import FakeAxis
from tests.make import NOW, ROUTE, make_agency, make_directory_row, make_document, make_organization
from tests.scenarios.test_inbound import statuses
from tests.scenarios.world import (
    LEASE,
    MINUTE,
    OURS,
    OURS_TOO,
    THEIRS,
    THEIRS_TOO,
    VENDOR,
    World,
    make_letter,
    run_until_idle,
    submit,
)
from tests.scenarios.wrecks import wrecks

PROVINCE = AccountName("province")


@pytest.fixture
def world(tmp_path):
    return make_world(tmp_path)


def make_world(folder):
    """THEIRS_TOO by the province's axis, THEIRS by the national one, our own agencies directly."""
    world = World(folder)
    world.more = {PROVINCE: FakeAxis(account=PROVINCE, clock=world.clock)}
    world.local = True
    world.table = RouteTable(
        routes=(Route(roots=(THEIRS_TOO,), accounts=(PROVINCE,)), Route(roots=(), accounts=(ROUTE,)))
    )
    return world


def letter_to(*codes):
    return make_letter(to=tuple(make_organization(code) for code in codes))


async def deliveries(gateway, sent):
    """State and last status of each recipient, as the sender's vendor sees them."""
    found = await gateway.store.documents.get(sent.uid)
    return {each.recipient: (each.state, each.last_status) for each in found.deliveries}


async def lease(gateway):
    """What the vendor can pull now."""
    return await gateway.store.receptions.lease(VENDOR, under=None, limit=9, lease_for=LEASE, at=gateway.clock.now())


async def put_status(world, axis, document, code, *, by):
    report = report_on(document, make_agency(by), status_code=code, at=world.clock.now())
    return axis.put(await world.status_packet(report), kind=PacketKind.STATUS)


async def test_three_routes_one_view(world):
    """One submission to a local, a national and a provincial recipient: three packets, and all statuses in one log."""
    async with world.gateway() as gateway:
        sent = (await submit(gateway, letter_to(OURS_TOO, THEIRS, THEIRS_TOO))).sent
        await run_until_idle(gateway)
        assert [packet.recipients for packet in world.axis.taken] == [(THEIRS,)]
        assert [packet.recipients for packet in world.more[PROVINCE].taken] == [(THEIRS_TOO,)]
        (entry,) = await lease(gateway)
        assert entry.recipient.code == OURS_TOO
        assert entry.document.document_id == sent.document.document_id
        assert [each.organ_id for each in entry.document.trace] == ["H98"]
        assert entry.document.attachments[0].verdict is not None

        await gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
        await put_status(world, world.axis, sent.document, ACCEPTED, by=THEIRS)
        await put_status(world, world.more[PROVINCE], sent.document, FINISHED, by=THEIRS_TOO)
        await run_until_idle(gateway)
        await gateway.poller.poll()
        await gateway.more[PROVINCE].poller.poll()
        assert sorted(await statuses(gateway)) == [(OURS_TOO, ARRIVED), (THEIRS, ACCEPTED), (THEIRS_TOO, FINISHED)]
        assert await deliveries(gateway, sent) == {
            OURS_TOO: (DeliveryState.SENT, ARRIVED),
            THEIRS: (DeliveryState.SENT, ACCEPTED),
            THEIRS_TOO: (DeliveryState.SENT, FINISHED),
        }
        assert {packet.kind for packet in world.axis.taken} == {PacketKind.DOCUMENT}


async def test_statuses_go_back_the_way_the_document_came(world):
    """Documents of two axes and a local one: each is answered by its own route and by no other."""
    incoming = {
        axis: make_document(sender=make_organization(code), to=(make_organization(OURS),))
        for axis, code in ((world.axis, THEIRS), (world.more[PROVINCE], THEIRS_TOO))
    }
    for axis, document in incoming.items():
        axis.put(await world.document_packet(document), kind=PacketKind.DOCUMENT)
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        await gateway.more[PROVINCE].poller.poll()
        for entry in await lease(gateway):
            await gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
        await run_until_idle(gateway)
        assert [packet.recipients for packet in world.axis.taken] == [(THEIRS,)]
        assert [packet.recipients for packet in world.more[PROVINCE].taken] == [(THEIRS_TOO,)]


async def test_a_document_received_locally_can_be_passed_on(world):
    """What came by the local route is no loop when its recipient sends it on, to here or by an axis."""
    async with world.gateway() as gateway:
        await submit(gateway, letter_to(OURS_TOO))
        await run_until_idle(gateway)
        (entry,) = await lease(gateway)
        to = tuple(make_organization(code) for code in (OURS, THEIRS))
        passed_on = replace(entry.document, document_id="", trace=(), sender=make_organization(OURS_TOO), to=to)
        found = await gateway.store.directory.resolve([OURS_TOO])
        sent = (await submit(gateway, passed_on, agency=found[OURS_TOO])).sent
        await run_until_idle(gateway)
        assert {state for state, _ in (await deliveries(gateway, sent)).values()} == {DeliveryState.SENT}


async def test_a_crash_between_any_two_steps_of_local_delivery(tmp_path):
    """Document and receipt arrive once each, whatever step of handing over a crash hits."""
    base = make_world(tmp_path / "base")
    base.folder.mkdir()
    async with base.gateway() as gateway:
        sent = (await submit(gateway, letter_to(OURS_TOO))).sent
    for world in await wrecks(base, exchange, least=20):
        world.clock.advance(2 * LEASE)
        async with world.gateway() as gateway:
            for _ in range(3):
                await exchange(gateway)
                world.clock.advance(2 * LEASE)
            assert await statuses(gateway) == [(OURS_TOO, ARRIVED)]
            assert await deliveries(gateway, sent) == {OURS_TOO: (DeliveryState.SENT, ARRIVED)}
            assert await gateway.store.items.unfinished(LOCAL, limit=9) == ()
            assert await lease(gateway) == ()


async def exchange(gateway):
    """Everything due goes out, what arrived is acknowledged, and so on."""
    for _ in range(2):
        await gateway.send_due()
        for entry in await lease(gateway):
            await gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)


async def test_a_recipient_that_is_not_served_any_more_fails_alone(world):
    """An agency taken from us between acceptance and delivery: it is shown as failed, the others get the document."""
    world.serves = (OrganId("H98"), THEIRS)
    async with world.gateway() as gateway:
        sent = (await submit(gateway, letter_to(OURS_TOO, THEIRS))).sent
    world.serves = (OrganId("H98"),)
    async with world.gateway() as gateway:
        await run_until_idle(gateway)
        found = await gateway.store.documents.get(sent.uid)
        assert [(each.recipient, each.state) for each in found.deliveries] == [
            (OURS_TOO, DeliveryState.SENT),
            (THEIRS, DeliveryState.FAILED),
        ]
        assert found.deliveries[1].reason.startswith(Misfit.NO_LOCAL_RECIPIENT)
        (entry,) = await lease(gateway)
        assert entry.recipient.code == OURS_TOO


async def test_what_ends_in_quarantine_is_refused_with_the_reason(world):
    """The sender of a local document sees why it cannot be taken, also where only a repetition could be answered."""
    document = letter_to(OURS_TOO)
    foreign = replace(document, subject="another letter under the same id")
    async with world.gateway() as gateway:
        world.axis.put(await world.document_packet(foreign), kind=PacketKind.DOCUMENT)
        await gateway.poller.poll()
        sent = (await submit(gateway, document)).sent
        await run_until_idle(gateway)
        (delivery,) = (await gateway.store.documents.get(sent.uid)).deliveries
        assert delivery.state is DeliveryState.FAILED
        assert delivery.reason.startswith(Misfit.CONTENT_CONFLICT)
        (message,) = await lease(gateway)
        assert message.document.subject == foreign.subject


async def test_without_room_a_local_document_waits(world):
    """Room that runs out after acceptance puts delivery off; with room it is made."""
    async with world.gateway() as gateway:
        sent = (await submit(gateway, letter_to(OURS_TOO))).sent
        world.disk.fill()
        await gateway.send_due()
        assert (await deliveries(gateway, sent))[OURS_TOO][0] is DeliveryState.DELAYED
        assert await gateway.store.items.unfinished(LOCAL, limit=9) == ()
        world.disk.clear()
        await run_until_idle(gateway)
        assert (await deliveries(gateway, sent))[OURS_TOO][0] is DeliveryState.SENT


@pytest.mark.parametrize("error", [GatewayError(ErrorCode.STORE_UNAVAILABLE), ValueError("a bug")])
async def test_trouble_of_ours_puts_local_delivery_off(world, monkeypatch, error):
    """A store that fails, or a bug, is no lost answer: the document waits its turn like any other, and then arrives."""
    async with world.gateway() as gateway:
        store, tries = gateway.store.items.store, []

        async def fail_once(*args, **kwargs):
            tries.append(1)
            if len(tries) == 1:
                raise error
            return await store(*args, **kwargs)

        monkeypatch.setattr(gateway.store.items, "store", fail_once)
        sent = (await submit(gateway, letter_to(OURS_TOO))).sent
        await gateway.send_due()
        assert (await deliveries(gateway, sent))[OURS_TOO][0] is DeliveryState.DELAYED
        assert not await gateway.send_due()
        await run_until_idle(gateway)
        assert (await deliveries(gateway, sent))[OURS_TOO][0] is DeliveryState.SENT
        assert len(await lease(gateway)) == 1


async def test_the_local_route_has_no_lists(world):
    """What only an axis can answer is answered with nothing, or as not offered."""
    async with world.gateway() as gateway:
        local = gateway.local
        for kind in PacketKind:
            assert await local.waiting(kind) == Waiting(items=())
            assert await local.acknowledged(kind, since=NOW) == Waiting(items=())
        assert isinstance(await local.sent_list(), CannotTell)
        assert isinstance(await local.sent_packet(AxisDocId("x")), CannotTell)
        assert isinstance(await local.agencies(), Unavailable)
        unit = AgencyEntry(code=OURS, parent_code=OrganId("H98"), name="Sở")
        for refused in (await local.register(unit), await local.deregister(OURS)):
            assert isinstance(refused, Rejected)
            assert refused.code == NOT_OFFERED


async def test_failover_and_return(world):
    """While the first account is down its documents leave by the second; once it is back, new ones use it again."""
    world.local = False
    world.circuit = CircuitRules(failures=2)
    world.table = RouteTable(routes=(Route(roots=(), accounts=(ROUTE, PROVINCE)),))
    async with world.gateway() as gateway:
        sent = [(await submit(gateway, letter_to(THEIRS))).sent for _ in range(3)]
        world.axis.fates.extend([Unavailable(reason="down")] * 3)
        await gateway.send_due()
        assert await gateway.failover.look() == 0
        gateway.clock.advance(MINUTE)
        assert await gateway.failover.look() == 3
        assert gateway.metrics.registry.get_sample_value(
            "lgsp_failed_over_total", {"from": ROUTE, "to": PROVINCE}
        ) == len(sent)
        assert gateway.metrics.registry.get_sample_value("lgsp_axis_circuit", {"account": ROUTE}) > 0
        assert await gateway.failover.look() == 0
        await run_until_idle(gateway)
        assert len(world.more[PROVINCE].taken) == len(sent)
        for each in sent:
            assert (await deliveries(gateway, each))[THEIRS][0] is DeliveryState.SENT
        back = (await submit(gateway, letter_to(THEIRS))).sent
        await run_until_idle(gateway)
        assert [packet.recipients for packet in world.axis.taken] == [(THEIRS,)]
        assert (await deliveries(gateway, back))[THEIRS][0] is DeliveryState.SENT
        assert gateway.metrics.registry.get_sample_value("lgsp_axis_circuit", {"account": ROUTE}) == 0


async def test_two_accounts_that_are_both_down_keep_what_they_have(world):
    """Without a healthy account nothing is moved to and fro."""
    world.local = False
    world.circuit = CircuitRules(failures=1)
    world.table = RouteTable(routes=(Route(roots=(), accounts=(ROUTE, PROVINCE)),))
    async with world.gateway() as gateway:
        await submit(gateway, letter_to(THEIRS))
        world.axis.fates.append(Unavailable(reason="down"))
        world.more[PROVINCE].fates.append(Unavailable(reason="down"))
        await gateway.send_due()
        gateway.clock.advance(MINUTE)
        assert await gateway.failover.look() == 1
        await gateway.send_due()
        gateway.clock.advance(timedelta(seconds=1))
        assert await gateway.failover.look() == 0


async def test_an_account_that_came_back_unnoticed_is_found_by_one_message(world):
    """Both were down and all waits for the second: when only the first is back, a scout finds out and all follow it."""
    world.local = False
    world.circuit = CircuitRules(failures=1)
    world.table = RouteTable(routes=(Route(roots=(), accounts=(ROUTE, PROVINCE)),))
    down = [Unavailable(reason="down")] * 99
    async with world.gateway() as gateway:
        sent = [(await submit(gateway, letter_to(THEIRS))).sent for _ in range(5)]
        world.axis.fates.extend(down[: len(sent)])
        world.more[PROVINCE].fates.extend(down)
        await gateway.send_due()
        gateway.clock.advance(MINUTE)
        assert await gateway.failover.look() >= 1
        for _ in range(10):
            await gateway.send_due()
            await gateway.failover.look()
            gateway.clock.advance(MINUTE)
        assert {state for each in sent for state, _ in (await deliveries(gateway, each)).values()} == {
            DeliveryState.SENT
        }
        assert len(world.axis.taken) == len(sent)


async def test_two_accounts_whose_probes_fail_keep_what_they_have(world):
    """Nothing is moved to and fro while each is known to be down by what it has itself."""
    world.local = False
    world.circuit = CircuitRules(failures=1)
    world.table = RouteTable(routes=(Route(roots=(), accounts=(ROUTE, PROVINCE)),))
    async with world.gateway() as gateway:
        for _ in range(20):
            await submit(gateway, letter_to(THEIRS))
        for axis in (world.axis, world.more[PROVINCE]):
            axis.fates.extend([Unavailable(reason="down")] * 9999)
        await gateway.send_due()
        gateway.clock.advance(MINUTE)
        await gateway.failover.look()
        moves = []
        for _ in range(300):
            gateway.clock.advance(timedelta(seconds=1))
            for breaker in (gateway.breaker, gateway.more[PROVINCE].breaker):
                for _ in range(breaker.places(1)):
                    breaker.heard(Sign.DOWN)
            moves.append(await gateway.failover.look())
        assert sum(moves) == 0


async def test_the_directory_of_two_axes(world):
    """The second axis adds its own units; while it does not answer nothing is closed."""
    unit = make_directory_row("H99.01.7", axis_id="7", parent_axis_id="1")
    known = make_directory_row(THEIRS, axis_id="1", name="Tên khác")
    world.more[PROVINCE].rows = (known, unit)
    world.directory_accounts = [ROUTE, PROVINCE]
    async with world.gateway() as gateway:
        found = await gateway.store.directory.resolve(["H99.01.7", THEIRS])
        assert found["H99.01.7"].parent_id == found[THEIRS].id
        assert found[THEIRS].name != known.name
        for rows in ((), world.more[PROVINCE].rows):
            world.more[PROVINCE].rows, world.more[PROVINCE].down = rows, bool(rows)
            assert not await gateway.directory.sync()
            world.more[PROVINCE].rows = (known, unit)
        assert (await gateway.store.directory.resolve(["H99.01.7"]))["H99.01.7"].active


async def test_an_axis_that_gives_no_directory_keeps_none_of_the_others_from_changing(world):
    """Its agencies stay as it listed them last, and the units that another registers meanwhile are known."""
    world.more[PROVINCE].rows = (make_directory_row("H97", axis_id="7"),)
    world.directory_accounts = [ROUTE, PROVINCE]
    async with world.gateway() as gateway:
        await gateway.directory.sync()
        world.more[PROVINCE].down = True
        world.axis.rows += (make_directory_row("H99.09", parent_axis_id="axis-H99"),)
        assert not await gateway.directory.sync()
        found = await gateway.store.directory.resolve(["H97", "H99.09"])
        assert all(agency.active for agency in found.values())
        gateway.clock.advance(timedelta(hours=1))
        world.axis.rows += (make_directory_row("H99.10", parent_axis_id="axis-H99"),)
        assert await gateway.directory.refresh()
        assert "H99.10" in await gateway.store.directory.resolve(["H99.10"])
        gateway.clock.advance(timedelta(hours=1))
        world.axis.down = True
        assert not await gateway.directory.refresh()


async def test_a_first_start_does_not_wait_for_every_directory(world):
    """An empty directory takes what the first axes list: nothing is there that could be closed."""
    world.more[PROVINCE].down = True
    world.directory_accounts = [ROUTE, PROVINCE]
    async with world.gateway() as gateway:
        assert OURS in await gateway.store.directory.resolve([OURS])
    async with world.gateway(ready=False) as gateway:
        world.axis.rows = world.axis.rows[:-1]
        await gateway.directory.sync()
        assert gateway.directory.loaded
        assert (await gateway.store.directory.resolve([THEIRS_TOO]))[THEIRS_TOO].active
    world.axis.down, world.more[PROVINCE].down = True, False
    async with make_world_beside(world).gateway(ready=False) as gateway:
        await gateway.directory.sync()
        assert not gateway.directory.loaded


def make_world_beside(world):
    """The same axes, and a gateway that never ran."""
    folder = world.folder / "beside"
    folder.mkdir()
    beside = make_world(folder)
    beside.axis, beside.more, beside.directory_accounts = world.axis, world.more, world.directory_accounts
    return beside


async def test_a_document_that_arrives_over_two_axes_is_one_document(world):
    """Both axes are told that it is stored; its recipient gets it once, and the first way takes the receipt."""
    document = make_document(sender=make_organization(THEIRS), to=(make_organization(OURS),))
    for axis in (world.axis, world.more[PROVINCE]):
        axis.put(await world.document_packet(document), kind=PacketKind.DOCUMENT)
    async with world.gateway() as gateway:
        await gateway.more[PROVINCE].poller.poll()
        await gateway.poller.poll()
        for axis in (world.axis, world.more[PROVINCE]):
            assert [done for _, done in axis.told] == [True]
        (entry,) = await lease(gateway)
        await gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
        await run_until_idle(gateway)
        assert [packet.kind for packet in world.more[PROVINCE].taken] == [PacketKind.STATUS]
        assert world.axis.taken == []


async def test_a_status_may_come_back_by_another_axis(world):
    """What its document left by does not matter: the reporter and the document's marks place it, once."""
    async with world.gateway() as gateway:
        sent = (await submit(gateway, letter_to(THEIRS))).sent
        await run_until_idle(gateway)
        for axis in (world.more[PROVINCE], world.axis):
            await put_status(world, axis, sent.document, ACCEPTED, by=THEIRS)
        await gateway.more[PROVINCE].poller.poll()
        await gateway.poller.poll()
        assert await statuses(gateway) == [(THEIRS, ACCEPTED)]
        assert await deliveries(gateway, sent) == {THEIRS: (DeliveryState.SENT, ACCEPTED)}
