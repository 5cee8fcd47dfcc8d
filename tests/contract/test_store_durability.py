"""What is acknowledged survives, what is not leaves nothing, and a database in trouble says so."""

import asyncio
import random
import sqlite3
import traceback
from contextlib import closing
from datetime import timedelta
from shutil import copyfile

import pytest
import sqlalchemy as sa

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.lifecycle import MessageState
from gateway.store import engine, faults, open_store, postgres, sqlite
from tests.contract.conftest import VENDOR_A, on_sqlite
from tests.make import NOW, ROUTE

LEASE = timedelta(seconds=60)
MARK = sa.text("INSERT INTO meta (name, value) VALUES (:name, 'x')")


async def marks(store):
    """Names written by MARK."""

    async def work(conn):
        return set(await conn.scalars(sa.text("SELECT name FROM meta WHERE value = 'x'")))

    return await store.database.read(work)


def idle(store):
    """True if every connection is back and both gates are open."""
    database = store.database
    out = database._writer.pool.checkedout() + database._readers.pool.checkedout()
    gates = (database._commits._free, database._read_gate._value)
    kind = postgres if database._shared else sqlite
    return out == 0 and gates == (kind.WRITERS, kind.READERS) and not database._running


async def assert_unavailable(call):
    """The call is refused as STORE_UNAVAILABLE with a time to retry."""
    with pytest.raises(GatewayError) as caught:
        await call
    assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
    assert caught.value.retry_after == faults.RETRY_AFTER
    return caught.value


@on_sqlite
async def test_connections_are_durable_and_strict(store):
    """The writer syncs every commit into the WAL and checks references; readers cannot write."""

    async def pragmas(conn):
        names = ("journal_mode", "synchronous", "foreign_keys", "query_only")
        return [(await conn.exec_driver_sql(f"PRAGMA {name}")).scalar_one() for name in names]

    assert await store.database.write(pragmas) == ["wal", 2, 1, 0]
    assert await store.database.read(pragmas) == ["wal", 2, 1, 1]


@on_sqlite
async def test_a_crash_keeps_what_was_acknowledged_and_nothing_else(world, store_path, tmp_path):
    """The files as they are at an instant, without any farewell, hold the accepted document whole, not the open one."""
    taken = await world.store.documents.accept(world.acceptance(), at=NOW)
    (message,) = await world.store.outbox.lease("w", route=ROUTE, limit=9, lease_for=LEASE, at=NOW)
    await world.store.outbox.begin_submit(message, at=NOW)
    crashed = tmp_path / "crashed.db"

    async def half_done(conn):
        await conn.execute(MARK, {"name": "half"})
        for suffix in ("", "-wal"):
            await asyncio.to_thread(copyfile, f"{store_path}{suffix}", f"{crashed}{suffix}")

    await world.store.database.write(half_done)
    reopened = await open_store(crashed)
    assert await reopened.documents.get(taken.sent.uid) == taken.sent
    assert await marks(reopened) == set()
    (again,) = await reopened.outbox.lease("w2", route=ROUTE, limit=9, lease_for=LEASE, at=NOW + LEASE * 2)
    assert (again.id, again.state) == (message.id, MessageState.SUBMITTING)
    await reopened.close()


async def test_a_failed_transaction_leaves_nothing(store):
    """An error inside a transaction undoes all of it, passes to the caller and gives the connection back."""

    async def work(conn):
        await conn.execute(MARK, {"name": "a"})
        raise LookupError

    with pytest.raises(LookupError):
        await store.database.write(work)
    assert await marks(store) == set()
    assert idle(store)


@on_sqlite
async def test_a_cancelled_caller_leaves_a_whole_transaction(store):
    """A transaction that runs when its caller is cancelled still ends whole, and the next writer waits for it."""
    inside, go = asyncio.Event(), asyncio.Event()

    async def work(conn):
        await conn.execute(MARK, {"name": "first"})
        inside.set()
        await go.wait()
        await conn.execute(MARK, {"name": "second"})

    caller = asyncio.create_task(store.database.write(work))
    await inside.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    follower = asyncio.create_task(store.database.write(lambda conn: conn.execute(MARK, {"name": "third"})))
    await asyncio.sleep(0)
    assert await marks(store) == set()
    go.set()
    await follower
    assert await marks(store) == {"first", "second", "third"}
    assert idle(store)


@on_sqlite
async def test_a_caller_cancelled_in_the_queue_has_done_nothing(store):
    """Who is cancelled while waiting for the writer writes nothing and blocks nobody."""
    inside, go = asyncio.Event(), asyncio.Event()

    async def holds(conn):
        inside.set()
        await go.wait()

    holder = asyncio.create_task(store.database.write(holds))
    await inside.wait()
    waiting = asyncio.create_task(store.database.write(lambda conn: conn.execute(MARK, {"name": "never"})))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go.set()
    await holder
    await store.database.write(lambda conn: conn.execute(MARK, {"name": "next"}))
    assert await marks(store) == {"next"}
    assert idle(store)


