"""The embedded database: one writer, some readers, whole transactions; the one place where its errors are mapped."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from gateway.domain.errors import ErrorCode, GatewayError

READERS = 4
WAIT = timedelta(seconds=10)
"""Longest wait for a free connection, and again for another process's lock."""
RETRY_AFTER = timedelta(seconds=5)
"""What callers are told when the database cannot serve."""

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]
_log = structlog.get_logger()


class _RawConnection(Protocol):
    """What SQLAlchemy hands to the connect event, as far as it is used here."""

    isolation_level: str | None

    def cursor(self) -> Any: ...


class Database:
    """One SQLite file. `write` and `read` run a function in a transaction of its own.

    Both raise GatewayError STORE_UNAVAILABLE when the database is locked too long, full, unreadable or closed. A caller
    cancelled while its transaction runs stops waiting; the transaction still ends whole and gives its connection back.
    A caller cancelled while waiting for a connection has done nothing.
    """

    def __init__(self, path: Path) -> None:
        self._writer = _engine(path, size=1, write=True)
        self._readers = _engine(path, size=READERS, write=False)
        self._write_gate = asyncio.Semaphore(1)
        self._read_gate = asyncio.Semaphore(READERS)
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def write(self, work: Work[T]) -> T:
        """Run `work` under the write lock; returns once its changes are committed and synced."""
        return await self._run(self._writer, self._write_gate, work)

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent state of the database."""
        return await self._run(self._readers, self._read_gate, work)

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
                async with engine.begin() as conn:
                    return await work(conn)
        finally:
            gate.release()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # the caller may be gone; asyncio would report it as never retrieved


def _engine(path: Path, *, size: int, write: bool) -> AsyncEngine:
    engine = create_async_engine(
        sa.URL.create("sqlite+aiosqlite", database=str(path)),
        pool_size=size,
        max_overflow=0,
        hide_parameters=True,  # they hold document content, and errors go to the log
    )
    prepare(engine.sync_engine, write=write)
    return engine


def prepare(engine: sa.Engine, *, write: bool) -> None:
    """Make an engine's connections durable (WAL, FULL), patient and strict, and its transactions explicit."""
    pragmas = [
        f"PRAGMA busy_timeout = {WAIT // timedelta(milliseconds=1)}",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        f"PRAGMA query_only = {'OFF' if write else 'ON'}",
    ]

    def connected(connection: _RawConnection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver's own BEGIN would be a deferred one
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    def begun(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", begun)


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn the database's errors into GatewayError STORE_UNAVAILABLE; our own mistakes pass as they are."""
    try:
        yield
    except DBAPIError as error:
        if _is_bug(error):
            raise
        raise unavailable(str(error.orig)) from error


def _is_bug(error: DBAPIError) -> bool:
    """True for what our own statements did wrong; the rest is the state of disk, locks or connection."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    ours = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE}
    return isinstance(error, ProgrammingError) if code is None else code & 0xFF in ours


def unavailable(why: str) -> GatewayError:
    """The error for a database that cannot serve now; why goes to the log alone."""
    _log.warning("store.unavailable", reason=why)
    return GatewayError(ErrorCode.STORE_UNAVAILABLE, retry_after=RETRY_AFTER)
