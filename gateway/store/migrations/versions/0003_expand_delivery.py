"""Deadlines, divided messages, claims, removals, discrepancies; expands: a gateway of 0002 can go on writing."""

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import TEXT

revision = "0003"
down_revision = "0002"

_QUEUED = sa.text("due_at IS NOT NULL")
_LEASED = sa.text("lease_token IS NOT NULL")
_UNSETTLED = sa.text("state IN ('queued', 'submitting', 'uncertain', 'held')")
_TOLD = sa.text("told_at IS NOT NULL")
_OPEN = sa.text("closed_at IS NULL")


def upgrade() -> None:
    """Add columns that may be null, tables and indices; 0002 knows none of them and needs none."""
    op.add_column("messages", sa.Column("place", sa.BigInteger))
    op.add_column("messages", sa.Column("deadline_at", sa.BigInteger))
    op.add_column("messages", sa.Column("interruptions", sa.BigInteger))
    _index("ix_messages_route_due", "messages", ["route", "priority", "due_at", "sequence"], _QUEUED)
    _index("ix_messages_route_oldest", "messages", ["route", "due_at", "sequence"], _QUEUED)
    _index("ix_messages_unsettled", "messages", ["ordering_key", "lane"], _UNSETTLED)
    _index("ix_messages_leased", "messages", ["route", "lease_until"], _LEASED)
    _index("ix_messages_deadline", "messages", ["deadline_at"], sa.text("deadline_at IS NOT NULL AND sent_at IS NULL"))
    _index("ix_inbound_documents_item", "inbound_documents", ["account", "axis_doc_id"], None)
    _index("ix_messages_reported", "messages", ["created_at", "id"], sa.text("state = 'sent' AND document IS NULL"))
    unproven = sa.text("state IN ('uncertain', 'held', 'failed')")
    _index("ix_messages_unproven", "messages", ["route", "first_submitted_at"], unproven)
    _index("ix_inbound_documents_received", "inbound_documents", ["received_at", "id"], None)
    settled = sa.text("state = 'settled'")
    _index("ix_axis_items_settled", "axis_items", ["recorded_at", "account", "axis_doc_id"], settled)
    _index("ix_axis_items_told", "axis_items", ["account", "recorded_at", "axis_doc_id"], _TOLD)
    _tables()


def _tables() -> None:
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
        sa.Column("document_key", TEXT),
        sa.Column("facts", TEXT, nullable=False),
        sa.Column("policy", TEXT, nullable=False),
        sa.Column("removed_at", sa.BigInteger, nullable=False),
    )
    _index("ix_removals_document_key", "removals", ["document_key"], sa.text("document_key IS NOT NULL"))
    op.create_table(
        "interventions",
        sa.Column("account", TEXT, primary_key=True),
        sa.Column("axis_doc_id", TEXT, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("operator", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["account", "axis_doc_id"], ["axis_items.account", "axis_items.axis_doc_id"]),
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
