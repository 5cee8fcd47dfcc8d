"""The outbox and inbox in numbers."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.lifecycle import UNSETTLED, ItemState, MessageState
from gateway.ports.outbound import QueueDepth
from gateway.store.tables import axis_items, documents, mandates, messages, receptions


async def measure(conn: AsyncConnection, at: datetime, near: timedelta) -> QueueDepth:
    """Count what is not done. Documents that were submitted again count in their new form alone."""
    states = [state.value for state in (*UNSETTLED, MessageState.FAILED)]
    by_state = sa.select(messages.c.state, sa.func.count()).where(messages.c.state.in_(states))
    outbox = {MessageState(state): n for state, n in await conn.execute(by_state.group_by(messages.c.state))}
    oldest = sa.select(sa.func.min(messages.c.due_at)).where(messages.c.due_at <= at)
    waiting = sa.select(sa.func.count()).select_from(receptions).where(receptions.c.waiting_since.is_not(None))
    served = sa.exists().where(mandates.c.agency == receptions.c.agency, mandates.c.serves)
    kept = [ItemState.QUARANTINED.value, ItemState.REJECTED.value]
    quarantined = sa.select(sa.func.count()).select_from(axis_items).where(axis_items.c.state.in_(kept))
    replaced = sa.exists().where(documents.c.uid == messages.c.document, documents.c.superseded_at.is_not(None))
    unsent = sa.select(sa.func.count()).where(
        messages.c.deadline_at.is_not(None), messages.c.sent_at.is_(None), ~replaced
    )
    close = unsent.where(messages.c.deadline_at >= at, messages.c.deadline_at <= at + near)
    missed = unsent.where(messages.c.deadline_at < at)
    return QueueDepth(
        outbox=outbox,
        oldest_due=(await conn.execute(oldest)).scalar_one(),
        inbox_waiting=(await conn.execute(waiting)).scalar_one(),
        inbox_unclaimed=(await conn.execute(waiting.where(~served))).scalar_one(),
        quarantined=(await conn.execute(quarantined)).scalar_one(),
        deadline_near=(await conn.execute(close)).scalar_one(),
        deadline_missed=(await conn.execute(missed)).scalar_one(),
    )
