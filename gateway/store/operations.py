"""Implements Operations: what operators see and do, beside gateways that run."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.document import Document
from gateway.domain.ids import AccountName, AxisDocId, DocumentUid, MessageId, OrganId, ReceptionId
from gateway.domain.lifecycle import ITEM_MOVES, DeliveryState, ItemState, MessageState, ReceptionState
from gateway.domain.operating import RULES, Action, Objection, Order, objection
from gateway.domain.packet import PacketKind
from gateway.domain.status import StatusReport
from gateway.ports.operations import (
    AttemptLine,
    AuditEntry,
    Done,
    MessageFacts,
    MessageFilter,
    MessageLine,
    NotDone,
    Operations,
    Problem,
    RecipientLine,
    WaitingLine,
)
from gateway.ports.outbound import Settlement
from gateway.store import auditing, following, postgres, rows
from gateway.store.codec import from_json
from gateway.store.endings import LEASABLE, carry_over, end
from gateway.store.engine import Database
from gateway.store.inbox import REOPENED
from gateway.store.moves import check
from gateway.store.tables import (
    agencies,
    attempts,
    axis_items,
    deliveries,
    documents,
    inbound_documents,
    interventions,
    message_deliveries,
    messages,
    receptions,
)

_SHOWN = 3
"""Recipients named in a list."""

_LINE = sa.select(
    messages.c.id,
    messages.c.kind,
    messages.c.route,
    messages.c.state,
    messages.c.priority,
    messages.c.attempts,
    messages.c.reason,
    messages.c.due_at,
    messages.c.deadline_at,
    messages.c.lease_token,
    messages.c.lease_until,
    messages.c.created_at,
    messages.c.first_submitted_at,
    messages.c.settle_after,
    messages.c.sent_at,
    messages.c.axis_doc_id,
    messages.c.report,
    messages.c.alternatives,
    documents.c.uid,
    documents.c.document_id,
    documents.c.header,
    documents.c.superseded_at,
).select_from(messages.outerjoin(documents, documents.c.uid == messages.c.document))

_IN_QUARANTINE = (ItemState.QUARANTINED, ItemState.REJECTED)


class SqlOperations(Operations):
    """The operators' desk in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def messages(self, wanted: MessageFilter, *, limit: int, at: datetime) -> tuple[MessageLine, ...]:
        """See Operations."""
        newest = _LINE.where(messages.c.state.in_(sorted(wanted.states)))
        if wanted.route is not None:
            newest = newest.where(messages.c.route == wanted.route)
        if wanted.created_before is not None:
            newest = newest.where(messages.c.created_at < wanted.created_before)
        newest = newest.order_by(messages.c.sequence.desc()).limit(limit)

        async def work(conn: AsyncConnection) -> tuple[MessageLine, ...]:
            found = (await conn.execute(newest)).all()
            return tuple([await _line(conn, row, at) for row in reversed(found)])

        return await self._database.read(work)

    async def message(self, message: MessageId, *, at: datetime) -> MessageFacts | None:
        """See Operations."""

        async def work(conn: AsyncConnection) -> MessageFacts | None:
            row = (await conn.execute(_LINE.where(messages.c.id == message))).one_or_none()
            return None if row is None else await _facts(conn, row, at)

        return await self._database.read(work)

    async def carry_out(self, message: MessageId, order: Order, *, at: datetime) -> Done | NotDone:
        """See Operations."""
        return await self._database.write(lambda conn: _carry_out(conn, message, order, at))

    async def problems(self, *, limit: int) -> tuple[Problem, ...]:
        """See Operations."""
        columns = sa.select(
            *(axis_items.c.account, axis_items.c.axis_doc_id, axis_items.c.kind, axis_items.c.state),
            *(axis_items.c.defect_code, axis_items.c.defect_path, axis_items.c.defect_message),
            *(axis_items.c.recorded_at, axis_items.c.told_at),
        )
        kept = columns.where(axis_items.c.state.in_([state.value for state in _IN_QUARANTINE]))
        newest = kept.order_by(axis_items.c.recorded_at.desc(), axis_items.c.axis_doc_id.desc()).limit(limit)

        async def work(conn: AsyncConnection) -> tuple[Problem, ...]:
            found = (await conn.execute(newest)).all()
            return tuple(_problem(row) for row in reversed(found))

        return await self._database.read(work)

    async def waiting(self, *, limit: int) -> tuple[WaitingLine, ...]:
        """See Operations."""
        columns = sa.select(
            *(receptions.c.id, receptions.c.state, receptions.c.delivery_attempt, receptions.c.received_at),
            *(agencies.c.code, inbound_documents.c.document_id),
        ).join(agencies, agencies.c.id == receptions.c.agency)
        columns = columns.join(inbound_documents, inbound_documents.c.id == receptions.c.document)
        wanted = columns.where(receptions.c.waiting_since.is_not(None))
        wanted = wanted.order_by(receptions.c.waiting_since, receptions.c.id).limit(limit)

        async def work(conn: AsyncConnection) -> tuple[WaitingLine, ...]:
            return tuple(
                WaitingLine(
                    id=ReceptionId(row.id),
                    recipient=OrganId(row.code),
                    document_id=row.document_id,
                    state=ReceptionState(row.state),
                    delivery_attempt=row.delivery_attempt,
                    received_at=row.received_at,
                )
                for row in await conn.execute(wanted)
            )

        return await self._database.read(work)

    async def retake(
        self, account: AccountName, axis_doc_id: AxisDocId, *, operator: str, reason: str, at: datetime
    ) -> ItemState | None:
        """See Operations."""
        mine = sa.and_(axis_items.c.account == account, axis_items.c.axis_doc_id == axis_doc_id)
        held = sa.select(axis_items.c.state, axis_items.c.defect_code).where(mine).with_for_update()

        async def work(conn: AsyncConnection) -> ItemState | None:
            row = (await conn.execute(held)).one_or_none()
            if row is None:
                return None
            state = ItemState(row.state)
            if state in _IN_QUARANTINE:
                check(ITEM_MOVES, state, ItemState.FETCHED)
                await conn.execute(sa.update(axis_items).where(mine).values(REOPENED))
                said = {"operator": operator, "action": f"retake after {row.defect_code}", "reason": reason}
                await _note(conn, account, axis_doc_id, said, at)
            return state

        return await self._database.write(work)

    async def audit(self, document_id: str) -> tuple[AuditEntry, ...]:
        """See Operations."""
        return await self._database.read(lambda conn: auditing.entries(conn, document_id))


