"""Implements InboundItems: what the axis had waiting, and how far it has come in."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.agency import Agency, code_key
from gateway.domain.document import BusinessType
from gateway.domain.ids import AccountName, AxisDocId, ObjectKey
from gateway.domain.lifecycle import ITEM_MOVES, ItemState, ReceptionState
from gateway.domain.packet import Misfit, PacketDefect, PacketKind, Received, SplitPacket
from gateway.domain.status import StatusReport
from gateway.ports.inbound import (
    Arrival,
    ContentConflict,
    InboundItems,
    ItemRecord,
    Original,
    StatusesTaken,
    StatusPlaced,
    StatusUnplaced,
    Stored,
)
from gateway.store import contents, packetparts, placing, removals, rows
from gateway.store.blobindex import forget, keep, redundant, register
from gateway.store.engine import Database
from gateway.store.keys import document_key
from gateway.store.messages import enqueue, status_message, urgency
from gateway.store.moves import IllegalMoveError, check
from gateway.store.statements import batches, upsert
from gateway.store.tables import axis_items, blobs, inbound_attachments, inbound_documents, receptions

_CONTENT_CONFLICT = PacketDefect(
    code=Misfit.CONTENT_CONFLICT,
    path="edXML/edXMLEnvelope/edXMLHeader/MessageHeader/DocumentId",
    message="the sender has used this DocumentId before for other content",
)

_DONE = {ItemState.STORED: ItemState.SETTLED, ItemState.QUARANTINED: ItemState.REJECTED}


REOPENED: Mapping[str, object] = {
    "state": ItemState.FETCHED.value,
    "told_at": None,
    "defect_code": None,
    "defect_path": None,
    "defect_message": None,
}
"""Columns of an item that is to be read again."""


class SqlInboundItems(InboundItems):
    """The axis items in the store. Raises IllegalMoveError where a flow leaves the lifecycle."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def states(self, account: AccountName, ids: Collection[AxisDocId]) -> Mapping[AxisDocId, ItemState]:
        """See InboundItems."""
        columns = sa.select(axis_items.c.axis_doc_id, axis_items.c.state).where(axis_items.c.account == account)

        async def work(conn: AsyncConnection) -> Mapping[AxisDocId, ItemState]:
            found: dict[AxisDocId, ItemState] = {}
            for batch in batches(set(ids)):
                held = await conn.execute(columns.where(axis_items.c.axis_doc_id.in_(batch)))
                found.update((AxisDocId(row.axis_doc_id), ItemState(row.state)) for row in held)
            unknown = {removals.key(account, each): each for each in set(ids) - found.keys()}
            gone = await removals.known(conn, removals.AXIS_ITEM, unknown)
            return found | {unknown[key]: ItemState.SETTLED for key in gone}

        return await self._database.read(work)

    async def record(self, received: Received, *, at: datetime) -> tuple[ObjectKey, ...]:
        """See InboundItems. A second fetch of an item adds nothing, whatever bytes it brought."""

        async def work(conn: AsyncConnection) -> tuple[ObjectKey, ...]:
            await _record(conn, [received], at)
            return await redundant(conn, [received.raw])

        return await self._database.write(work)

    async def unfinished(
        self, account: AccountName, *, limit: int, kind: PacketKind | None = None
    ) -> tuple[ItemRecord, ...]:
        """See InboundItems."""
        columns = sa.select(
            axis_items.c.account,
            axis_items.c.axis_doc_id,
            axis_items.c.kind,
            axis_items.c.recipients,
            axis_items.c.state,
            blobs.c.sha256,
            blobs.c.size,
            blobs.c.object_key,
            axis_items.c.packet_sha256,
        ).join(blobs, blobs.c.sha256 == axis_items.c.raw)
        wanted = columns.where(axis_items.c.account == account, axis_items.c.told_at.is_(None))
        if kind is not None:
            wanted = wanted.where(axis_items.c.kind == kind.value)
        wanted = wanted.order_by(axis_items.c.recorded_at, axis_items.c.axis_doc_id).limit(limit)

        async def work(conn: AsyncConnection) -> tuple[ItemRecord, ...]:
            return tuple(rows.item_of(row) for row in await conn.execute(wanted))

        return await self._database.read(work)

    async def store(
        self, arrival: Arrival, *, receipts: Sequence[StatusReport], at: datetime
    ) -> Stored | ContentConflict:
        """See InboundItems."""
        return await self._database.write(lambda conn: _store(conn, arrival, receipts, at))

    async def split(self, received: Received, parts: SplitPacket) -> tuple[ObjectKey, ...]:
        """See InboundItems."""
        return await self._database.write(lambda conn: packetparts.split(conn, received, parts))

    async def original(self, account: AccountName, axis_doc_id: AxisDocId) -> Original | None:
        """See InboundItems."""
        return await self._database.read(lambda conn: packetparts.original(conn, account, axis_doc_id))

    async def place_status(
        self, received: Received, report: StatusReport, *, at: datetime
    ) -> StatusPlaced | StatusUnplaced:
        """See InboundItems."""

        async def work(conn: AsyncConnection) -> StatusPlaced | StatusUnplaced:
            (outcome,) = await _place(conn, [(received, report)], at)
            return outcome

        return await self._database.write(work)

    async def take_statuses(self, batch: Sequence[tuple[Received, StatusReport]], *, at: datetime) -> StatusesTaken:
        """See InboundItems."""

        async def work(conn: AsyncConnection) -> StatusesTaken:
            packets = [received for received, _ in batch]
            await _record(conn, packets, at)
            spare = await redundant(conn, [received.raw for received in packets])
            return StatusesTaken(outcomes=await _place(conn, batch, at), redundant=spare)

        return await self._database.write(work)

    async def quarantine(self, received: Received, defect: PacketDefect) -> None:
        """See InboundItems."""
        await self._database.write(lambda conn: _quarantine(conn, received, defect))

    async def reopen(self, account: AccountName, axis_doc_id: AxisDocId) -> None:
        """See InboundItems."""
        mine = sa.and_(axis_items.c.account == account, axis_items.c.axis_doc_id == axis_doc_id)
        kept = axis_items.c.state.in_([ItemState.QUARANTINED.value, ItemState.REJECTED.value])
        await self._database.write(lambda conn: conn.execute(sa.update(axis_items).where(mine, kept).values(REOPENED)))

    async def defect(self, account: AccountName, axis_doc_id: AxisDocId) -> PacketDefect | None:
        """See InboundItems."""
        said = sa.select(axis_items.c.defect_code, axis_items.c.defect_path, axis_items.c.defect_message).where(
            axis_items.c.account == account, axis_items.c.axis_doc_id == axis_doc_id
        )

        async def work(conn: AsyncConnection) -> PacketDefect | None:
            row = (await conn.execute(said)).one_or_none()
            if row is None or row.defect_code is None:
                return None
            return PacketDefect(code=row.defect_code, path=row.defect_path or "", message=row.defect_message or "")

        return await self._database.read(work)

    async def told(self, account: AccountName, ids: Collection[AxisDocId], *, at: datetime) -> None:
        """See InboundItems. Repeating it changes nothing, nor does telling of an item that retention removed."""
        await self._database.write(lambda conn: _told(conn, account, ids, at))


