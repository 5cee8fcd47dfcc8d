"""Takes settled things away, children first, and puts on record what they were."""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.document import BusinessType
from gateway.domain.lifecycle import DeliveryState
from gateway.domain.status import StatusReport
from gateway.ports.retention import Mark, Share
from gateway.store import facts, removals, rows
from gateway.store.codec import from_json
from gateway.store.keys import document_key
from gateway.store.removals import NewRemoval
from gateway.store.statements import batches, upsert
from gateway.store.tables import (
    attachments,
    attempts,
    axis_items,
    deliveries,
    documents,
    events,
    inbound_attachments,
    inbound_documents,
    interventions,
    message_deliveries,
    messages,
    packet_parts,
    receptions,
    requests,
    statuses_in,
    statuses_out,
    uploads,
)

EVENTS = 2_000
"""Events of one transaction."""

_NOBODY = ""
"""Vendor of the uploads that hold what lost its references until the sweep; no real one is called so."""


async def sent(conn: AsyncConnection, going: Sequence[tuple[str, ...]], policy: str, at: datetime) -> None:
    """Sent documents, with the ids that must not make them a second time."""
    uids = [uid for (uid,) in going]
    told = await facts.of_sent(conn, uids)
    of_ours = documents.c.uid.in_(uids)
    held = (
        documents.c.business_type == BusinessType.NEW.value,
        documents.c.superseded_at.is_(None),
        sa.exists().where(deliveries.c.document == documents.c.uid, deliveries.c.state == DeliveryState.SENT.value),
    )
    identity = sa.select(documents.c.sender_code, documents.c.document_id, documents.c.content_digest, documents.c.uid)
    new = [_about(removals.DOCUMENT, uid, told[uid]) for uid in uids]
    new += [
        NewRemoval(
            kind=removals.SENT_IDENTITY,
            key=removals.key(row.sender_code, row.document_id),
            facts={"content_digest": row.content_digest, "document": row.uid},
        )
        for row in await conn.execute(identity.where(of_ours, *held))
    ]
    asked = sa.select(requests.c.vendor, requests.c.request_id, requests.c.request_digest, requests.c.document)
    new += [
        NewRemoval(
            kind=removals.REQUEST,
            key=removals.key(row.vendor, row.request_id),
            facts={
                "request_digest": row.request_digest,
                "document": row.document,
                "document_id": told[row.document]["document_id"],
            },
        )
        for row in await conn.execute(asked.where(requests.c.document.in_(uids)))
    ]
    await removals.record(conn, new, policy=policy, at=at)
    await _delete_sent(conn, uids, at)


async def _delete_sent(conn: AsyncConnection, uids: Collection[str], at: datetime) -> None:
    sent = sa.select(messages.c.id).where(messages.c.document.in_(uids))
    delivered = sa.select(deliveries.c.id).where(deliveries.c.document.in_(uids))
    await _let_go(conn, await _digests(conn, attachments.c.sha256, attachments.c.document.in_(uids)), at)
    await conn.execute(sa.delete(attempts).where(attempts.c.message.in_(sent)))
    await conn.execute(sa.delete(message_deliveries).where(message_deliveries.c.message.in_(sent)))
    await conn.execute(sa.delete(messages).where(messages.c.document.in_(uids)))
    await conn.execute(sa.delete(statuses_in).where(statuses_in.c.subject.in_(delivered)))
    for table in (deliveries, attachments, requests):
        await conn.execute(sa.delete(table).where(table.c.document.in_(uids)))
    await conn.execute(sa.delete(documents).where(documents.c.uid.in_(uids)))


async def received(conn: AsyncConnection, going: Sequence[tuple[str, ...]], policy: str, at: datetime) -> None:
    """Received documents with the packets that brought them."""
    ids = [one for (one,) in going]
    told = await facts.of_received(conn, ids)
    columns = sa.select(
        *(inbound_documents.c.id, inbound_documents.c.business_type, inbound_documents.c.sender_code),
        *(inbound_documents.c.document_id, inbound_documents.c.variant, inbound_documents.c.content_digest),
        *(inbound_documents.c.account, inbound_documents.c.axis_doc_id),
    )
    found = (await conn.execute(columns.where(inbound_documents.c.id.in_(ids)))).all()
    new = [_about(removals.INBOUND_DOCUMENT, one, told[one]) for one in ids]
    new += [
        NewRemoval(
            kind=removals.INBOUND_IDENTITY,
            key=removals.key(row.business_type, row.sender_code, row.document_id, row.variant),
            facts={"content_digest": row.content_digest, "document": row.id},
        )
        for row in found
    ]
    await removals.record(conn, new, policy=policy, at=at)
    await items(conn, [(row.account, row.axis_doc_id) for row in found], policy, at)
    mine = sa.select(receptions.c.id).where(receptions.c.document.in_(ids))
    lost = await _digests(conn, inbound_attachments.c.sha256, inbound_attachments.c.document.in_(ids))
    await _let_go(conn, lost, at)
    await conn.execute(sa.delete(statuses_out).where(statuses_out.c.reception.in_(mine)))
    await conn.execute(sa.delete(statuses_in).where(statuses_in.c.subject.in_(mine)))
    for table in (receptions, inbound_attachments):
        await conn.execute(sa.delete(table).where(table.c.document.in_(ids)))
    await conn.execute(sa.delete(inbound_documents).where(inbound_documents.c.id.in_(ids)))


