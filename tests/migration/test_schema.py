"""The history of migrations leads to the schema the code names."""

import re
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.store import history, upgrade
from gateway.store.migrate import REVISIONS
from gateway.store.tables import metadata

BETWEEN = re.compile(r",(?![^(]*\))|\n")
"""What separates columns and constraints: a new line, or where a column was added later only a comma."""


def statements(path):
    """Name and clauses of every table and index, in any order."""
    with closing(sqlite3.connect(path)) as database:
        found = database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: sorted(filter(None, (clause.strip() for clause in BETWEEN.split(sql)))) for name, sql in found}


def test_migrated_is_what_the_tables_say(tmp_path):
    """A migrated file has, statement by statement, the schema of tables.py, partial indices included."""
    migrated, direct = tmp_path / "migrated.db", tmp_path / "direct.db"
    upgrade(migrated)
    engine = sa.create_engine(f"sqlite:///{direct}")
    metadata.create_all(engine)
    found = statements(migrated)
    found.pop("alembic_version")
    assert found == statements(direct)
    with sa.create_engine(f"sqlite:///{migrated}").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def revisions(path):
    """The revisions a file says it has."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT version_num FROM alembic_version").fetchall()


def test_the_code_knows_the_whole_history():
    """What opens a store without Alembic names the same revisions as Alembic's folder, newest first."""
    found = ScriptDirectory.from_config(history.config()).walk_revisions()
    assert tuple(script.revision for script in found) == REVISIONS


def test_a_store_that_needs_nothing_is_opened_without_alembic(tmp_path):
    """Neither the second start on a store nor a look at it loads what migrates."""
    path = tmp_path / "store.db"
    upgrade(path)
    done = "upgrade(path); require_current(path); sys.exit('alembic' in sys.modules)"
    words = f"import pathlib, sys; from gateway.store.migrate import *; path = pathlib.Path(sys.argv[1]); {done}"
    command = [sys.executable, "-c", words, str(path)]
    assert subprocess.run(command, check=False, timeout=60).returncode == 0


def test_a_second_upgrade_changes_nothing(tmp_path):
    """The first brings a new file to the newest revision, the second finds nothing to do."""
    path = tmp_path / "store.db"
    upgrade(path)
    found = statements(path)
    assert revisions(path) == [(REVISIONS[0],)]
    upgrade(path)
    assert statements(path) == found
    assert revisions(path) == [(REVISIONS[0],)]


def test_a_release_can_be_taken_back(tmp_path):
    """A later release's schema is neither touched nor an obstacle: the release before it still starts on it."""
    path = tmp_path / "store.db"
    upgrade(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.execute("ALTER TABLE axis_items ADD COLUMN later TEXT")
    found = statements(path)
    upgrade(path)
    assert statements(path) == found
    assert revisions(path) == [("9999",)]


def test_each_new_store_has_an_epoch_of_its_own(tmp_path):
    """Two stores never share an epoch, and a second upgrade keeps it; counters start at zero."""
    epochs = set()
    for name in ("a.db", "b.db"):
        for _ in range(2):
            upgrade(tmp_path / name)
        with closing(sqlite3.connect(tmp_path / name)) as database:
            epochs.add(database.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0])
            counters = database.execute("SELECT name, value FROM counters ORDER BY name").fetchall()
        assert counters == [("events", 0), ("messages", 0)]
    assert len(epochs) == 2


def test_concurrent_upgrades_of_one_file_are_one(tmp_path):
    """Two processes that start at once do not trip over each other: here threads, the lock is the file's."""
    path = tmp_path / "store.db"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, [path] * 4))
    assert revisions(path) == [(REVISIONS[0],)]


def test_a_failing_migration_leaves_the_file_as_it_was(tmp_path):
    """A revision that cannot finish undoes everything it has done."""
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE receptions (id TEXT)")
    with pytest.raises(sa.exc.OperationalError):
        upgrade(path)
    assert set(statements(path)) == {"receptions"}


def test_a_file_that_is_no_database_is_refused(tmp_path):
    """Garbage is reported as an unavailable store."""
    path = tmp_path / "store.db"
    path.write_bytes(b"garbage, no database" * 500)
    with pytest.raises(GatewayError) as caught:
        upgrade(path)
    assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