async def test_cancellation_at_any_moment_leaves_documents_whole(world):
    """Submissions cancelled after any number of turns are taken whole or not at all, and no connection stays out."""
    draw = random.Random(7)
    wanted = [world.acceptance() for _ in range(40)]
    tasks = [asyncio.create_task(world.store.documents.accept(each, at=NOW)) for each in wanted]
    for task in tasks:
        for _ in range(draw.choice((0, 1, 3, 10, 30, 100, 300, 1000))):
            await asyncio.sleep(0)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    while world.store.database._commits._running:
        await asyncio.wait(world.store.database._commits._running)
    kept = 0
    for each in wanted:
        found = await world.store.documents.repetition(VENDOR_A, each.request_id, each.request_digest)
        if found is not None:
            kept += 1
            assert len(found.sent.deliveries) == len(each.document.to)
    leased = await world.store.outbox.lease("w", route=ROUTE, limit=99, lease_for=LEASE, at=NOW)
    assert 0 < kept == len(leased)
    assert all(message.recipients == message.document.to for message in leased)
    assert idle(world.store)


async def test_closing_waits_for_what_runs_and_refuses_what_follows(store):
    """A running transaction is committed before the database closes; later calls are refused."""
    inside, go = asyncio.Event(), asyncio.Event()

    async def work(conn):
        inside.set()
        await go.wait()
        await conn.execute(MARK, {"name": "last"})
        return "done"

    running = asyncio.create_task(store.database.write(work))
    await inside.wait()
    closing_down = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    go.set()
    assert await running == "done"
    await closing_down
    await assert_unavailable(store.outbox.depth(at=NOW, near=timedelta(hours=1)))
    await assert_unavailable(store.events.head())


@on_sqlite
async def test_a_locked_database_is_unavailable(store_path, monkeypatch):
    """Another process's write lock that does not go away in time is reported, and the store works on afterwards."""
    monkeypatch.setattr(engine, "WAIT", timedelta(milliseconds=50))
    store = await open_store(store_path)
    with closing(sqlite3.connect(store_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        error = await assert_unavailable(store.database.write(lambda conn: conn.execute(MARK, {"name": "a"})))
        assert isinstance(error.__cause__, sa.exc.OperationalError)
        assert await marks(store) == set()
        other.execute("ROLLBACK")
    await store.database.write(lambda conn: conn.execute(MARK, {"name": "b"}))
    assert await marks(store) == {"b"}
    await store.close()


async def test_a_busy_writer_is_unavailable_in_time(store, monkeypatch):
    """Who waits too long behind other transactions is told so instead of waiting forever."""
    monkeypatch.setattr(engine, "WAIT", timedelta(milliseconds=20))
    go = asyncio.Event()
    places = store.database._commits._free
    holders = [asyncio.create_task(store.database.write(lambda conn: go.wait())) for _ in range(places)]
    await asyncio.sleep(0)
    await assert_unavailable(store.database.write(lambda conn: conn.execute(MARK, {"name": "a"})))
    go.set()
    await asyncio.gather(*holders)
    assert idle(store)


@on_sqlite
async def test_a_full_disk_is_told_and_loses_nothing(world):
    """When the file cannot grow, acceptance is refused as STORAGE_FULL and leaves nothing; with room it succeeds."""

    async def limit(conn, pages):
        await conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    await world.store.database.write(lambda conn: limit(conn, 1))  # no page more than now
    wanted = world.acceptance(document=world.document(content="x" * 100_000))
    with pytest.raises(GatewayError) as caught:
        await world.store.documents.accept(wanted, at=NOW)
    assert caught.value.code is ErrorCode.STORAGE_FULL
    assert await world.store.documents.repetition(VENDOR_A, wanted.request_id, wanted.request_digest) is None
    await world.store.database.write(lambda conn: limit(conn, 1_000_000))
    assert not (await world.store.documents.accept(wanted, at=NOW)).repeated


async def test_a_file_that_is_no_database_is_unavailable(tmp_path):
    """Opening garbage, or a path without its folder, is refused in the store's own words."""
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"this is no database" * 1000)
    await assert_unavailable(open_store(garbage))
    await assert_unavailable(open_store(tmp_path / "nowhere" / "store.db"))


async def test_our_own_mistakes_are_not_called_outages(store):
    """A wrong statement and a broken constraint pass as what they are."""
    with pytest.raises((sa.exc.OperationalError, sa.exc.ProgrammingError)):
        await store.database.read(lambda conn: conn.execute(sa.text("SELECT nothing FROM nowhere")))
    await store.database.write(lambda conn: conn.execute(MARK, {"name": "a"}))
    with pytest.raises(sa.exc.IntegrityError):
        await store.database.write(lambda conn: conn.execute(MARK, {"name": "a"}))
    assert idle(store)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO meta (name, value) SELECT :v, 'x' UNION ALL SELECT :v, 'x'",
        "INSERT INTO agency_aliases (code_key, agency, code) VALUES (:v, 'x', 'x')",
        "INSERT INTO mandates (vendor, agency, serves) VALUES ('x', :v, false)",
    ],
)
async def test_an_error_that_reaches_the_log_carries_no_content(store, statement):
    """A mistake of ours in a statement passes as it is, but without the values, which may be a document's words."""
    words = "V/v nhân sự"

    async def work(conn):
        await conn.execute(sa.text(statement), {"v": words})

    with pytest.raises(sa.exc.IntegrityError) as caught:
        await store.database.write(work)
    assert words not in "".join(traceback.format_exception(caught.value))
