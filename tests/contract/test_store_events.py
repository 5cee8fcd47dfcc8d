"""EventLog over a real database: nothing lost, nothing repeated, each vendor its own."""

import asyncio

import sqlalchemy as sa

from gateway.domain.mandate import Mandate
from gateway.domain.status import DeliveryChange
from gateway.store import eventlog, open_store
from tests.contract.conftest import OTHER, VENDOR_A, VENDOR_B
from tests.make import NOW, RECIPIENT, SENDER

CHANGE = DeliveryChange(state="sent", attempts=1, reason="")


async def log(world, *codes):
    """Append one event per agency, in one transaction."""
    news = [
        eventlog.NewEvent(
            agency=world.id(code), resource="documents/x", document_id="x", recipient_code=OTHER, change=CHANGE
        )
        for code in codes
    ]
    await world.store.database.write(lambda conn: eventlog.append(conn, news, at=NOW))


async def test_an_empty_log_has_a_head(world, store_path):
    """The epoch outlives a restart; before the first event both ends are zero."""
    head = await world.store.events.head()
    assert (head.first, head.last) == (0, 0)
    assert head.epoch
    again = await open_store(store_path)
    assert await again.events.head() == head
    await again.close()


async def test_pages_join_up_and_pass_foreign_events(world):
    """A vendor sees its agencies' events in order, page by page, and how far the log was searched."""
    await log(world, SENDER, RECIPIENT, SENDER, RECIPIENT, SENDER)
    events = world.store.events
    first = await events.read(VENDOR_A, under=None, after=0, limit=2)
    assert ([e.position for e in first.events], first.up_to) == ([1, 3], 3)
    second = await events.read(VENDOR_A, under=None, after=first.up_to, limit=2)
    assert ([e.position for e in second.events], second.up_to) == ([5], 5)
    end = await events.read(VENDOR_A, under=None, after=5, limit=2)
    assert (end.events, end.up_to) == ((), 5)
    foreign = await events.read(VENDOR_B, under=world.id("H99"), after=0, limit=9)
    assert ([e.agency_code for e in foreign.events], foreign.up_to) == ([RECIPIENT, RECIPIENT], 5)


async def test_a_long_stretch_of_foreign_events_is_searched_in_steps(world, monkeypatch):
    """Events behind more foreign ones than one step covers are found by one call."""
    monkeypatch.setattr(eventlog, "WINDOW", 3)
    await log(world, *[RECIPIENT] * 10, SENDER, *[RECIPIENT] * 10)
    page = await world.store.events.read(VENDOR_A, under=None, after=0, limit=5)
    assert ([e.position for e in page.events], page.up_to) == ([11], 12)
    rest = await world.store.events.read(VENDOR_A, under=None, after=page.up_to, limit=5)
    assert (rest.events, rest.up_to) == ((), 21)


async def test_mandates_of_the_moment_decide_what_is_seen(world):
    """Acting for an agency suffices to see its events; losing the mandate hides them."""
    await log(world, SENDER)
    events = world.store.events
    assert len((await events.read(VENDOR_B, under=None, after=0, limit=9)).events) == 1
    await world.store.directory.set_mandates([Mandate(vendor=VENDOR_A, agency=world.id(SENDER), serves=True)])
    assert (await events.read(VENDOR_B, under=None, after=0, limit=9)).events == ()


async def test_concurrent_writers_leave_no_gap_behind_a_reader(world):
    """While many transactions append, a reader that follows `up_to` gets every position once, in order."""
    total = 60
    seen: list[int] = []

    async def follow():
        after = 0
        while after < total:
            page = await world.store.events.read(VENDOR_A, under=None, after=after, limit=7)
            seen.extend(event.position for event in page.events)
            after = page.up_to
            await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(follow(), *(log(world, SENDER, SENDER) for _ in range(total // 2))), 60)
    assert seen == list(range(1, total + 1))


async def test_the_first_position_follows_what_is_kept(world):
    """Where old events are gone, a reader can resume from the oldest kept one on."""
    await log(world, *[SENDER] * 5)
    await world.store.database.write(lambda conn: conn.execute(sa.text("DELETE FROM events WHERE position < 3")))
    head = await world.store.events.head()
    assert (head.first, head.last) == (2, 5)
    await world.store.database.write(lambda conn: conn.execute(sa.text("DELETE FROM events")))
    head = await world.store.events.head()
    assert (head.first, head.last) == (5, 5)