async def _line(conn: AsyncConnection, row: rows.Row, at: datetime) -> MessageLine:
    recipients: tuple[int, tuple[OrganId, ...]]
    if row.report is not None:
        report = from_json(StatusReport, row.report)
        document_id, sender = report.response_for.document_id, report.sender.organ_id
        recipients = 1, (OrganId(report.response_for.organ_id),)
    else:
        document_id, sender = row.document_id, from_json(Document, row.header).sender.organ_id
        recipients = await _recipients(conn, row.id)
    return MessageLine(
        id=MessageId(row.id),
        kind=PacketKind(row.kind),
        route=AccountName(row.route),
        state=MessageState(row.state),
        leased=_leased(row, at),
        superseded=row.superseded_at is not None,
        document_id=document_id,
        sender=sender,
        recipients=recipients[0],
        first_recipients=recipients[1],
        priority=row.priority,
        attempts=row.attempts,
        created_at=row.created_at,
        due_at=row.due_at,
        deadline_at=row.deadline_at,
        reason=row.reason,
    )


def _leased(row: rows.Row, at: datetime) -> bool:
    return row.lease_token is not None and row.lease_until is not None and row.lease_until >= at


async def _recipients(conn: AsyncConnection, message: str) -> tuple[int, tuple[OrganId, ...]]:
    mine = sa.select(message_deliveries.c.delivery).where(message_deliveries.c.message == message)
    count = (await conn.execute(sa.select(sa.func.count()).select_from(mine.subquery()))).scalar_one()
    codes = sa.select(deliveries.c.recipient_code).where(deliveries.c.id.in_(mine)).order_by(deliveries.c.position)
    return count, tuple(OrganId(code) for code in await conn.scalars(codes.limit(_SHOWN)))


async def _facts(conn: AsyncConnection, row: rows.Row, at: datetime) -> MessageFacts:
    header = None if row.header is None else from_json(Document, row.header)
    report = None if row.report is None else from_json(StatusReport, row.report)
    return MessageFacts(
        line=await _line(conn, row, at),
        uid=None if row.uid is None else DocumentUid(row.uid),
        subject="" if header is None else header.subject,
        code=header.code if header is not None else report.response_for.code if report is not None else "",
        status_code="" if report is None else report.status_code,
        first_submitted_at=row.first_submitted_at,
        settle_after=row.settle_after,
        sent_at=row.sent_at,
        axis_doc_id=None if row.axis_doc_id is None else AxisDocId(row.axis_doc_id),
        alternatives=() if row.alternatives is None else from_json(tuple[AccountName, ...], row.alternatives),
        recipients=await _recipient_lines(conn, row.id),
        attempts=await _attempt_lines(conn, row.id),
    )


