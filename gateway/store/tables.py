"""The schema: the only place that names columns.

Words of closed sets are stored by value in Text, composite values as JSON in Text, instants as microseconds. Two
columns are null exactly while a row is out of its queue, so that partial indices hold only what is still to be done:
`messages.due_at` and `receptions.waiting_since`.
"""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware instant as microseconds since 1970 UTC; a naive one raises TypeError."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Instant to number."""
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Number to instant."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    },
)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _instant(name: str) -> sa.Column[datetime]:
    return sa.Column(name, Instant, nullable=False)


def _refers(name: str, target: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, sa.ForeignKey(target), nullable=False)


meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    _text("value"),
)
"""`epoch`: random at creation; a restore from a backup must change it."""

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    _number("value"),
)
"""`messages` and `events`: the last number given out, moved in the transaction that uses it."""

# --- agencies --------------------------------------------------------------------------------------------------------

agencies = sa.Table(
    "agencies",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("axis_id", sa.Text, nullable=False, unique=True),
    # No foreign key: a sync lands in several transactions, parents not always first.
    sa.Column("parent_id", sa.Text, index=True),
    _text("code"),
    sa.Column("code_key", sa.Text, nullable=False, index=True),
    _text("name"),
    _text("search"),
    _text("email"),
    sa.Column("active", sa.Boolean, nullable=False),
    _instant("valid_from"),
    sa.Column("closed_at", Instant),
)

agency_aliases = sa.Table(
    "agency_aliases",
    metadata,
    sa.Column("code_key", sa.Text, primary_key=True),
    sa.Column("agency", sa.Text, sa.ForeignKey("agencies.id"), primary_key=True, index=True),
    _text("code"),
    # True: a code it once had itself, kept whatever the axis lists.
    sa.Column("former", sa.Boolean, nullable=False),
)

mandates = sa.Table(
    "mandates",
    metadata,
    sa.Column("vendor", sa.Text, primary_key=True),
    sa.Column("agency", sa.Text, sa.ForeignKey("agencies.id"), primary_key=True, index=True),
    sa.Column("serves", sa.Boolean, nullable=False),
    sa.Index(
        "uq_mandates_server", "agency", unique=True, sqlite_where=sa.text("serves"), postgresql_where=sa.text("serves")
    ),
)

# --- content ---------------------------------------------------------------------------------------------------------

blobs = sa.Table(
    "blobs",
    metadata,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("object_key", sa.Text, nullable=False, unique=True),
    _number("size"),
)
"""A row is made in the transaction that makes its first reference, so only an expired upload can leave one bare."""

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("vendor", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, sa.ForeignKey("blobs.sha256"), primary_key=True, index=True),
    sa.Column("expires_at", Instant, nullable=False, index=True),
)

# --- outbound --------------------------------------------------------------------------------------------------------

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("uid", sa.Text, primary_key=True),
    _text("vendor"),
    _refers("agency", "agencies.id"),
    _text("sender_code"),
    _text("document_id"),
    _text("document_key"),
    _text("code_key"),
    _number("business_type"),
    _text("content_digest"),
    _text("header"),
    _instant("accepted_at"),
    sa.Column("superseded_at", Instant),
    sa.Index(
        "uq_documents_new",
        "sender_code",
        "document_id",
        unique=True,
        sqlite_where=sa.text("business_type = 0 AND superseded_at IS NULL"),
        postgresql_where=sa.text("business_type = 0 AND superseded_at IS NULL"),
    ),
    sa.Index("ix_documents_document_id", "document_id", "sender_code"),
    sa.Index("ix_documents_document_key", "document_key", "sender_code"),
    sa.Index("ix_documents_code_key", "code_key", "sender_code"),
    sa.Index("ix_documents_agency", "agency", "accepted_at", "uid"),
    sa.Index("ix_documents_accepted", "accepted_at", "uid"),
)
"""sender_code, document_key and code_key are normalised, see keys.py; `header` has everything as written. A document
that reached nobody is superseded when its sender submits the document id again."""

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("vendor", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, primary_key=True),
    _text("request_digest"),
    # Deferred: the request is claimed before its document is written.
    sa.Column(
        "document",
        sa.Text,
        sa.ForeignKey("documents.uid", deferrable=True, initially="DEFERRED"),
        nullable=False,
        index=True,
    ),
)
"""Every request id used; several may name one document."""