async def _told(conn: AsyncConnection, account: AccountName, ids: Collection[AxisDocId], at: datetime) -> None:
    columns = sa.select(axis_items.c.axis_doc_id, axis_items.c.state).order_by(axis_items.c.axis_doc_id)
    for batch in batches(sorted(set(ids))):
        these = sa.and_(axis_items.c.account == account, axis_items.c.axis_doc_id.in_(batch))
        held = {
            row.axis_doc_id: ItemState(row.state) for row in await conn.execute(columns.where(these).with_for_update())
        }
        unknown = {removals.key(account, each): each for each in batch if each not in held}
        if never := unknown.keys() - await removals.known(conn, removals.AXIS_ITEM, unknown):
            raise IllegalMoveError(f"items {sorted(unknown[key] for key in never)} were never recorded")
        # What is FETCHED an operator has just ordered to be taken in again: the axis is told of it then.
        for before, after in _DONE.items():
            check(ITEM_MOVES, before, after)
            now = [id_ for id_, state in held.items() if state is before]
            if now:
                mine = sa.and_(axis_items.c.account == account, axis_items.c.axis_doc_id.in_(now))
                await conn.execute(sa.update(axis_items).where(mine).values(state=after.value, told_at=at))


async def _record(conn: AsyncConnection, packets: Sequence[Received], at: datetime) -> None:
    """Make rows for those items of an account that have none."""
    known = await _states(conn, packets)
    new = [each for each in packets if each.item.axis_doc_id not in known]
    if not new:
        return
    await keep(conn, [each.raw for each in new])
    values = [
        {
            "account": each.account,
            "axis_doc_id": each.item.axis_doc_id,
            "kind": each.item.kind.value,
            "recipients": rows.recipients_json(each.item.recipients),
            "raw": each.raw.digest,
            "state": ItemState.FETCHED.value,
            "recorded_at": at,
        }
        for each in new
    ]
    insert = upsert(axis_items).values(values).on_conflict_do_nothing().returning(axis_items.c.axis_doc_id)
    made = set(await conn.scalars(insert))
    # The others were recorded by another gateway since the look above.
    await forget(conn, [each.raw.digest for each in new if each.item.axis_doc_id not in made])


