"""Implements BlobIndex: which objects exist and who may refer to them."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.ids import Digest, ObjectKey, VendorId
from gateway.domain.packet import StoredObject
from gateway.ports.outbound import BlobIndex, Upload
from gateway.store import rows
from gateway.store.engine import Database
from gateway.store.statements import batches, served_by, upsert
from gateway.store.tables import (
    attachments,
    blobs,
    documents,
    inbound_attachments,
    metadata,
    receptions,
    uploads,
)

REFERENCES = tuple(
    key.parent for table in metadata.sorted_tables for key in table.foreign_keys if key.column is blobs.c.sha256
)
"""Every column that keeps an object alive."""

_STORED = sa.select(blobs.c.sha256, blobs.c.size, blobs.c.object_key)


class SqlBlobIndex(BlobIndex):
    """The index of objects in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def register_upload(self, vendor: VendorId, stored: StoredObject, *, expires_at: datetime) -> Upload:
        """See BlobIndex. A later upload of the same bytes can only lengthen the time."""

        async def work(conn: AsyncConnection) -> Upload:
            await keep(conn, [stored])
            insert = upsert(uploads).values(vendor=vendor, sha256=stored.digest, expires_at=expires_at)
            longer = insert.on_conflict_do_update(
                index_elements=["vendor", "sha256"],
                set_={"expires_at": insert.excluded.expires_at},
                where=insert.excluded.expires_at > uploads.c.expires_at,
            )
            await conn.execute(longer)
            held = sa.select(uploads.c.expires_at).where(uploads.c.vendor == vendor, uploads.c.sha256 == stored.digest)
            kept = (await conn.execute(_STORED.where(blobs.c.sha256 == stored.digest))).one()
            return Upload(stored=rows.stored_of(kept), expires_at=(await conn.execute(held)).scalar_one())

        return await self._database.write(work)

    async def referable(
        self, vendor: VendorId, digests: Collection[Digest], *, at: datetime
    ) -> Mapping[Digest, StoredObject]:
        """See BlobIndex."""
        uploaded = sa.exists().where(
            uploads.c.vendor == vendor, uploads.c.sha256 == blobs.c.sha256, uploads.c.expires_at > at
        )
        sent = sa.exists().where(
            attachments.c.sha256 == blobs.c.sha256,
            documents.c.uid == attachments.c.document,
            documents.c.vendor == vendor,
        )
        received = sa.exists().where(
            inbound_attachments.c.sha256 == blobs.c.sha256,
            receptions.c.document == inbound_attachments.c.document,
            receptions.c.agency.in_(served_by(vendor)),
        )

        async def work(conn: AsyncConnection) -> Mapping[Digest, StoredObject]:
            found: dict[Digest, StoredObject] = {}
            for batch in batches(set(digests)):
                wanted = _STORED.where(blobs.c.sha256.in_(batch), sa.or_(uploaded, sent, received))
                found.update((Digest(row.sha256), rows.stored_of(row)) for row in await conn.execute(wanted))
            return found

        return await self._database.read(work)

    async def sweep(self, *, unreferenced_since: datetime, limit: int) -> tuple[ObjectKey, ...]:
        """See BlobIndex. At most `limit` keys; fewer means that nothing is left.

        An upload keeps its object until it expired before `unreferenced_since`; choose that far enough in the past for
        a submission that has seen the upload to have ended.
        """
        keys: list[ObjectKey] = []
        while len(keys) < limit:
            swept = await self._database.write(partial(_sweep, before=unreferenced_since, limit=limit - len(keys)))
            if swept is None:
                break
            keys.extend(swept)
        return tuple(keys)

    async def known(self, keys: Collection[ObjectKey]) -> frozenset[ObjectKey]:
        """See BlobIndex."""

        async def work(conn: AsyncConnection) -> frozenset[ObjectKey]:
            found: set[ObjectKey] = set()
            for batch in batches(set(keys)):
                held = await conn.scalars(sa.select(blobs.c.object_key).where(blobs.c.object_key.in_(batch)))
                found.update(ObjectKey(key) for key in held)
            return frozenset(found)

        return await self._database.read(work)

    async def kept_bytes(self) -> int:
        """See BlobIndex."""

        async def work(conn: AsyncConnection) -> int:
            return int((await conn.execute(sa.select(sa.func.coalesce(sa.func.sum(blobs.c.size), 0)))).scalar_one())

        return await self._database.read(work)


