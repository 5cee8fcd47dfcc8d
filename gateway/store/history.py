"""The history of the schema, as Alembic keeps it."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config


def apply(connection: sa.Connection, revision: str = "head") -> None:
    """Apply what a database lacks up to a revision, in the connection's transaction."""
    made = config()
    made.attributes["connection"] = connection
    command.upgrade(made, revision)


def config() -> Config:
    """Where the revisions are."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return made
