"""What retention took away: written in the transaction that removes, looked up by whoever could make it a second time.

Kinds and their keys: `document` uid; `inbound_document` id; `axis_item` account and axis id; `inbound_identity`
business type, sender code, document id and variant (facts: content_digest); `request` vendor and request id (facts:
request_digest); `sent_identity` sender code and document id (facts: content_digest); `message` id; `events` first and
last position.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.statements import batches, upsert
from gateway.store.tables import removals

DOCUMENT = "document"
INBOUND_DOCUMENT = "inbound_document"
AXIS_ITEM = "axis_item"
INBOUND_IDENTITY = "inbound_identity"
REQUEST = "request"
SENT_IDENTITY = "sent_identity"
MESSAGE = "message"
EVENTS = "events"

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRemoval:
    """One thing that goes."""

    kind: str
    key: str
    facts: Facts
    document_key: str | None = None
    """keys.document_key of the document id, for auditors to find it by; None where it has none."""


def key(*parts: object) -> str:
    """The key of something that several columns name."""
    return "|".join(str(part) for part in parts)


async def record(conn: AsyncConnection, new: Sequence[NewRemoval], *, policy: str, at: datetime) -> None:
    """Note removals; the first of one kind and key stays."""
    for batch in batches(new):
        values = [
            {
                "kind": each.kind,
                "key": each.key,
                "document_key": each.document_key,
                "facts": json.dumps(each.facts, ensure_ascii=False, separators=(",", ":")),
                "policy": policy,
                "removed_at": at,
            }
            for each in batch
        ]
        await conn.execute(upsert(removals).on_conflict_do_nothing(), values)


async def find(conn: AsyncConnection, kind: str, key: str) -> Facts | None:
    """The facts of something removed; None if nothing of this kind and key was."""
    wanted = sa.select(removals.c.facts).where(removals.c.kind == kind, removals.c.key == key)
    facts = (await conn.execute(wanted)).scalar_one_or_none()
    return None if facts is None else json.loads(facts)


async def known(conn: AsyncConnection, kind: str, keys: Collection[str]) -> frozenset[str]:
    """Those of the keys under which something of this kind was removed."""
    found: set[str] = set()
    for batch in batches(keys):
        wanted = sa.select(removals.c.key).where(removals.c.kind == kind, removals.c.key.in_(batch))
        found.update(await conn.scalars(wanted))
    return frozenset(found)
