"""Everything known under one document id, whether it is still kept or not."""

import json

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.ports.operations import AuditEntry
from gateway.store import facts, removals
from gateway.store.keys import document_key
from gateway.store.tables import documents, inbound_documents
from gateway.store.tables import removals as removed


async def entries(conn: AsyncConnection, document_id: str) -> tuple[AuditEntry, ...]:
    """Sent, received, removed, each oldest first."""
    key = document_key(document_id)
    sent = sa.select(documents.c.uid).where(documents.c.document_key == key).order_by(documents.c.accepted_at)
    received = sa.select(inbound_documents.c.id).where(inbound_documents.c.document_key == key)
    received = received.order_by(inbound_documents.c.received_at)
    uids = (await conn.scalars(sent)).all()
    ids = (await conn.scalars(received)).all()
    living = [(removals.DOCUMENT, await facts.of_sent(conn, uids), uids)]
    living.append((removals.INBOUND_DOCUMENT, await facts.of_received(conn, ids), ids))
    kept = [
        AuditEntry(kind=kind, key=each, facts=found[each], removed_at=None, policy="")
        for kind, found, keys in living
        for each in keys
    ]
    columns = sa.select(removed.c.kind, removed.c.key, removed.c.facts, removed.c.policy, removed.c.removed_at)
    gone = await conn.execute(
        columns.where(removed.c.document_key == key).order_by(removed.c.removed_at, removed.c.key)
    )
    return (
        *kept,
        *(
            AuditEntry(
                kind=row.kind,
                key=row.key,
                facts=json.loads(row.facts),
                removed_at=row.removed_at,
                policy=row.policy,
            )
            for row in gone
        ),
    )
