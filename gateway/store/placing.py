"""Finds what an incoming status is about, and writes it there (edXML 5.6, 6.2, 6.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.agency import code_key
from gateway.domain.document import BusinessType, Document, ResponseFor
from gateway.domain.status import AGREED, ARRIVED, NOT_AGREED, REPEATABLE, TAKE_BACK_ASKED, StatusReport
from gateway.ports.inbound import StatusPlaced, StatusUnplaced
from gateway.store import rows
from gateway.store.codec import from_json
from gateway.store.directory import forms_of, resolve
from gateway.store.eventlog import NewEvent, append
from gateway.store.keys import document_key
from gateway.store.statements import upsert
from gateway.store.tables import deliveries, documents, inbound_documents, receptions, statuses_in

NO_DOCUMENT = "no document here matches the one the status names"
NO_RECIPIENT = "the reporting agency is none of the document's recipients"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What a status is about."""

    id: str
    """Delivery or reception."""
    event: NewEvent


_Forms = Mapping[str, frozenset[str]]
"""By code, every code under which the agency behind it may have been written."""


async def place_all(
    conn: AsyncConnection, reports: Sequence[StatusReport], *, at: datetime
) -> tuple[StatusPlaced | StatusUnplaced, ...]:
    """Log statuses, in this order, each at the delivery or, a take-back, at the reception it is about.

    What became of each; a repetition adds nothing.
    """
    codes = {code for report in reports for code in (report.sender.organ_id, report.response_for.organ_id)}
    forms = await forms_of(conn, sorted(codes))
    placed = [await _note(conn, report, forms, at) for report in reports]
    await append(conn, [each for each in placed if isinstance(each, NewEvent)], at=at)
    return tuple([StatusPlaced(repeated=False) if isinstance(each, NewEvent) else each for each in placed])


async def _note(
    conn: AsyncConnection, report: StatusReport, forms: _Forms, at: datetime
) -> NewEvent | StatusPlaced | StatusUnplaced:
    """All but the event, which is logged at the end."""
    taking_back = report.status_code == TAKE_BACK_ASKED
    subject = await (_reception if taking_back else _delivery)(conn, report, forms)
    if isinstance(subject, StatusUnplaced):
        return subject
    stamp = report.timestamp if report.status_code in REPEATABLE else ""
    seen = upsert(statuses_in).values(subject=subject.id, code=report.status_code, stamp=stamp, placed_at=at)
    if (await conn.execute(seen.on_conflict_do_nothing().returning(statuses_in.c.subject))).first() is None:
        return StatusPlaced(repeated=True)
    if not taking_back:
        change = sa.update(deliveries).where(deliveries.c.id == subject.id)
        if report.status_code == ARRIVED:  # comes from another system than 03 and later, so it may come after them
            change = change.where(deliveries.c.last_status == "")
        await conn.execute(change.values(last_status=report.status_code, updated_at=at))
    return subject.event


async def _delivery(conn: AsyncConnection, report: StatusReport, forms: _Forms) -> _Subject | StatusUnplaced:
    """The reporter's delivery of a document of ours: response_for names its sender.

    A recall may bear the marks of its document: consent and refusal are meant for the recall, all else for that one.
    """
    senders, reporters = forms[report.response_for.organ_id], forms[report.sender.organ_id]
    columns = sa.select(
        documents.c.uid,
        documents.c.agency,
        documents.c.document_id,
        documents.c.header,
        deliveries.c.id.label("subject"),
        deliveries.c.recipient_code,
    )
    mine = sa.and_(deliveries.c.document == documents.c.uid, deliveries.c.recipient_key.in_(reporters))
    wanted = columns.select_from(documents.outerjoin(deliveries, mine)).where(documents.c.sender_code.in_(senders))
    recall = sa.case((documents.c.business_type == BusinessType.RECALL.value, 1), else_=0)
    rank = recall.desc() if report.status_code in (AGREED, NOT_AGREED) else recall
    wanted = wanted.order_by(rank, documents.c.accepted_at.desc())
    found = await first_named(conn, wanted, documents, report.response_for)
    if isinstance(found, StatusUnplaced):
        return found
    event = NewEvent(
        agency=found.agency,
        resource=f"documents/{found.uid}",
        document_id=found.document_id,
        recipient_code=found.recipient_code,
        change=report,
    )
    return _Subject(id=found.subject, event=event)


async def _reception(conn: AsyncConnection, report: StatusReport, forms: _Forms) -> _Subject | StatusUnplaced:
    """The reception a take-back is about: the reporter sent the document, response_for names the recipient."""
    about = report.response_for
    senders = forms[report.sender.organ_id]
    recipient = (await resolve(conn, [about.organ_id])).get(about.organ_id)
    columns = sa.select(
        inbound_documents.c.document_id,
        inbound_documents.c.header,
        receptions.c.id.label("subject"),
        receptions.c.agency,
    )
    mine = sa.and_(
        receptions.c.document == inbound_documents.c.id,
        receptions.c.agency == (None if recipient is None else recipient.id),
    )
    wanted = columns.select_from(inbound_documents.outerjoin(receptions, mine))
    wanted = wanted.where(inbound_documents.c.sender_code.in_(senders)).order_by(inbound_documents.c.received_at.desc())
    found = await first_named(conn, wanted, inbound_documents, about)
    if isinstance(found, StatusUnplaced):
        return found
    event = NewEvent(
        agency=found.agency,
        resource=f"receivedDocuments/{found.subject}",
        document_id=found.document_id,
        recipient_code=about.organ_id,
        change=report,
    )
    return _Subject(id=found.subject, event=event)


async def first_named(
    conn: AsyncConnection, wanted: sa.Select[tuple[str, ...]], table: sa.Table, about: ResponseFor
) -> rows.Row | StatusUnplaced:
    """The best row that has a subject: by DocumentId as written, by its normalised form, by number and notation."""
    ways = (
        (about.document_id.strip(), table.c.document_id == about.document_id.strip()),
        (about.document_id.strip(), table.c.document_key == document_key(about.document_id)),
        (about.code.strip(" /"), table.c.code_key == code_key(about.code)),
    )
    known = False
    for given, matches in ways:
        candidates = (await conn.execute(wanted.where(matches))).all() if given else ()
        known = known or bool(candidates)
        placed = [row for row in candidates if row.subject is not None]
        if placed:
            return _of_day(placed, about)
    return StatusUnplaced(reason=NO_RECIPIENT if known else NO_DOCUMENT)


def _of_day(candidates: Sequence[rows.Row], about: ResponseFor) -> rows.Row:
    """Numbers begin anew every year: of several documents the one of the day named, else the newest."""
    if len(candidates) > 1 and about.promulgation_date is not None:
        for row in candidates:
            if from_json(Document, row.header).promulgation_date == about.promulgation_date:
                return row
    return candidates[0]
