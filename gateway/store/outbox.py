"""Implements OutboxQueue: leases, and the ends of attempts."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningUpdate

from gateway.domain.document import Priority
from gateway.domain.ids import AccountName, AxisDocId
from gateway.domain.lifecycle import DELIVERY_OF, MESSAGE_MOVES, UNSETTLED, DeliveryState, ItemState, MessageState
from gateway.domain.status import DeliveryChange
from gateway.ports.outbound import LeasedMessage, OutboxQueue, QueueDepth, Settlement
from gateway.store import contents, eventlog, rows
from gateway.store.engine import Database
from gateway.store.moves import IllegalMoveError, check
from gateway.store.statements import batches
from gateway.store.tables import (
    attachments,
    attempts,
    axis_items,
    deliveries,
    documents,
    mandates,
    message_deliveries,
    messages,
    receptions,
)

LEASABLE = UNSETTLED - {MessageState.HELD}

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
)


class SqlOutboxQueue(OutboxQueue):
    """The outbox in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lease(self, owner: str, *, limit: int, lease_for: timedelta, at: datetime) -> tuple[LeasedMessage, ...]:
        """See OutboxQueue. A lease holds up to and including its last microsecond."""
        mark = {"lease_token": secrets.token_hex(16), "lease_owner": owner, "lease_until": at + lease_for}

        async def work(conn: AsyncConnection) -> tuple[LeasedMessage, ...]:
            leased: list[rows.Row] = []
            for level in sorted(Priority, reverse=True):
                if len(leased) < limit:
                    found = (await conn.execute(_lease(level, limit - len(leased), at, mark))).all()
                    leased.extend(sorted(found, key=lambda row: (row.due_at, row.sequence)))
            return await _messages(conn, leased)

        return await self._database.write(work)

    async def begin_submit(self, message: LeasedMessage, *, at: datetime) -> bool:
        """See OutboxQueue. Raises IllegalMoveError unless the message is QUEUED."""

        async def work(conn: AsyncConnection) -> bool:
            held = await _held(conn, message)
            if held is None:
                return False
            check(MESSAGE_MOVES, MessageState(held.state), MessageState.SUBMITTING)
            change = sa.update(messages).where(messages.c.id == message.id)
            first = sa.func.coalesce(messages.c.first_submitted_at, sa.literal(at, messages.c.started_at.type))
            await conn.execute(
                change.values(state=MessageState.SUBMITTING.value, started_at=at, first_submitted_at=first)
            )
            return True

        return await self._database.write(work)

    async def renew(self, message: LeasedMessage, *, lease_for: timedelta, at: datetime) -> bool:
        """See OutboxQueue."""

        async def work(conn: AsyncConnection) -> bool:
            longer = sa.update(messages).where(messages.c.id == message.id, messages.c.lease_token == message.lease)
            found = await conn.execute(longer.values(lease_until=at + lease_for).returning(messages.c.id))
            return found.first() is not None

        return await self._database.write(work)

    async def settle(self, message: LeasedMessage, settlement: Settlement, *, at: datetime) -> bool:
        """See OutboxQueue. Raises IllegalMoveError for a move the lifecycle does not know, or a due time left out."""
        waits = settlement.state in LEASABLE
        if waits and settlement.due_at is None:
            raise IllegalMoveError(f"{settlement.state.value} without a due time")

        async def work(conn: AsyncConnection) -> bool:
            held = await _held(conn, message)
            if held is None:
                return False
            check(MESSAGE_MOVES, MessageState(held.state), settlement.state)
            ended = {
                "state": settlement.state.value,
                "due_at": settlement.due_at if waits else None,
                "reason": settlement.reason,
                "attempts": held.attempts + settlement.counted,
                "settle_after": settlement.settle_after,
                "lease_token": None,
                "lease_owner": None,
                "lease_until": None,
            }
            if settlement.axis_doc_id is not None:
                ended |= {"axis_doc_id": settlement.axis_doc_id, "sent_at": at}
            await conn.execute(sa.update(messages).where(messages.c.id == message.id).values(ended))
            await _log_attempt(conn, held, settlement, at)
            await _settle_deliveries(conn, message, settlement, at)
            return True

        return await self._database.write(work)

    async def known_axis_ids(self, route: AccountName, *, since: datetime) -> frozenset[AxisDocId]:
        """See OutboxQueue."""
        given = sa.select(messages.c.axis_doc_id).where(messages.c.route == route, messages.c.sent_at >= since)

        async def work(conn: AsyncConnection) -> frozenset[AxisDocId]:
            return frozenset(AxisDocId(each) for each in await conn.scalars(given) if each is not None)

        return await self._database.read(work)

    async def depth(self, *, at: datetime) -> QueueDepth:
        """See OutboxQueue. Quarantined counts packets kept for operators, whether or not the axis was told."""
        return await self._database.read(lambda conn: _depth(conn, at))