async def _place(
    conn: AsyncConnection, batch: Sequence[tuple[Received, StatusReport]], at: datetime
) -> tuple[StatusPlaced | StatusUnplaced, ...]:
    """Place statuses of recorded items of an account, in this order."""
    states = await _states(conn, [received for received, _ in batch])
    ids = [received.item.axis_doc_id for received, _ in batch]
    if never := set(ids) - states.keys():
        raise IllegalMoveError(f"items {sorted(never)} were never recorded")
    fresh = [each for each in batch if states[each[0].item.axis_doc_id] not in (ItemState.STORED, ItemState.SETTLED)]
    placed = await placing.place_all(conn, [report for _, report in fresh], at=at)
    outcomes = {received.item.axis_doc_id: outcome for (received, _), outcome in zip(fresh, placed, strict=True)}
    done = [id_ for id_, outcome in outcomes.items() if isinstance(outcome, StatusPlaced)]
    for id_ in done:
        check(ITEM_MOVES, states[id_], ItemState.STORED)
    mine = sa.and_(axis_items.c.account == batch[0][0].account, axis_items.c.axis_doc_id.in_(done))
    await conn.execute(sa.update(axis_items).where(mine).values(state=ItemState.STORED.value))
    for received, _ in fresh:
        outcome = outcomes[received.item.axis_doc_id]
        if isinstance(outcome, StatusUnplaced):
            await _quarantine(conn, received, _unplaced(outcome))
    return tuple([outcomes.get(id_, StatusPlaced(repeated=True)) for id_ in ids])


def _unplaced(placed: StatusUnplaced) -> PacketDefect:
    path = "edXML/edXMLEnvelope/edXMLHeader/Status"
    return PacketDefect(code=Misfit.STATUS_UNPLACED, path=path, message=placed.reason)


async def _store(
    conn: AsyncConnection, arrival: Arrival, receipts: Sequence[StatusReport], at: datetime
) -> Stored | ContentConflict:
    verified = arrival.verified
    state = await _state(conn, arrival)
    if state in (ItemState.STORED, ItemState.SETTLED):
        return Stored(added=0, redundant=await redundant(conn, verified.objects))
    check(ITEM_MOVES, state, ItemState.STORED)
    identity = _identity(arrival)
    removed = await removals.find(conn, removals.INBOUND_IDENTITY, removals.key(*identity.values()))
    if removed is not None and removed["content_digest"] == arrival.content_digest:
        await _move(conn, arrival, state, ItemState.STORED)
        return Stored(added=0, redundant=await redundant(conn, verified.objects))
    owner, new = (None, False) if removed is not None else await _claim(conn, arrival, identity, at)
    if owner is None:
        await _quarantine(conn, arrival, _CONTENT_CONFLICT)
        return ContentConflict(redundant=await redundant(conn, verified.objects))
    if new:
        spare = await register(conn, verified.objects)
        await contents.write(conn, inbound_attachments, owner, verified.document.attachments)
    else:
        spare = await redundant(conn, verified.objects)
    added = await _add_receptions(conn, owner, arrival, at)
    codes = {code_key(code) for agency in added for code in (agency.code, *agency.aliases)}
    due = [each for each in receipts if code_key(each.sender.organ_id) in codes]
    await _move(conn, arrival, state, ItemState.STORED)
    await enqueue(conn, [status_message(arrival.account, each) for each in due], at=at)
    return Stored(added=len(added), redundant=spare)


