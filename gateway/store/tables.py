"""The schema: the only place that names columns.

Words of closed sets are stored by value in Text, composite values as JSON in Text, instants as microseconds. Two
columns are null exactly while a row is out of its queue, so that partial indices hold only what is still to be done:
`messages.due_at` and `receptions.waiting_since`.
"""

import sqlalchemy as sa

from gateway.store.columns import TEXT, Instant, added_text, instant, number, refers, text

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    },
)


IS_MOVABLE = "state = 'queued' AND alternatives IS NOT NULL"
"""What another account may take over, written as its index."""
IS_UNSETTLED = "state IN ('queued', 'submitting', 'uncertain', 'held')"
"""What keeps younger messages waiting, written as the index that finds it: databases compare the text."""


def _partial(name: str, *columns: str, where: str) -> sa.Index:
    return sa.Index(name, *columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", TEXT, primary_key=True),
    text("value"),
)
"""`epoch`: random at creation; a restore from a backup must change it. `mandates_set`: they were computed once.
`compared_sent:ACCOUNT`, `compared_received:ACCOUNT:KIND`: how far a reconciliation came."""

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", TEXT, primary_key=True),
    number("value"),
)
"""`messages` and `events`: the last number given out, moved in the transaction that uses it."""

# --- agencies --------------------------------------------------------------------------------------------------------

agencies = sa.Table(
    "agencies",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("axis_id", TEXT, nullable=False, unique=True),
    # No foreign key: a sync lands in several transactions, parents not always first.
    sa.Column("parent_id", TEXT, index=True),
    text("code"),
    sa.Column("code_key", TEXT, nullable=False, index=True),
    text("name"),
    text("search"),
    text("email"),
    sa.Column("active", sa.Boolean, nullable=False),
    instant("valid_from"),
    sa.Column("closed_at", Instant),
)

agency_aliases = sa.Table(
    "agency_aliases",
    metadata,
    sa.Column("code_key", TEXT, primary_key=True),
    sa.Column("agency", TEXT, sa.ForeignKey("agencies.id"), primary_key=True, index=True),
    text("code"),
    # True: a code it once had itself, kept whatever the axis lists.
    sa.Column("former", sa.Boolean, nullable=False),
)

mandates = sa.Table(
    "mandates",
    metadata,
    sa.Column("vendor", TEXT, primary_key=True),
    sa.Column("agency", TEXT, sa.ForeignKey("agencies.id"), primary_key=True, index=True),
    sa.Column("serves", sa.Boolean, nullable=False),
    sa.Index(
        "uq_mandates_server", "agency", unique=True, sqlite_where=sa.text("serves"), postgresql_where=sa.text("serves")
    ),
)

# --- content ---------------------------------------------------------------------------------------------------------

blobs = sa.Table(
    "blobs",
    metadata,
    sa.Column("sha256", TEXT, primary_key=True),
    sa.Column("object_key", TEXT, nullable=False, unique=True),
    number("size"),
)
"""A row is made in the transaction that makes its first reference. It can lose its last one where an upload expires and
where a packet is split: the transaction that does so deletes it."""

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("vendor", TEXT, primary_key=True),
    sa.Column("sha256", TEXT, sa.ForeignKey("blobs.sha256"), primary_key=True, index=True),
    sa.Column("expires_at", Instant, nullable=False, index=True),
)

# --- outbound --------------------------------------------------------------------------------------------------------

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("uid", TEXT, primary_key=True),
    text("vendor"),
    refers("agency", "agencies.id"),
    text("sender_code"),
    text("document_id"),
    text("document_key"),
    text("code_key"),
    number("business_type"),
    text("content_digest"),
    text("header"),
    instant("accepted_at"),
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
    sa.Column("vendor", TEXT, primary_key=True),
    sa.Column("request_id", TEXT, primary_key=True),
    text("request_digest"),
    # Deferred: the request is claimed before its document is written.
    sa.Column(
        "document",
        TEXT,
        sa.ForeignKey("documents.uid", deferrable=True, initially="DEFERRED"),
        nullable=False,
        index=True,
    ),
)
"""Every request id used; several may name one document."""

