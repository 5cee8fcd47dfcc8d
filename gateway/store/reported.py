"""What a recipient's report on a packet means for its message: however its attempts ended, the axis took it.

Whoever settles a message and whoever places a report on it lock the message's row first, so that the later of the two
sees what the other did. A report that comes while an attempt runs is noted in the record of attempts, for its end. A
note says nothing of a message that was divided or went to another account since.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.agency import code_key
from gateway.domain.document import Document
from gateway.domain.following import followed
from gateway.domain.ids import AccountName, AxisDocId, MessageId
from gateway.domain.lifecycle import MAYBE_SENT, NOBODY_KNOWS, UNSETTLED, MessageState, is_outweighed
from gateway.domain.proof import Candidate, Marks, proven
from gateway.domain.sentlist import CLOCK_SKEW
from gateway.domain.status import TAKE_BACK_ASKED, StatusReport
from gateway.ports.inbound import ReportedOn
from gateway.ports.outbound import Settlement
from gateway.store import rows
from gateway.store.codec import from_json
from gateway.store.endings import carry_over, end, locked, log
from gateway.store.keys import document_key
from gateway.store.tables import attempts, deliveries, documents, message_deliveries, messages, statuses_in

REPORTED = "its recipient has reported on it"
"""Reason that a message shows which its recipient's report settled."""

SENT = Settlement(state=MessageState.SENT, due_at=None, reason=REPORTED, counted=False, axis_doc_id=None)
"""Under which id the axis has it, nobody knows."""

_MAYBE_LEFT = [state.value for state in (*MAYBE_SENT, MessageState.SENT)]
_MAYBE_LEFT_ONCE = [state.value for state in NOBODY_KNOWS]
_WAITING = {state.value for state in UNSETTLED}
_ALIKE = 2 * CLOCK_SKEW
"""How long before the first attempt at one packet another may have left that a list shows as sent after it."""

