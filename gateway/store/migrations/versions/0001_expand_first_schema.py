"""The first schema; expands."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import TEXT

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table, a random epoch and the counters."""
    for create in (
        _agencies,
        _blobs,
        _inbound_documents,
        _bookkeeping,
        _statuses_in,
        _agency_aliases,
        _axis_items,
        _documents,
        _events,
        _inbound_attachments,
        _mandates,
        _receptions,
        _uploads,
        _attachments,
        _deliveries,
        _messages,
        _requests,
        _statuses_out,
        _attempts,
        _message_deliveries,
    ):
        create()
    meta = sa.table("meta", sa.column("name", TEXT), sa.column("value", TEXT))
    op.bulk_insert(meta, [{"name": "epoch", "value": uuid4().hex}])
    counters = sa.table("counters", sa.column("name", TEXT), sa.column("value", sa.BigInteger))
    op.bulk_insert(counters, [{"name": name, "value": 0} for name in ("messages", "events")])


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, TEXT, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _agencies() -> None:
    op.create_table(
        "agencies",
        sa.Column("id", TEXT, primary_key=True),
        _text("axis_id"),
        sa.Column("parent_id", TEXT),
        _text("code"),
        _text("code_key"),
        _text("name"),
        _text("search"),
        _text("email"),
        sa.Column("active", sa.Boolean, nullable=False),
        _number("valid_from"),
        sa.Column("closed_at", sa.BigInteger),
        sa.UniqueConstraint("axis_id", name="uq_agencies_axis_id"),
    )
    op.create_index("ix_agencies_code_key", "agencies", ["code_key"], unique=False)
    op.create_index("ix_agencies_parent_id", "agencies", ["parent_id"], unique=False)


def _blobs() -> None:
    op.create_table(
        "blobs",
        sa.Column("sha256", TEXT, primary_key=True),
        _text("object_key"),
        _number("size"),
        sa.UniqueConstraint("object_key", name="uq_blobs_object_key"),
    )


def _inbound_documents() -> None:
    op.create_table(
        "inbound_documents",
        sa.Column("id", TEXT, primary_key=True),
        _number("business_type"),
        _text("sender_code"),
        _text("document_id"),
        _text("variant"),
        _text("document_key"),
        _text("code_key"),
        _text("content_digest"),
        _text("header"),
        _text("warnings"),
        _text("account"),
        _text("axis_doc_id"),
        _number("received_at"),
        sa.UniqueConstraint(
            "business_type", "sender_code", "document_id", "variant", name="uq_inbound_documents_identity"
        ),
    )
    op.create_index("ix_inbound_documents_code_key", "inbound_documents", ["code_key", "sender_code"], unique=False)
    op.create_index(
        "ix_inbound_documents_document_id", "inbound_documents", ["document_id", "sender_code"], unique=False
    )
    op.create_index(
        "ix_inbound_documents_document_key", "inbound_documents", ["document_key", "sender_code"], unique=False
    )


def _bookkeeping() -> None:
    op.create_table("meta", sa.Column("name", TEXT, primary_key=True), _text("value"))
    op.create_table(
        "counters",
        sa.Column("name", TEXT, primary_key=True),
        _number("value"),
    )


def _statuses_in() -> None:
    op.create_table(
        "statuses_in",
        sa.Column("subject", TEXT, primary_key=True),
        sa.Column("code", TEXT, primary_key=True),
        sa.Column("stamp", TEXT, primary_key=True),
        _number("placed_at"),
    )


def _agency_aliases() -> None:
    op.create_table(
        "agency_aliases",
        sa.Column("code_key", TEXT, primary_key=True),
        sa.Column("agency", TEXT, sa.ForeignKey("agencies.id"), primary_key=True),
        _text("code"),
        sa.Column("former", sa.Boolean, nullable=False),
    )
    op.create_index("ix_agency_aliases_agency", "agency_aliases", ["agency"], unique=False)


