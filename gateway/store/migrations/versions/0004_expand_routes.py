"""Other accounts for a message, status feeds of vendor systems; expands: a gateway of 0003 can go on writing."""

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import TEXT

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add a column that may be null, an index, and tables; 0003 knows none of them and needs none."""
    op.add_column("messages", sa.Column("alternatives", TEXT))
    movable = sa.text("state = 'queued' AND alternatives IS NOT NULL")
    op.create_index(
        "ix_messages_movable",
        "messages",
        ["route", "alternatives", "due_at", "sequence"],
        sqlite_where=movable,
        postgresql_where=movable,
    )
    op.create_table(
        "feeds",
        sa.Column("vendor", TEXT, primary_key=True),
        sa.Column("after", sa.BigInteger, nullable=False),
        sa.Column("began_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "feed_taken",
        sa.Column("vendor", TEXT, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    )