async def items(conn: AsyncConnection, going: Sequence[tuple[str, ...]], policy: str, at: datetime) -> None:
    """Packets, whole or split."""

    def of(table: sa.Table) -> sa.ColumnElement[bool]:
        # Not `(a, b) IN (...)`: SQLite would read the whole table.
        return sa.or_(*(sa.and_(table.c.account == one, table.c.axis_doc_id == two) for one, two in going))

    packet = sa.func.coalesce(axis_items.c.packet_sha256, axis_items.c.raw).label("packet")
    columns = sa.select(
        *(axis_items.c.account, axis_items.c.axis_doc_id, axis_items.c.kind, axis_items.c.state),
        *(axis_items.c.recorded_at, axis_items.c.told_at, packet),
    )
    new = [
        NewRemoval(
            kind=removals.AXIS_ITEM,
            key=removals.key(row.account, row.axis_doc_id),
            facts={
                "kind": row.kind,
                "state": row.state,
                "packet_sha256": row.packet,
                "recorded_at": row.recorded_at.isoformat(),
                "told_at": None if row.told_at is None else row.told_at.isoformat(),
            },
        )
        for row in await conn.execute(columns.where(of(axis_items)))
    ]
    await removals.record(conn, new, policy=policy, at=at)
    lost = await _digests(conn, axis_items.c.raw, of(axis_items))
    lost |= await _digests(conn, packet_parts.c.sha256, of(packet_parts))
    await _let_go(conn, lost, at)
    for table in (packet_parts, interventions, axis_items):
        await conn.execute(sa.delete(table).where(of(table)))


async def statuses(conn: AsyncConnection, going: Sequence[tuple[str, ...]], policy: str, at: datetime) -> None:
    """Statuses that went out."""
    ids = [one for (one,) in going]
    columns = sa.select(messages.c.id, messages.c.route, messages.c.report, messages.c.sent_at, messages.c.axis_doc_id)
    new: list[NewRemoval] = []
    for row in await conn.execute(columns.where(messages.c.id.in_(ids))):
        report = from_json(StatusReport, row.report)
        new.append(
            _about(
                removals.MESSAGE,
                row.id,
                {
                    "document_id": report.response_for.document_id,
                    "code": report.response_for.code,
                    "status": report.status_code,
                    "sender": report.sender.organ_id,
                    "recipient": report.response_for.organ_id,
                    "timestamp": report.timestamp,
                    "route": row.route,
                    "sent_at": row.sent_at.isoformat(),
                    "axis_doc_id": row.axis_doc_id,
                },
            )
        )
    await removals.record(conn, new, policy=policy, at=at)
    await conn.execute(sa.delete(attempts).where(attempts.c.message.in_(ids)))
    await conn.execute(sa.delete(messages).where(messages.c.id.in_(ids)))


async def first_events(conn: AsyncConnection, before: datetime, *, policy: str, at: datetime) -> Share:
    """From the front alone, so that readers find a log without holes behind its beginning."""
    front = sa.select(events.c.position, events.c.at).order_by(events.c.position).limit(EVENTS)
    going: list[rows.Row] = []
    for row in await conn.execute(front):
        if row.at >= before:
            break
        going.append(row)
    if not going:
        return Share(removed=0, mark=None)
    first, last = going[0], going[-1]
    span = {"count": len(going), "oldest": first.at.isoformat(), "newest": last.at.isoformat()}
    gone = NewRemoval(kind=removals.EVENTS, key=removals.key(first.position, last.position), facts=span)
    await removals.record(conn, [gone], policy=policy, at=at)
    await conn.execute(sa.delete(events).where(events.c.position <= last.position))
    more = len(going) == EVENTS
    return Share(removed=len(going), mark=Mark(at=last.at, ids=(str(last.position),)) if more else None)


def _about(kind: str, key: str, told: removals.Facts) -> NewRemoval:
    return NewRemoval(kind=kind, key=key, facts=told, document_key=document_key(told["document_id"]))


async def _digests(conn: AsyncConnection, column: sa.Column[str], where: sa.ColumnElement[bool]) -> set[str]:
    return set(await conn.scalars(sa.select(column).where(where)))


async def _let_go(conn: AsyncConnection, digests: Collection[str], at: datetime) -> None:
    """Leave objects that are about to lose a reference to the sweep, which finds out whether it was the last."""
    for batch in batches(sorted(digests)):
        held = upsert(uploads).on_conflict_do_update(index_elements=["vendor", "sha256"], set_={"expires_at": at})
        await conn.execute(held, [{"vendor": _NOBODY, "sha256": digest, "expires_at": at} for digest in batch])
