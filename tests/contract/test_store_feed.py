"""The status feed over a real database: taken in any order, nothing lost, nothing twice, whatever the log holds."""

import asyncio
import itertools
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.ids import VendorId
from gateway.domain.mandate import Mandate
from gateway.domain.status import DeliveryChange
from gateway.store import eventlog, feed, open_store
from tests.contract.conftest import LISTED, VENDOR_A, VENDOR_B, World, on_sqlite
from tests.make import NOW, RECIPIENT, SENDER, make_status

_numbers = itertools.count()


async def log(world, agency=SENDER, change=None, count=1):
    """Events of an agency; a status each of its own unless a change is given."""
    new = [
        eventlog.NewEvent(
            agency=world.id(agency),
            resource="documents/x",
            document_id="x",
            recipient_code=RECIPIENT,
            change=change or make_status(description=str(next(_numbers))),
        )
        for _ in range(count)
    ]
    await world.store.database.write(partial(eventlog.append, new=new, at=NOW))
    return [each.change for each in new]


CHANGE = DeliveryChange(state="sent", attempts=1, reason="")


async def reports(world, vendor=VENDOR_A, limit=1000):
    return [each.report for each in await world.store.feed.waiting(vendor, limit=limit)]


async def after_of(world, vendor=VENDOR_A):
    async def work(conn):
        rows = await conn.exec_driver_sql(f"SELECT after FROM feeds WHERE vendor = '{vendor}'")
        taken = await conn.exec_driver_sql(f"SELECT count(*) FROM feed_taken WHERE vendor = '{vendor}'")
        return rows.scalar_one(), taken.scalar_one()

    return await world.store.database.read(work)


async def test_a_feed_begins_at_the_present_end(world):
    """What came before the first call is history; beginning again changes nothing."""
    assert await world.store.feed.waiting(VENDOR_A, limit=9) == ()
    assert await world.store.feed.count(VENDOR_A, most=9) == 0
    await log(world)
    await world.store.feed.begin(VENDOR_A, at=NOW)
    news = await log(world, count=2)
    await world.store.feed.begin(VENDOR_A, at=NOW)
    assert await reports(world) == news
    assert await world.store.feed.count(VENDOR_A, most=9) == 2
    assert await world.store.feed.count(VENDOR_A, most=1) == 1


async def test_a_vendor_is_fed_what_its_agencies_get(world):
    """Statuses of agencies it serves or acts for; delivery changes and foreign agencies' statuses are no part of it."""
    for vendor in (VENDOR_A, VENDOR_B):
        await world.store.feed.begin(vendor, at=NOW)
    await log(world, change=CHANGE)
    mine = await log(world)
    theirs = await log(world, RECIPIENT)
    assert await reports(world) == mine
    assert await reports(world, VENDOR_B) == mine + theirs
    (foreign,) = [each for each in await world.store.feed.waiting(VENDOR_B, limit=9) if each.report == theirs[0]]
    assert await world.store.feed.get(VENDOR_A, foreign.id) is None
    assert not await world.store.feed.take(VENDOR_A, foreign.id)
    assert (await world.store.feed.get(VENDOR_B, foreign.id)) == foreign


@pytest.mark.parametrize("status", ["", "status-", "status-00000000-1", "status-1", "x" * 99, "status-zzzzzzzz-1"])
async def test_unknown_names_are_nobodys(world, status):
    """Names of another epoch of the store, or of nothing, are not found and not taken."""
    await world.store.feed.begin(VENDOR_A, at=NOW)
    await log(world)
    assert await world.store.feed.get(VENDOR_A, status) is None
    assert not await world.store.feed.take(VENDOR_A, status)
    assert len(await reports(world)) == 1


async def test_taking_is_idempotent_and_compacted(world):
    """Taken in any order; what stands before the first open one is kept as a position alone."""
    await world.store.feed.begin(VENDOR_A, at=NOW)
    await log(world, count=4)
    one, two, three, four = await world.store.feed.waiting(VENDOR_A, limit=9)
    for each in (three, three, two):
        assert await world.store.feed.take(VENDOR_A, each.id)
    assert (await after_of(world))[1] == 2
    assert [each.id for each in await world.store.feed.waiting(VENDOR_A, limit=9)] == [one.id, four.id]
    assert await world.store.feed.take(VENDOR_A, one.id)
    assert (await after_of(world))[1] == 0
    assert await world.store.feed.take(VENDOR_A, one.id)
    assert await world.store.feed.get(VENDOR_A, one.id) == one
    assert [each.id for each in await world.store.feed.waiting(VENDOR_A, limit=9)] == [four.id]


