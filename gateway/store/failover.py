"""Hands what waits for an account that is down to another that can carry it."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.ids import AccountName
from gateway.domain.lifecycle import MessageState
from gateway.store.codec import from_json, to_json
from gateway.store.endings import UNLEASED
from gateway.store.statements import batches
from gateway.store.tables import IS_MOVABLE, attempts, messages

HANDED_OVER = 2_000
"""Messages handed over by one call."""
STAYS = timedelta(minutes=1)
"""What was handed over and not tried yet stays this long. Replicas may see different accounts down: they would toss it
to and fro each time they look."""


async def hand_over(
    conn: AsyncConnection, route: AccountName, among: Collection[AccountName], at: datetime, *, most: int | None
) -> Mapping[AccountName, int]:
    """See OutboxQueue.fail_over.

    Only QUEUED messages go: nothing of them is at the account left. What blocks what is a matter of ordering keys, and
    these do not change, so that nothing overtakes; a lease that waited for one of the rows looks at its route again.
    """
    waiting = sa.and_(
        messages.c.route == route,
        sa.text(f"messages.{IS_MOVABLE}"),
        sa.or_(messages.c.lease_token.is_(None), messages.c.lease_until < at),
        ~_just_came(at),
    )
    limit = HANDED_OVER if most is None else min(most, HANDED_OVER)
    moved: Counter[AccountName] = Counter()
    # Few: one for each route of the table, and for each order it has been turned to.
    for written in (await conn.scalars(sa.select(messages.c.alternatives).where(waiting).distinct())).all():
        others = from_json(tuple[AccountName, ...], str(written))
        healthy = next((other for other in others if other in among), None)
        room = limit - moved.total()
        if healthy is None or not room:
            continue
        rest = (*(other for other in others if other != healthy), route)
        reason = f"account {route} is down; goes by {healthy}"
        chosen = _chosen(sa.and_(waiting, messages.c.alternatives == written), room)
        values = {"route": healthy, "alternatives": to_json(rest), "reason": reason}
        ids = await _move(conn, chosen, values, at)
        await _record(conn, ids, reason, at)
        moved[healthy] += len(ids)
    return {name: count for name, count in moved.items() if count}


def _just_came(at: datetime) -> sa.ColumnElement[bool]:
    # Until it is tried, what was handed over has been due since then, and what never was since it was made.
    untried = messages.c.first_submitted_at.is_(None)
    return sa.and_(untried, messages.c.due_at > messages.c.created_at, messages.c.due_at > at - STAYS)


def _chosen(wanted: sa.ColumnElement[bool], room: int) -> sa.CTE:
    oldest = sa.select(messages.c.id).where(wanted).order_by(messages.c.due_at, messages.c.sequence).limit(room)
    return oldest.with_for_update(skip_locked=True).cte("chosen")


async def _move(conn: AsyncConnection, chosen: sa.CTE, values: Mapping[str, object], at: datetime) -> Sequence[str]:
    """Move the messages; their ids."""
    # A lease that is still noted ran out: whoever had it must not begin any more, and its end counts as in a lease.
    so_far = sa.func.coalesce(messages.c.interruptions, 0)
    interruptions = sa.case((messages.c.lease_token.is_not(None), so_far + 1), else_=messages.c.interruptions)
    # The new account has seen nothing of it: a first attempt there is a first one.
    anew: dict[str, object] = {"due_at": at, "first_submitted_at": None, "interruptions": interruptions}
    change = sa.update(messages).where(messages.c.id.in_(sa.select(chosen.c.id)))
    return (await conn.scalars(change.values(UNLEASED | anew | dict(values)).returning(messages.c.id))).all()


async def _record(conn: AsyncConnection, ids: Sequence[str], reason: str, at: datetime) -> None:
    """Add the move to the record of attempts of each message."""
    so_far = sa.select(sa.func.coalesce(sa.func.max(attempts.c.number), 0)).where(attempts.c.message == messages.c.id)
    line = sa.select(
        messages.c.id,
        so_far.scalar_subquery() + 1,
        sa.literal(at, attempts.c.ended_at.type),
        sa.literal(MessageState.QUEUED.value),
        sa.literal(reason),
        sa.literal(value=False),
    )
    columns = ["message", "number", "ended_at", "state", "reason", "counted"]
    for batch in batches(ids):
        await conn.execute(sa.insert(attempts).from_select(columns, line.where(messages.c.id.in_(batch))))
