"""Finds what a recall, update or replacement follows, puts it behind that, and keeps it there."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.agency import code_key, same_code
from gateway.domain.document import BusinessType, Document, ResponseFor
from gateway.domain.ids import DocumentUid
from gateway.domain.lifecycle import DeliveryState, MessageState
from gateway.ports.outbound import Acceptance, Followed
from gateway.store import rows
from gateway.store.directory import code_forms
from gateway.store.keys import document_key
from gateway.store.messages import document_order
from gateway.store.tables import deliveries, documents, message_deliveries, messages

ALIVE = sa.exists().where(deliveries.c.document == documents.c.uid, deliveries.c.state != DeliveryState.FAILED.value)
"""Whether a document did not fail for every recipient."""
_place = sa.func.coalesce(messages.c.place, messages.c.sequence)


async def find(conn: AsyncConnection, named: ResponseFor) -> Followed | None:
    """See Documents.followed."""
    document_id = named.document_id.strip()
    ways = (
        (documents.c.document_id == document_id, documents.c.document_key == document_key(document_id))
        if document_id
        else (documents.c.code_key == code_key(named.code.strip(" /")),)
    )
    senders = await code_forms(conn, named.organ_id)
    mine = sa.select(documents.c.uid, documents.c.header).where(
        documents.c.sender_code.in_(senders), documents.c.business_type != BusinessType.RECALL.value
    )
    newest = mine.order_by(documents.c.accepted_at.desc(), documents.c.uid)
    for matches in ways:
        found = [(row.uid, rows.document_of(row.header, ())) for row in await conn.execute(newest.where(matches))]
        if not document_id:  # numbers begin anew every year
            found = [(uid, each) for uid, each in found if each.promulgation_date == named.promulgation_date]
        if found:
            # An update may keep the document id and change the number: the one whose marks were given is meant.
            uid, document = next((each for each in found if _fits(named, each[1])), found[0])
            sent_to = frozenset(organization.organ_id for _, each in found for organization in each.to)
            return Followed(uid=DocumentUid(uid), document=document, recipients=sent_to)
    return None


def _fits(named: ResponseFor, document: Document) -> bool:
    """True if the number and the date, where they are given, are the document's."""
    code, day = named.code.strip(" /"), named.promulgation_date
    return (not code or same_code(code, document.code)) and day in (None, document.promulgation_date)


async def twin(conn: AsyncConnection, acceptance: Acceptance) -> DocumentUid | None:
    """The same recall, update or replacement, taken before, that did not fail for every recipient.

    Race-free: what follows one document is accepted one after the other.
    """
    alone = sa.select(documents.c.uid).where(documents.c.uid == acceptance.follows).with_for_update(key_share=True)
    await conn.execute(alone)
    same = sa.select(documents.c.uid).where(
        documents.c.sender_code == code_key(acceptance.document.sender.organ_id),
        documents.c.document_id == acceptance.document.document_id,
        documents.c.business_type == int(acceptance.document.business_type),
        documents.c.content_digest == acceptance.content_digest,
        ALIVE,
    )
    uid = (await conn.scalars(same.order_by(documents.c.accepted_at).limit(1))).first()
    return None if uid is None else DocumentUid(uid)


async def order(conn: AsyncConnection, acceptance: Acceptance) -> str:
    """The ordering key: its own, or that of what it follows, which may itself follow another.

    What retention has removed in between was settled long ago.
    """
    if acceptance.follows is not None:
        theirs = sa.select(messages.c.ordering_key).where(messages.c.document == acceptance.follows).limit(1)
        key = (await conn.scalars(theirs)).first()
        if key is not None:
            return str(key)
    document = acceptance.document
    return document_order(document.sender.organ_id, document.document_id)


async def overtaken(conn: AsyncConnection, message: str) -> bool:
    """Whether something that goes after this message, to one of its recipients, has left or is leaving.

    What has not left yet does not before this transaction ends.
    """
    mine = sa.select(messages.c.ordering_key, messages.c.lane, messages.c.document, _place.label("place"))
    first = (await conn.execute(mine.where(messages.c.id == message))).one()
    behind = sa.select(messages.c.state, messages.c.lease_token).where(
        messages.c.ordering_key == first.ordering_key, _place > first.place
    )
    if first.lane is not None:
        behind = behind.where(sa.or_(messages.c.lane.is_(None), messages.c.lane == first.lane))
    if first.document is not None:
        reached = sa.select(deliveries.c.recipient_key).join(message_deliveries)
        same = reached.where(message_deliveries.c.message == message)
        theirs = sa.select(message_deliveries.c.message).join(deliveries).where(deliveries.c.recipient_key.in_(same))
        behind = behind.where(messages.c.id.in_(theirs.where(message_deliveries.c.message == messages.c.id)))
    still_here = (MessageState.QUEUED.value, MessageState.FAILED.value)
    found = await conn.execute(behind.with_for_update(of=messages))
    return any(row.state not in still_here or row.lease_token is not None for row in found)