async def _recipient_lines(conn: AsyncConnection, message: str) -> tuple[RecipientLine, ...]:
    columns = sa.select(
        deliveries.c.recipient_code, deliveries.c.state, deliveries.c.last_status, deliveries.c.updated_at
    ).join(message_deliveries, message_deliveries.c.delivery == deliveries.c.id)
    wanted = columns.where(message_deliveries.c.message == message).order_by(deliveries.c.position)
    return tuple(
        RecipientLine(
            recipient=OrganId(row.recipient_code),
            state=DeliveryState(row.state),
            last_status=row.last_status,
            updated_at=row.updated_at,
        )
        for row in await conn.execute(wanted)
    )


async def _attempt_lines(conn: AsyncConnection, message: str) -> tuple[AttemptLine, ...]:
    columns = sa.select(
        *(attempts.c.number, attempts.c.started_at, attempts.c.ended_at),
        *(attempts.c.state, attempts.c.reason, attempts.c.counted),
    )
    wanted = columns.where(attempts.c.message == message).order_by(attempts.c.number)
    return tuple(
        AttemptLine(
            number=row.number,
            started_at=row.started_at,
            ended_at=row.ended_at,
            state=MessageState(row.state),
            reason=row.reason,
            counted=bool(row.counted),
        )
        for row in await conn.execute(wanted)
    )


async def _carry_out(conn: AsyncConnection, message: str, order: Order, at: datetime) -> Done | NotDone:
    after = RULES[order.action].after
    if after is MessageState.QUEUED:
        # Until this transaction ends, nothing is leased that the message would go before, whatever its route.
        await postgres.alone(conn, postgres.ORDER)
    columns = sa.select(
        *(messages.c.id, messages.c.state, messages.c.attempts, messages.c.document),
        *(messages.c.lease_token, messages.c.lease_until, sa.null().label("started_at")),
    )
    row = (await conn.execute(columns.where(messages.c.id == message).with_for_update())).one_or_none()
    if row is None:
        return NotDone(objection=Objection.UNKNOWN_MESSAGE)
    state = MessageState(row.state)
    superseded = row.document is not None and await _superseded(conn, row.document)
    overtaken = state is MessageState.FAILED and await following.overtaken(conn, row.id)
    against = objection(order, state, leased=_leased(row, at), superseded=superseded, overtaken=overtaken)
    if against is not None:
        return NotDone(objection=against, state=state)
    settlement = Settlement(
        state=after,
        due_at=at if after in LEASABLE else None,
        reason=order.words,
        counted=False,
        axis_doc_id=order.axis_doc_id if order.action is Action.MARK_SENT else None,
        bound=order.action is Action.REQUEUE and state is MessageState.HELD,
    )
    await end(conn, row, settlement, at)
    await carry_over(conn, (message,), settlement, at)
    return Done(before=state, after=after)


async def _superseded(conn: AsyncConnection, document: str) -> bool:
    """Whether another document has taken its id; none does before this transaction ends."""
    mine = sa.select(documents.c.superseded_at).where(documents.c.uid == document).with_for_update()
    return (await conn.execute(mine)).scalar_one() is not None


async def _note(
    conn: AsyncConnection, account: AccountName, axis_doc_id: AxisDocId, said: dict[str, str], at: datetime
) -> None:
    mine = sa.and_(interventions.c.account == account, interventions.c.axis_doc_id == axis_doc_id)
    so_far = sa.select(sa.func.coalesce(sa.func.max(interventions.c.number), 0)).where(mine)
    number = (await conn.execute(so_far)).scalar_one() + 1
    named = {"account": account, "axis_doc_id": axis_doc_id, "number": number, "at": at}
    await conn.execute(sa.insert(interventions).values(named | said))


def _problem(row: rows.Row) -> Problem:
    return Problem(
        account=AccountName(row.account),
        axis_doc_id=AxisDocId(row.axis_doc_id),
        kind=PacketKind(row.kind),
        state=ItemState(row.state),
        code=row.defect_code or "",
        path=row.defect_path or "",
        message=row.defect_message or "",
        recorded_at=row.recorded_at,
        told_at=row.told_at,
    )