async def register(conn: AsyncConnection, objects: Collection[StoredObject]) -> tuple[ObjectKey, ...]:
    """`keep`; the keys of those that were stored before under another key: redundant."""
    await keep(conn, objects)
    return await redundant(conn, objects)


async def keep(conn: AsyncConnection, objects: Collection[StoredObject]) -> None:
    """Make rows for objects whose digest has none; the caller refers to them in the same transaction."""
    for batch in batches(objects):
        missing = {o.digest: o for o in reversed(batch)}
        while missing:  # again where another transaction deleted a row just now
            new = [{"sha256": o.digest, "object_key": o.key, "size": o.size} for _, o in sorted(missing.items())]
            await conn.execute(upsert(blobs).on_conflict_do_nothing(index_elements=["sha256"]), new)
            held = await hold(conn, missing)
            missing = {digest: o for digest, o in missing.items() if digest not in held}


async def redundant(conn: AsyncConnection, objects: Iterable[StoredObject]) -> tuple[ObjectKey, ...]:
    """The keys among these objects that no row has."""
    keys = dict.fromkeys(o.key for o in objects)
    held: set[str] = set()
    for batch in batches(keys):
        held.update(await conn.scalars(sa.select(blobs.c.object_key).where(blobs.c.object_key.in_(batch))))
    return tuple(key for key in keys if key not in held)


async def hold(conn: AsyncConnection, digests: Iterable[str]) -> frozenset[str]:
    """Those of the digests that have a row, which nobody deletes before the end of this transaction."""
    held: set[str] = set()
    for batch in batches(sorted(digests)):
        rows_held = sa.select(blobs.c.sha256).where(blobs.c.sha256.in_(batch)).order_by(blobs.c.sha256)
        held.update(await conn.scalars(rows_held.with_for_update(read=True, key_share=True)))
    return frozenset(held)


async def forget(conn: AsyncConnection, digests: Iterable[str]) -> tuple[ObjectKey, ...]:
    """Delete the rows of those objects that nothing refers to; their keys."""
    keys: list[ObjectKey] = []
    for batch in batches(sorted(digests)):
        # Whoever is about to refer to one of them holds it: wait, then look for references in a statement of its own.
        locked = sa.select(blobs.c.sha256).where(blobs.c.sha256.in_(batch)).order_by(blobs.c.sha256)
        await conn.execute(locked.with_for_update())
        bare = [~sa.exists().where(column == blobs.c.sha256) for column in REFERENCES]
        gone = sa.delete(blobs).where(blobs.c.sha256.in_(batch), *bare).returning(blobs.c.object_key)
        keys.extend(ObjectKey(key) for key in await conn.scalars(gone))
    return tuple(keys)


async def _sweep(conn: AsyncConnection, before: datetime, limit: int) -> tuple[ObjectKey, ...] | None:
    """One transaction's share; None when no upload is expired any more."""
    over = sa.select(uploads.c.vendor, uploads.c.sha256).where(uploads.c.expires_at < before)
    over = over.order_by(uploads.c.expires_at).limit(limit).with_for_update(skip_locked=True)
    expired = (await conn.execute(over)).all()
    if not expired:
        return None
    gone = sa.delete(uploads).where(uploads.c.vendor == sa.bindparam("v"), uploads.c.sha256 == sa.bindparam("s"))
    await conn.execute(gone, [{"v": row.vendor, "s": row.sha256} for row in expired])
    return await forget(conn, {row.sha256 for row in expired})
