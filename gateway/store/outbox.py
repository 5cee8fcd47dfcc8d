"""Implements OutboxQueue: leases, and the ends of attempts."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.ids import AccountName, AxisDocId
from gateway.domain.lifecycle import DELIVERY_OF, MAYBE_SENT, MESSAGE_MOVES, UNSETTLED, DeliveryState, MessageState
from gateway.ports.outbound import LeasedMessage, OutboxQueue, QueueDepth, Settlement
from gateway.store import leases, reported, rows
from gateway.store.depth import measure
from gateway.store.endings import LEASABLE, carry_over, end, locked
from gateway.store.engine import Database
from gateway.store.failover import hand_over
from gateway.store.messages import split
from gateway.store.moves import IllegalMoveError, check
from gateway.store.tables import messages

HASTENED = 5_000
"""Messages made due by one call."""

_TICK = timedelta(microseconds=1)
"""A lease holds up to and including its last microsecond."""


class SqlOutboxQueue(OutboxQueue):
    """The outbox in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lease(
        self,
        owner: str,
        *,
        route: AccountName,
        limit: int,
        lease_for: timedelta,
        at: datetime,
        longest_waiting: bool = False,
        cap: int | None = None,
    ) -> tuple[LeasedMessage, ...]:
        """See OutboxQueue. A lease holds up to and including its last microsecond; renewed later, it holds again."""
        demand = leases.Demand(
            owner=owner, route=route, limit=limit, lease_for=lease_for, longest_waiting=longest_waiting, cap=cap
        )
        return await self._database.write(lambda conn: leases.take(conn, demand, at=at))

    async def divide(self, message: LeasedMessage, *, reason: str, at: datetime) -> bool:
        """See OutboxQueue. The first half of the recipients keeps the message, the other gets one of its own."""
        ended = Settlement(state=MessageState.QUEUED, due_at=at, reason=reason, counted=True, axis_doc_id=None)

        async def work(conn: AsyncConnection) -> bool:
            held = await _held(conn, message)
            if held is None:
                return False
            await end(conn, held, ended, at)
            other = await split(conn, message.id, at=at)
            await carry_over(conn, (message.id, other), ended, at)
            return True

        return await self._database.write(work)

    async def hasten(self, route: AccountName, *, at: datetime) -> int:
        """See OutboxQueue. What waits longest is first."""
        soonest = sa.case(
            (
                sa.and_(messages.c.state == MessageState.UNCERTAIN.value, messages.c.settle_after > at),
                messages.c.settle_after,
            ),
            else_=sa.literal(at, messages.c.due_at.type),
        )
        waiting = (
            sa.select(messages.c.id)
            .where(
                messages.c.route == route,
                messages.c.due_at > at,
                messages.c.due_at > soonest,
                sa.or_(messages.c.lease_until.is_(None), messages.c.lease_until < at),
                sa.or_(messages.c.attempts > 0, messages.c.state == MessageState.UNCERTAIN.value),
            )
            .order_by(messages.c.due_at, messages.c.sequence)
            .limit(HASTENED)
            .with_for_update(skip_locked=True)
            .cte("waiting")
        )
        update = sa.update(messages).where(messages.c.id.in_(sa.select(waiting.c.id))).values(due_at=soonest)

        async def work(conn: AsyncConnection) -> int:
            return len((await conn.scalars(update.returning(messages.c.id))).all())

        return await self._database.write(work)

    async def fail_over(
        self, route: AccountName, *, among: Collection[AccountName], at: datetime, most: int | None = None
    ) -> Mapping[AccountName, int]:
        """See OutboxQueue. What has been due longest is first."""
        return await self._database.write(lambda conn: hand_over(conn, route, among, at, most=most))

    async def is_anothers(self, message: LeasedMessage, axis_doc_id: AxisDocId) -> bool:
        """See OutboxQueue."""
        same = sa.and_(messages.c.route == message.route, messages.c.axis_doc_id == axis_doc_id)
        other = sa.exists().where(same, messages.c.sent_at.is_not(None), messages.c.id != message.id)

        async def work(conn: AsyncConnection) -> bool:
            known = bool((await conn.execute(sa.select(other))).scalar_one())
            return known or await reported.has_nameless_twin(conn, message.id)

        return await self._database.read(work)

    async def abandon(self, owner: str, *, at: datetime) -> int:
        """See OutboxQueue."""
        mine = sa.and_(messages.c.lease_token.is_not(None), messages.c.lease_owner == owner)
        over = sa.update(messages).where(mine, messages.c.lease_until >= at).values(lease_until=at - _TICK)

        async def work(conn: AsyncConnection) -> int:
            return len((await conn.execute(over.returning(messages.c.id))).all())

        return await self._database.write(work)

    async def begin_submit(self, message: LeasedMessage, *, at: datetime) -> bool:
        """See OutboxQueue. Raises IllegalMoveError unless the message is QUEUED."""

        async def work(conn: AsyncConnection) -> bool:
            held = await _held(conn, message)
            if held is None:
                return False
            check(MESSAGE_MOVES, MessageState(held.state), MessageState.SUBMITTING)
            if message.first_submitted_at is not None and await reported.is_noted(conn, message.id):
                await reported.finish(conn, held, at)
                await carry_over(conn, (message.id,), reported.SENT, at)
                return False
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

    async def settle(self, message: LeasedMessage, settlement: Settlement, *, at: datetime) -> Settlement | None:
        """See OutboxQueue. Raises IllegalMoveError for a move the lifecycle does not know, or a due time left out."""
        proof = settlement.axis_doc_id if settlement.state is MessageState.SENT else None
        waits = settlement.state in LEASABLE
        if waits and settlement.due_at is None:
            raise IllegalMoveError(f"{settlement.state.value} without a due time")

        async def work(conn: AsyncConnection) -> Settlement | None:
            held = await _held(conn, message)
            if held is None and proof is not None:
                held = await _maybe_sent(conn, message)
            if held is None:
                if proof is not None:
                    await reported.learn(conn, message.id, proof, messages.c.route == message.route)
                return None
            written = await reported.judged(conn, held, settlement)
            await end(conn, held, written, at)
            if written.counted or DELIVERY_OF[written.state] is not DeliveryState.DELAYED:
                await carry_over(conn, (message.id,), written, at)  # else interrupted: no vendor could care
            return written

        return await self._database.write(work)

    async def known_axis_ids(self, route: AccountName, *, since: datetime) -> frozenset[AxisDocId]:
        """See OutboxQueue."""
        given = sa.select(messages.c.axis_doc_id).where(messages.c.route == route, messages.c.sent_at >= since)

        async def work(conn: AsyncConnection) -> frozenset[AxisDocId]:
            return frozenset(AxisDocId(each) for each in await conn.scalars(given) if each is not None)

        return await self._database.read(work)

    async def depth(self, *, at: datetime, near: timedelta) -> QueueDepth:
        """See OutboxQueue. Quarantined counts packets kept for operators, whether or not the axis was told."""
        return await self._database.read(lambda conn: measure(conn, at, near))

    async def unsettled(self) -> Mapping[AccountName, int]:
        """See OutboxQueue."""
        waiting = messages.c.state.in_([state.value for state in UNSETTLED])
        wanted = sa.select(messages.c.route, sa.func.count()).where(waiting).group_by(messages.c.route)

        async def work(conn: AsyncConnection) -> Mapping[AccountName, int]:
            return {AccountName(route): n for route, n in await conn.execute(wanted)}

        return await self._database.read(work)


async def _held(conn: AsyncConnection, message: LeasedMessage) -> rows.Row | None:
    """The message's row if the lease still holds, locked to the end of the transaction."""
    return await locked(conn, message.id, messages.c.lease_token == message.lease)


async def _maybe_sent(conn: AsyncConnection, message: LeasedMessage) -> rows.Row | None:
    """The message's row, whoever has the lease, if it may have been sent without anyone knowing; locked.

    Not where another account has taken it over since: the proof is not about that one's packet.
    """
    maybe = messages.c.state.in_([state.value for state in MAYBE_SENT])
    return await locked(conn, message.id, maybe, messages.c.route == message.route)
