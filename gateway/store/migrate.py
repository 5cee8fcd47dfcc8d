"""Brings a database file to this release's schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from gateway.store.engine import mapped_errors, prepare

_alembic = Lock()
"""Alembic keeps its running migration in module globals."""


def upgrade(path: Path) -> None:
    """Apply every missing revision in one transaction, under the file's write lock; the file is made if absent.

    Raises GatewayError STORE_UNAVAILABLE if the file cannot be used.
    """
    with _alembic, mapped_errors(), _connection(path) as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


@contextmanager
def _connection(path: Path) -> Iterator[sa.Connection]:
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), poolclass=sa.NullPool, hide_parameters=True)
    prepare(engine, write=True)
    with engine.begin() as connection:
        yield connection
