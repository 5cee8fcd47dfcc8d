"""Deadlines, divided messages, claims, removals, discrepancies; expands: a gateway of 0002 can go on writing."""

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import TEXT

revision = "0003"
down_revision = "0002"

_QUEUED = sa.text("due_at IS NOT NULL")
_LEASED = sa.text("lease_token IS NOT NULL")
_TOLD = sa.text("told_at IS NOT NULL")
_OPEN = sa.text("closed_at IS NULL")


def upgrade() -> None:
    """Add columns that may be null, tables and indices; 0002 knows none of them and needs none."""
    op.add_column("messages", sa.Column("place", sa.BigInteger))
    op.add_column("messages", sa.Column("deadline_at", sa.BigInteger))
    _index("ix_messages_route_due", "messages", ["route", "priority", "due_at", "sequence"], _QUEUED)
    _index("ix_messages_route_oldest", "messages", ["route", "due_at", "sequence"], _QUEUED)
    _index("ix_messages_leased", "messages", ["route", "lease_until"], _LEASED)
    _index("ix_messages_deadline", "messages", ["deadline_at"], sa.text("deadline_at IS NOT NULL AND sent_at IS NULL"))
    _index("ix_inbound_documents_received", "inbound_documents", ["received_at", "id"], None)
    _index("ix_axis_items_told", "axis_items", ["account", "recorded_at", "axis_doc_id"], _TOLD)
    op.create_table(
        "claims",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "removals",
        sa.Column("kind", TEXT, primary_key=True),
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("facts", TEXT, nullable=False),
        sa.Column("policy", TEXT, nullable=False),
        sa.Column("removed_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "discrepancies",
        sa.Column("account", TEXT, primary_key=True),
        sa.Column("kind", TEXT, primary_key=True),
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("first_seen_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("outcome", TEXT, nullable=False),
    )
    _index("ix_discrepancies_open", "discrepancies", ["account", "first_seen_at"], _OPEN)


def _index(name: str, table: str, columns: list[str], where: sa.TextClause | None) -> None:
    op.create_index(name, table, columns, unique=False, sqlite_where=where, postgresql_where=where)