def _lease(level: Priority, limit: int, at: datetime, mark: Mapping[str, object]) -> ReturningUpdate[Any]:
    """Due messages of one priority: each level is a range of the index, however long the rest of the queue is."""
    older = messages.alias("older")
    blocked = sa.exists().where(
        older.c.ordering_key == messages.c.ordering_key,
        older.c.sequence < messages.c.sequence,
        older.c.state.in_([state.value for state in UNSETTLED]),
        sa.or_(older.c.lane == messages.c.lane, older.c.lane.is_(None), messages.c.lane.is_(None)),
    )
    due = (
        sa.select(messages.c.id)
        .where(
            messages.c.priority == level.value,
            messages.c.due_at <= at,
            sa.or_(messages.c.lease_until.is_(None), messages.c.lease_until < at),
            ~blocked,
        )
        .order_by(messages.c.due_at, messages.c.sequence)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    update = sa.update(messages).where(messages.c.id.in_(sa.select(due.c.id)))
    return update.values(**mark, started_at=at).returning(*_LEASED)


async def _held(conn: AsyncConnection, message: LeasedMessage) -> rows.Row | None:
    """The message's row if the lease still holds, locked to the end of the transaction."""
    columns = sa.select(messages.c.id, messages.c.state, messages.c.attempts, messages.c.started_at)
    mine = columns.where(messages.c.id == message.id, messages.c.lease_token == message.lease)
    return (await conn.execute(mine.with_for_update())).one_or_none()


async def _messages(conn: AsyncConnection, leased: Sequence[rows.Row]) -> tuple[LeasedMessage, ...]:
    """Leased rows with everything needed to make their packets."""
    uids = {row.document for row in leased if row.document is not None}
    headers: dict[str, str] = {}
    for batch in batches(uids):
        wanted = sa.select(documents.c.uid, documents.c.header).where(documents.c.uid.in_(batch))
        headers.update((row.uid, row.header) for row in await conn.execute(wanted))
    content = await contents.read(conn, attachments, uids)
    places = await _places(conn, [row.id for row in leased])
    # Once each: a document for thousands of recipients is in many messages, and reading it takes a tenth of a second.
    whole = {
        uid: rows.document_of(header, content.get(uid, contents.Content()).attachments)
        for uid, header in headers.items()
    }
    return tuple(
        rows.leased_of(
            row,
            whole.get(row.document),
            content.get(row.document, contents.Content()).objects,
            places.get(row.id, ()),
        )
        for row in leased
    )


async def _places(conn: AsyncConnection, ids: Sequence[str]) -> Mapping[str, Sequence[int]]:
    """Which of the document's recipients each message is for."""
    found: dict[str, list[int]] = {}
    columns = sa.select(message_deliveries.c.message, deliveries.c.position)
    columns = columns.join(deliveries, deliveries.c.id == message_deliveries.c.delivery)
    for batch in batches(ids):
        wanted = columns.where(message_deliveries.c.message.in_(batch)).order_by(deliveries.c.position)
        for row in await conn.execute(wanted):
            found.setdefault(row.message, []).append(row.position)
    return found


async def _log_attempt(conn: AsyncConnection, held: rows.Row, settlement: Settlement, at: datetime) -> None:
    so_far = sa.select(sa.func.coalesce(sa.func.max(attempts.c.number), 0)).where(attempts.c.message == held.id)
    number = (await conn.execute(so_far)).scalar_one() + 1
    await conn.execute(
        sa.insert(attempts).values(
            message=held.id,
            number=number,
            started_at=held.started_at,
            ended_at=at,
            state=settlement.state.value,
            reason=settlement.reason,
            counted=settlement.counted,
        ),
    )


async def _settle_deliveries(
    conn: AsyncConnection, message: LeasedMessage, settlement: Settlement, at: datetime
) -> None:
    """Carry the attempt's end over to the deliveries; vendors hear of it only where a delivery's state changes."""
    state = DELIVERY_OF[settlement.state]
    if not settlement.counted and state is DeliveryState.DELAYED:
        return  # interrupted: nothing happened that a vendor could care about
    columns = sa.select(
        deliveries.c.id,
        deliveries.c.state,
        deliveries.c.attempts,
        deliveries.c.recipient_code,
        documents.c.uid,
        documents.c.agency,
        documents.c.document_id,
    )
    joined = columns.join(message_deliveries, message_deliveries.c.delivery == deliveries.c.id)
    joined = joined.join(documents, documents.c.uid == deliveries.c.document)
    mine = (
        await conn.execute(joined.where(message_deliveries.c.message == message.id).order_by(deliveries.c.position))
    ).all()
    if not mine:
        return
    change = {
        "state": state.value,
        "attempts": deliveries.c.attempts + int(settlement.counted),
        "reason": settlement.reason,
        "updated_at": at,
    }
    if settlement.axis_doc_id is not None:
        change["axis_doc_id"] = settlement.axis_doc_id
    linked = sa.select(message_deliveries.c.delivery).where(message_deliveries.c.message == message.id)
    await conn.execute(sa.update(deliveries).where(deliveries.c.id.in_(linked)).values(change))
    news = [
        eventlog.NewEvent(
            agency=row.agency,
            resource=f"documents/{row.uid}",
            document_id=row.document_id,
            recipient_code=row.recipient_code,
            change=DeliveryChange(
                state=state.value, attempts=row.attempts + settlement.counted, reason=settlement.reason
            ),
        )
        for row in mine
        if row.state != state.value
    ]
    await eventlog.append(conn, news, at=at)


async def _depth(conn: AsyncConnection, at: datetime) -> QueueDepth:
    states = [state.value for state in (*UNSETTLED, MessageState.FAILED)]
    by_state = sa.select(messages.c.state, sa.func.count()).where(messages.c.state.in_(states))
    outbox = {MessageState(state): n for state, n in await conn.execute(by_state.group_by(messages.c.state))}
    oldest = sa.select(sa.func.min(messages.c.due_at)).where(messages.c.due_at <= at)
    waiting = sa.select(sa.func.count()).select_from(receptions).where(receptions.c.waiting_since.is_not(None))
    served = sa.exists().where(mandates.c.agency == receptions.c.agency, mandates.c.serves)
    kept = [ItemState.QUARANTINED.value, ItemState.REJECTED.value]
    quarantined = sa.select(sa.func.count()).select_from(axis_items).where(axis_items.c.state.in_(kept))
    return QueueDepth(
        outbox=outbox,
        oldest_due=(await conn.execute(oldest)).scalar_one(),
        inbox_waiting=(await conn.execute(waiting)).scalar_one(),
        inbox_unclaimed=(await conn.execute(waiting.where(~served))).scalar_one(),
        quarantined=(await conn.execute(quarantined)).scalar_one(),
    )