def _axis_items() -> None:
    op.create_table(
        "axis_items",
        sa.Column("account", TEXT, primary_key=True),
        sa.Column("axis_doc_id", TEXT, primary_key=True),
        _text("kind"),
        _text("recipients"),
        sa.Column("raw", TEXT, sa.ForeignKey("blobs.sha256"), nullable=False),
        _text("state"),
        sa.Column("defect_code", TEXT),
        sa.Column("defect_path", TEXT),
        sa.Column("defect_message", TEXT),
        _number("recorded_at"),
        sa.Column("told_at", sa.BigInteger),
    )
    op.create_index("ix_axis_items_raw", "axis_items", ["raw"], unique=False)
    op.create_index("ix_axis_items_state", "axis_items", ["state"], unique=False)
    op.create_index(
        "ix_axis_items_unfinished",
        "axis_items",
        ["account", "recorded_at", "axis_doc_id"],
        unique=False,
        sqlite_where=sa.text("told_at IS NULL"),
        postgresql_where=sa.text("told_at IS NULL"),
    )


def _documents() -> None:
    op.create_table(
        "documents",
        sa.Column("uid", TEXT, primary_key=True),
        _text("vendor"),
        sa.Column("agency", TEXT, sa.ForeignKey("agencies.id"), nullable=False),
        _text("sender_code"),
        _text("document_id"),
        _text("document_key"),
        _text("code_key"),
        _number("business_type"),
        _text("content_digest"),
        _text("header"),
        _number("accepted_at"),
        sa.Column("superseded_at", sa.BigInteger),
    )
    op.create_index("ix_documents_accepted", "documents", ["accepted_at", "uid"], unique=False)
    op.create_index("ix_documents_agency", "documents", ["agency", "accepted_at", "uid"], unique=False)
    op.create_index("ix_documents_code_key", "documents", ["code_key", "sender_code"], unique=False)
    op.create_index("ix_documents_document_id", "documents", ["document_id", "sender_code"], unique=False)
    op.create_index("ix_documents_document_key", "documents", ["document_key", "sender_code"], unique=False)
    op.create_index(
        "uq_documents_new",
        "documents",
        ["sender_code", "document_id"],
        unique=True,
        sqlite_where=sa.text("business_type = 0 AND superseded_at IS NULL"),
        postgresql_where=sa.text("business_type = 0 AND superseded_at IS NULL"),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        _number("at"),
        sa.Column("agency", TEXT, sa.ForeignKey("agencies.id"), nullable=False),
        _text("resource"),
        _text("document_id"),
        _text("recipient_code"),
        _text("kind"),
        _text("payload"),
    )
    op.create_index("ix_events_agency", "events", ["agency", "position"], unique=False)


def _mandates() -> None:
    op.create_table(
        "mandates",
        sa.Column("vendor", TEXT, primary_key=True),
        sa.Column("agency", TEXT, sa.ForeignKey("agencies.id"), primary_key=True),
        sa.Column("serves", sa.Boolean, nullable=False),
    )
    op.create_index("ix_mandates_agency", "mandates", ["agency"], unique=False)
    op.create_index(
        "uq_mandates_server",
        "mandates",
        ["agency"],
        unique=True,
        sqlite_where=sa.text("serves"),
        postgresql_where=sa.text("serves"),
    )


def _receptions() -> None:
    op.create_table(
        "receptions",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("document", TEXT, sa.ForeignKey("inbound_documents.id"), nullable=False),
        sa.Column("agency", TEXT, sa.ForeignKey("agencies.id"), nullable=False),
        _text("state"),
        _number("priority"),
        _number("received_at"),
        sa.Column("waiting_since", sa.BigInteger),
        sa.Column("ack_id", TEXT),
        sa.Column("lease_until", sa.BigInteger),
        _number("delivery_attempt"),
        _text("refusal"),
        sa.UniqueConstraint("document", "agency", name="uq_receptions_document_agency"),
    )
    op.create_index(
        "ix_receptions_waiting",
        "receptions",
        ["agency", "priority", "waiting_since"],
        unique=False,
        sqlite_where=sa.text("waiting_since IS NOT NULL"),
        postgresql_where=sa.text("waiting_since IS NOT NULL"),
    )


