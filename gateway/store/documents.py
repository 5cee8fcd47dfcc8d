"""Implements Documents: what vendors submitted."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.agency import code_key
from gateway.domain.document import BusinessType, ResponseFor
from gateway.domain.ids import Digest, DocumentUid, VendorId
from gateway.domain.lifecycle import DeliveryState
from gateway.domain.packet import PacketKind, StoredObject
from gateway.domain.routing import Share
from gateway.domain.status import DeliveryChange
from gateway.ports.outbound import (
    Acceptance,
    DeliveryView,
    DocumentFilter,
    DocumentPage,
    DocumentRemoved,
    DocumentReused,
    Documents,
    Followed,
    PageKey,
    RequestReused,
    SentDocument,
    Taken,
)
from gateway.store import contents, eventlog, following, listing, removals, rows
from gateway.store.blobindex import redundant, register
from gateway.store.engine import Database
from gateway.store.keys import document_key
from gateway.store.messages import NewMessage, enqueue
from gateway.store.statements import batches, upsert
from gateway.store.tables import attachments, deliveries, documents, requests


class SqlDocuments(Documents):
    """The sent documents in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def repetition(
        self, vendor: VendorId, request_id: str, request_digest: Digest
    ) -> Taken | RequestReused | DocumentRemoved | None:
        """See Documents."""
        return await self._database.read(lambda conn: _earlier(conn, vendor, request_id, request_digest, ()))

    async def accept(
        self, acceptance: Acceptance, *, at: datetime
    ) -> Taken | RequestReused | DocumentReused | DocumentRemoved:
        """See Documents."""
        return await self._database.write(lambda conn: _accept(conn, acceptance, at))

    async def followed(self, named: ResponseFor) -> Followed | None:
        """See Documents."""
        return await self._database.read(lambda conn: following.find(conn, named))

    async def get(self, uid: DocumentUid) -> SentDocument | None:
        """See Documents."""
        return await self._database.read(lambda conn: _get(conn, uid))

    async def list(self, wanted: DocumentFilter, *, after: PageKey | None, limit: int) -> DocumentPage:
        """See Documents."""
        return await self._database.read(lambda conn: listing.page(conn, wanted, after, limit))

    async def attachment(self, uid: DocumentUid, index: int) -> StoredObject | None:
        """See Documents; `index` counts from 0."""
        owner = attachments.c.document == uid
        return await self._database.read(lambda conn: contents.one(conn, attachments, owner, index))


async def _accept(
    conn: AsyncConnection, acceptance: Acceptance, at: datetime
) -> Taken | RequestReused | DocumentReused | DocumentRemoved:
    uid = DocumentUid(uuid4().hex)
    claim = upsert(requests).values(
        vendor=acceptance.vendor,
        request_id=acceptance.request_id,
        request_digest=acceptance.request_digest,
        document=uid,
    )
    claimed = await conn.execute(claim.on_conflict_do_nothing().returning(requests.c.document))
    if claimed.first() is None:
        earlier = await _earlier(
            conn, acceptance.vendor, acceptance.request_id, acceptance.request_digest, acceptance.objects
        )
        assert earlier is not None
        return earlier
    answer = await _take(conn, uid, acceptance, at)
    if not isinstance(answer, Taken):
        await conn.execute(sa.delete(requests).where(requests.c.document == uid))
    return answer


async def _take(
    conn: AsyncConnection, uid: DocumentUid, acceptance: Acceptance, at: datetime
) -> Taken | RequestReused | DocumentReused | DocumentRemoved:
    """What becomes of a request whose id is claimed."""
    # Looked up once its keys are taken: a removal that held them until now has ended.
    gone = await _removed_request(conn, acceptance.vendor, acceptance.request_id, acceptance.request_digest)
    if gone is not None:
        return gone
    twin = None if acceptance.follows is None else await following.twin(conn, acceptance)
    if twin is not None:
        return await _repeats(conn, acceptance, twin)
    if not await _insert(conn, uid, acceptance, at):
        if not await _supersede(conn, acceptance, at):
            return await _same_document(conn, acceptance)
        assert await _insert(conn, uid, acceptance, at)
    removed = await _removed_document(conn, acceptance)
    if removed is not None:
        await conn.execute(sa.delete(documents).where(documents.c.uid == uid))
        return removed
    spare = await register(conn, acceptance.objects)
    await contents.write(conn, attachments, uid, acceptance.document.attachments)
    await _insert_deliveries(conn, uid, acceptance, at)
    return Taken(sent=_accepted(uid, acceptance, at), repeated=False, redundant=spare)


