"""Works that share a commit: each is answered as if it were alone, and none pays for another."""

import asyncio
import random
import sqlite3
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import timedelta
from time import monotonic

import asyncpg
import pytest
import sqlalchemy as sa

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.store import engine, open_store, postgres, sqlite
from gateway.store.commits import Commits
from tests.contract.conftest import on_postgres, on_sqlite

PATIENCE = timedelta(seconds=10)
MARK = sa.text("INSERT INTO meta (name, value) VALUES (:name, 'x')")
ORPHAN = sa.text("INSERT INTO requests (vendor, request_id, request_digest, document) VALUES ('v', 'r', 'd', 'none')")
"""Breaks a reference that is looked at when the transaction commits."""


@pytest.fixture
async def commits(store):
    """One committer over the store's writers, as SQLite has it."""
    made = Commits(store.database._writer, committers=1, most=32)
    yield made
    await made.close()


def marking(*names, then=None):
    """A work that writes marks, one after the other, and then does or raises something; it counts its runs."""

    async def work(conn):
        work.runs += 1
        for name in names:
            await conn.execute(MARK, {"name": name})
        if isinstance(then, BaseException):
            raise then
        if then is not None:
            await conn.execute(then)
        return names[0]

    work.runs = 0
    return work


async def marks(store):
    """Names written by `marking`."""
    return set(await store.database.read(lambda conn: conn.scalars(sa.text("SELECT name FROM meta WHERE value = 'x'"))))


@contextmanager
def counted(store, what="commit"):
    """A list that grows with each commit, or whatever the engine tells of by that name."""
    seen, target = [], store.database._writer.sync_engine

    def happened(*_):
        seen.append(what)

    sa.event.listen(target, what, happened)
    yield seen
    sa.event.remove(target, what, happened)


@asynccontextmanager
async def gathered(commits, *works):
    """The calls of works that wait together behind one that runs; left, all are answered."""
    inside, go = asyncio.Event(), asyncio.Event()

    async def first(conn):
        inside.set()
        await go.wait()

    holder = asyncio.create_task(commits.run(first, patience=PATIENCE))
    await inside.wait()
    calls = [asyncio.create_task(commits.run(work, patience=PATIENCE)) for work in works]
    await asyncio.sleep(0)
    yield calls
    go.set()
    await holder
    await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 60)


def outcome(call):
    """What a caller heard: an answer, or an error's code or kind."""
    error = asyncio.CancelledError() if call.cancelled() else call.exception()
    if error is None:
        return call.result()
    return error.code if isinstance(error, GatewayError) else type(error)


@pytest.mark.parametrize(("most", "expected"), [(1, 11), (4, 4), (32, 2)])
async def test_works_that_wait_share_a_commit(store, most, expected):
    """Ten works behind one that runs take a commit for as many as may share one; all are durable and answered."""
    commits = Commits(store.database._writer, committers=1, most=most)
    works = [marking(f"{n}") for n in range(10)]
    with counted(store) as seen:
        async with gathered(commits, *works) as calls:
            pass
    assert len(seen) == expected
    assert [outcome(call) for call in calls] == [f"{n}" for n in range(10)]
    assert await marks(store) == {f"{n}" for n in range(10)}
    assert [work.runs for work in works] == [1] * 10


async def test_a_work_alone_takes_no_savepoint(store, commits):
    """Where nothing waits, a work costs its own statements and a commit."""
    with counted(store, "savepoint") as seen:
        await commits.run(marking("a"), patience=PATIENCE)
        await commits.run(marking("b"), patience=PATIENCE)
    assert seen == []


def test_a_server_shares_no_commits():
    """SQLite's one writer shares its commits; PostgreSQL's writers commit each by itself."""
    assert (sqlite.WRITERS, postgres.BATCH) == (1, 1)
    assert sqlite.BATCH > 1 < postgres.WRITERS


async def test_one_that_fails_is_undone_and_answered_alone(store, commits):
    """An error of a work, its own or the database's, leaves the others' changes and answers as they are."""
    works = [
        marking("a"),
        marking("b", then=LookupError("no")),
        marking("c"),
        marking("d", "c"),
        marking("e", then=sa.text("SELECT nothing FROM nowhere")),
        marking("f"),
    ]
    with counted(store) as seen:
        async with gathered(commits, *works) as calls:
            pass
    said = [outcome(call) for call in calls]
    assert said[:4] == ["a", LookupError, "c", sa.exc.IntegrityError]
    assert issubclass(said[4], sa.exc.DBAPIError)
    assert said[5] == "f"
    assert await marks(store) == {"a", "c", "f"}
    assert [work.runs for work in works] == [1] * 6
    assert len(seen) == 2


async def test_a_commit_that_fails_is_repeated_one_by_one(store, commits):
    """If the database refuses the commit, nothing of it was durable; each work alone, the guilty one alone is told."""
    works = [marking("a"), marking("b", then=ORPHAN), marking("c")]
    async with gathered(commits, *works) as calls:
        pass
    assert [outcome(call) for call in calls] == ["a", sa.exc.IntegrityError, "c"]
    assert await marks(store) == {"a", "c"}
    assert [work.runs for work in works] == [2, 2, 2]


@on_sqlite
async def test_a_full_disk_hits_who_needs_room(store, commits):
    """A work for which the file cannot grow is refused; those that need no room are committed."""

    async def limit(conn, pages):
        await conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    async def large(conn):
        await conn.execute(MARK, {"name": "x" * 1_000_000})

    await store.database.write(lambda conn: limit(conn, 1))  # no page more than now
    async with gathered(commits, marking("a"), large, marking("b")) as calls:
        pass
    assert [outcome(call) for call in calls] == ["a", ErrorCode.STORAGE_FULL, "b"]
    assert await marks(store) == {"a", "b"}


