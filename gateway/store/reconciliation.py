"""Implements Reconciliation: what was sent and what may have been, and how far both were compared with the axis."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.document import Document
from gateway.domain.ids import AccountName, AxisDocId, MessageId
from gateway.domain.lifecycle import NOBODY_KNOWS, MessageState
from gateway.domain.outcome import SentQuery
from gateway.domain.packet import PacketKind
from gateway.ports.outbound import Settlement
from gateway.ports.reconciliation import Reconciliation, SentHere, SentMark, Unproven
from gateway.store import rows
from gateway.store.codec import from_json, to_json
from gateway.store.endings import carry_over, end, locked
from gateway.store.engine import Database
from gateway.store.messages import addressed
from gateway.store.reported import has_nameless_twin, learn
from gateway.store.statements import batches, upsert
from gateway.store.tables import deliveries, documents, messages, meta

REPAIRED = "listed by the axis; found by reconciliation"
"""Reason that a repaired message shows."""

_SENT = (
    sa.select(messages.c.id, messages.c.axis_doc_id, messages.c.sent_at, documents.c.document_id)
    .join(documents, documents.c.uid == messages.c.document)
    .where(messages.c.axis_doc_id.is_not(None))
)
_UNPROVEN = sa.select(messages.c.id, messages.c.state, messages.c.first_submitted_at, documents.c.header).join(
    documents, documents.c.uid == messages.c.document
)


class SqlReconciliation(Reconciliation):
    """The outbox in the store, as reconciliation sees it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sent(self, account: AccountName, *, after: SentMark, until: datetime, limit: int) -> tuple[SentHere, ...]:
        """See Reconciliation. A range of one index."""
        place = sa.tuple_(messages.c.sent_at, messages.c.axis_doc_id)
        wanted = _SENT.where(
            messages.c.route == account,
            messages.c.kind == PacketKind.DOCUMENT.value,
            messages.c.sent_at >= after.sent_at,
            messages.c.sent_at <= until,
            place > sa.tuple_(sa.literal(after.sent_at, messages.c.sent_at.type), sa.literal(after.axis_doc_id)),
        )
        wanted = wanted.order_by(messages.c.sent_at, messages.c.axis_doc_id).limit(limit)

        async def work(conn: AsyncConnection) -> tuple[SentHere, ...]:
            return tuple([_sent_of(row) for row in await conn.execute(wanted)])

        return await self._database.read(work)

    async def still_sent(self, wanted: Collection[MessageId]) -> Sequence[SentHere]:
        """See Reconciliation."""

        async def work(conn: AsyncConnection) -> Sequence[SentHere]:
            found: list[SentHere] = []
            for batch in batches(sorted(set(wanted))):
                these = _SENT.where(messages.c.id.in_(batch), messages.c.state == MessageState.SENT.value)
                found.extend([_sent_of(row) for row in await conn.execute(these)])
            return found

        return await self._database.read(work)

    async def unproven(self, account: AccountName, *, since: datetime, limit: int) -> tuple[Unproven, ...]:
        """See Reconciliation. Held and unknown ones come first: only they can be repaired. Ranges of two indices."""
        wanted = (
            _UNPROVEN.where(
                messages.c.route == account,
                sa.text("messages.state IN ('uncertain', 'held', 'failed')"),
                messages.c.first_submitted_at >= since,
                messages.c.lease_token.is_(None),
            )
            .order_by(messages.c.state == MessageState.FAILED.value, messages.c.first_submitted_at.desc())
            .limit(limit)
        )
        nameless = (
            _UNPROVEN.where(
                messages.c.route == account,
                messages.c.sent_at >= since,
                messages.c.axis_doc_id.is_(None),
                messages.c.first_submitted_at.is_not(None),
            )
            .order_by(messages.c.sent_at.desc())
            .limit(limit)
        )

        async def work(conn: AsyncConnection) -> tuple[Unproven, ...]:
            found = [*(await conn.execute(nameless)).all(), *(await conn.execute(wanted)).all()]
            recipients = await addressed(conn, [row.id for row in found], deliveries.c.recipient_code)
            return tuple([_unproven_of(row, recipients.get(row.id, ())) for row in found])

        return await self._database.read(work)

    async def repair(self, message: MessageId, axis_doc_id: AxisDocId, *, at: datetime) -> bool:
        """See Reconciliation."""
        settlement = Settlement(
            state=MessageState.SENT, due_at=None, reason=REPAIRED, counted=False, axis_doc_id=axis_doc_id
        )
        repairable = messages.c.state.in_([state.value for state in NOBODY_KNOWS])
        free = sa.or_(messages.c.lease_token.is_(None), messages.c.lease_until < at)

        async def work(conn: AsyncConnection) -> bool:
            held = await locked(conn, message, repairable, free)
            if held is None:
                return await learn(conn, message, axis_doc_id)
            if await has_nameless_twin(conn, message):
                return False
            await end(conn, held, settlement, at)
            await carry_over(conn, (message,), settlement, at)
            return True

        return await self._database.write(work)

    async def mark(self, account: AccountName, *, default: datetime) -> SentMark:
        """See Reconciliation."""
        held = await self._note(f"compared_sent:{account}")
        mark = None if held is None else from_json(SentMark, held)
        return mark if mark is not None and mark.sent_at >= default else SentMark(sent_at=default, axis_doc_id="")

    async def set_mark(self, account: AccountName, mark: SentMark) -> None:
        """See Reconciliation."""
        await self._set_note(f"compared_sent:{account}", to_json(mark))

    async def received_mark(self, account: AccountName, kind: PacketKind, *, default: datetime) -> datetime:
        """See Reconciliation."""
        held = await self._note(f"compared_received:{account}:{kind}")
        return default if held is None else max(default, from_json(datetime, held))

    async def set_received_mark(self, account: AccountName, kind: PacketKind, mark: datetime) -> None:
        """See Reconciliation."""
        await self._set_note(f"compared_received:{account}:{kind}", to_json(mark))

    async def _note(self, name: str) -> str | None:
        held = sa.select(meta.c.value).where(meta.c.name == name)

        async def work(conn: AsyncConnection) -> Any:
            return (await conn.execute(held)).scalar_one_or_none()

        return await self._database.read(work)

    async def _set_note(self, name: str, value: str) -> None:
        note = upsert(meta).values(name=name, value=value)
        note = note.on_conflict_do_update(index_elements=[meta.c.name], set_={"value": value})
        await self._database.write(lambda conn: conn.execute(note))


def _sent_of(row: rows.Row) -> SentHere:
    return SentHere(
        message=MessageId(row.id),
        axis_doc_id=AxisDocId(row.axis_doc_id),
        sent_at=row.sent_at,
        document_id=row.document_id,
    )


def _unproven_of(row: rows.Row, recipients: Sequence[str]) -> Unproven:
    document = from_json(Document, row.header)
    query = SentQuery(
        sender_code=document.sender.organ_id,
        recipient_codes=tuple(recipients),
        notation=document.code,
        title=document.subject,
        submitted_after=row.first_submitted_at,
    )
    return Unproven(
        message=MessageId(row.id), state=MessageState(row.state), query=query, document_id=document.document_id
    )
