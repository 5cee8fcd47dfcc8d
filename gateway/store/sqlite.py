"""The embedded database: one file, one writer at a time, some readers."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

WRITERS = 1
READERS = 4
BATCH = 32
"""Works that share a commit at most."""


class _RawConnection(Protocol):
    """What SQLAlchemy hands to the connect event, as far as it is used here."""

    isolation_level: str | None

    def cursor(self) -> Any: ...


def engine(path: Path, *, write: bool, wait: timedelta) -> AsyncEngine:
    """Connections to the file; `wait` is the patience with another process's lock."""
    made = create_async_engine(
        sa.URL.create("sqlite+aiosqlite", database=str(path)),
        pool_size=WRITERS if write else READERS,
        max_overflow=0,
        hide_parameters=True,  # they hold document content, and errors go to the log
    )
    prepare(made.sync_engine, write=write, wait=wait)
    return made


def prepare(engine: sa.Engine, *, write: bool, wait: timedelta) -> None:
    """Make an engine's connections durable (WAL, FULL), patient and strict, and its transactions explicit."""
    pragmas = [
        f"PRAGMA busy_timeout = {wait // timedelta(milliseconds=1)}",
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