def _identity(arrival: Arrival) -> Mapping[str, int | str]:
    """What makes a received document the same one, as columns in the order of their key."""
    document = arrival.verified.document
    # Other content under one id is a conflict for a new document that has an id, else simply a further message.
    unique = document.business_type == BusinessType.NEW and document.document_id.strip()
    return {
        "business_type": int(document.business_type),
        "sender_code": code_key(document.sender.organ_id),
        "document_id": document.document_id.strip(),
        "variant": "" if unique else arrival.content_digest,
    }


async def _claim(
    conn: AsyncConnection, arrival: Arrival, identity: Mapping[str, int | str], at: datetime
) -> tuple[str | None, bool]:
    """The row of this very document, and whether it is new; None if the sender's id stands for other content."""
    document = arrival.verified.document
    insert = upsert(inbound_documents).values(
        id=uuid4().hex,
        **identity,
        document_key=document_key(document.document_id),
        code_key=code_key(document.code),
        content_digest=arrival.content_digest,
        header=rows.header_json(document),
        warnings=rows.warnings_json(arrival.verified.warnings),
        account=arrival.account,
        axis_doc_id=arrival.item.axis_doc_id,
        received_at=at,
    )
    made = (await conn.execute(insert.on_conflict_do_nothing().returning(inbound_documents.c.id))).scalar_one_or_none()
    if made is not None:
        return str(made), True
    first = sa.select(inbound_documents.c.id, inbound_documents.c.content_digest)
    same = [inbound_documents.c[name] == value for name, value in identity.items()]
    held = (await conn.execute(first.where(*same))).one()
    return (held.id if held.content_digest == arrival.content_digest else None), False


async def _add_receptions(conn: AsyncConnection, owner: str, arrival: Arrival, at: datetime) -> list[Agency]:
    """One reception per local recipient that has none yet; the agencies of the new ones."""
    wanted = {agency.id: agency for agency in arrival.recipients}
    state = ReceptionState.REFUSED if arrival.refusal else ReceptionState.WAITING
    added: list[Agency] = []
    for batch in batches(wanted.values()):
        values = [
            {
                "id": uuid4().hex,
                "document": owner,
                "agency": agency.id,
                "state": state.value,
                "priority": urgency(arrival.verified.document.other_info.priority),
                "received_at": at,
                "waiting_since": None if arrival.refusal else at,
                "delivery_attempt": 0,
                "refusal": arrival.refusal,
            }
            for agency in batch
        ]
        insert = upsert(receptions).values(values).on_conflict_do_nothing().returning(receptions.c.agency)
        new = set(await conn.scalars(insert))
        added.extend(agency for agency in batch if agency.id in new)
    return added


async def _states(conn: AsyncConnection, of: Sequence[Received | Arrival]) -> Mapping[AxisDocId, ItemState]:
    """States of items of one account, which nobody else changes before the end of this transaction."""
    ids = sorted(each.item.axis_doc_id for each in of)
    mine = sa.and_(axis_items.c.account == of[0].account, axis_items.c.axis_doc_id.in_(ids))
    held = sa.select(axis_items.c.axis_doc_id, axis_items.c.state).where(mine).order_by(axis_items.c.axis_doc_id)
    return {AxisDocId(row.axis_doc_id): ItemState(row.state) for row in await conn.execute(held.with_for_update())}


async def _state(conn: AsyncConnection, of: Received | Arrival) -> ItemState:
    found = await _states(conn, [of])
    if not found:
        raise IllegalMoveError(f"item {of.item.axis_doc_id} was never recorded")
    return found[of.item.axis_doc_id]


def _is(of: Received | Arrival) -> sa.ColumnElement[bool]:
    return sa.and_(axis_items.c.account == of.account, axis_items.c.axis_doc_id == of.item.axis_doc_id)


async def _move(
    conn: AsyncConnection, of: Received | Arrival, before: ItemState, after: ItemState, **said: str
) -> None:
    """`before` was read in this transaction, which has locked the row since."""
    check(ITEM_MOVES, before, after)
    await conn.execute(sa.update(axis_items).where(_is(of)).values(state=after.value, **said))


async def _quarantine(conn: AsyncConnection, of: Received | Arrival, defect: PacketDefect) -> None:
    """Mark an item with its first defect; one that is quarantined already keeps it."""
    before = await _state(conn, of)
    if before in (ItemState.QUARANTINED, ItemState.REJECTED):
        return
    said = {"defect_code": defect.code, "defect_path": defect.path, "defect_message": defect.message}
    await _move(conn, of, before, ItemState.QUARANTINED, **said)
