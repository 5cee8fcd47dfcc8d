"""Brings a database to this release's schema."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import TypeVar

import sqlalchemy as sa

from gateway.store import postgres, sqlite
from gateway.store.engine import WAIT, Place, place
from gateway.store.faults import mapped_errors, unavailable

T = TypeVar("T")

REVISIONS = ("0004", "0003", "0002", "0001")
"""Every revision this release knows, newest first: a store that needs nothing is opened without loading Alembic."""

_VERSION = sa.table("alembic_version", sa.column("version_num", sa.String))

_alembic = Lock()
"""Alembic keeps its running migration in module globals."""


def upgrade(path_or_url: Path | str) -> None:
    """Apply every missing revision in one transaction, alone; a file is made if absent.

    A later release's schema is left as it is: it leaves this release able to run, so a release can be taken back.
    Blocks; not to be called on an event loop's thread.

    Raises GatewayError STORE_UNAVAILABLE if the database cannot be used.
    """
    where = place(path_or_url)
    with _alembic, mapped_errors():
        _on(where, _upgrade, write=True)


def require_current(path_or_url: Path | str) -> None:
    """Raise GatewayError STORE_UNAVAILABLE for what `upgrade` would change: no store, or one of an earlier release.

    A later release's schema passes: it leaves this release able to read it.
    """
    where = place(path_or_url)
    if isinstance(where, Path) and not where.is_file():
        raise unavailable("no such file")
    with mapped_errors():
        found = _on(where, _revision, write=False)
    if found is None or found in REVISIONS[1:]:
        raise unavailable("the schema is an earlier release's; the gateway brings it up to date when it starts")


def _upgrade(connection: sa.Connection) -> None:
    found = _revision(connection)
    if found is not None and found not in REVISIONS[1:]:
        return
    from gateway.store.history import apply  # noqa: PLC0415 - loads Alembic, a tenth of the time that a start takes

    apply(connection)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(_VERSION.name):
        return None
    found: str | None = connection.execute(sa.select(_VERSION.c.version_num)).scalar_one_or_none()
    return found


def _on(where: Place, work: Callable[[sa.Connection], T], *, write: bool) -> T:
    """Run `work` in one transaction: under the file's write lock, or where nobody else migrates."""
    if not isinstance(where, Path):
        return asyncio.run(_on_server(where, work, write=write))
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(where)), poolclass=sa.NullPool, hide_parameters=True)
    sqlite.prepare(engine, write=write, wait=WAIT)
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()


async def _on_server(url: sa.URL, work: Callable[[sa.Connection], T], *, write: bool) -> T:
    engine = postgres.migrating(url, wait=WAIT)
    try:
        async with engine.begin() as connection:
            if write:
                await connection.execute(sa.text("SET LOCAL lock_timeout = 0"))  # a replica may be migrating for long
                await postgres.alone(connection, "schema")
                # Statements of running gateways must not queue up behind a change of ours that itself has to wait.
                await connection.execute(sa.text(f"SET LOCAL lock_timeout = {WAIT // timedelta(milliseconds=1)}"))
            return await connection.run_sync(work)
    finally:
        await engine.dispose()
