"""What an auditor is told of a document, the same while it is kept and after it was removed: no content, no secrets."""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.document import Document
from gateway.domain.verdict import SignatureVerdict
from gateway.store import rows
from gateway.store.codec import from_json
from gateway.store.removals import Facts
from gateway.store.statements import batches
from gateway.store.tables import (
    agencies,
    attachments,
    axis_items,
    deliveries,
    documents,
    inbound_attachments,
    inbound_documents,
    message_deliveries,
    messages,
    receptions,
    requests,
    statuses_in,
    statuses_out,
)

_SIGNERS = 20
"""Signers named of one file."""


async def of_sent(conn: AsyncConnection, uids: Collection[str]) -> Mapping[str, Facts]:
    """Sent documents: who sent what when, to whom, and what became of it."""
    found: dict[str, Facts] = {}
    for batch in batches(uids):
        content = await _attachments(conn, attachments, batch)
        recipients = await _recipients(conn, batch)
        asked = await _grouped(
            conn, sa.select(requests.c.document.label("owner"), requests.c.request_id).where(_in(requests, batch))
        )
        columns = sa.select(
            *(documents.c.uid, documents.c.vendor, documents.c.sender_code, documents.c.document_id),
            *(documents.c.content_digest, documents.c.header, documents.c.accepted_at, documents.c.superseded_at),
        )
        for row in await conn.execute(columns.where(documents.c.uid.in_(batch))):
            found[row.uid] = {
                "vendor": row.vendor,
                "accepted_at": _instant(row.accepted_at),
                "superseded_at": _instant(row.superseded_at),
                "request_ids": [one.request_id for one in asked.get(row.uid, ())],
                **_identity(row),
                "recipients": recipients.get(row.uid, []),
                "attachments": content.get(row.uid, []),
            }
    return found


async def of_received(conn: AsyncConnection, ids: Collection[str]) -> Mapping[str, Facts]:
    """Received documents: from whom, when, through which packet, who took them over and what was reported."""
    found: dict[str, Facts] = {}
    for batch in batches(ids):
        content = await _attachments(conn, inbound_attachments, batch)
        recipients = await _takers(conn, batch)
        own = sa.and_(
            axis_items.c.account == inbound_documents.c.account,
            axis_items.c.axis_doc_id == inbound_documents.c.axis_doc_id,
        )
        packet = sa.func.coalesce(axis_items.c.packet_sha256, axis_items.c.raw).label("packet")
        columns = sa.select(
            *(inbound_documents.c.id, inbound_documents.c.account, inbound_documents.c.axis_doc_id),
            *(inbound_documents.c.sender_code, inbound_documents.c.document_id, inbound_documents.c.header),
            *(inbound_documents.c.content_digest, inbound_documents.c.received_at, packet),
        ).select_from(inbound_documents.outerjoin(axis_items, own))
        for row in await conn.execute(columns.where(inbound_documents.c.id.in_(batch))):
            found[row.id] = {
                "received_at": _instant(row.received_at),
                "account": row.account,
                "axis_doc_id": row.axis_doc_id,
                "packet_sha256": row.packet,
                **_identity(row),
                "recipients": recipients.get(row.id, []),
                "attachments": content.get(row.id, []),
            }
    return found


def _identity(row: rows.Row) -> dict[str, Any]:
    header = from_json(Document, row.header)
    return {
        "sender": header.sender.organ_id,
        "sender_name": header.sender.organ_name,
        "document_id": row.document_id,
        "code": header.code,
        "business_type": int(header.business_type),
        "promulgation_date": _instant(header.promulgation_date),
        "content_digest": row.content_digest,
    }


