"""Acknowledged items that cannot be fetched hide no others from reconciliation."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.outcome import Rejected, Unavailable
from gateway.domain.packet import PacketKind
from gateway.domain.reconciliation import DiscrepancyKind as Kind
from gateway.domain.status import ACCEPTED
from gateway.flows.receipts import report_on
from tests.make import ROUTE, make_agency, make_organization
from tests.scenarios.test_reconcile import compare, found, put_done, send
from tests.scenarios.world import MINUTE, OURS, RECONCILE, THEIRS, World, make_letter, run_until_idle

PAGE = 100
"""Items fetched in a round."""


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def refuse(world, bad, outcome):
    """The axis does not give these items; the answer is the function that undoes it."""
    fetch = world.axis.fetch

    async def fetch_others(item, writer):
        return outcome if item in bad else await fetch(item, writer)

    world.axis.fetch = fetch_others
    return lambda: setattr(world.axis, "fetch", fetch)


async def put_bad(world, kind, *, count):
    bad = [world.axis.put(b"x", kind=kind) for _ in range(count)]
    for each in bad:
        await world.axis.settle(each.axis_doc_id, done=True)
    return bad


async def put_letter(world):
    return await put_done(world, make_letter(sender=make_organization(THEIRS), to=(make_organization(OURS),)))


@pytest.mark.parametrize("outcome", [Rejected(code="X", reason="gone"), Unavailable(reason="busy")])
async def test_documents_that_cannot_be_fetched_hide_no_later_one(world, outcome):
    """A whole page of hopeless items waits its turn, and the one behind them is taken in."""
    bad = await put_bad(world, PacketKind.DOCUMENT, count=PAGE)
    await put_letter(world)
    async with world.gateway() as gateway:
        refuse(world, bad, outcome)
        for _ in range(6):
            await compare(gateway)
        assert gateway.count("documents_received", account=ROUTE) == 1
        assert len(await found(gateway)) == PAGE


async def put_statuses(world, gateway, sent, *, count):
    report = report_on(sent, make_agency(THEIRS), status_code=ACCEPTED, at=gateway.clock.now())
    return [await put_done(world, report=report) for _ in range(count)]


@pytest.mark.parametrize(
    ("outcome", "rounds"), [(Rejected(code="X", reason="gone"), 1), (Unavailable(reason="busy"), 5)]
)
async def test_a_status_that_cannot_be_fetched_holds_back_for_some_rounds_at_most(world, outcome, rounds):
    """A refused one stops no round; one that is unavailable holds back those behind it, but not for ever."""
    async with world.gateway() as gateway:
        sent = (await send(gateway)).document
        await run_until_idle(gateway)
        bad = await put_bad(world, PacketKind.STATUS, count=1)
        ids = [each.axis_doc_id for each in await put_statuses(world, gateway, sent, count=3)]
        refuse(world, bad, outcome)
        for _ in range(rounds):
            assert await gateway.store.items.states(ROUTE, ids) == {}
            gateway.clock.advance(10 * MINUTE)
            await gateway.reconciler.compare()
        assert (await gateway.store.items.states(ROUTE, ids)).keys() == set(ids)
        assert await found(gateway) == [(Kind.RECEIVED_MISSING, bad[0].axis_doc_id)]


async def test_more_than_a_page_is_fetched_soon(world):
    """The next page does not wait for the next round of all comparisons."""
    bad = await put_bad(world, PacketKind.DOCUMENT, count=PAGE)
    await put_letter(world)
    async with world.gateway() as gateway:
        refuse(world, bad, Rejected(code="X", reason="gone"))
        await gateway.reconciler._turn()
        gateway.clock.advance(RECONCILE.interval)
        await gateway.reconciler._turn()
        assert gateway.count("documents_received", account=ROUTE) == 0
        gateway.clock.advance(timedelta(seconds=30))
        await gateway.reconciler._turn()
        assert gateway.count("documents_received", account=ROUTE) == 1


async def test_what_is_unavailable_is_listed_until_it_comes(world):
    """However long the axis did not give it, it is taken in once the axis does."""
    bad = [await put_letter(world)]
    async with world.gateway() as gateway:
        undo = refuse(world, bad, Unavailable(reason="busy"))
        for _ in range(3):
            gateway.clock.advance(timedelta(days=1, hours=12))
            await gateway.reconciler.compare()
        undo()
        gateway.clock.advance(60 * MINUTE)
        assert await compare(gateway) == []
        assert gateway.count("documents_received", account=ROUTE) == 1


async def test_a_mark_never_passes_what_is_being_recorded(world):
    """Though the axis's list does not lag, what was sent just now is not compared before a minute has passed."""
    async with world.gateway() as gateway:
        gateway.reconciler._policy = replace(RECONCILE, settling_time=timedelta(0))
        now = gateway.clock.now()
        await gateway.reconciler.compare()
        mark = await gateway.store.reconciliation.mark(ROUTE, default=now - RECONCILE.window)
        assert mark.sent_at == now - MINUTE
