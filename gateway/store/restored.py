"""A store brought back from an earlier time: what has happened since, the axis and the vendors know better."""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.lifecycle import AFTER_RESTORE, MessageState, ReceptionState
from gateway.domain.packet import PacketKind
from gateway.store.endings import UNLEASED
from gateway.store.engine import Database
from gateway.store.statements import upsert
from gateway.store.tables import axis_items, claims, documents, events, messages, meta, receptions

REASON = "restored from a backup; the axis is asked before it is sent again"
_EPOCH = "epoch"
_AT = "restored_at"
_FROM = "restored_from"
_AS_OF = "restored_as_of"
_ASK_UNTIL = "ask_first_until"
_OTHERS = sa.text(
    "SELECT count(*) FROM pg_stat_activity other JOIN pg_stat_activity own ON own.pid = pg_backend_pid()"
    " AND own.application_name = other.application_name AND own.datname = other.datname"
    " WHERE other.backend_start < own.backend_start"
)
"""Ours are younger than the first of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """Where a store came from."""

    at: datetime
    source: str
    """For operators: a backup's directory, or how the database was recovered."""
    as_of: datetime | None
    """No later than the state it holds; None = its youngest row tells."""
    ask_first_until: datetime
    """New documents are asked for before they are first sent, up to then; `at` or earlier = never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What adopting changed."""

    epoch: str
    as_of: datetime
    asked: int
    """Messages whose fate is asked for at the axis before anything of them is sent."""
    released: int
    """Leases of vendors' that were ended."""


async def adopt(database: Database, restoration: Restoration) -> Adopted:
    """Make a copy of an earlier state the store from now on, in one transaction; no gateway may be running.

    Event tokens of the other time expire, what may have been sent since is unknown, nothing is leased or claimed.
    """

    async def work(conn: AsyncConnection) -> Adopted:
        as_of = restoration.as_of or await _youngest(conn) or restoration.at
        asked = await _doubt(conn, at=restoration.at)
        leased = sa.update(receptions).where(
            receptions.c.state == ReceptionState.LEASED.value, receptions.c.lease_until.is_not(None)
        )
        released = (await conn.execute(leased.values(lease_until=None))).rowcount
        await conn.execute(sa.delete(claims))
        epoch = uuid4().hex
        for name, value in (
            (_EPOCH, epoch),
            (_AT, restoration.at.isoformat()),
            (_FROM, restoration.source),
            (_AS_OF, as_of.isoformat()),
            (_ASK_UNTIL, restoration.ask_first_until.isoformat()),
        ):
            new = upsert(meta).values(name=name, value=value)
            await conn.execute(new.on_conflict_do_update(index_elements=["name"], set_={"value": new.excluded.value}))
        return Adopted(epoch=epoch, as_of=as_of, asked=asked, released=released)

    return await database.write(work)


async def others_connected(database: Database) -> int:
    """How many connections other gateways hold to a server's database; to be called first of all on a new Database."""

    async def work(conn: AsyncConnection) -> int:
        return 0 if conn.dialect.name == "sqlite" else int((await conn.execute(_OTHERS)).scalar_one())

    return await database.write(work)


async def asked_first_since(conn: AsyncConnection, *, at: datetime) -> datetime | None:
    """From when on the axis may have a document that is only now accepted; None = there is no reason to ask.

    After a restore a vendor hands over again what was accepted, and maybe sent, after the state restored.
    """
    wanted = sa.select(meta.c.name, meta.c.value).where(meta.c.name.in_([_AS_OF, _ASK_UNTIL]))
    found = {row.name: datetime.fromisoformat(row.value) for row in await conn.execute(wanted)}
    return found[_AS_OF] if found and at < found[_ASK_UNTIL] else None


async def _doubt(conn: AsyncConnection, *, at: datetime) -> int:
    """Every document that may have been sent since becomes unknown; statuses are repeated without harm."""
    await conn.execute(
        sa.update(messages)
        .where(sa.or_(messages.c.lease_token.is_not(None), messages.c.interruptions.is_not(None)))
        .values(UNLEASED | {"interruptions": None})
    )
    doubted = [before.value for before, after in AFTER_RESTORE.items() if after is MessageState.UNCERTAIN]
    change = sa.update(messages).where(messages.c.state.in_(doubted), messages.c.kind == PacketKind.DOCUMENT.value)
    unknown = await conn.execute(
        change.values(
            state=MessageState.UNCERTAIN.value,
            due_at=at,
            reason=REASON,
            # The first attempt may have been any time since.
            first_submitted_at=sa.func.coalesce(messages.c.first_submitted_at, messages.c.created_at),
            # None: the settling time begins with the first question, so that what is still on its way is seen.
            settle_after=None,
        )
    )
    return unknown.rowcount


async def _youngest(conn: AsyncConnection) -> datetime | None:
    """The last instant that the store knows of."""
    found = [
        (await conn.execute(sa.select(sa.func.max(column, type_=column.type)))).scalar_one()
        for column in (documents.c.accepted_at, axis_items.c.recorded_at, events.c.at, messages.c.started_at)
    ]
    return max((instant for instant in found if instant is not None), default=None)
