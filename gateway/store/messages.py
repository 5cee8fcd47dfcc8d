"""Puts messages into the outbox; whoever does so is in a transaction of its own reasons."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
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
from gateway.store.moves import IllegalMoveError
from gateway.store.restored import asked_first_since
from gateway.store.statements import batches, take_numbers
from gateway.store.tables import deliveries, message_deliveries, messages

T = TypeVar("T")

_INHERITED = (
    messages.c.sequence,
    messages.c.place,
    messages.c.kind,
    messages.c.route,
    messages.c.ordering_key,
    messages.c.lane,
    messages.c.priority,
    messages.c.state,
    messages.c.attempts,
    messages.c.reason,
    messages.c.created_at,
    messages.c.document,
    messages.c.deadline_at,
    messages.c.alternatives,
)
"""What both halves of a divided message have of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """One packet or status to be sent."""

    kind: PacketKind
    route: AccountName
    ordering_key: str
    lane: int | None
    """Messages of one key wait for older ones of their lane; None = for all lanes, but not for those beside it."""
    priority: int
    document: str | None = None
    deliveries: Sequence[str] = ()
    report: StatusReport | None = None
    deadline_at: datetime | None = None
    alternatives: tuple[AccountName, ...] = ()
    """Accounts that may carry it while `route` is down, in order."""


def urgency(priority: int) -> int:
    """The place in the queue of an element Priority; values nobody knows count as normal."""
    return priority if priority in set(Priority) else Priority.NORMAL


def document_order(sender: str, document_id: str) -> str:
    """Ordering key of what is sent about one document of ours: its packets, one lane per chunk; a recall, no lane.

    The same on every route: a recall waits for all packets, whoever carries them. Keys of earlier releases begin with
    the route. `document_id` is that of the document, not of the recall.
    """
    return f"{code_key(sender)}|{document_id}"


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
    """Put messages into the outbox in the order given, due at once.

    After a restore, documents begin as ones that may have been sent before: see restored.py.
    """
    if not new:
        return
    asked_since = await asked_first_since(conn, at=at) if any(each.report is None for each in new) else None
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
            "state": (MessageState.QUEUED if asked is None else MessageState.UNCERTAIN).value,
            "attempts": 0,
            "reason": "",
            "due_at": at,
            "created_at": at,
            "first_submitted_at": asked,
            "document": each.document,
            "place": place,
            "report": None if each.report is None else to_json(each.report),
            "deadline_at": each.deadline_at,
            "alternatives": to_json(each.alternatives) if each.alternatives else None,
        }
        for message_id, sequence, place, each in zip(ids, numbers, _places(new, numbers), new, strict=True)
        for asked in [asked_since if each.report is None else None]
    ]
    await conn.execute(sa.insert(messages), values)
    links = [
        {"message": message_id, "delivery": delivery}
        for message_id, each in zip(ids, new, strict=True)
        for delivery in each.deliveries
    ]
    if links:
        await conn.execute(sa.insert(message_deliveries), links)


def _places(new: Sequence[NewMessage], numbers: Sequence[int]) -> Iterator[int | None]:
    """The places of neighbours without a lane: one for all, so that chunks of one recall do not wait for each other."""
    before: tuple[str, int | None] | None = None
    for each, number in zip(new, numbers, strict=True):
        if each.lane is not None:
            before = None
            yield None
            continue
        place = before[1] if before is not None and before[0] == each.ordering_key else number
        before = each.ordering_key, place
        yield place


async def split(conn: AsyncConnection, message: str, *, at: datetime) -> str:
    """Give the second half of a message's recipients a message of their own, due at once, in the same place; its id.

    Neither half was submitted yet. Raises IllegalMoveError for a message of fewer than two recipients.
    """
    links = sa.select(message_deliveries.c.delivery).join(deliveries, deliveries.c.id == message_deliveries.c.delivery)
    links = links.where(message_deliveries.c.message == message).order_by(deliveries.c.position)
    mine = (await conn.scalars(links)).all()
    if len(mine) < 2:  # noqa: PLR2004 - two halves
        raise IllegalMoveError("one recipient cannot be divided")
    whole = (await conn.execute(sa.select(*_INHERITED).where(messages.c.id == message))).mappings().one()
    other = uuid4().hex
    (sequence,) = await take_numbers(conn, "messages", 1)
    half = {
        **whole,
        "id": other,
        "sequence": sequence,
        "place": whole["sequence"] if whole["place"] is None else whole["place"],
        "due_at": at,
    }
    await conn.execute(sa.insert(messages).values(half))
    await conn.execute(sa.update(messages).where(messages.c.id == message).values(first_submitted_at=None))
    for batch in batches(mine[(len(mine) + 1) // 2 :]):
        moved = sa.update(message_deliveries).where(
            message_deliveries.c.message == message, message_deliveries.c.delivery.in_(batch)
        )
        await conn.execute(moved.values(message=other))
    return other


async def addressed(conn: AsyncConnection, ids: Iterable[str], column: sa.Column[T]) -> Mapping[str, Sequence[T]]:
    """A column of the deliveries that each message carries, in the order of the document's recipients."""
    found: dict[str, list[T]] = {}
    columns = sa.select(message_deliveries.c.message, column)
    columns = columns.join(deliveries, deliveries.c.id == message_deliveries.c.delivery)
    for batch in batches(ids):
        wanted = columns.where(message_deliveries.c.message.in_(batch)).order_by(deliveries.c.position)
        for message, value in await conn.execute(wanted):
            found.setdefault(message, []).append(value)
    return found
