"""Packets kept as parts, and what an axis adds to an attachment; expands: a gateway of 0001 can go on writing."""

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import TEXT

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add columns that fill themselves or may be null, and a table that 0001 does not know."""
    for table in ("attachments", "inbound_attachments"):
        for name in ("field_name", "mime_type", "format"):
            op.add_column(table, sa.Column(name, TEXT, nullable=False, server_default=""))
    op.add_column("axis_items", sa.Column("packet_sha256", TEXT))
    op.add_column("axis_items", sa.Column("packet_size", sa.BigInteger))
    op.create_table(
        "packet_parts",
        sa.Column("account", TEXT, primary_key=True),
        sa.Column("axis_doc_id", TEXT, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("sha256", TEXT, sa.ForeignKey("blobs.sha256"), nullable=False),
        sa.Column("zip_entry", TEXT),
        sa.ForeignKeyConstraint(["account", "axis_doc_id"], ["axis_items.account", "axis_items.axis_doc_id"]),
    )
    op.create_index("ix_packet_parts_sha256", "packet_parts", ["sha256"], unique=False)
