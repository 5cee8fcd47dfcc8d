"""The database's clock: what all replicas of one database call now, whatever their own machines believe.

A replica asks the database what time it is and counts on by its machine's uptime, which nobody sets. An answer says
what time it was somewhere between question and answer, so its error is at most half of what that took; of several the
quickest counts. The machine's wall clock is never read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import CLOCK_BOOTTIME, clock_gettime_ns

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.ports.content import Clock
from gateway.store.engine import Database
from gateway.store.faults import unavailable

AGAIN = timedelta(seconds=30)
"""Pause between two measurements."""
DRIFT = 500e-6
"""How much faster or slower than the database's a machine's clock may run: what the kernel corrects at most."""
WORST = timedelta(seconds=1)
"""Error with which a first reading is still believed. Leases last minutes."""
_SAMPLES = 5
_TIME = sa.text("SELECT clock_timestamp()")
_log = structlog.get_logger()


def uptime() -> timedelta:
    """Since the machine started, its sleep included."""
    return timedelta(microseconds=clock_gettime_ns(CLOCK_BOOTTIME) // 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The database's time at an uptime of this machine, give or take `error`."""

    at: datetime
    uptime: timedelta
    error: timedelta

    def later(self, uptime: timedelta) -> "Reading":
        """What it says about another uptime: the less exactly, the longer ago it was taken."""
        passed = uptime - self.uptime
        return Reading(at=self.at + passed, uptime=uptime, error=self.error + abs(passed) * DRIFT)


def contradicts(old: Reading, new: Reading) -> bool:
    """True if both cannot be true of one clock: the database's was set, or another server took over."""
    expected = old.later(new.uptime)
    return abs(new.at - expected.at) > new.error + expected.error


def better(old: Reading, new: Reading) -> Reading:
    """The one to count on from: the more exact one, or the new one if the old one is no longer true."""
    return new if new.error <= old.later(new.uptime).error or contradicts(old, new) else old


class DatabaseClock(Clock):
    """Counts on from the best reading of a PostgreSQL's clock; with the database away it keeps counting.

    It never goes back: if the database's clock is set back, it stands until that time comes again.
    """

    def __init__(self, database: Database, reading: Reading, *, uptime: Callable[[], timedelta]) -> None:
        self._database = database
        self._reading = reading
        self._uptime = uptime
        self._last = reading.at

    def now(self) -> datetime:
        """The present instant, UTC, as the database has it."""
        self._last = max(self._last, self._reading.later(self._uptime()).at)
        return self._last

    async def measure(self) -> timedelta:
        """Take a reading, and return the pause before the next. Raises GatewayError STORE_UNAVAILABLE."""
        new = await _read(self._database, self._uptime)
        if contradicts(self._reading, new):
            _log.warning("clock.set", seconds=(new.at - self._reading.later(new.uptime).at).total_seconds())
        self._reading = better(self._reading, new)
        return AGAIN


async def database_clock(database: Database, *, uptime: Callable[[], timedelta] = uptime) -> DatabaseClock:
    """The clock of a PostgreSQL, read for the first time.

    Raises GatewayError STORE_UNAVAILABLE, also if no answer came fast enough to be believed (`WORST`).
    """
    reading = await _read(database, uptime)
    if reading.error > WORST:
        raise unavailable("answers too slowly to tell the time")
    return DatabaseClock(database, reading, uptime=uptime)


async def _read(database: Database, uptime: Callable[[], timedelta]) -> Reading:
    """The most exact of some readings."""

    async def work(conn: AsyncConnection) -> list[Reading]:
        return [await _ask(conn, uptime) for _ in range(_SAMPLES)]

    return min(await database.read(work), key=lambda reading: reading.error)


async def _ask(conn: AsyncConnection, uptime: Callable[[], timedelta]) -> Reading:
    asked = uptime()
    at: datetime = (await conn.execute(_TIME)).scalar_one()
    half = (uptime() - asked) / 2
    return Reading(at=at, uptime=asked + half, error=half)
