"""Received documents looked up without leasing them: lists, counts, the one that a status names."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.document import BusinessType, ResponseFor
from gateway.domain.ids import AccountName, AgencyId, AxisDocId, OrganId, ReceptionId, VendorId
from gateway.domain.lifecycle import ReceptionState
from gateway.ports.inbound import ReceptionFilter, ReceptionLine, Source, StatusUnplaced
from gateway.store import rows
from gateway.store.directory import code_forms
from gateway.store.placing import first_named
from gateway.store.statements import served_by
from gateway.store.tables import agencies, inbound_documents, receptions

RECENT = 2_000
"""Newest received documents among which those that have ended are looked for."""
_OPEN = frozenset({ReceptionState.WAITING, ReceptionState.LEASED})

_LINE = (
    sa.select(
        receptions.c.id,
        inbound_documents.c.sender_code,
        agencies.c.code.label("recipient"),
        receptions.c.state,
        receptions.c.received_at,
    )
    .join(inbound_documents, inbound_documents.c.id == receptions.c.document)
    .join(agencies, agencies.c.id == receptions.c.agency)
)


async def listed(
    conn: AsyncConnection, vendor: VendorId, wanted: ReceptionFilter, skip: int, limit: int
) -> tuple[ReceptionLine, ...]:
    """See Receptions."""
    if wanted.states <= _OPEN:
        lines = _narrowed(vendor, wanted).where(receptions.c.waiting_since.is_not(None))
        lines = lines.order_by(receptions.c.priority.desc(), receptions.c.waiting_since, receptions.c.id)
    else:
        # The newest documents along their index, then their receptions: what ended long ago costs nothing.
        newest = sa.select(inbound_documents.c.id).order_by(
            inbound_documents.c.received_at.desc(), inbound_documents.c.id.desc()
        )
        lines = _narrowed(vendor, wanted).where(receptions.c.document.in_(newest.limit(RECENT)))
        lines = lines.order_by(receptions.c.received_at.desc(), receptions.c.id)
    return tuple([_line(row) for row in await conn.execute(lines.offset(skip).limit(limit))])


async def count(conn: AsyncConnection, vendor: VendorId, most: int) -> int:
    """See Receptions."""
    mine = sa.select(receptions.c.id).where(
        receptions.c.waiting_since.is_not(None), receptions.c.agency.in_(served_by(vendor))
    )
    chosen = mine.limit(most).subquery("chosen")
    return int((await conn.execute(sa.select(sa.func.count()).select_from(chosen))).scalar_one())


async def find(
    conn: AsyncConnection, agency: AgencyId, named: ResponseFor, *, recall_first: bool
) -> ReceptionId | None:
    """See Receptions."""
    senders = await code_forms(conn, named.organ_id)
    columns = sa.select(inbound_documents.c.header, receptions.c.id.label("subject"))
    mine = sa.and_(receptions.c.document == inbound_documents.c.id, receptions.c.agency == agency)
    recall = sa.case((inbound_documents.c.business_type == BusinessType.RECALL.value, 1), else_=0)
    wanted = (
        columns.select_from(inbound_documents.join(receptions, mine))
        .where(inbound_documents.c.sender_code.in_(senders))
        .order_by(recall.desc() if recall_first else recall, inbound_documents.c.received_at.desc())
    )
    found = await first_named(conn, wanted, inbound_documents, named)
    return None if isinstance(found, StatusUnplaced) else ReceptionId(found.subject)


async def source(conn: AsyncConnection, reception: ReceptionId) -> Source | None:
    """See Receptions."""
    columns = sa.select(inbound_documents.c.account, inbound_documents.c.axis_doc_id)
    came = columns.join(receptions, receptions.c.document == inbound_documents.c.id)
    row = (await conn.execute(came.where(receptions.c.id == reception))).one_or_none()
    return None if row is None else Source(account=AccountName(row.account), axis_doc_id=AxisDocId(row.axis_doc_id))


def _narrowed(vendor: VendorId, wanted: ReceptionFilter) -> sa.Select[tuple[str, str, str, str, object]]:
    lines = _LINE.where(
        receptions.c.agency.in_(served_by(vendor)), receptions.c.state.in_([state.value for state in wanted.states])
    )
    if wanted.recipients is not None:
        lines = lines.where(receptions.c.agency.in_(wanted.recipients))
    if wanted.received_from is not None:
        lines = lines.where(receptions.c.received_at >= wanted.received_from)
    if wanted.received_before is not None:
        lines = lines.where(receptions.c.received_at < wanted.received_before)
    return lines


def _line(row: rows.Row) -> ReceptionLine:
    return ReceptionLine(
        id=ReceptionId(row.id),
        sender=OrganId(row.sender_code),
        recipient=OrganId(row.recipient),
        state=ReceptionState(row.state),
        received_at=row.received_at,
    )