async def test_all_takers_at_once_agree(world):
    """Ten takers of the same ten statuses, each in another order: nothing is left, nobody fails."""
    await world.store.feed.begin(VENDOR_A, at=NOW)
    await log(world, count=10)
    ids = [each.id for each in await world.store.feed.waiting(VENDOR_A, limit=99)]
    takes = [world.store.feed.take(VENDOR_A, status) for i in range(10) for status in ids[i:] + ids[:i]]
    assert set(await asyncio.gather(*takes)) == {True}
    assert await reports(world) == []
    assert (await after_of(world))[1] == 0


async def test_a_stretch_without_statuses_is_read_once(world, monkeypatch):
    """Thousands of delivery changes are passed over for good at the first look."""
    monkeypatch.setattr(feed, "WINDOW", 50)
    await world.store.feed.begin(VENDOR_A, at=NOW)
    before, _ = await after_of(world)
    await log(world, change=CHANGE, count=210)
    assert await reports(world) == []
    assert (await after_of(world))[0] == before + 200
    news = await log(world)
    assert await reports(world) == news


async def test_events_that_retention_removed_are_passed_over(world):
    """A feed whose next events are gone goes on with what is kept."""
    await world.store.feed.begin(VENDOR_A, at=NOW)
    await log(world, count=3)
    ids = [each.id for each in await world.store.feed.waiting(VENDOR_A, limit=9)]
    await world.store.database.write(
        lambda conn: conn.exec_driver_sql("DELETE FROM events WHERE position < (SELECT max(position) FROM events)")
    )
    assert [each.id for each in await world.store.feed.waiting(VENDOR_A, limit=9)] == [ids[-1]]
    assert not await world.store.feed.take(VENDOR_A, ids[0])
    assert await world.store.feed.take(VENDOR_A, ids[-1])
    assert await reports(world) == []


STEPS = st.one_of(
    st.tuples(st.just("status"), st.integers(1, 4)),
    st.tuples(st.just("change"), st.integers(1, 9)),
    st.tuples(st.just("foreign"), st.integers(1, 9)),
    st.tuples(st.just("take"), st.integers(0, 20)),
    st.tuples(st.just("list"), st.integers(1, 5)),
)


async def play(world: World, steps) -> None:
    """The feed beside a plain list of what is to be taken."""
    await world.store.feed.begin(VENDOR_A, at=NOW)
    expected = []
    for step, number in steps:
        if step == "status":
            expected += await log(world, count=number)
        elif step in {"change", "foreign"}:
            await log(world, SENDER if step == "change" else RECIPIENT, CHANGE if step == "change" else None, number)
        elif step == "list":
            assert await reports(world, limit=number) == expected[:number]
        elif expected:
            place = number % len(expected)
            known = await world.store.feed.waiting(VENDOR_A, limit=place + 1)
            assert await world.store.feed.take(VENDOR_A, known[place].id)
            assert known[place].report == expected.pop(place)
        assert await world.store.feed.count(VENDOR_A, most=1000) == len(expected)
    assert await reports(world) == expected


@on_sqlite
def test_nothing_is_lost_and_nothing_comes_twice(fresh_database, tmp_path_factory, monkeypatch):
    """Whatever comes and is taken in whatever order, the feed is what is left of it."""
    monkeypatch.setattr(feed, "WINDOW", 6)

    async def run(steps):
        with fresh_database.empty(tmp_path_factory.mktemp("feed")) as where:
            store = await open_store(where)
            try:
                await store.directory.apply(LISTED, at=NOW)
                agencies = await store.directory.resolve([row.code for row in LISTED])
                await store.directory.set_mandates([mandate(agencies, SENDER, VENDOR_A)])
                await play(World(store=store, agencies=agencies), steps)
            finally:
                await store.close()

    @settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(STEPS, max_size=25))
    def holds(steps):
        asyncio.run(run(steps))

    holds()


def mandate(agencies, code: str, vendor: VendorId):
    return Mandate(vendor=vendor, agency=agencies[code].id, serves=True)


async def test_the_same_on_every_database(world, monkeypatch):
    """One long mixture on both databases."""
    monkeypatch.setattr(feed, "WINDOW", 6)
    kinds = ("status", "take", "change", "list", "foreign", "take", "status", "take")
    await play(world, [(kinds[i % len(kinds)], (i * 7) % 5 + 1) for i in range(60)])
