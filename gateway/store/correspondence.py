"""Implements Correspondence: sent documents by vendor system, and the take-back of one."""

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.document import BusinessType
from gateway.domain.ids import AccountName, DocumentUid, OrganId, VendorId
from gateway.domain.lifecycle import MessageState
from gateway.domain.status import StatusReport
from gateway.ports.correspondence import Correspondence
from gateway.ports.inbound import StatusUnplaced
from gateway.store import rows
from gateway.store.directory import forms_of
from gateway.store.engine import Database
from gateway.store.messages import NewMessage, enqueue, status_message
from gateway.store.placing import first_named
from gateway.store.statements import upsert
from gateway.store.tables import deliveries, documents, mandates, message_deliveries, messages, statuses_in

RECENT = 2_000
"""Newest documents among which a vendor's latest are looked for."""


class SqlCorrespondence(Correspondence):
    """What was sent, in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self, vendor: VendorId, *, skip: int, limit: int) -> tuple[DocumentUid, ...]:
        """See Correspondence."""
        order = documents.c.accepted_at.desc(), documents.c.uid.desc()
        newest = sa.select(documents.c.uid, documents.c.agency, documents.c.accepted_at).order_by(*order).limit(RECENT)
        recent = newest.subquery("last")
        mine = sa.select(mandates.c.agency).where(mandates.c.vendor == vendor)
        wanted = sa.select(recent.c.uid).where(recent.c.agency.in_(mine))
        wanted = wanted.order_by(recent.c.accepted_at.desc(), recent.c.uid.desc()).offset(skip).limit(limit)

        async def work(conn: AsyncConnection) -> tuple[DocumentUid, ...]:
            return tuple([DocumentUid(uid) for uid in await conn.scalars(wanted)])

        return await self._database.read(work)

    async def take_back(self, asked: StatusReport, *, at: datetime) -> bool | None:
        """See Correspondence."""
        return await self._database.write(lambda conn: _take_back(conn, asked, at))


async def _take_back(conn: AsyncConnection, asked: StatusReport, at: datetime) -> bool | None:
    about = asked.response_for
    forms = await forms_of(conn, [asked.sender.organ_id, about.organ_id])
    columns = sa.select(
        documents.c.header, deliveries.c.id.label("subject"), deliveries.c.recipient_code, documents.c.document_id
    )
    mine = sa.and_(deliveries.c.document == documents.c.uid, deliveries.c.recipient_key.in_(forms[about.organ_id]))
    wanted = (
        columns.select_from(documents.join(deliveries, mine))
        .where(
            documents.c.sender_code.in_(forms[asked.sender.organ_id]),
            documents.c.business_type != BusinessType.RECALL.value,
        )
        .order_by(documents.c.accepted_at.desc())
    )
    found = await first_named(conn, wanted, documents, about)
    carrier = None if isinstance(found, StatusUnplaced) else await _carrier(conn, found.subject)
    if isinstance(found, StatusUnplaced) or carrier is None:
        return None
    # Filed under the delivery: of the statuses that come for one, none is a take-back.
    seen = upsert(statuses_in).values(
        subject=found.subject, code=asked.status_code, stamp=asked.timestamp, placed_at=at
    )
    if (await conn.execute(seen.on_conflict_do_nothing().returning(statuses_in.c.subject))).first() is None:
        return False
    await enqueue(conn, [_message(asked, found, carrier)], at=at)
    return True


def _message(asked: StatusReport, found: rows.Row, carrier: rows.Row) -> NewMessage:
    document = rows.document_of(found.header, ())
    named = replace(
        asked.response_for,
        organ_id=OrganId(found.recipient_code),
        code=document.code,
        promulgation_date=document.promulgation_date,
        document_id=found.document_id,
    )
    message = status_message(AccountName(carrier.route), replace(asked, response_for=named))
    return replace(message, ordering_key=carrier.ordering_key, lane=carrier.lane)


async def _carrier(conn: AsyncConnection, delivery: str) -> rows.Row | None:
    """The packet that carries the document to this recipient; None if it failed: nothing is there to be given back."""
    columns = sa.select(messages.c.route, messages.c.ordering_key, messages.c.lane, messages.c.state)
    carries = columns.join(message_deliveries, message_deliveries.c.message == messages.c.id)
    newest = carries.where(message_deliveries.c.delivery == delivery).order_by(messages.c.sequence.desc()).limit(1)
    row: rows.Row = (await conn.execute(newest)).one_or_none()
    return None if row is None or row.state == MessageState.FAILED.value else row