@on_sqlite
async def test_a_locked_database_refuses_all_that_wait_at_once(store_path, monkeypatch):
    """If the transaction cannot begin, those who wait for it hear so together, not one patience after the other."""
    monkeypatch.setattr(engine, "WAIT", timedelta(milliseconds=300))
    store = await open_store(store_path)
    commits = Commits(store.database._writer, committers=1, most=32)
    works = [marking(f"{n}") for n in range(10)]
    with closing(sqlite3.connect(store_path, isolation_level=None)) as other:
        async with gathered(commits, *works) as calls:
            began = monotonic()
            begin = asyncio.create_task(_lock_after(store, other))
        await begin
    assert {outcome(call) for call in calls} == {ErrorCode.STORE_UNAVAILABLE}
    assert monotonic() - began < 2.9
    assert [work.runs for work in works] == [0] * 10
    await store.close()


async def _lock_after(store, other):
    """Take the file's lock as soon as the transaction under way ends."""
    while True:
        try:
            other.execute("PRAGMA busy_timeout = 0")
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            await asyncio.sleep(0)
        else:
            return


@on_postgres
async def test_a_lost_connection_refuses_all_of_it(store, commits):
    """If the session ends, nobody in it is told that all is well; the next works get a new connection."""
    end = sa.text("SELECT pg_terminate_backend(pg_backend_pid())")
    works = [marking("a"), marking("b", then=end), marking("c")]
    async with gathered(commits, *works) as calls:
        pass
    assert {outcome(call) for call in calls} == {ErrorCode.STORE_UNAVAILABLE}
    assert await marks(store) == set()
    assert await commits.run(marking("d"), patience=PATIENCE) == "d"


@on_postgres
async def test_a_deadlock_is_repeated_one_by_one(store, store_path, commits):
    """If the server undoes the shared transaction for another one, each of its works runs again and all succeed."""
    bump = "UPDATE counters SET value = value + 1 WHERE name = '{}'"
    works = [marking(name, then=sa.text(bump.format(name))) for name in ("events", "messages")]
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    other, watch = await asyncpg.connect(store_path), await asyncpg.connect(store_path)
    # The server undoes whoever notices first; it must not be the other one.
    await other.execute("SET deadlock_timeout = '60s'")

    async def crosswise():
        async with other.transaction():
            await other.execute(bump.format("messages"))
            locked.set()
            while not await watch.fetchval(waits):
                pass
            await other.execute(bump.format("events"))

    locked = asyncio.Event()
    try:
        async with gathered(commits, *works) as calls:
            crossing = asyncio.create_task(crosswise())
            await locked.wait()
        await crossing
    finally:
        await asyncio.gather(other.close(), watch.close())
    assert [outcome(call) for call in calls] == ["events", "messages"]
    assert [work.runs for work in works] == [2, 2]
    values = await store.database.read(lambda conn: conn.scalars(sa.text("SELECT value FROM counters")))
    assert list(values) == [2, 2]


async def test_a_cancelled_caller_harms_nobody(store, commits):
    """Cancelled before it begins, a work never runs; cancelled afterwards, it is committed whole with the others."""
    inside, go = asyncio.Event(), asyncio.Event()

    async def slow(conn):
        await conn.execute(MARK, {"name": "slow, begun"})
        inside.set()
        await go.wait()
        await conn.execute(MARK, {"name": "slow, done"})

    async def cancel(call):
        await inside.wait()
        call.cancel()
        await asyncio.wait({call})
        go.set()

    never = marking("never")
    async with gathered(commits, marking("a"), never, slow, marking("b")) as calls:
        calls[1].cancel()
        cancelling = asyncio.create_task(cancel(calls[2]))
    await cancelling
    assert [outcome(call) for call in calls] == ["a", asyncio.CancelledError, asyncio.CancelledError, "b"]
    assert await marks(store) == {"a", "slow, begun", "slow, done", "b"}
    assert never.runs == 0


async def test_cancellation_at_any_moment_leaves_works_whole(store, commits):
    """Whenever callers are cancelled, a work is done whole or not at all, and whoever was not cancelled is served."""
    draw = random.Random(11)
    works = [marking(f"{n} first", f"{n} second") for n in range(120)]
    calls = []
    for n, work in enumerate(works):
        calls.append(asyncio.create_task(commits.run(work, patience=PATIENCE)))
        if n % 3 == 0:
            for _ in range(draw.choice((0, 1, 2, 5, 20, 60))):
                await asyncio.sleep(0)
            draw.choice(calls).cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await commits.close()
    kept = await marks(store)
    for n, (call, work) in enumerate(zip(calls, works, strict=True)):
        found = {f"{n} first", f"{n} second"} & kept
        assert len(found) == (2 if work.runs else 0)
        assert call.cancelled() or len(found) == 2
    assert 0 < sum(call.cancelled() for call in calls) < len(calls)
    assert store.database._writer.pool.checkedout() == 0


async def test_closing_refuses_what_has_not_begun(store, commits):
    """Works under way end and are answered; what waits behind them is refused and never runs."""
    waiting = marking("late")
    async with gathered(commits, waiting) as calls:
        closing_down = asyncio.create_task(commits.close())
        await asyncio.sleep(0)
    await closing_down
    assert [outcome(call) for call in calls] == [ErrorCode.STORE_UNAVAILABLE]
    assert waiting.runs == 0
    with pytest.raises(GatewayError):
        await commits.run(waiting, patience=PATIENCE)
    assert await marks(store) == set()