attachments = sa.Table(
    "attachments",
    metadata,
    sa.Column("document", TEXT, sa.ForeignKey("documents.uid"), primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    text("name"),
    text("media_type"),
    number("size"),
    sa.Column("sha256", TEXT, sa.ForeignKey("blobs.sha256"), nullable=False, index=True),
    text("role"),
    text("description"),
    sa.Column("verdict", TEXT),
    added_text("field_name"),
    added_text("mime_type"),
    added_text("format"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    refers("document", "documents.uid"),
    # Place in the document's recipients.
    number("position"),
    text("recipient_code"),
    text("recipient_key"),
    text("state"),
    number("attempts"),
    text("reason"),
    text("last_status"),
    sa.Column("axis_doc_id", TEXT),
    instant("updated_at"),
    sa.UniqueConstraint("document", "position"),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False, unique=True),
    text("kind"),
    text("route"),
    text("ordering_key"),
    sa.Column("lane", sa.BigInteger),
    number("priority"),
    text("state"),
    number("attempts"),
    text("reason"),
    sa.Column("due_at", Instant),
    sa.Column("lease_token", TEXT),
    sa.Column("lease_owner", TEXT),
    sa.Column("lease_until", Instant),
    instant("created_at"),
    sa.Column("started_at", Instant),
    sa.Column("first_submitted_at", Instant),
    sa.Column("settle_after", Instant),
    sa.Column("sent_at", Instant),
    sa.Column("axis_doc_id", TEXT),
    sa.Column("document", TEXT, sa.ForeignKey("documents.uid"), index=True),
    sa.Column("report", TEXT),
    # The sequence of the message it was divided from, or of the first beside it without a lane; else null.
    sa.Column("place", sa.BigInteger),
    sa.Column("deadline_at", Instant),
    # Leases in a row that ran out while nobody ended the attempt; null = none.
    sa.Column("interruptions", sa.BigInteger),
    # Accounts that may carry it instead, in order, as a JSON list; null = none.
    sa.Column("alternatives", TEXT),
    _partial("ix_messages_due", "priority", "due_at", "sequence", where="due_at IS NOT NULL"),
    _partial("ix_messages_route_due", "route", "priority", "due_at", "sequence", where="due_at IS NOT NULL"),
    _partial("ix_messages_route_oldest", "route", "due_at", "sequence", where="due_at IS NOT NULL"),
    _partial("ix_messages_movable", "route", "alternatives", "due_at", "sequence", where=IS_MOVABLE),
    _partial("ix_messages_unsettled", "ordering_key", "lane", where=IS_UNSETTLED),
    _partial("ix_messages_leased", "route", "lease_until", where="lease_token IS NOT NULL"),
    _partial("ix_messages_deadline", "deadline_at", where="deadline_at IS NOT NULL AND sent_at IS NULL"),
    sa.Index("ix_messages_ordering", "ordering_key", "sequence"),
    sa.Index("ix_messages_sent", "route", "sent_at", "axis_doc_id"),
    sa.Index("ix_messages_state", "state"),
    _partial("ix_messages_reported", "created_at", "id", where="state = 'sent' AND document IS NULL"),
    _partial("ix_messages_unproven", "route", "first_submitted_at", where="state IN ('uncertain', 'held', 'failed')"),
)
"""Messages of one `ordering_key` go out in `sequence` order within their `lane`; a message whose lane is null waits for
all lanes and holds all lanes; one made by dividing another keeps that one's `place` in the order. The chunks of one
document take lanes 0, 1, ...; what must come after the whole document, as a recall, takes its key and no lane, and its
chunks share one place.
`started_at` is when the running attempt began."""

message_deliveries = sa.Table(
    "message_deliveries",
    metadata,
    sa.Column("message", TEXT, sa.ForeignKey("messages.id"), primary_key=True),
    sa.Column("delivery", TEXT, sa.ForeignKey("deliveries.id"), primary_key=True, index=True),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("message", TEXT, sa.ForeignKey("messages.id"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("started_at", Instant),
    instant("ended_at"),
    text("state"),
    text("reason"),
    sa.Column("counted", sa.Boolean, nullable=False),
)

# --- inbound ---------------------------------------------------------------------------------------------------------

axis_items = sa.Table(
    "axis_items",
    metadata,
    sa.Column("account", TEXT, primary_key=True),
    sa.Column("axis_doc_id", TEXT, primary_key=True),
    text("kind"),
    text("recipients"),
    sa.Column("raw", TEXT, sa.ForeignKey("blobs.sha256"), nullable=False, index=True),
    sa.Column("state", TEXT, nullable=False, index=True),
    sa.Column("defect_code", TEXT),
    sa.Column("defect_path", TEXT),
    sa.Column("defect_message", TEXT),
    instant("recorded_at"),
    sa.Column("told_at", Instant),
    # The packet's own, once it is split; null while `raw` is the packet.
    sa.Column("packet_sha256", TEXT),
    sa.Column("packet_size", sa.BigInteger),
    _partial("ix_axis_items_unfinished", "account", "recorded_at", "axis_doc_id", where="told_at IS NULL"),
    _partial("ix_axis_items_settled", "recorded_at", "account", "axis_doc_id", where="state = 'settled'"),
    _partial("ix_axis_items_told", "account", "recorded_at", "axis_doc_id", where="told_at IS NOT NULL"),
)

packet_parts = sa.Table(
    "packet_parts",
    metadata,
    sa.Column("account", TEXT, primary_key=True),
    sa.Column("axis_doc_id", TEXT, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    number("offset"),
    number("length"),
    sa.Column("sha256", TEXT, sa.ForeignKey("blobs.sha256"), nullable=False, index=True),
    sa.Column("zip_entry", TEXT),
    sa.ForeignKeyConstraint(["account", "axis_doc_id"], ["axis_items.account", "axis_items.axis_doc_id"]),
)
"""The contents of a split packet, in order; `axis_items.raw` is then what stands between them."""

inbound_documents = sa.Table(
    "inbound_documents",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    number("business_type"),
    text("sender_code"),
    text("document_id"),
    # Empty where other content under the same id is a conflict; else the content digest: a further message.
    text("variant"),
    text("document_key"),
    text("code_key"),
    text("content_digest"),
    text("header"),
    text("warnings"),
    text("account"),
    text("axis_doc_id"),
    instant("received_at"),
    sa.UniqueConstraint("business_type", "sender_code", "document_id", "variant", name="uq_inbound_documents_identity"),
    sa.Index("ix_inbound_documents_document_id", "document_id", "sender_code"),
    sa.Index("ix_inbound_documents_document_key", "document_key", "sender_code"),
    sa.Index("ix_inbound_documents_code_key", "code_key", "sender_code"),
    sa.Index("ix_inbound_documents_received", "received_at", "id"),
    sa.Index("ix_inbound_documents_item", "account", "axis_doc_id"),
)

inbound_attachments = sa.Table(
    "inbound_attachments",
    metadata,
    sa.Column("document", TEXT, sa.ForeignKey("inbound_documents.id"), primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    text("name"),
    text("media_type"),
    number("size"),
    sa.Column("sha256", TEXT, sa.ForeignKey("blobs.sha256"), nullable=False, index=True),
    text("role"),
    text("description"),
    sa.Column("verdict", TEXT),
    added_text("field_name"),
    added_text("mime_type"),
    added_text("format"),
)

receptions = sa.Table(
    "receptions",
    metadata,
    sa.Column("id", TEXT, primary_key=True),
    refers("document", "inbound_documents.id"),
    refers("agency", "agencies.id"),
    text("state"),
    number("priority"),
    instant("received_at"),
    # received_at while a vendor may still lease it, else null.
    sa.Column("waiting_since", Instant),
    sa.Column("ack_id", TEXT),
    sa.Column("lease_until", Instant),
    number("delivery_attempt"),
    text("refusal"),
    sa.UniqueConstraint("document", "agency"),
    _partial("ix_receptions_waiting", "agency", "priority", "waiting_since", where="waiting_since IS NOT NULL"),
)

statuses_out = sa.Table(
    "statuses_out",
    metadata,
    sa.Column("reception", TEXT, sa.ForeignKey("receptions.id"), primary_key=True),
    sa.Column("request_id", TEXT, primary_key=True),
    text("code"),
    # The code where it may go out once, else null.
    sa.Column("once", TEXT),
    instant("reported_at"),
    sa.UniqueConstraint("reception", "once"),
)

statuses_in = sa.Table(
    "statuses_in",
    metadata,
    # A delivery's or a reception's id; a take-back asked by us is filed under the delivery it went to.
    sa.Column("subject", TEXT, primary_key=True),
    sa.Column("code", TEXT, primary_key=True),
    # The report's timestamp for codes that may come again, else empty.
    sa.Column("stamp", TEXT, primary_key=True),
    instant("placed_at"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    instant("at"),
    refers("agency", "agencies.id"),
    text("resource"),
    text("document_id"),
    text("recipient_code"),
    text("kind"),
    text("payload"),
    sa.Index("ix_events_agency", "agency", "position"),
)

# --- running and keeping ---------------------------------------------------------------------------------------------

claims = sa.Table(
    "claims",
    metadata,
    sa.Column("name", TEXT, primary_key=True),
    text("owner"),
    instant("until"),
)
"""Jobs that one gateway of several does at a time: polling an account, say."""

removals = sa.Table(
    "removals",
    metadata,
    sa.Column("kind", TEXT, primary_key=True),
    sa.Column("key", TEXT, primary_key=True),
    # Of the document it is about, normalised, else null.
    sa.Column("document_key", TEXT),
    text("facts"),
    text("policy"),
    instant("removed_at"),
    _partial("ix_removals_document_key", "document_key", where="document_key IS NOT NULL"),
)
"""What retention took away, and the keys under which it must still be known: never removed themselves."""

discrepancies = sa.Table(
    "discrepancies",
    metadata,
    sa.Column("account", TEXT, primary_key=True),
    sa.Column("kind", TEXT, primary_key=True),
    sa.Column("key", TEXT, primary_key=True),
    text("detail"),
    instant("first_seen_at"),
    instant("last_seen_at"),
    # Null while an operator should look.
    sa.Column("closed_at", Instant),
    text("outcome"),
    _partial("ix_discrepancies_open", "account", "first_seen_at", where="closed_at IS NULL"),
)
"""What the axis's lists and this store say differently."""

interventions = sa.Table(
    "interventions",
    metadata,
    sa.Column("account", TEXT, primary_key=True),
    sa.Column("axis_doc_id", TEXT, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    instant("at"),
    text("operator"),
    text("action"),
    text("reason"),
    sa.ForeignKeyConstraint(["account", "axis_doc_id"], ["axis_items.account", "axis_items.axis_doc_id"]),
)
"""What operators did to axis items; what they did to messages stands among the attempts."""

feeds = sa.Table(
    "feeds",
    metadata,
    sa.Column("vendor", TEXT, primary_key=True),
    number("after"),
    instant("began_at"),
)
"""How far a vendor system that comes through the door has taken over the statuses in the event log: all up to `after`
and those in feed_taken."""

feed_taken = sa.Table(
    "feed_taken",
    metadata,
    sa.Column("vendor", TEXT, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
)
