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
from gateway.domain.packet import Misfit, PacketDefect, Received, SplitPacket
from gateway.domain.status import StatusReport
from gateway.ports.inbound import (
    Arrival,
    ContentConflict,
    InboundItems,
    ItemRecord,
    Original,
    StatusPlaced,
    StatusUnplaced,
    Stored,
)
from gateway.store import contents, packetparts, placing, removals, rows
from gateway.store.blobindex import forget, redundant, register
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
            if await _row(conn, received) is not None:
                return await redundant(conn, [received.raw])
            spare = await register(conn, [received.raw])
            item = received.item
            new = upsert(axis_items).values(
                account=received.account,
                axis_doc_id=item.axis_doc_id,
                kind=item.kind.value,
                recipients=rows.recipients_json(item.recipients),
                raw=received.raw.digest,
                state=ItemState.FETCHED.value,
                recorded_at=at,
            )
            made = await conn.execute(new.on_conflict_do_nothing().returning(axis_items.c.axis_doc_id))
            if made.first() is None:  # another gateway recorded it since the look above
                await forget(conn, [received.raw.digest])
                return await redundant(conn, [received.raw])
            return spare

        return await self._database.write(work)

    async def unfinished(self, account: AccountName, *, limit: int) -> tuple[ItemRecord, ...]:
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
            state = await _state(conn, received)
            if state in (ItemState.STORED, ItemState.SETTLED):
                return StatusPlaced(repeated=True)
            placed = await placing.place(conn, report, at=at)
            if isinstance(placed, StatusUnplaced):
                defect = PacketDefect(
                    code=Misfit.STATUS_UNPLACED, path="edXML/edXMLEnvelope/edXMLHeader/Status", message=placed.reason
                )
                await _quarantine(conn, received, defect)
            else:
                await _move(conn, received, ItemState.STORED)
            return placed

        return await self._database.write(work)

    async def quarantine(self, received: Received, defect: PacketDefect) -> None:
        """See InboundItems."""
        await self._database.write(lambda conn: _quarantine(conn, received, defect))

    async def told(self, account: AccountName, axis_doc_id: AxisDocId, *, at: datetime) -> None:
        """See InboundItems. Repeating it changes nothing, nor does telling of an item that retention removed."""

        async def work(conn: AsyncConnection) -> None:
            mine = sa.and_(axis_items.c.account == account, axis_items.c.axis_doc_id == axis_doc_id)
            held = sa.select(axis_items.c.state).where(mine).with_for_update()
            found = (await conn.execute(held)).scalar_one_or_none()
            gone = removals.key(account, axis_doc_id)
            if found is None and await removals.find(conn, removals.AXIS_ITEM, gone) is not None:
                return
            if found is None:
                raise IllegalMoveError(f"item {axis_doc_id} was never recorded")
            state = ItemState(found)
            if state in _DONE.values():
                return
            after = _DONE.get(state, ItemState.SETTLED)
            check(ITEM_MOVES, state, after)
            await conn.execute(sa.update(axis_items).where(mine).values(state=after.value, told_at=at))

        await self._database.write(work)


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
        await _move(conn, arrival, ItemState.STORED)
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
    await _move(conn, arrival, ItemState.STORED)
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


async def _row(conn: AsyncConnection, of: Received | Arrival) -> rows.Row | None:
    mine = sa.select(axis_items.c.state).where(_is(of)).with_for_update()
    return (await conn.execute(mine)).one_or_none()


async def _state(conn: AsyncConnection, of: Received | Arrival) -> ItemState:
    row = await _row(conn, of)
    if row is None:
        raise IllegalMoveError(f"item {of.item.axis_doc_id} was never recorded")
    return ItemState(row.state)


def _is(of: Received | Arrival) -> sa.ColumnElement[bool]:
    return sa.and_(axis_items.c.account == of.account, axis_items.c.axis_doc_id == of.item.axis_doc_id)


async def _move(conn: AsyncConnection, of: Received | Arrival, after: ItemState) -> None:
    check(ITEM_MOVES, await _state(conn, of), after)
    await conn.execute(sa.update(axis_items).where(_is(of)).values(state=after.value))


async def _quarantine(conn: AsyncConnection, of: Received | Arrival, defect: PacketDefect) -> None:
    """Mark an item with its first defect; one that is quarantined already keeps it."""
    if await _state(conn, of) in (ItemState.QUARANTINED, ItemState.REJECTED):
        return
    await _move(conn, of, ItemState.QUARANTINED)
    said = {"defect_code": defect.code, "defect_path": defect.path, "defect_message": defect.message}
    await conn.execute(sa.update(axis_items).where(_is(of)).values(said))
