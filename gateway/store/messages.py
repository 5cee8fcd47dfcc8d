"""Puts messages into the outbox; whoever does so is in a transaction of its own reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.agency import code_key
from gateway.domain.document import Priority
from gateway.domain.ids import AccountName
from gateway.domain.lifecycle import MessageState
from gateway.domain.packet import PacketKind
from gateway.domain.status import StatusReport
from gateway.store.codec import to_json
from gateway.store.statements import take_numbers
from gateway.store.tables import message_deliveries, messages


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """One packet or status to be sent."""

    kind: PacketKind
    route: AccountName
    ordering_key: str
    lane: int | None
    """Messages of one key wait for older ones of their lane; None = for all lanes."""
    priority: int
    document: str | None = None
    deliveries: Sequence[str] = ()
    report: StatusReport | None = None


def urgency(priority: int) -> int:
    """The place in the queue of an element Priority; values nobody knows count as normal."""
    return priority if priority in set(Priority) else Priority.NORMAL


def document_order(route: AccountName, sender: str, document_id: str) -> str:
    """Ordering key of what is sent about one document of ours: its packets, one lane per chunk; a recall, no lane."""
    return f"{route}|{code_key(sender)}|{document_id}"


def status_message(route: AccountName, report: StatusReport) -> NewMessage:
    """The message of a status: 06 never overtakes 03 of the same document and reporter."""
    about = report.response_for
    named = (route, "status", about.organ_id, about.document_id, report.sender.organ_id)
    return NewMessage(
        kind=PacketKind.STATUS,
        route=route,
        ordering_key="|".join(named),
        lane=0,
        priority=Priority.NORMAL,
        report=report,
    )


async def enqueue(conn: AsyncConnection, new: Sequence[NewMessage], *, at: datetime) -> None:
    """Put messages into the outbox in the order given, due at once."""
    if not new:
        return
    numbers = await take_numbers(conn, "messages", len(new))
    ids = [uuid4().hex for _ in new]
    values = [
        {
            "id": message_id,
            "sequence": sequence,
            "kind": each.kind.value,
            "route": each.route,
            "ordering_key": each.ordering_key,
            "lane": each.lane,
            "priority": urgency(each.priority),
            "state": MessageState.QUEUED.value,
            "attempts": 0,
            "reason": "",
            "due_at": at,
            "created_at": at,
            "document": each.document,
            "report": None if each.report is None else to_json(each.report),
        }
        for message_id, sequence, each in zip(ids, numbers, new, strict=True)
    ]
    await conn.execute(sa.insert(messages), values)
    links = [
        {"message": message_id, "delivery": delivery}
        for message_id, each in zip(ids, new, strict=True)
        for delivery in each.deliveries
    ]
    if links:
        await conn.execute(sa.insert(message_deliveries), links)