async def _earlier(
    conn: AsyncConnection,
    vendor: VendorId,
    request_id: str,
    request_digest: Digest,
    objects: Sequence[StoredObject],
) -> Taken | RequestReused | DocumentRemoved | None:
    """What an earlier use of the request id became; `objects` came with this one."""
    used = sa.select(requests.c.document, requests.c.request_digest)
    row = (
        await conn.execute(used.where(requests.c.vendor == vendor, requests.c.request_id == request_id))
    ).one_or_none()
    if row is None:
        return await _removed_request(conn, vendor, request_id, request_digest)
    if row.request_digest != request_digest:
        return RequestReused()
    sent = await _get(conn, DocumentUid(row.document))
    assert sent is not None
    return Taken(sent=sent, repeated=True, redundant=await redundant(conn, objects))


def _with_its_id(acceptance: Acceptance) -> sa.ColumnElement[bool]:
    """The one document that holds the sender's document id."""
    return sa.and_(
        documents.c.sender_code == code_key(acceptance.document.sender.organ_id),
        documents.c.document_id == acceptance.document.document_id,
        documents.c.business_type == BusinessType.NEW.value,
        documents.c.superseded_at.is_(None),
    )


async def _supersede(conn: AsyncConnection, acceptance: Acceptance, at: datetime) -> bool:
    """Free the document id if the document that holds it failed for every recipient; True if so.

    Otherwise a number that the axis refused once, say for an unknown recipient, could never be sent again.
    """
    await conn.execute(sa.select(documents.c.uid).where(_with_its_id(acceptance)).with_for_update())  # from operators
    free = sa.update(documents).where(_with_its_id(acceptance), ~following.ALIVE).values(superseded_at=at)
    return (await conn.execute(free.returning(documents.c.uid))).first() is not None


async def _removed_request(
    conn: AsyncConnection, vendor: VendorId, request_id: str, request_digest: Digest
) -> RequestReused | DocumentRemoved | None:
    """What became of a request id whose document retention has removed."""
    request = await removals.find(conn, removals.REQUEST, removals.key(vendor, request_id))
    if request is None:
        return None
    if request["request_digest"] != request_digest:
        return RequestReused()
    return DocumentRemoved(document_id=request["document_id"])


async def _removed_document(conn: AsyncConnection, acceptance: Acceptance) -> DocumentReused | DocumentRemoved | None:
    """What became of a document id whose document was sent and has been removed by retention."""
    document = acceptance.document
    if document.business_type != BusinessType.NEW:
        return None
    key = removals.key(code_key(document.sender.organ_id), document.document_id)
    identity = await removals.find(conn, removals.SENT_IDENTITY, key)
    if identity is None:
        return None
    if identity["content_digest"] != acceptance.content_digest:
        return DocumentReused()
    return DocumentRemoved(document_id=document.document_id)


async def _same_document(conn: AsyncConnection, acceptance: Acceptance) -> Taken | DocumentReused | DocumentRemoved:
    """The sender's document id is taken: by the same content, or by another's."""
    first = sa.select(documents.c.uid, documents.c.content_digest).where(_with_its_id(acceptance))
    row = (await conn.execute(first.with_for_update(read=True, key_share=True))).one_or_none()
    if row is None:  # retention took it away just now
        removed = await _removed_document(conn, acceptance)
        assert removed is not None
        return removed
    if row.content_digest != acceptance.content_digest:
        return DocumentReused()
    return await _repeats(conn, acceptance, DocumentUid(row.uid))


async def _repeats(conn: AsyncConnection, acceptance: Acceptance, first: DocumentUid) -> Taken:
    """The request stands for a document taken before."""
    mine = sa.and_(requests.c.vendor == acceptance.vendor, requests.c.request_id == acceptance.request_id)
    await conn.execute(sa.update(requests).where(mine).values(document=first))
    sent = await _get(conn, first)
    assert sent is not None
    return Taken(sent=sent, repeated=True, redundant=await redundant(conn, acceptance.objects))


