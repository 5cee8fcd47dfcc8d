"""Databases like one that was migrated. Making one takes a server longer than most tests take: each serves many."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any, TypeVar

import asyncpg

from tests.fakes.postgres import PostgresServer

T = TypeVar("T")

_USES = 100
"""Then a new one: rows that are gone leave their places behind, and the machine may be slow to clear them."""
_GROWTH = 16 * 1024 * 1024
"""Bytes beyond the template from which a database is not used again."""
_STATE = """
SELECT (SELECT max(oid) FROM pg_class)::text || ' ' || (SELECT count(*) FROM pg_attribute) || ' ' ||
  (SELECT max(oid) FROM pg_constraint) || ' ' || (SELECT max(oid) FROM pg_proc), pg_database_size(current_database())
"""
"""What tells one database from another with the same rows."""
_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@dataclass(slots=True, kw_only=True)
class _Copy:
    name: str
    keeper: asyncpg.Connection
    """Connecting anew would cost more than emptying."""
    uses: int = 0


class Copies:
    """Databases with the tables and the rows of a template, to which nobody may be connected."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._template = template
        self._free: list[_Copy] = []
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._restore, self._catalog, self._size = self._run(_look(server.url(template)))

    @contextmanager
    def one(self) -> Iterator[str]:
        """The URL of a database that nobody else has. Who changes its tables, or fills it, spoils it for others."""
        copy = self._free.pop() if self._free else self._new()
        yield self._server.url(copy.name)
        copy.uses += 1
        if copy.uses < _USES and self._run(self._emptied(copy)):
            self._free.append(copy)
        else:
            self._forget(copy)

    def close(self) -> None:
        """Forget all of them."""
        while self._free:
            self._forget(self._free.pop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _new(self) -> _Copy:
        name = self._server.create(template=self._template)
        return _Copy(name=name, keeper=self._run(asyncpg.connect(self._server.url(name))))

    def _forget(self, copy: _Copy) -> None:
        self._run(_ended(copy.keeper))
        self._server.drop(copy.name)

    async def _emptied(self, copy: _Copy) -> bool:
        try:
            await copy.keeper.execute(self._restore)
            catalog, size = await copy.keeper.fetchrow(_STATE)
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError):  # the server was stopped meanwhile
            return False
        return bool(catalog == self._catalog and size < self._size + _GROWTH)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _look(url: str) -> tuple[str, str, int]:
    """Statements that give all tables the rows they have now, and what tells the database from others."""
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
        steps = [_OTHERS, "BEGIN", "SET LOCAL session_replication_role = replica"]  # tables refer to each other
        for (table,) in found:
            steps.append(f"DELETE FROM {table}")
            rows = await connection.fetchval(f"SELECT quote_literal(json_agg(t)) FROM {table} t")
            if rows is not None:
                steps.append(f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, {rows})")
        return ";".join([*steps, "COMMIT"]), *await connection.fetchrow(_STATE)
    finally:
        await connection.close()


async def _ended(connection: asyncpg.Connection) -> None:
    connection.terminate()
