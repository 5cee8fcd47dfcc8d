"""Implements Receptions: received documents, as vendors take them over."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.document import ResponseFor
from gateway.domain.ids import AccountName, AgencyId, ReceptionId, VendorId
from gateway.domain.lifecycle import RECEPTION_MOVES, ReceptionState
from gateway.domain.packet import StoredObject
from gateway.domain.status import REPEATABLE, StatusReport
from gateway.ports.inbound import ReceivedEntry, ReceptionFilter, ReceptionLine, Receptions, Source
from gateway.ports.outbound import RequestReused
from gateway.store import contents, receptionlists, rows
from gateway.store.directory import agencies_by_id
from gateway.store.engine import Database
from gateway.store.messages import enqueue, status_message
from gateway.store.moves import check
from gateway.store.statements import batches, served_by, subtree, upsert
from gateway.store.tables import inbound_attachments, inbound_documents, receptions, statuses_out

_ENTRY = sa.select(
    receptions.c.id,
    receptions.c.document,
    receptions.c.agency,
    receptions.c.state,
    receptions.c.priority,
    receptions.c.received_at,
    receptions.c.ack_id,
    receptions.c.lease_until,
    receptions.c.delivery_attempt,
    inbound_documents.c.header,
    inbound_documents.c.warnings,
    inbound_documents.c.account,
).join(inbound_documents, inbound_documents.c.id == receptions.c.document)


class SqlReceptions(Receptions):
    """The receptions in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lease(
        self, vendor: VendorId, *, under: AgencyId | None, limit: int, lease_for: timedelta, at: datetime
    ) -> tuple[ReceivedEntry, ...]:
        """See Receptions. A lease holds up to and including its last microsecond."""
        due = (
            sa.select(receptions.c.id)
            .where(
                receptions.c.waiting_since.is_not(None),
                receptions.c.agency.in_(served_by(vendor)),
                sa.or_(receptions.c.lease_until.is_(None), receptions.c.lease_until < at),
            )
            .order_by(receptions.c.priority.desc(), receptions.c.waiting_since, receptions.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        if under is not None:
            due = due.where(receptions.c.agency.in_(subtree(under)))
        chosen = due.cte("due")
        update = sa.update(receptions).where(receptions.c.id.in_(sa.select(chosen.c.id)))
        update = update.values(
            state=ReceptionState.LEASED.value,
            ack_id=secrets.token_hex(16),
            lease_until=at + lease_for,
            delivery_attempt=receptions.c.delivery_attempt + 1,
        )

        async def work(conn: AsyncConnection) -> tuple[ReceivedEntry, ...]:
            ids = (await conn.scalars(update.returning(receptions.c.id))).all()
            return await _entries(conn, ids)

        return await self._database.write(work)

    async def get(self, reception: ReceptionId) -> ReceivedEntry | None:
        """See Receptions."""

        async def work(conn: AsyncConnection) -> ReceivedEntry | None:
            return next(iter(await _entries(conn, [reception])), None)

        return await self._database.read(work)

    async def listed(
        self, vendor: VendorId, wanted: ReceptionFilter, *, skip: int, limit: int
    ) -> tuple[ReceptionLine, ...]:
        """See Receptions."""
        return await self._database.read(lambda conn: receptionlists.listed(conn, vendor, wanted, skip, limit))

    async def count(self, vendor: VendorId, *, most: int) -> int:
        """See Receptions."""
        return await self._database.read(lambda conn: receptionlists.count(conn, vendor, most))

    async def find(self, agency: AgencyId, named: ResponseFor, *, recall_first: bool) -> ReceptionId | None:
        """See Receptions."""
        return await self._database.read(
            lambda conn: receptionlists.find(conn, agency, named, recall_first=recall_first)
        )

    async def source(self, reception: ReceptionId) -> Source | None:
        """See Receptions."""
        return await self._database.read(lambda conn: receptionlists.source(conn, reception))

    async def acknowledge(
        self, reception: ReceptionId, ack_id: str | None, *, receipt: StatusReport | None, at: datetime
    ) -> ReceptionState | None:
        """See Receptions. An expired lease still counts while nobody has leased the entry again."""
        taken = ReceptionState.ACKNOWLEDGED
        return await self._database.write(lambda conn: _end(conn, reception, ack_id, taken, receipt=receipt, at=at))

    async def refuse(
        self, reception: ReceptionId, ack_id: str | None, *, reason: str, receipt: StatusReport, at: datetime
    ) -> ReceptionState | None:
        """See Receptions."""
        refused = ReceptionState.REFUSED
        return await self._database.write(
            lambda conn: _end(conn, reception, ack_id, refused, receipt=receipt, at=at, refusal=reason)
        )

    async def report(
        self, reception: ReceptionId, request_id: str, report: StatusReport, *, at: datetime
    ) -> bool | RequestReused:
        """See Receptions."""
        used = sa.select(statuses_out.c.code).where(
            statuses_out.c.reception == reception, statuses_out.c.request_id == request_id
        )

        async def work(conn: AsyncConnection) -> bool | RequestReused:
            new = upsert(statuses_out).values(
                reception=reception,
                request_id=request_id,
                code=report.status_code,
                once=None if report.status_code in REPEATABLE else report.status_code,
                reported_at=at,
            )
            if (await conn.execute(new.on_conflict_do_nothing().returning(statuses_out.c.code))).first() is None:
                earlier = await conn.scalar(used)
                return RequestReused() if earlier not in (None, report.status_code) else False
            await enqueue(conn, [status_message(await _route(conn, reception), report)], at=at)
            return True

        return await self._database.write(work)

    async def attachment(self, reception: ReceptionId, index: int) -> StoredObject | None:
        """See Receptions; `index` counts from 0."""
        document = sa.select(receptions.c.document).where(receptions.c.id == reception).scalar_subquery()
        owner = inbound_attachments.c.document == document
        return await self._database.read(lambda conn: contents.one(conn, inbound_attachments, owner, index))


async def _end(
    conn: AsyncConnection,
    reception: ReceptionId,
    ack_id: str | None,
    after: ReceptionState,
    *,
    receipt: StatusReport | None,
    at: datetime,
    refusal: str = "",
) -> ReceptionState | None:
    """Take an entry out of the inbox, if the lease named was the last one given, or if none is asked for."""
    held = sa.select(receptions.c.state, receptions.c.ack_id).where(receptions.c.id == reception).with_for_update()
    row = (await conn.execute(held)).one_or_none()
    if row is None:
        return None
    before = ReceptionState(row.state)
    if before in (ReceptionState.ACKNOWLEDGED, ReceptionState.REFUSED):
        return before
    if ack_id is None:
        check(RECEPTION_MOVES, before, ReceptionState.LEASED)  # leased and ended in one step
        before = ReceptionState.LEASED
    elif row.ack_id is None or row.ack_id != ack_id:
        return None
    check(RECEPTION_MOVES, before, after)
    ended = {"state": after.value, "refusal": refusal, "waiting_since": None, "lease_until": None}
    await conn.execute(sa.update(receptions).where(receptions.c.id == reception).values(ended))
    if receipt is not None:
        await enqueue(conn, [status_message(await _route(conn, reception), receipt)], at=at)
    return after


async def _route(conn: AsyncConnection, reception: ReceptionId) -> AccountName:
    """The account the document came through: its statuses go back the same way."""
    came = sa.select(inbound_documents.c.account).join(receptions, receptions.c.document == inbound_documents.c.id)
    return AccountName((await conn.execute(came.where(receptions.c.id == reception))).scalar_one())


async def _entries(conn: AsyncConnection, ids: Sequence[str]) -> tuple[ReceivedEntry, ...]:
    """Entries in the order in which they are handed out: urgent first, then oldest."""
    found: list[rows.Row] = []
    for batch in batches(ids):
        found.extend(await conn.execute(_ENTRY.where(receptions.c.id.in_(batch))))
    found.sort(key=lambda row: (-row.priority, row.received_at, row.id))
    content = await contents.read(conn, inbound_attachments, {row.document for row in found})
    recipients = await agencies_by_id(conn, [row.agency for row in found])
    return tuple(
        rows.entry_of(row, recipients[AgencyId(row.agency)], content.get(row.document, contents.Content()).attachments)
        for row in found
    )