def _uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("vendor", TEXT, primary_key=True),
        sa.Column("sha256", TEXT, sa.ForeignKey("blobs.sha256"), primary_key=True),
        _number("expires_at"),
    )
    op.create_index("ix_uploads_expires_at", "uploads", ["expires_at"], unique=False)
    op.create_index("ix_uploads_sha256", "uploads", ["sha256"], unique=False)


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("document", TEXT, sa.ForeignKey("documents.uid"), nullable=False),
        _number("position"),
        _text("recipient_code"),
        _text("recipient_key"),
        _text("state"),
        _number("attempts"),
        _text("reason"),
        _text("last_status"),
        sa.Column("axis_doc_id", TEXT),
        _number("updated_at"),
        sa.UniqueConstraint("document", "position", name="uq_deliveries_document_position"),
    )


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", TEXT, primary_key=True),
        _number("sequence"),
        _text("kind"),
        _text("route"),
        _text("ordering_key"),
        sa.Column("lane", sa.BigInteger),
        _number("priority"),
        _text("state"),
        _number("attempts"),
        _text("reason"),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("lease_token", TEXT),
        sa.Column("lease_owner", TEXT),
        sa.Column("lease_until", sa.BigInteger),
        _number("created_at"),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("first_submitted_at", sa.BigInteger),
        sa.Column("settle_after", sa.BigInteger),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("axis_doc_id", TEXT),
        sa.Column("document", TEXT, sa.ForeignKey("documents.uid")),
        sa.Column("report", TEXT),
        sa.UniqueConstraint("sequence", name="uq_messages_sequence"),
    )
    op.create_index("ix_messages_document", "messages", ["document"], unique=False)
    op.create_index(
        "ix_messages_due",
        "messages",
        ["priority", "due_at", "sequence"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("ix_messages_ordering", "messages", ["ordering_key", "sequence"], unique=False)
    op.create_index("ix_messages_sent", "messages", ["route", "sent_at", "axis_doc_id"], unique=False)
    op.create_index("ix_messages_state", "messages", ["state"], unique=False)


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("vendor", TEXT, primary_key=True),
        sa.Column("request_id", TEXT, primary_key=True),
        _text("request_digest"),
        sa.Column(
            "document", TEXT, sa.ForeignKey("documents.uid", deferrable=True, initially="DEFERRED"), nullable=False
        ),
    )
    op.create_index("ix_requests_document", "requests", ["document"], unique=False)


def _statuses_out() -> None:
    op.create_table(
        "statuses_out",
        sa.Column("reception", TEXT, sa.ForeignKey("receptions.id"), primary_key=True),
        sa.Column("request_id", TEXT, primary_key=True),
        _text("code"),
        sa.Column("once", TEXT),
        _number("reported_at"),
        sa.UniqueConstraint("reception", "once", name="uq_statuses_out_reception_once"),
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("message", TEXT, sa.ForeignKey("messages.id"), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("started_at", sa.BigInteger),
        _number("ended_at"),
        _text("state"),
        _text("reason"),
        sa.Column("counted", sa.Boolean, nullable=False),
    )


def _message_deliveries() -> None:
    op.create_table(
        "message_deliveries",
        sa.Column("message", TEXT, sa.ForeignKey("messages.id"), primary_key=True),
        sa.Column("delivery", TEXT, sa.ForeignKey("deliveries.id"), primary_key=True),
    )
    op.create_index("ix_message_deliveries_delivery", "message_deliveries", ["delivery"], unique=False)


def _attachment_table(name: str, owner: str) -> None:
    op.create_table(
        name,
        sa.Column("document", TEXT, sa.ForeignKey(owner), primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        _text("name"),
        _text("media_type"),
        _number("size"),
        sa.Column("sha256", TEXT, sa.ForeignKey("blobs.sha256"), nullable=False),
        _text("role"),
        _text("description"),
        sa.Column("verdict", TEXT),
    )
    op.create_index(f"ix_{name}_sha256", name, ["sha256"], unique=False)


def _attachments() -> None:
    _attachment_table("attachments", "documents.uid")


def _inbound_attachments() -> None:
    _attachment_table("inbound_attachments", "inbound_documents.id")
