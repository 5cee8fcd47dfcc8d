"""Attachments with their objects, for both directions."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.document import Attachment
from gateway.domain.packet import StoredObject
from gateway.store import rows
from gateway.store.statements import batches
from gateway.store.tables import blobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The attachments of one document, in order, and the object of each."""

    attachments: tuple[Attachment, ...] = ()
    objects: tuple[StoredObject, ...] = ()


async def write(conn: AsyncConnection, table: sa.Table, owner: str, attachments: Iterable[Attachment]) -> None:
    """Insert one document's attachments, whose objects are registered."""
    values = [rows.attachment_row(owner, position, each) for position, each in enumerate(attachments)]
    if values:
        await conn.execute(sa.insert(table), values)


async def read(conn: AsyncConnection, table: sa.Table, owners: Collection[str]) -> Mapping[str, Content]:
    """The attachments of these documents; one without any is left out."""
    found: dict[str, Content] = {}
    columns = sa.select(
        table.c.document,
        table.c.name,
        table.c.media_type,
        table.c.size,
        table.c.sha256,
        table.c.role,
        table.c.description,
        table.c.verdict,
        table.c.field_name,
        table.c.mime_type,
        table.c.format,
        blobs.c.object_key,
    ).join(blobs, blobs.c.sha256 == table.c.sha256)
    for batch in batches(owners):
        wanted = columns.where(table.c.document.in_(batch)).order_by(table.c.document, table.c.position)
        for row in await conn.execute(wanted):
            so_far = found.get(row.document, Content())
            found[row.document] = Content(
                attachments=(*so_far.attachments, rows.attachment_of(row)),
                objects=(*so_far.objects, rows.stored_of(row)),
            )
    return found


async def one(conn: AsyncConnection, table: sa.Table, owner: sa.ColumnElement[bool], index: int) -> StoredObject | None:
    """The object of one attachment; `owner` says whose."""
    wanted = sa.select(blobs.c.sha256, blobs.c.size, blobs.c.object_key).join(table, table.c.sha256 == blobs.c.sha256)
    row = (await conn.execute(wanted.where(owner, table.c.position == index))).one_or_none()
    return None if row is None else rows.stored_of(row)
