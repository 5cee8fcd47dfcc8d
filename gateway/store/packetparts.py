"""Packets kept whole or as parts: the swap, and the way back."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.ids import AccountName, AxisDocId, ObjectKey
from gateway.domain.lifecycle import ItemState
from gateway.domain.packet import ContentSpan, Received, SplitPacket
from gateway.ports.inbound import Original
from gateway.store import rows
from gateway.store.blobindex import forget, hold, redundant, register
from gateway.store.tables import axis_items, blobs, packet_parts

_KEPT_WHOLE = (ItemState.FETCHED, ItemState.QUARANTINED, ItemState.REJECTED)
"""States whose packet is still to be read, or is shown to operators."""


async def split(conn: AsyncConnection, received: Received, parts: SplitPacket) -> tuple[ObjectKey, ...]:
    """See InboundItems."""
    mine = _is(received.account, received.item.axis_doc_id)
    columns = sa.select(axis_items.c.raw, axis_items.c.state, axis_items.c.packet_sha256)
    row = (await conn.execute(columns.where(mine).with_for_update())).one()
    whole = row.packet_sha256 is None and row.raw == received.raw.digest and ItemState(row.state) not in _KEPT_WHOLE
    if not whole or not await _are_kept(conn, {span.part.stored.digest for span in parts.spans}):
        return await redundant(conn, [parts.skeleton])
    spare = await register(conn, [parts.skeleton])
    swap = {"raw": parts.skeleton.digest, "packet_sha256": row.raw, "packet_size": received.raw.size}
    await conn.execute(sa.update(axis_items).where(mine).values(swap))
    values = [rows.part_row(received, position, span) for position, span in enumerate(parts.spans)]
    if values:
        await conn.execute(sa.insert(packet_parts), values)
    return (*spare, *await forget(conn, [row.raw]))


async def original(conn: AsyncConnection, account: AccountName, axis_doc_id: AxisDocId) -> Original | None:
    """See InboundItems."""
    columns = sa.select(
        axis_items.c.packet_sha256, axis_items.c.packet_size, blobs.c.sha256, blobs.c.size, blobs.c.object_key
    ).join(blobs, blobs.c.sha256 == axis_items.c.raw)
    row = (await conn.execute(columns.where(_is(account, axis_doc_id)))).one_or_none()
    return None if row is None else rows.original_of(row, await _parts(conn, account, axis_doc_id))


async def _parts(conn: AsyncConnection, account: AccountName, axis_doc_id: AxisDocId) -> tuple[ContentSpan, ...]:
    columns = sa.select(
        packet_parts.c.offset,
        packet_parts.c.length,
        packet_parts.c.zip_entry,
        blobs.c.sha256,
        blobs.c.size,
        blobs.c.object_key,
    ).join(blobs, blobs.c.sha256 == packet_parts.c.sha256)
    mine = columns.where(packet_parts.c.account == account, packet_parts.c.axis_doc_id == axis_doc_id)
    return tuple(rows.part_of(row) for row in await conn.execute(mine.order_by(packet_parts.c.position)))


async def _are_kept(conn: AsyncConnection, digests: set[str]) -> bool:
    return await hold(conn, digests) == digests


def _is(account: AccountName, axis_doc_id: AxisDocId) -> sa.ColumnElement[bool]:
    return sa.and_(axis_items.c.account == account, axis_items.c.axis_doc_id == axis_doc_id)
