"""A PostgreSQL in trouble: every caller is told so in time, nothing is lost, and service returns unaided."""

import asyncio
import gc
import random
from datetime import timedelta
from time import monotonic

import asyncpg
import pytest
import sqlalchemy as sa

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.store import engine, faults, open_beside, open_store
from tests.contract.conftest import VENDOR_A, on_postgres
from tests.make import NOW

MARK = sa.text("INSERT INTO meta (name, value) VALUES (:name, 'x')")


async def assert_unavailable(call):
    """The call is refused as STORE_UNAVAILABLE with a time to retry."""
    with pytest.raises(GatewayError) as caught:
        await call
    assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
    assert caught.value.retry_after == faults.RETRY_AFTER


@on_postgres
async def test_sessions_are_durable_and_strict(store):
    """Commits are synced whatever the server's default; reading is one read-only snapshot."""

    async def settings(conn):
        names = ("synchronous_commit", "transaction_isolation", "transaction_read_only")
        return [(await conn.exec_driver_sql(f"SHOW {name}")).scalar_one() for name in names]

    assert await store.database.write(settings) == ["on", "read committed", "off"]
    assert await store.database.read(settings) == ["on", "repeatable read", "on"]


@on_postgres
@pytest.mark.parametrize("how", ["fast", "immediate"])
async def test_a_server_that_stops_loses_nothing_and_comes_back(world, postgres, how):
    """While the server is away, calls are refused; after its return the same store serves, with all it acknowledged."""
    taken = await world.store.documents.accept(world.acceptance(), at=NOW)
    wanted = world.acceptance()
    await asyncio.to_thread(postgres.stop, how=how)
    try:
        await assert_unavailable(world.store.documents.accept(wanted, at=NOW))
        await assert_unavailable(world.store.documents.get(taken.sent.uid))
    finally:
        await asyncio.to_thread(postgres.start)
    assert await world.store.documents.get(taken.sent.uid) == taken.sent
    assert await world.store.documents.repetition(VENDOR_A, wanted.request_id, wanted.request_digest) is None
    assert not (await world.store.documents.accept(wanted, at=NOW)).repeated


@on_postgres
async def test_a_session_ended_by_the_operator_leaves_nothing(store):
    """A transaction whose session the server ends is refused whole; the next one gets a new connection."""

    async def cut_off(conn):
        await conn.execute(MARK, {"name": "half"})
        await conn.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    await assert_unavailable(store.database.write(cut_off))
    await store.database.write(lambda conn: conn.execute(MARK, {"name": "whole"}))
    names = await store.database.read(lambda conn: conn.scalars(sa.text("SELECT name FROM meta WHERE value = 'x'")))
    assert list(names) == ["whole"]


@on_postgres
async def test_a_lock_that_stays_is_unavailable_in_time(store_path, monkeypatch):
    """Another session's lock that does not go away is reported after the wait, and the store works on afterwards."""
    monkeypatch.setattr(engine, "WAIT", timedelta(milliseconds=300))
    store = await open_store(store_path)
    bump = sa.text("UPDATE counters SET value = value + 1 WHERE name = 'events'")
    other = await asyncpg.connect(store_path)
    async with other.transaction():
        await other.execute("UPDATE counters SET value = 5 WHERE name = 'events'")
        began = monotonic()
        await assert_unavailable(store.database.write(lambda conn: conn.execute(bump)))
        assert monotonic() - began < 5
    await store.database.write(lambda conn: conn.execute(bump))
    assert (await store.events.head()).last == 6
    await other.close()
    await store.close()


@on_postgres
async def test_a_server_without_room_is_unavailable(store_path, postgres):
    """Where the server takes no further connection, callers are refused until it does."""
    store = await open_store(store_path)
    crowd = []
    try:
        while True:
            crowd.append(await asyncpg.connect(store_path))
    except asyncpg.TooManyConnectionsError:
        await assert_unavailable(store.events.head())
    finally:
        await asyncio.gather(*(each.close() for each in crowd))
    async with asyncio.timeout(10):
        while True:  # the server frees a place a moment after its client has gone
            try:
                await store.events.head()
                break
            except GatewayError:
                await asyncio.sleep(0)
    await store.close()


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/x", "mysql://x/y", "no url"])
async def test_a_wrong_address_is_unavailable(url):
    """Opening what is not there, or is no PostgreSQL, is refused in the store's own words."""
    await assert_unavailable(open_store(url))
    await assert_unavailable(open_beside(url))


async def test_a_database_without_a_store_is_not_read_beside(postgres):
    """What reads beside a gateway migrates nothing: an empty database is refused and stays empty."""
    name = postgres.create()
    try:
        await assert_unavailable(open_beside(postgres.url(name)))
        other = await asyncpg.connect(postgres.url(name))
        assert await other.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        await other.close()
    finally:
        postgres.drop(name)


async def assert_nobody_left(url):
    """No connection of a gateway is open at the server, once it had a moment to notice."""
    ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name <> ''"
    watch = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(10):
            while await watch.fetchval(ours):
                pass
    finally:
        await watch.close()
    gc.collect()  # what is left open here would be told as an error of this test


@on_postgres
async def test_nothing_is_left_open_after_cancelled_calls(store_path):
    """Callers cancelled at any moment, in reading, writing and holding a job, leave no connection after the close."""
    draw = random.Random(5)
    store = await open_store(store_path)

    async def job():
        async with store.database.alone("job"):
            await store.database.write(lambda conn: conn.execute(sa.text("SELECT 1")))

    ways = (job, store.events.head, lambda: store.claims.give_up("a", "b"))
    calls = []
    for n in range(60):
        calls.append(asyncio.create_task(ways[n % 3]()))
        for _ in range(draw.choice((0, 1, 3, 10, 30, 100))):
            await asyncio.sleep(0)
        draw.choice(calls).cancel()
    for call in calls[::2]:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await asyncio.wait_for(job(), 30)
    await store.close()
    await assert_nobody_left(store_path)


@on_postgres
async def test_nothing_is_left_open_by_a_job_cut_short(store_path):
    """A store that closes while a job is held waits for it; who comes for the job afterwards is refused."""
    store = await open_store(store_path)
    inside = asyncio.Event()

    async def job():
        async with store.database.alone("job"):
            inside.set()
            await asyncio.Event().wait()

    holder = asyncio.create_task(job())
    await inside.wait()
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    holder.cancel()
    await asyncio.wait({holder, closing})
    await closing
    with pytest.raises(GatewayError):
        await job()
    await assert_nobody_left(store_path)


async def test_nothing_is_left_open_by_a_store_that_could_not_be_opened(postgres):
    """A migration that fails, and a store that is not there, leave no connection."""
    name = postgres.create()
    try:
        url = postgres.url(name)
        await assert_unavailable(open_beside(url))
        await assert_nobody_left(url)
        other = await asyncpg.connect(url)
        await other.execute("CREATE TABLE receptions (id TEXT)")
        await other.close()
        with pytest.raises(sa.exc.ProgrammingError):
            await open_store(url)
        await assert_nobody_left(url)
    finally:
        postgres.drop(name)
