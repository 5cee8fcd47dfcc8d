"""The database as the store's parts see it: whole transactions, few at a time; its errors are judged in faults.py."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.store import postgres, sqlite
from gateway.store.faults import is_conflict, mapped_errors, unavailable

WAIT = timedelta(seconds=10)
"""Longest wait for a free connection, and again for another process's lock."""
REPEATS = 8
"""Runs of a work that other transactions keep undoing."""
_PAUSE = timedelta(milliseconds=5)
"""Times the number of the run, at random: the longest pause before the next."""

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]
Place = Path | sa.URL
"""An SQLite file, or a PostgreSQL database."""


def place(path_or_url: Path | str) -> Place:
    """Where the database is: a path, or a URL `postgresql://...` as libpq reads it.

    Raises GatewayError STORE_UNAVAILABLE for any other text.
    """
    if isinstance(path_or_url, Path):
        return path_or_url
    try:
        url = sa.make_url(path_or_url)
    except ArgumentError as error:
        raise unavailable("not a URL") from error
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise unavailable("not a URL of PostgreSQL")
    return url


class Database:
    """One SQLite file or one PostgreSQL database. `write` and `read` run a function in a transaction of its own.

    Both raise GatewayError STORE_UNAVAILABLE when the database is locked too long, full, out of reach, unreadable or
    closed. A caller cancelled while its transaction runs stops waiting; the transaction still ends whole and gives its
    connection back. A caller cancelled while waiting for a connection has done nothing.

    A work may run several times, each time on what the others have left, if PostgreSQL undoes it in favour of another
    transaction: it must change nothing but the database.
    """

    def __init__(self, place: Place) -> None:
        if isinstance(place, Path):
            self._writer = sqlite.engine(place, write=True, wait=WAIT)
            self._readers = sqlite.engine(place, write=False, wait=WAIT)
        else:
            self._writer = postgres.engine(place, write=True, wait=WAIT)
            self._readers = postgres.engine(place, write=False, wait=WAIT)
        kind = sqlite if isinstance(place, Path) else postgres
        self._shared = not isinstance(place, Path)
        self._write_gate = asyncio.Semaphore(kind.WRITERS)
        self._read_gate = asyncio.Semaphore(kind.READERS)
        self._alone = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def write(self, work: Work[T]) -> T:
        """Run `work` with the right to change; returns once its changes are committed and synced."""
        return await self._run(self._writer, self._write_gate, work)

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent state of the database."""
        return await self._run(self._readers, self._read_gate, work)

    @asynccontextmanager
    async def alone(self, job: str) -> AsyncIterator[None]:
        """Keep a job of several transactions to this caller, among all gateways of one database."""
        async with self._alone:
            if not self._shared:
                yield
                return
            if self._closed:
                raise unavailable("closed")
            with mapped_errors():
                conn = await self._writer.connect()
            try:
                with mapped_errors():
                    await conn.execute(postgres.NO_LIMIT)
                    await conn.execute(postgres.ALONE, {"job": job})
                yield
            finally:
                await conn.close()

    async def close(self) -> None:
        """Wait for what runs, then close every connection; later calls are refused."""
        self._closed = True
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._writer.dispose()
        await self._readers.dispose()

    async def _run(self, engine: AsyncEngine, gate: asyncio.Semaphore, work: Work[T]) -> T:
        try:
            async with asyncio.timeout(WAIT.total_seconds()):
                await gate.acquire()
        except TimeoutError as error:
            raise unavailable("no free connection") from error
        task = asyncio.create_task(self._transaction(engine, gate, work))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def _transaction(self, engine: AsyncEngine, gate: asyncio.Semaphore, work: Work[T]) -> T:
        try:
            if self._closed:
                raise unavailable("closed")
            with mapped_errors():
                for run in range(1, REPEATS):
                    try:
                        return await _once(engine, work)
                    except DBAPIError as error:
                        if not is_conflict(error):
                            raise
                    await asyncio.sleep(random.random() * run * _PAUSE.total_seconds())  # noqa: S311 - no secret
                return await _once(engine, work)
        finally:
            gate.release()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # the caller may be gone; asyncio would report it as never retrieved


async def _once(engine: AsyncEngine, work: Work[T]) -> T:
    async with engine.begin() as conn:
        return await work(conn)
