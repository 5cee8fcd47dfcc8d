"""Takes due messages out of the queue for a worker, with everything needed to make their packets."""

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from gateway.domain.document import Document, Priority
from gateway.domain.ids import AccountName
from gateway.ports.outbound import LeasedMessage
from gateway.store import contents, postgres, rows
from gateway.store.endings import UNLEASED
from gateway.store.messages import addressed
from gateway.store.statements import batches
from gateway.store.tables import IS_UNSETTLED, attachments, deliveries, documents, messages

UNREADABLE_PAUSE = timedelta(minutes=1)
"""Before a message that this release cannot read is tried again."""
SUSPECT_AFTER = 2
"""Interruptions after which a message is tried without others of its kind: one of them may kill the process."""
SUSPECT_PAUSE = timedelta(seconds=10)
"""Before a suspect that had to stand back for another one is looked at again."""
_UNDECODABLE = (KeyError, ValueError, TypeError, IndexError)
_log = structlog.get_logger()

_LEASED = (
    messages.c.id,
    messages.c.sequence,
    messages.c.route,
    messages.c.priority,
    messages.c.state,
    messages.c.attempts,
    messages.c.due_at,
    messages.c.lease_token,
    messages.c.created_at,
    messages.c.first_submitted_at,
    messages.c.settle_after,
    messages.c.document,
    messages.c.report,
    messages.c.deadline_at,
    messages.c.interruptions,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a worker asks of the queue."""

    owner: str
    route: AccountName
    limit: int
    lease_for: timedelta
    longest_waiting: bool
    cap: int | None


async def take(conn: AsyncConnection, demand: Demand, *, at: datetime) -> tuple[LeasedMessage, ...]:
    """Lease what is due and may go."""
    await postgres.alone(conn, postgres.ORDER, shared=True)
    room = demand.limit
    if demand.cap is not None:
        room = min(room, demand.cap - await _holding(conn, demand.route, at))
    mark = {"token": secrets.token_hex(16), "owner": demand.owner, "until": at + demand.lease_for, "at": at}
    leased: list[rows.Row] = []
    # Urgency by urgency: each is a range of an index, however long the queue is.
    for level in (None,) if demand.longest_waiting else sorted(Priority, reverse=True):
        if len(leased) < room:
            wanted = {"of": demand.route, "level": level, "room": room - len(leased)}
            found = (await conn.execute(_OLDEST if level is None else _URGENT, mark | wanted)).all()
            leased.extend(sorted(found, key=lambda row: (row.due_at, row.sequence)))
    return await _messages(conn, await _one_suspect(conn, demand, leased, at), at)


async def _holding(conn: AsyncConnection, route: AccountName, at: datetime) -> int:
    """Leases of the route that hold now; on PostgreSQL, no other replica takes one before this transaction ends."""
    await postgres.alone(conn, f"lease {route}")
    held = sa.select(sa.func.count()).where(
        messages.c.route == route, messages.c.lease_token.is_not(None), messages.c.lease_until >= at
    )
    return (await conn.execute(held)).scalar_one()


async def _one_suspect(
    conn: AsyncConnection, demand: Demand, leased: Sequence[rows.Row], at: datetime
) -> Sequence[rows.Row]:
    """What was leased, with one suspect at most, and none while the owner still has one, of whatever route.

    The others are given back. They keep their count: the lease that was cut short did happen.
    """
    suspects = [row.id for row in leased if row.interruptions >= SUSPECT_AFTER]
    if not suspects:
        return leased
    await postgres.alone(conn, f"suspect {demand.owner}")
    tried = sa.select(messages.c.id).where(
        messages.c.lease_token.is_not(None),
        messages.c.lease_owner == demand.owner,
        messages.c.lease_until >= at,
        messages.c.interruptions >= SUSPECT_AFTER,
        messages.c.id.not_in(suspects),
    )
    busy = (await conn.scalars(tried.limit(1))).first() is not None
    back = suspects if busy else suspects[1:]
    await _give_back(conn, back, due_at=at + SUSPECT_PAUSE)
    return [row for row in leased if row.id not in back]


async def _give_back(conn: AsyncConnection, ids: Collection[str], **values: object) -> None:
    for batch in batches(ids):
        await conn.execute(sa.update(messages).where(messages.c.id.in_(batch)).values(UNLEASED | values))


async def _messages(conn: AsyncConnection, leased: Sequence[rows.Row], at: datetime) -> tuple[LeasedMessage, ...]:
    """Leased rows with everything needed to make their packets; those that cannot be read are put off."""
    uids = {row.document for row in leased if row.document is not None}
    headers: dict[str, str] = {}
    for batch in batches(uids):
        wanted = sa.select(documents.c.uid, documents.c.header).where(documents.c.uid.in_(batch))
        headers.update((row.uid, row.header) for row in await conn.execute(wanted))
    content = await _content(conn, uids)
    places = await addressed(conn, [row.id for row in leased], deliveries.c.position)
    # Once each: a document for thousands of recipients is in many messages, and reading it takes a tenth of a second.
    whole: dict[str, Document] = {}
    read: list[LeasedMessage] = []
    unreadable: list[str] = []
    for row in leased:
        uid = row.document
        try:
            if uid is not None and uid not in whole:
                whole[uid] = rows.document_of(headers[uid], content[uid].attachments)
            objects = () if uid is None else content[uid].objects
            read.append(rows.leased_of(row, whole.get(uid), objects, places.get(row.id, ())))
        except _UNDECODABLE as error:
            _log.error("message.unreadable", message_id=row.id, error=type(error).__name__)
            unreadable.append(row.id)
    await _give_back(conn, unreadable, due_at=at + UNREADABLE_PAUSE, reason="this release cannot read it")
    return tuple(read)


async def _content(conn: AsyncConnection, uids: Collection[str]) -> Mapping[str, contents.Content]:
    """The attachments of each document; one whose attachments cannot be read is left out."""
    try:
        found = await contents.read(conn, attachments, uids)
        return {uid: found.get(uid, contents.Content()) for uid in uids}
    except _UNDECODABLE:
        if len(uids) == 1:
            return {}
    return {uid: content for each in uids for uid, content in (await _content(conn, (each,))).items()}


def _lease(*queue: sa.ColumnElement[bool]) -> ReturningUpdate[Any]:
    at = sa.bindparam("at", type_=messages.c.due_at.type)
    due = (
        sa.select(messages.c.id)
        .where(
            messages.c.route == sa.bindparam("of"),
            *queue,
            messages.c.due_at <= at,
            sa.or_(messages.c.lease_until.is_(None), messages.c.lease_until < at),
            *(~each for each in _blocked()),
        )
        .order_by(messages.c.due_at, messages.c.sequence)
        .limit(sa.bindparam("room", type_=sa.Integer))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    update = sa.update(messages).where(messages.c.id.in_(sa.select(due.c.id)))
    mark = {"lease_token": "token", "lease_owner": "owner", "lease_until": "until", "started_at": "at"}
    values = {column: sa.bindparam(name, type_=messages.c[column].type) for column, name in mark.items()}
    # A lease that is still noted ran out: whoever had it did not live to end the attempt.
    so_far = sa.func.coalesce(messages.c.interruptions, 0)
    interruptions = sa.case((messages.c.lease_token.is_not(None), so_far + 1), else_=so_far)
    return update.values(values | {"interruptions": interruptions}).returning(*_LEASED)


def _blocked() -> Iterator[sa.Exists]:
    """Whether an older message of the ordering key holds this one: one of its lane, one for all lanes, or any.

    Each is a range of one index; a document for thousands of recipients has as many messages of one key.
    """
    for lane in ("same", "all", "any"):
        older = messages.alias(f"older_{lane}")
        of_lane = {
            "same": older.c.lane == messages.c.lane,
            "all": older.c.lane.is_(None),
            "any": messages.c.lane.is_(None),
        }
        yield sa.exists().where(
            older.c.ordering_key == messages.c.ordering_key,
            of_lane[lane],
            sa.func.coalesce(older.c.place, older.c.sequence) < sa.func.coalesce(messages.c.place, messages.c.sequence),
            sa.text(f"{older.name}.{IS_UNSETTLED}"),
        )


_URGENT = _lease(messages.c.priority == sa.bindparam("level"))
_OLDEST = _lease()
"""Made once: they are the statements that run most, and making one takes as long as running it."""
