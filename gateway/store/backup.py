"""The database as something to keep elsewhere: copied while it is used, judged, counted, held against its objects."""

import sqlite3
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.ids import Digest
from gateway.domain.packet import StoredObject
from gateway.store import rows
from gateway.store.blobindex import REFERENCES
from gateway.store.engine import Database
from gateway.store.faults import unavailable
from gateway.store.statements import BATCH, batches
from gateway.store.tables import (
    attachments,
    axis_items,
    blobs,
    deliveries,
    documents,
    inbound_attachments,
    inbound_documents,
    messages,
    meta,
    packet_parts,
    receptions,
)

_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What a database holds, in numbers."""

    revision: str
    """Of its schema."""
    epoch: str
    documents: int
    inbound: int
    """Received documents."""
    deliveries: Mapping[str, int]
    """State -> how many; so are the next two."""
    receptions: Mapping[str, int]
    messages: Mapping[str, int]
    objects: int
    """Objects that something refers to."""
    object_bytes: int


def copy_database(source: Path, target: Path) -> None:
    """Copy an SQLite file as it is at one moment, whoever writes to it; `target` is made and not yet synced.

    Writers are not kept waiting. Blocks. Raises GatewayError STORE_UNAVAILABLE if the file cannot be read or written.
    """
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as live,
            closing(sqlite3.connect(target)) as copy,
        ):
            live.backup(copy)  # in one step: one snapshot, however long it takes
    except sqlite3.Error as error:
        raise unavailable(str(error)) from error


def problems_of(path: Path) -> tuple[str, ...]:
    """Judge a whole database file, structure and references; empty = sound.

    Blocks; reads all of it. Raises GatewayError STORE_UNAVAILABLE if it cannot be opened.
    """
    found: list[str] = []
    try:
        with closing(sqlite3.connect(path)) as conn:
            found += [str(row[0]) for row in conn.execute(f"PRAGMA integrity_check({_PROBLEMS})") if row[0] != "ok"]
            dangling = conn.execute("PRAGMA foreign_key_check").fetchmany(_PROBLEMS)
            found += [f"a row of {row[0]} refers to a row of {row[2]} that is not there" for row in dangling]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise unavailable(str(error)) from error
        found.append(str(error))
    return tuple(found)


def as_one_file(path: Path) -> None:
    """Bring what a closed database keeps beside its file into the file, so that the file alone can be moved; blocks.

    Raises GatewayError STORE_UNAVAILABLE if that cannot be done.
    """
    try:
        with closing(sqlite3.connect(path)) as conn:
            conn.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise unavailable(str(error)) from error


async def inventory(database: Database) -> Inventory:
    """Count what is there, on one state of the database."""

    async def work(conn: AsyncConnection) -> Inventory:
        used = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(blobs.c.size), 0)).where(_referenced())
        objects, size = (await conn.execute(used)).one()
        return Inventory(
            revision=(await conn.execute(sa.text("SELECT version_num FROM alembic_version"))).scalar_one(),
            epoch=(await conn.execute(sa.select(meta.c.value).where(meta.c.name == "epoch"))).scalar_one(),
            documents=await _count(conn, documents),
            inbound=await _count(conn, inbound_documents),
            deliveries=await _by_state(conn, deliveries),
            receptions=await _by_state(conn, receptions),
            messages=await _by_state(conn, messages),
            objects=objects,
            object_bytes=int(size),
        )

    return await database.read(work)


async def referenced(database: Database) -> AsyncIterator[Sequence[StoredObject]]:
    """Every object that something refers to, once, some hundred at a time."""
    last = ""
    while True:
        after = sa.select(blobs.c.sha256, blobs.c.size, blobs.c.object_key).where(blobs.c.sha256 > last, _referenced())
        wanted = after.order_by(blobs.c.sha256).limit(BATCH)
        found = await database.read(lambda conn, w=wanted: _stored(conn, w))  # type: ignore[misc]  # mypy has no type for the default
        if not found:
            return
        yield found
        last = found[-1].digest


async def forget_unreferenced(database: Database) -> int:
    """Delete the rows of objects that nothing refers to, whose objects may be gone already; how many."""

    async def work(conn: AsyncConnection) -> int:
        return (await conn.execute(sa.delete(blobs).where(~_referenced()))).rowcount

    return await database.write(work)


async def concerned(database: Database, digests: Collection[Digest]) -> tuple[str, ...]:
    """The names of documents, receptions and axis items that need these objects, sorted."""
    sent = sa.select(sa.literal("documents/") + attachments.c.document, attachments.c.sha256)
    received = sa.select(sa.literal("receptions/") + receptions.c.id, inbound_attachments.c.sha256).join(
        receptions, receptions.c.document == inbound_attachments.c.document
    )
    raw = sa.select(_item(axis_items), axis_items.c.raw)
    part = sa.select(_item(packet_parts), packet_parts.c.sha256)

    async def work(conn: AsyncConnection) -> tuple[str, ...]:
        names: set[str] = set()
        for batch in batches(digests):
            for query in (sent, received, raw, part):
                names.update(await conn.scalars(query.where(query.selected_columns[1].in_(batch))))
        return tuple(sorted(names))

    return await database.read(work)


def _item(table: sa.FromClause) -> sa.ColumnElement[str]:
    return sa.literal("items/") + table.c.account + sa.literal("/") + table.c.axis_doc_id


def _referenced() -> sa.ColumnElement[bool]:
    return sa.or_(*(sa.exists().where(column == blobs.c.sha256) for column in REFERENCES))


async def _stored(conn: AsyncConnection, wanted: sa.Select[tuple[str, int, str]]) -> tuple[StoredObject, ...]:
    return tuple(rows.stored_of(row) for row in await conn.execute(wanted))


async def _count(conn: AsyncConnection, table: sa.Table) -> int:
    return int((await conn.execute(sa.select(sa.func.count()).select_from(table))).scalar_one())


async def _by_state(conn: AsyncConnection, table: sa.Table) -> Mapping[str, int]:
    counted = sa.select(table.c.state, sa.func.count()).group_by(table.c.state).order_by(table.c.state)
    return {row[0]: row[1] for row in await conn.execute(counted)}
