"""How what becomes of a message is written: by its worker, by an operator, by a comparison with the axis's lists."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.lifecycle import DELIVERY_OF, MESSAGE_MOVES, UNSETTLED, MessageState
from gateway.domain.status import DeliveryChange
from gateway.ports.outbound import Settlement
from gateway.store import eventlog, rows
from gateway.store.moves import check
from gateway.store.tables import attempts, deliveries, documents, message_deliveries, messages

LEASABLE = UNSETTLED - {MessageState.HELD}
UNLEASED: dict[str, object] = {"lease_token": None, "lease_owner": None, "lease_until": None}


async def locked(conn: AsyncConnection, message: str, *conditions: sa.ColumnElement[bool]) -> rows.Row | None:
    """What `end` needs of a message, if the conditions hold; locked to the end of the transaction."""
    columns = sa.select(messages.c.id, messages.c.state, messages.c.attempts, messages.c.started_at)
    return (await conn.execute(columns.where(messages.c.id == message, *conditions).with_for_update())).one_or_none()


async def end(conn: AsyncConnection, held: rows.Row, settlement: Settlement, at: datetime) -> None:
    """Write an attempt's end and give the lease back."""
    check(MESSAGE_MOVES, MessageState(held.state), settlement.state)
    ended: dict[str, object] = UNLEASED | {
        "state": settlement.state.value,
        "due_at": settlement.due_at if settlement.state in LEASABLE else None,
        "reason": settlement.reason,
        "attempts": held.attempts + settlement.counted,
        "settle_after": settlement.settle_after,
    }
    if settlement.counted or settlement.state not in LEASABLE:
        ended["interruptions"] = None
    if settlement.bound:
        ended["alternatives"] = None
    if settlement.state is MessageState.SENT:
        ended |= {"axis_doc_id": settlement.axis_doc_id, "sent_at": at}
    await conn.execute(sa.update(messages).where(messages.c.id == held.id).values(ended))
    await log(conn, held, settlement, at)


async def log(conn: AsyncConnection, held: rows.Row, settlement: Settlement, at: datetime) -> None:
    """Add what became of a message to the record of its attempts."""
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


async def carry_over(conn: AsyncConnection, carriers: Collection[str], settlement: Settlement, at: datetime) -> None:
    """Carry what became of messages over to their deliveries; vendors hear of it where a delivery's state changes."""
    state = DELIVERY_OF[settlement.state]
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
        await conn.execute(joined.where(message_deliveries.c.message.in_(carriers)).order_by(deliveries.c.position))
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
    linked = sa.select(message_deliveries.c.delivery).where(message_deliveries.c.message.in_(carriers))
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
