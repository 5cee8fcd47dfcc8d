"""Brings a database file to this release's schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from gateway.store.engine import mapped_errors, prepare, unavailable

_alembic = Lock()
"""Alembic keeps its running migration in module globals."""


def upgrade(path: Path) -> None:
    """Apply every missing revision in one transaction, under the file's write lock; the file is made if absent.

    A later release's schema is left as it is: it leaves this release able to run, so a release can be taken back.

    Raises GatewayError STORE_UNAVAILABLE if the file cannot be used.
    """
    with _alembic, mapped_errors(), _connection(path, write=True) as connection:
        config = _config()
        found = _revision(connection)
        if found is not None and found not in _history(config):
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def require_current(path: Path) -> None:
    """Raise GatewayError STORE_UNAVAILABLE for what `upgrade` would change: no store, or one of an earlier release.

    A later release's schema passes: it leaves this release able to read it.
    """
    if not path.is_file():
        raise unavailable("no such file")
    with mapped_errors(), _connection(path, write=False) as connection:
        found = _revision(connection)
    _, *older = _history(_config())
    if found is None or found in older:
        raise unavailable("the schema is an earlier release's; the gateway brings it up to date when it starts")


def _revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _history(config: Config) -> tuple[str, ...]:
    """Every revision this release knows, newest first."""
    return tuple(script.revision for script in ScriptDirectory.from_config(config).walk_revisions())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


@contextmanager
def _connection(path: Path, *, write: bool) -> Iterator[sa.Connection]:
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), poolclass=sa.NullPool, hide_parameters=True)
    prepare(engine, write=write)
    with engine.begin() as connection:
        yield connection
