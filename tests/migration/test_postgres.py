"""The same history on PostgreSQL: one schema, one transaction, one gateway at a time."""

import asyncio
import subprocess
import sys

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gateway.store import engine, migrate, upgrade
from gateway.store.tables import metadata
from tests.fakes.postgres import running_postgres

SHAPE = """
SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
"""
DETAILS = """
SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace ORDER BY 1
"""


@pytest.fixture(scope="module")
def server():
    with running_postgres() as server:
        yield server


@pytest.fixture
def url(server):
    name = server.create()
    yield server.url(name)
    server.drop(name)


def ask(url, *queries):
    """The answers, as lists of tuples."""

    async def work():
        connection = await asyncpg.connect(url)
        try:
            return [[tuple(row) for row in await connection.fetch(query)] for query in queries]
        finally:
            await connection.close()

    return asyncio.run(work())


def on(url, work):
    """Run a function of a synchronous connection in a transaction."""
    return migrate._on(engine.place(url), work, write=False)


def without_alembic(rows):
    return [row for row in rows if "alembic" not in row[0]]


def test_migrated_is_what_the_tables_say(url, server):
    """A migrated database has the columns, indices and constraints of tables.py, collations included."""
    upgrade(url)
    direct = server.create()
    try:
        on(server.url(direct), metadata.create_all)
        for mine, theirs in zip(ask(url, SHAPE, DETAILS), ask(server.url(direct), SHAPE, DETAILS), strict=True):
            assert without_alembic(mine) == theirs
    finally:
        server.drop(direct)
    assert on(url, lambda conn: compare_metadata(MigrationContext.configure(conn), metadata)) == []


def test_concurrent_upgrades_are_one(url):
    """Replicas that start at once bring the database to the newest revision once; a further start changes nothing."""
    start = [sys.executable, "-c", f"from gateway.store import upgrade; upgrade({url!r})"]
    replicas = [subprocess.Popen(start, stderr=subprocess.PIPE) for _ in range(3)]
    for each in replicas:
        _, said = each.communicate(timeout=60)
        assert each.returncode == 0, said
    upgrade(url)
    found = ask(url, "SELECT version_num FROM alembic_version", "SELECT name, value FROM counters ORDER BY name")
    assert found == [[("0004",)], [("events", 0), ("messages", 0)]]


def test_a_failing_migration_leaves_the_database_as_it_was(url):
    """A revision that cannot finish undoes everything it has done."""
    on(url, lambda conn: conn.execute(sa.text("CREATE TABLE receptions (id TEXT)")))
    with pytest.raises(sa.exc.ProgrammingError):
        upgrade(url)
    assert ask(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [[("receptions",)]]


def test_a_release_can_be_taken_back(url):
    """A later release's schema is neither touched nor an obstacle."""
    upgrade(url)
    on(url, lambda conn: conn.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))
    upgrade(url)
    assert ask(url, "SELECT version_num FROM alembic_version") == [[("9999",)]]