async def _insert(conn: AsyncConnection, uid: DocumentUid, acceptance: Acceptance, at: datetime) -> bool:
    """Write the document's own row; False if its sender used the document id before."""
    document = acceptance.document
    row = upsert(documents).values(
        uid=uid,
        vendor=acceptance.vendor,
        agency=acceptance.agency,
        sender_code=code_key(document.sender.organ_id),
        document_id=document.document_id,
        document_key=document_key(document.document_id),
        code_key=code_key(document.code),
        business_type=int(document.business_type),
        content_digest=acceptance.content_digest,
        header=rows.header_json(document),
        accepted_at=at,
    )
    return (await conn.execute(row.on_conflict_do_nothing().returning(documents.c.uid))).first() is not None


async def _insert_deliveries(conn: AsyncConnection, uid: DocumentUid, acceptance: Acceptance, at: datetime) -> None:
    """One delivery per recipient, one message per chunk of them, one event each."""
    document = acceptance.document
    ids = [uuid4().hex for _ in document.to]
    values = [
        {
            "id": ids[position],
            "document": uid,
            "position": position,
            "recipient_code": recipient.organ_id,
            "recipient_key": code_key(recipient.organ_id),
            "state": DeliveryState.QUEUED.value,
            "attempts": 0,
            "reason": "",
            "last_status": "",
            "updated_at": at,
        }
        for position, recipient in enumerate(document.to)
    ]
    await conn.execute(sa.insert(deliveries), values)
    key = await following.order(conn, acceptance)
    chunks = [
        NewMessage(
            kind=PacketKind.DOCUMENT,
            route=share.accounts[0],
            ordering_key=key,
            lane=lane if acceptance.follows is None else None,
            priority=document.other_info.priority,
            document=uid,
            deliveries=[ids[place] for place in places],
            deadline_at=acceptance.deadline_at,
            alternatives=share.accounts[1:],
        )
        for lane, (share, places) in enumerate(_packets(acceptance))
    ]
    await enqueue(conn, chunks, at=at)
    queued = DeliveryChange(state=DeliveryState.QUEUED.value, attempts=0, reason="")
    news = [
        eventlog.NewEvent(
            agency=acceptance.agency,
            resource=f"documents/{uid}",
            document_id=document.document_id,
            recipient_code=recipient.organ_id,
            change=queued,
        )
        for recipient in document.to
    ]
    await eventlog.append(conn, news, at=at)


def _packets(acceptance: Acceptance) -> Iterator[tuple[Share, Sequence[int]]]:
    """Places of the recipients of each packet, share by share."""
    assert sorted(p for share in acceptance.shares for p in share.places) == list(range(len(acceptance.document.to)))
    for share in acceptance.shares:
        for places in batches(share.places, share.together):
            yield share, places


def _accepted(uid: DocumentUid, acceptance: Acceptance, at: datetime) -> SentDocument:
    """What a look would find now; looking takes long where recipients are thousands."""
    views = tuple(
        DeliveryView(
            recipient=recipient.organ_id,
            state=DeliveryState.QUEUED,
            attempts=0,
            reason="",
            last_status="",
            updated_at=at,
        )
        for recipient in acceptance.document.to
    )
    return SentDocument(
        uid=uid, agency=acceptance.agency, document=acceptance.document, accepted_at=at, deliveries=views
    )


async def _get(conn: AsyncConnection, uid: DocumentUid) -> SentDocument | None:
    row = (await conn.execute(listing.DOCUMENT.where(documents.c.uid == uid))).one_or_none()
    if row is None:
        return None
    content = await contents.read(conn, attachments, [uid])
    views = await _deliveries(conn, uid)
    return rows.sent_of(row, content.get(uid, contents.Content()).attachments, views)


async def _deliveries(conn: AsyncConnection, uid: DocumentUid) -> tuple[DeliveryView, ...]:
    columns = sa.select(
        deliveries.c.recipient_code,
        deliveries.c.state,
        deliveries.c.attempts,
        deliveries.c.reason,
        deliveries.c.last_status,
        deliveries.c.updated_at,
    )
    found = await conn.execute(columns.where(deliveries.c.document == uid).order_by(deliveries.c.position))
    return tuple(rows.delivery_of(row) for row in found)