async def _recipients(conn: AsyncConnection, uids: Collection[str]) -> Mapping[str, list[Facts]]:
    carried = sa.select(message_deliveries.c.delivery, messages.c.sent_at, messages.c.route)
    carried = carried.join(messages, messages.c.id == message_deliveries.c.message)
    carriers: dict[str, rows.Row] = {
        each.delivery: each for each in await conn.execute(carried.where(_in(messages, uids)))
    }
    told = await _statuses(conn, sa.select(deliveries.c.id).where(_in(deliveries, uids)))
    columns = sa.select(
        *(deliveries.c.id, deliveries.c.document.label("owner"), deliveries.c.recipient_code, deliveries.c.state),
        *(deliveries.c.attempts, deliveries.c.reason, deliveries.c.axis_doc_id, deliveries.c.updated_at),
    )
    found: dict[str, list[Facts]] = {}
    ordered = columns.where(_in(deliveries, uids)).order_by(deliveries.c.document, deliveries.c.position)
    for row in await conn.execute(ordered):
        carrier = carriers.get(row.id)
        found.setdefault(row.owner, []).append(
            {
                "recipient": row.recipient_code,
                "state": row.state,
                "axis_doc_id": row.axis_doc_id,
                "account": None if carrier is None else carrier.route,
                "sent_at": None if carrier is None else _instant(carrier.sent_at),
                "attempts": row.attempts,
                "reason": row.reason,
                "updated_at": _instant(row.updated_at),
                "statuses": told.get(row.id, []),
            }
        )
    return found


async def _takers(conn: AsyncConnection, ids: Collection[str]) -> Mapping[str, list[Facts]]:
    columns = sa.select(
        *(receptions.c.id, receptions.c.document.label("owner"), receptions.c.state, receptions.c.refusal),
        *(receptions.c.delivery_attempt, receptions.c.received_at, agencies.c.code),
    ).join(agencies, agencies.c.id == receptions.c.agency)
    mine = sa.select(receptions.c.id).where(_in(receptions, ids))
    asked = await _statuses(conn, mine)
    reports = sa.select(statuses_out.c.reception.label("owner"), statuses_out.c.code, statuses_out.c.reported_at).where(
        statuses_out.c.reception.in_(mine)
    )
    told = await _grouped(conn, reports.order_by(statuses_out.c.reported_at))
    found: dict[str, list[Facts]] = {}
    for row in await conn.execute(columns.where(_in(receptions, ids)).order_by(agencies.c.code)):
        found.setdefault(row.owner, []).append(
            {
                "recipient": row.code,
                "state": row.state,
                "reason": row.refusal,
                "received_at": _instant(row.received_at),
                "handed_out": row.delivery_attempt,
                "reported": [{"code": one.code, "at": _instant(one.reported_at)} for one in told.get(row.id, ())],
                "statuses": asked.get(row.id, []),
            }
        )
    return found


async def _statuses(conn: AsyncConnection, subjects: sa.Select[tuple[str]]) -> Mapping[str, list[Facts]]:
    """Statuses that came about deliveries or receptions."""
    wanted = sa.select(statuses_in.c.subject.label("owner"), statuses_in.c.code, statuses_in.c.placed_at)
    wanted = wanted.where(statuses_in.c.subject.in_(subjects)).order_by(statuses_in.c.placed_at)
    placed = await _grouped(conn, wanted)
    return {
        owner: [{"code": one.code, "at": _instant(one.placed_at)} for one in several]
        for owner, several in placed.items()
    }


async def _attachments(conn: AsyncConnection, table: sa.Table, owners: Collection[str]) -> Mapping[str, list[Facts]]:
    columns = sa.select(
        table.c.document.label("owner"), table.c.name, table.c.size, table.c.sha256, table.c.role, table.c.verdict
    )
    found = await _grouped(conn, columns.where(_in(table, owners)).order_by(table.c.document, table.c.position))
    return {
        owner: [
            {
                "name": row.name,
                "size": row.size,
                "sha256": row.sha256,
                "role": row.role,
                "signatures": _signatures(row.verdict),
            }
            for row in several
        ]
        for owner, several in found.items()
    }


def _signatures(verdict: str | None) -> Facts | None:
    if verdict is None:
        return None
    judged = from_json(SignatureVerdict, verdict)
    return {
        "verdict": judged.verdict.value,
        "checked_at": _instant(judged.checked_at),
        "signers": [one.signer for one in judged.signatures[:_SIGNERS]],
        "reason": judged.reason,
    }


async def _grouped(conn: AsyncConnection, wanted: sa.Select[Any]) -> Mapping[str, list[rows.Row]]:
    """Rows by their column `owner`."""
    found: dict[str, list[rows.Row]] = {}
    for row in await conn.execute(wanted):
        found.setdefault(row.owner, []).append(row)
    return found


def _in(table: sa.Table, owners: Collection[str]) -> sa.ColumnElement[bool]:
    return table.c.document.in_(owners)


def _instant(at: Any) -> str | None:
    """A date or an instant in ISO 8601."""
    return None if at is None else at.isoformat()
