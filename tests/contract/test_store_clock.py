"""Replicas take the time from their database: machines whose clocks are wrong agree on who holds what, and how long."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.store import clock, open_store
from gateway.store.clock import AGAIN, database_clock, uptime
from tests.contract.conftest import on_postgres

pytestmark = on_postgres
HOLD = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
LONG = timedelta(minutes=10)
"""So that a slow machine does not come near a minute's margin."""


class Machine:
    """A replica's machine: its own uptime, which a test moves on."""

    def __init__(self, up_for):
        self.passed = timedelta(0)
        self._up_for = up_for

    def uptime(self):
        return uptime() + self._up_for + self.passed


@pytest.fixture
async def both(store, store_path):
    """Two gateways' stores over one database."""
    other = await open_store(store_path)
    yield store, other
    await other.close()


async def server_time(store):
    return await store.database.read(lambda conn: conn.scalar(sa.text("SELECT clock_timestamp()")))


async def test_replicas_on_wrong_machines_agree_on_claims(both):
    """A claim that one replica took is respected by the other up to its end, and not longer, whenever they started."""
    machines = [Machine(timedelta(days=400)), Machine(-timedelta(hours=7))]
    clocks = [await database_clock(s.database, uptime=m.uptime) for s, m in zip(both, machines, strict=True)]
    assert abs(clocks[0].now() - clocks[1].now()) < SECOND
    mine, other = (store.claims for store in both)
    assert await mine.take("job", "a", hold_for=LONG, at=clocks[0].now())
    assert not await other.take("job", "b", hold_for=LONG, at=clocks[1].now())
    for machine in machines:
        machine.passed += LONG - HOLD
    assert not await other.take("job", "b", hold_for=LONG, at=clocks[1].now())
    for machine in machines:
        machine.passed += HOLD + SECOND
    assert await other.take("job", "b", hold_for=LONG, at=clocks[1].now())
    assert not await mine.take("job", "a", hold_for=LONG, at=clocks[0].now())


async def test_the_machines_wall_clock_is_not_read(store_path, tmp_path):
    """In a process whose wall clock is minutes wrong, and says so, the time is the server's."""
    program = """
import asyncio, datetime, sys, time
real = datetime.datetime
class Wrong(real):
    @classmethod
    def now(cls, tz=None):
        return real.now(tz) + datetime.timedelta(minutes=17)
datetime.datetime = Wrong
right, time.time, time.time_ns = time.time_ns, lambda: right() / 1e9 + 1020, lambda: right() + 1020 * 10**9
from gateway.store import open_store
from gateway.store.clock import database_clock
async def main():
    store = await open_store(sys.argv[1])
    clock = await database_clock(store.database)
    print(clock.now().timestamp(), Wrong.now().timestamp())
    await store.close()
asyncio.run(main())
"""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, store_path, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(child.communicate(), 60)
    assert child.returncode == 0
    clock, wall = map(float, said.split())
    now = datetime.now(tz=UTC).timestamp()
    assert abs(clock - now) < 60
    assert abs(wall - now - 17 * 60) < 60


async def test_it_counts_on_and_never_back(store):
    """Time goes on by the machine's uptime, between measurements and after them, and never back."""
    machine = Machine(timedelta(0))
    at = await database_clock(store.database, uptime=machine.uptime)
    before = at.now()
    machine.passed += HOLD  # a machine that runs ahead: the next measurement finds the server a minute behind
    ahead = at.now()
    assert ahead - before >= HOLD
    assert await at.measure() == AGAIN
    assert at.now() == ahead
    machine.passed += HOLD + SECOND
    assert at.now() > ahead


async def test_a_database_away_leaves_the_clock_running(store, store_path):
    """A measurement that fails says so and changes nothing: the clock goes on from what it knew."""
    other = await open_store(store_path)
    machine = Machine(timedelta(0))
    at = await database_clock(other.database, uptime=machine.uptime)
    await other.close()
    with pytest.raises(GatewayError) as caught:
        await at.measure()
    assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
    machine.passed += HOLD
    assert abs(at.now() - (await server_time(store) + HOLD)) < SECOND


async def test_slow_answers_are_not_believed(store, monkeypatch):
    """Where answers take long, a first reading is refused, and a later one leaves the better one before it."""
    at = await database_clock(store.database)
    good = at._reading
    monkeypatch.setattr(clock, "_TIME", sa.text("SELECT clock_timestamp() FROM pg_sleep(0.1)"))
    monkeypatch.setattr(clock, "WORST", timedelta(milliseconds=20))
    with pytest.raises(GatewayError) as caught:
        await database_clock(store.database)
    assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
    await at.measure()
    assert at._reading is good
