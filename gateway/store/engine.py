"""The database as the store's parts see it: whole transactions, few at a time; its errors are judged in faults.py."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from gateway.store import postgres, sqlite
from gateway.store.commits import Commits
from gateway.store.faults import mapped_errors, unavailable
from gateway.store.transactions import T, Work, transact

WAIT = timedelta(seconds=10)
"""Longest wait for a free connection, and again for another process's lock."""
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

    Works that wait at the same time share a transaction (see commits.py), and a work may run several times, each time
    on what the others have left, if the database undoes it: it must change nothing but the database.
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
        self._commits = Commits(self._writer, committers=kind.WRITERS, most=kind.BATCH)
        self._read_gate = asyncio.Semaphore(kind.READERS)
        self._alone = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def write(self, work: Work[T]) -> T:
        """Run `work` with the right to change; returns once its changes are committed and synced."""
        return await self._commits.run(work, patience=WAIT)

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent state of the database."""
        try:
            async with asyncio.timeout(WAIT.total_seconds()):
                await self._read_gate.acquire()
        except TimeoutError as error:
            raise unavailable("no free connection") from error
        return await asyncio.shield(self._tracked(self._reading(work)))

    @asynccontextmanager
    async def alone(self, job: str) -> AsyncIterator[None]:
        """Keep a job of several transactions to this caller, among all gateways of one database."""
        async with self._alone:
            if not self._shared:
                yield
                return
            got, release = asyncio.Event(), asyncio.Event()
            holding = self._tracked(self._hold(job, got, release))
            try:
                await _either(got, holding)
                yield
            finally:
                release.set()
                await asyncio.wait({holding})

    async def close(self) -> None:
        """Wait for what runs, then close every connection; later calls are refused."""
        self._closed = True
        await self._commits.close()
        while self._running:
            await asyncio.wait(self._running)
        await self._writer.dispose()
        await self._readers.dispose()

    async def _reading(self, work: Work[T]) -> T:
        try:
            if self._closed:
                raise unavailable("closed")
            return await transact(self._readers, work)
        finally:
            self._read_gate.release()

    async def _hold(self, job: str, got: asyncio.Event, release: asyncio.Event) -> None:
        if self._closed:
            raise unavailable("closed")
        with mapped_errors():
            async with self._writer.connect() as conn:
                await conn.execute(postgres.NO_LIMIT)
                await postgres.alone(conn, job)
                got.set()
                await release.wait()

    def _tracked(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run what has a connection where no caller's cancellation can reach it: it always gives it back."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # the caller may be gone; asyncio would report it as never retrieved


async def _either(event: asyncio.Event, task: asyncio.Task[None]) -> None:
    """Return when the event is set; raise what ended the task before."""
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if task.done():
        task.result()