attachments = sa.Table(
    "attachments",
    metadata,
    sa.Column("document", sa.Text, sa.ForeignKey("documents.uid"), primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    _text("name"),
    _text("media_type"),
    _number("size"),
    sa.Column("sha256", sa.Text, sa.ForeignKey("blobs.sha256"), nullable=False, index=True),
    _text("role"),
    _text("description"),
    sa.Column("verdict", sa.Text),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _refers("document", "documents.uid"),
    # Place in the document's recipients.
    _number("position"),
    _text("recipient_code"),
    _text("recipient_key"),
    _text("state"),
    _number("attempts"),
    _text("reason"),
    _text("last_status"),
    sa.Column("axis_doc_id", sa.Text),
    _instant("updated_at"),
    sa.UniqueConstraint("document", "position"),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False, unique=True),
    _text("kind"),
    _text("route"),
    _text("ordering_key"),
    sa.Column("lane", sa.BigInteger),
    _number("priority"),
    _text("state"),
    _number("attempts"),
    _text("reason"),
    sa.Column("due_at", Instant),
    sa.Column("lease_token", sa.Text),
    sa.Column("lease_owner", sa.Text),
    sa.Column("lease_until", Instant),
    _instant("created_at"),
    sa.Column("started_at", Instant),
    sa.Column("first_submitted_at", Instant),
    sa.Column("settle_after", Instant),
    sa.Column("sent_at", Instant),
    sa.Column("axis_doc_id", sa.Text),
    sa.Column("document", sa.Text, sa.ForeignKey("documents.uid"), index=True),
    sa.Column("report", sa.Text),
    sa.Index(
        "ix_messages_due",
        "priority",
        "due_at",
        "sequence",
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    ),
    sa.Index("ix_messages_ordering", "ordering_key", "sequence"),
    sa.Index("ix_messages_sent", "route", "sent_at", "axis_doc_id"),
    sa.Index("ix_messages_state", "state"),
)
"""Messages of one `ordering_key` go out in `sequence` order within their `lane`; a message whose lane is null waits for
all lanes and holds all lanes. The chunks of one document take lanes 0, 1, ...; what must come after the whole document,
as a recall, takes its key and no lane. `started_at` is when the running attempt began."""

message_deliveries = sa.Table(
    "message_deliveries",
    metadata,
    sa.Column("message", sa.Text, sa.ForeignKey("messages.id"), primary_key=True),
    sa.Column("delivery", sa.Text, sa.ForeignKey("deliveries.id"), primary_key=True, index=True),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("message", sa.Text, sa.ForeignKey("messages.id"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("started_at", Instant),
    _instant("ended_at"),
    _text("state"),
    _text("reason"),
    sa.Column("counted", sa.Boolean, nullable=False),
)

# --- inbound ---------------------------------------------------------------------------------------------------------

axis_items = sa.Table(
    "axis_items",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("axis_doc_id", sa.Text, primary_key=True),
    _text("kind"),
    _text("recipients"),
    sa.Column("raw", sa.Text, sa.ForeignKey("blobs.sha256"), nullable=False, index=True),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("defect_code", sa.Text),
    sa.Column("defect_path", sa.Text),
    sa.Column("defect_message", sa.Text),
    _instant("recorded_at"),
    sa.Column("told_at", Instant),
    sa.Index(
        "ix_axis_items_unfinished",
        "account",
        "recorded_at",
        "axis_doc_id",
        sqlite_where=sa.text("told_at IS NULL"),
        postgresql_where=sa.text("told_at IS NULL"),
    ),
)

inbound_documents = sa.Table(
    "inbound_documents",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _number("business_type"),
    _text("sender_code"),
    _text("document_id"),
    # Empty where other content under the same id is a conflict; else the content digest: a further message.
    _text("variant"),
    _text("document_key"),
    _text("code_key"),
    _text("content_digest"),
    _text("header"),
    _text("warnings"),
    _text("account"),
    _text("axis_doc_id"),
    _instant("received_at"),
    sa.UniqueConstraint("business_type", "sender_code", "document_id", "variant", name="uq_inbound_documents_identity"),
    sa.Index("ix_inbound_documents_document_id", "document_id", "sender_code"),
    sa.Index("ix_inbound_documents_document_key", "document_key", "sender_code"),
    sa.Index("ix_inbound_documents_code_key", "code_key", "sender_code"),
)

inbound_attachments = sa.Table(
    "inbound_attachments",
    metadata,
    sa.Column("document", sa.Text, sa.ForeignKey("inbound_documents.id"), primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    _text("name"),
    _text("media_type"),
    _number("size"),
    sa.Column("sha256", sa.Text, sa.ForeignKey("blobs.sha256"), nullable=False, index=True),
    _text("role"),
    _text("description"),
    sa.Column("verdict", sa.Text),
)

receptions = sa.Table(
    "receptions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    _refers("document", "inbound_documents.id"),
    _refers("agency", "agencies.id"),
    _text("state"),
    _number("priority"),
    _instant("received_at"),
    # received_at while a vendor may still lease it, else null.
    sa.Column("waiting_since", Instant),
    sa.Column("ack_id", sa.Text),
    sa.Column("lease_until", Instant),
    _number("delivery_attempt"),
    _text("refusal"),
    sa.UniqueConstraint("document", "agency"),
    sa.Index(
        "ix_receptions_waiting",
        "agency",
        "priority",
        "waiting_since",
        sqlite_where=sa.text("waiting_since IS NOT NULL"),
        postgresql_where=sa.text("waiting_since IS NOT NULL"),
    ),
)

statuses_out = sa.Table(
    "statuses_out",
    metadata,
    sa.Column("reception", sa.Text, sa.ForeignKey("receptions.id"), primary_key=True),
    sa.Column("request_id", sa.Text, primary_key=True),
    _text("code"),
    # The code where it may go out once, else null.
    sa.Column("once", sa.Text),
    _instant("reported_at"),
    sa.UniqueConstraint("reception", "once"),
)

statuses_in = sa.Table(
    "statuses_in",
    metadata,
    # A delivery's or a reception's id.
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    # The report's timestamp for codes that may come again, else empty.
    sa.Column("stamp", sa.Text, primary_key=True),
    _instant("placed_at"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    _instant("at"),
    _refers("agency", "agencies.id"),
    _text("resource"),
    _text("document_id"),
    _text("recipient_code"),
    _text("kind"),
    _text("payload"),
    sa.Index("ix_events_agency", "agency", "position"),
)
