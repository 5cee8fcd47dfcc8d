"""Finds what an incoming status is about, and writes it there (edXML 5.6, 6.2, 6.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.agency import code_key
from gateway.domain.document import BusinessType, Document, ResponseFor
from gateway.domain.lifecycle import DeliveryState
from gateway.domain.status import AGREED, ARRIVED, NOT_AGREED, REPEATABLE, TAKE_BACK_ASKED, StatusReport
from gateway.ports.inbound import StatusPlaced, StatusUnplaced
from gateway.store import reported, rows
from gateway.store.codec import from_json
from gateway.store.directory import forms_of, resolve
from gateway.store.eventlog import NewEvent, append
from gateway.store.keys import document_key
from gateway.store.statements import upsert
from gateway.store.tables import deliveries, documents, inbound_documents, receptions, statuses_in

NO_DOCUMENT = "no document here matches the one the status names"
NO_RECIPIENT = "the reporting agency is none of the document's recipients"

_SETTLED = (DeliveryState.SENT.value, DeliveryState.FAILED.value)
"""Of these no report changes anything: whether they arrived is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What a status is about."""

    id: str
    """Delivery or reception."""
    event: NewEvent
    proven: str | None = None
    """The message that waits to be settled, and whose packet the status proves to have arrived."""


_Forms = Mapping[str, frozenset[str]]
"""By code, every code under which the agency behind it may have been written."""


async def place_all(
    conn: AsyncConnection, reports: Sequence[StatusReport], *, at: datetime
) -> tuple[StatusPlaced | StatusUnplaced, ...]:
    """Log statuses, in this order, each at the delivery or, a take-back, at the reception it is about.

    What became of each; a repetition adds nothing, but may prove as much as the first. What they prove to have arrived
    is SENT, and vendors hear of that first.
    """
    codes = {code for report in reports for code in (report.sender.organ_id, report.response_for.organ_id)}
    forms = await forms_of(conn, sorted(codes))
    subjects = [await _subject(conn, report, forms) for report in reports]
    arrived = {each.proven for each in subjects if isinstance(each, _Subject) and each.proven is not None}
    held = await reported.lock(conn, arrived)
    new = [
        isinstance(subject, _Subject) and await _note(conn, subject, report, at)
        for subject, report in zip(subjects, reports, strict=True)
    ]
    sent = dict(await reported.conclude(conn, held, at=at))
    events = [each.event for each, is_new in zip(subjects, new, strict=True) if isinstance(each, _Subject) and is_new]
    await append(conn, events, at=at)
    return tuple(
        [
            StatusPlaced(repeated=not is_new, sent=sent.pop(subject.proven or "", None))
            if isinstance(subject, _Subject)
            else subject
            for subject, is_new in zip(subjects, new, strict=True)
        ]
    )


async def _subject(conn: AsyncConnection, report: StatusReport, forms: _Forms) -> _Subject | StatusUnplaced:
    taking_back = report.status_code == TAKE_BACK_ASKED
    return await (_reception if taking_back else _delivery)(conn, report, forms)


async def _note(conn: AsyncConnection, subject: _Subject, report: StatusReport, at: datetime) -> bool:
    """All but the event, which is logged at the end; False for a repetition."""
    stamp = report.timestamp if report.status_code in REPEATABLE else ""
    seen = upsert(statuses_in).values(subject=subject.id, code=report.status_code, stamp=stamp, placed_at=at)
    if (await conn.execute(seen.on_conflict_do_nothing().returning(statuses_in.c.subject))).first() is None:
        return False
    if report.status_code != TAKE_BACK_ASKED:
        change = sa.update(deliveries).where(deliveries.c.id == subject.id)
        if report.status_code == ARRIVED:  # comes from another system than 03 and later, so it may come after them
            change = change.where(deliveries.c.last_status == "")
        await conn.execute(change.values(last_status=report.status_code, updated_at=at))
    return True


async def _delivery(conn: AsyncConnection, report: StatusReport, forms: _Forms) -> _Subject | StatusUnplaced:
    """The reporter's delivery of a document of ours: response_for names its sender.

    A recall may bear the marks of its document: consent and refusal are meant for the recall, all else for that one,
    unless the status can only be about one whose answer was lost.
    """
    senders, reporters = forms[report.response_for.organ_id], forms[report.sender.organ_id]
    columns = sa.select(
        documents.c.uid,
        documents.c.agency,
        documents.c.document_id,
        documents.c.header,
        deliveries.c.id.label("subject"),
        deliveries.c.recipient_code,
        deliveries.c.state,
    )
    mine = sa.and_(deliveries.c.document == documents.c.uid, deliveries.c.recipient_key.in_(reporters))
    wanted = columns.select_from(documents.outerjoin(deliveries, mine)).where(documents.c.sender_code.in_(senders))
    recall = sa.case((documents.c.business_type == BusinessType.RECALL.value, 1), else_=0)
    rank = recall.desc() if report.status_code in (AGREED, NOT_AGREED) else recall
    wanted = wanted.order_by(rank, documents.c.accepted_at.desc())
    several = await _named(conn, wanted, documents, report.response_for)
    if isinstance(several, StatusUnplaced):
        return several
    found, message = _of_day(several, report.response_for), None
    if any(row.state not in _SETTLED for row in several):
        proof = await reported.find(conn, report, reported.Parties(senders=senders, reporters=reporters))
        if proof is not None:
            found, message = proof, proof.message
    event = NewEvent(
        agency=found.agency,
        resource=f"documents/{found.uid}",
        document_id=found.document_id,
        recipient_code=found.recipient_code,
        change=report,
    )
    return _Subject(id=found.subject, event=event, proven=message)


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
    found = await _named(conn, wanted, table, about)
    return found if isinstance(found, StatusUnplaced) else _of_day(found, about)


async def _named(
    conn: AsyncConnection, wanted: sa.Select[tuple[str, ...]], table: sa.Table, about: ResponseFor
) -> Sequence[rows.Row] | StatusUnplaced:
    """All rows that have a subject and are named in the first of the three ways that names any."""
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
            return placed
    return StatusUnplaced(reason=NO_RECIPIENT if known else NO_DOCUMENT)


def _of_day(candidates: Sequence[rows.Row], about: ResponseFor) -> rows.Row:
    """Numbers begin anew every year: of several documents the one of the day named, else the newest."""
    if len(candidates) > 1 and about.promulgation_date is not None:
        for row in candidates:
            if from_json(Document, row.header).promulgation_date == about.promulgation_date:
                return row
    return candidates[0]