_doubted = sa.exists().where(attempts.c.message == messages.c.id, attempts.c.state.in_(_MAYBE_LEFT_ONCE))
_left = sa.or_(messages.c.state.in_(_MAYBE_LEFT), sa.and_(messages.c.first_submitted_at.is_not(None), _doubted))
_asked_back = sa.exists().where(statuses_in.c.subject == deliveries.c.id, statuses_in.c.code == TAKE_BACK_ASKED)
_CANDIDATE = (
    sa.select(
        *(documents.c.uid, documents.c.agency, documents.c.document_id, documents.c.header),
        *(documents.c.document_key, documents.c.code_key, documents.c.business_type),
        *(deliveries.c.id.label("subject"), deliveries.c.recipient_code),
        *(messages.c.id.label("message"), messages.c.state.label("message_state")),
        *(_left.label("left"), _asked_back.label("asked_back")),
    )
    .join(deliveries, deliveries.c.document == documents.c.uid)
    .join(message_deliveries, message_deliveries.c.delivery == deliveries.c.id)
    .join(messages, messages.c.id == message_deliveries.c.message)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Who reports to whom: every code under which each may have been written."""

    senders: Collection[str]
    reporters: Collection[str]


async def find(conn: AsyncConnection, report: StatusReport, parties: Parties) -> rows.Row | None:
    """The delivery and the message that wait to be settled, and whose packet the report proves to have arrived."""
    about = report.response_for
    named = Marks(
        document_id=document_key(about.document_id), code=code_key(about.code.strip(" /")), day=about.promulgation_date
    )
    ways = [documents.c.document_key == named.document_id] if named.document_id else []
    ways += [documents.c.code_key == named.code] if named.code else []
    wanted = _CANDIDATE.where(
        documents.c.sender_code.in_(parties.senders), deliveries.c.recipient_key.in_(parties.reporters), sa.or_(*ways)
    )
    found = (await conn.execute(wanted)).all()
    place = proven(report.status_code, named, [_candidate(row) for row in found])
    return found[place] if place is not None and found[place].message_state in _WAITING else None


def _candidate(row: rows.Row) -> Candidate:
    document = from_json(Document, row.header)
    before = followed(document)
    return Candidate(
        marks=Marks(document_id=row.document_key, code=row.code_key, day=document.promulgation_date),
        business_type=row.business_type,
        followed="" if before is None else document_key(before.document_id),
        left=bool(row.left),
        asked_back=bool(row.asked_back),
    )


async def lock(conn: AsyncConnection, wanted: Collection[str]) -> Sequence[rows.Row]:
    """The messages, locked to the end of the transaction in one order, before their deliveries are written."""
    if not wanted:
        return ()
    columns = sa.select(
        *(messages.c.id, messages.c.state, messages.c.attempts, sa.null().label("started_at")),
        *(messages.c.route, messages.c.lease_token, messages.c.lease_until, messages.c.first_submitted_at),
    )
    these = columns.where(messages.c.id.in_(wanted)).order_by(messages.c.id)
    return (await conn.execute(these.with_for_update())).all()


async def conclude(conn: AsyncConnection, held: Sequence[rows.Row], *, at: datetime) -> Mapping[str, ReportedOn]:
    """Mark locked messages SENT that were proven to have arrived; what each was. Leased ones at the attempt's end."""
    ended: dict[str, ReportedOn] = {}
    for row in held:
        if row.state not in _WAITING:
            continue
        if row.lease_token is not None and row.lease_until >= at:
            await _note(conn, row, at)
            continue
        await finish(conn, row, at)
        ended[row.id] = ReportedOn(message=MessageId(row.id), route=AccountName(row.route), was=MessageState(row.state))
    if ended:
        await carry_over(conn, ended.keys(), SENT, at)
    return ended


async def finish(conn: AsyncConnection, held: rows.Row, at: datetime) -> None:
    """End a locked message as SENT; one that waits to be repeated (QUEUED), as if that had begun: nothing leaves."""
    if MessageState(held.state) is MessageState.QUEUED:
        begun = sa.update(messages).where(messages.c.id == held.id).values(state=MessageState.SUBMITTING.value)
        await conn.execute(begun)
        held = await locked(conn, held.id) or held
    await end(conn, held, SENT, at)


async def judged(conn: AsyncConnection, held: rows.Row, settlement: Settlement) -> Settlement:
    """How an attempt ended, a report that came meanwhile considered."""
    if is_outweighed(MessageState(held.state), settlement.state) and await is_noted(conn, held.id):
        return replace(SENT, counted=settlement.counted)
    return settlement


async def is_noted(conn: AsyncConnection, message: str) -> bool:
    """Whether a report came on a packet of this message, made for the recipients and the account it has now.

    None that the axis refused since: who orders it to be sent again after that, knows.
    """
    refused = attempts.alias("refused")
    refused_since = sa.exists().where(
        refused.c.message == attempts.c.message,
        refused.c.number > attempts.c.number,
        refused.c.state == MessageState.FAILED.value,
    )
    noted = sa.exists().where(
        attempts.c.message == messages.c.id,
        attempts.c.reason == REPORTED,
        attempts.c.ended_at >= messages.c.first_submitted_at,
        ~refused_since,
    )
    return (await conn.execute(sa.select(messages.c.id).where(messages.c.id == message, noted))).first() is not None


async def _note(conn: AsyncConnection, held: rows.Row, at: datetime) -> None:
    """Put a report on record for the end of the attempt that runs."""
    if await is_noted(conn, held.id):
        return
    unchanged = replace(SENT, state=MessageState(held.state))
    first = held.first_submitted_at
    await log(conn, held, unchanged, at if first is None else max(at, first))  # clocks of replicas may differ


async def learn(
    conn: AsyncConnection, message: str, axis_doc_id: AxisDocId, *conditions: sa.ColumnElement[bool]
) -> bool:
    """Note under which id the axis has a message that was SENT without; False if there is no such message."""
    nameless = sa.and_(messages.c.state == MessageState.SENT.value, messages.c.axis_doc_id.is_(None))
    change = sa.update(messages).where(messages.c.id == message, nameless, *conditions).values(axis_doc_id=axis_doc_id)
    if (await conn.execute(change.returning(messages.c.id))).first() is None:
        return False
    mine = sa.select(message_deliveries.c.delivery).where(message_deliveries.c.message == message)
    await conn.execute(sa.update(deliveries).where(deliveries.c.id.in_(mine)).values(axis_doc_id=axis_doc_id))
    return True


async def has_nameless_twin(conn: AsyncConnection, message: str) -> bool:
    """Whether what the axis lists as this message may be another, one SENT under an id that nobody knows."""
    mine = sa.select(
        messages.c.route,
        messages.c.created_at,
        messages.c.first_submitted_at,
        documents.c.sender_code,
        documents.c.code_key,
    ).join(documents, documents.c.uid == messages.c.document)
    row = (await conn.execute(mine.where(messages.c.id == message))).one_or_none()
    if row is None:  # a status
        return False
    since: datetime = (row.first_submitted_at or row.created_at) - _ALIKE
    twin = sa.select(messages.c.id).join(documents, documents.c.uid == messages.c.document)
    twin = twin.where(
        messages.c.route == row.route,
        messages.c.sent_at >= since,
        messages.c.axis_doc_id.is_(None),
        messages.c.id != message,
        documents.c.sender_code == row.sender_code,
        documents.c.code_key == row.code_key,
    )
    return (await conn.execute(twin.limit(1))).first() is not None
