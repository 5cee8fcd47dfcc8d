"""Implements Retention: what is settled and old goes, children first; what it was stays on record.

A transaction takes the next few candidates along an index, locks them against whoever would still move them, and looks
in a later statement whether anything is left to do with them. Objects keep their rows until the sweep: a submission
under way may have just seen that it can refer to them, so they get an expired upload of nobody's, which the sweep
removes like every other a good while later.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.lifecycle import DeliveryState, ItemState, MessageState, ReceptionState
from gateway.ports.retention import Kept, Mark, Removable, Retention, Share
from gateway.store import removing
from gateway.store.engine import Database
from gateway.store.tables import (
    axis_items,
    deliveries,
    documents,
    events,
    inbound_documents,
    messages,
    receptions,
    statuses_out,
)

LOOKED_AT = 100
"""Candidates of one transaction."""
RECIPIENTS = 2_000
"""Recipients of the documents of one transaction; a single document may have more."""
_SENT_ENDS = [DeliveryState.SENT.value, DeliveryState.FAILED.value]
_MESSAGE_ENDS = [MessageState.SENT.value, MessageState.FAILED.value]
_RECEPTION_ENDS = [ReceptionState.ACKNOWLEDGED.value, ReceptionState.REFUSED.value]

_When = Callable[[datetime], Sequence[sa.ColumnElement[bool]]]


class SqlRetention(Retention):
    """Removal in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remove(self, kind: Kept, *, before: datetime, after: Mark | None, policy: str, at: datetime) -> Share:
        """See Retention."""

        async def work(conn: AsyncConnection) -> Share:
            if kind is Kept.EVENTS:
                return await removing.first_events(conn, before, policy=policy, at=at)
            looked_at, mark = await _candidates(conn, kind, before, after)
            going = await _going(conn, kind, looked_at, before)
            if going:
                await _REMOVE[kind](conn, going, policy, at)
            return Share(removed=len(going), mark=mark)

        return await self._database.write(work)

    async def removable(self, kind: Kept, *, before: datetime) -> Removable:
        """See Retention."""
        stamp, _ = _ORDER[kind]
        wanted = sa.select(sa.func.count().label("n"), sa.func.min(stamp).label("a"), sa.func.max(stamp).label("z"))
        conditions = _CONDITIONS[kind](before)

        async def work(conn: AsyncConnection) -> Removable:
            row = (await conn.execute(wanted.where(stamp < before, *_OF_INDEX.get(kind, ()), *conditions))).one()
            return Removable(count=row.n, oldest=row.a, newest=row.z)

        return await self._database.read(work)


def _sent_is_settled(before: datetime) -> Sequence[sa.ColumnElement[bool]]:
    open_message = sa.exists().where(messages.c.document == documents.c.uid, messages.c.state.not_in(_MESSAGE_ENDS))
    live_delivery = sa.exists().where(
        deliveries.c.document == documents.c.uid,
        sa.or_(deliveries.c.state.not_in(_SENT_ENDS), deliveries.c.updated_at >= before),
    )
    return ~open_message, ~live_delivery


def _received_is_settled(before: datetime) -> Sequence[sa.ColumnElement[bool]]:
    open_reception = sa.exists().where(
        receptions.c.document == inbound_documents.c.id, receptions.c.state.not_in(_RECEPTION_ENDS)
    )
    reported = sa.exists().where(
        receptions.c.document == inbound_documents.c.id,
        statuses_out.c.reception == receptions.c.id,
        statuses_out.c.reported_at >= before,
    )
    untold = sa.exists().where(
        axis_items.c.account == inbound_documents.c.account,
        axis_items.c.axis_doc_id == inbound_documents.c.axis_doc_id,
        axis_items.c.state != ItemState.SETTLED.value,
    )
    return ~open_reception, ~reported, ~untold


def _item_is_alone(_before: datetime) -> Sequence[sa.ColumnElement[bool]]:
    """The packet that brought a document goes with it."""
    kept = sa.exists().where(
        inbound_documents.c.account == axis_items.c.account, inbound_documents.c.axis_doc_id == axis_items.c.axis_doc_id
    )
    return (~kept,)


def _status_is_sent(before: datetime) -> Sequence[sa.ColumnElement[bool]]:
    return (messages.c.sent_at < before,)


_ORDER: Mapping[Kept, tuple[sa.Column[datetime], tuple[sa.Column[Any], ...]]] = MappingProxyType(
    {
        Kept.SENT: (documents.c.accepted_at, (documents.c.uid,)),
        Kept.RECEIVED: (inbound_documents.c.received_at, (inbound_documents.c.id,)),
        Kept.ITEMS: (axis_items.c.recorded_at, (axis_items.c.account, axis_items.c.axis_doc_id)),
        Kept.STATUSES: (messages.c.created_at, (messages.c.id,)),
        Kept.EVENTS: (events.c.at, (events.c.position,)),
    },
)
"""The instant that counts, and the key; together the index along which a kind is looked through."""

_CONDITIONS: Mapping[Kept, _When] = MappingProxyType(
    {
        Kept.SENT: _sent_is_settled,
        Kept.RECEIVED: _received_is_settled,
        Kept.ITEMS: _item_is_alone,
        Kept.STATUSES: _status_is_sent,
        Kept.EVENTS: lambda _before: (),
    },
)
"""When something old may go."""

_OF_INDEX: Mapping[Kept, tuple[sa.TextClause, ...]] = MappingProxyType(
    {
        Kept.ITEMS: (sa.text("axis_items.state = 'settled'"),),
        Kept.STATUSES: (sa.text("messages.state = 'sent' AND messages.document IS NULL"),),
    },
)
"""What is in the index at all, written as there."""


async def _candidates(
    conn: AsyncConnection, kind: Kept, before: datetime, after: Mark | None
) -> tuple[list[tuple[str, ...]], Mark | None]:
    """Keys of the next ones that are old enough, locked, and where to go on after them."""
    stamp, key = _ORDER[kind]
    wanted = sa.select(stamp.label("at"), *key).where(stamp < before, *_OF_INDEX.get(kind, ()))
    if after is not None:
        there = sa.tuple_(sa.literal(after.at, stamp.type), *(sa.literal(each) for each in after.ids))
        wanted = wanted.where(sa.tuple_(stamp, *key) > there)
    wanted = wanted.order_by(stamp, *key).limit(LOOKED_AT).with_for_update(skip_locked=True)
    found = [(row.at, tuple(row[1:])) for row in await conn.execute(wanted)]
    few = await _few(conn, [ids for _, ids in found]) if kind is Kept.SENT else len(found)
    more = few < len(found) or len(found) == LOOKED_AT
    mark = Mark(at=found[few - 1][0], ids=found[few - 1][1]) if more else None
    return [ids for _, ids in found[:few]], mark


async def _few(conn: AsyncConnection, uids: Sequence[tuple[str, ...]]) -> int:
    """How many of the documents have few enough recipients together; at least one."""
    counted = sa.select(deliveries.c.document, sa.func.count()).group_by(deliveries.c.document)
    flat = [uid for (uid,) in uids]
    sizes = {row[0]: row[1] for row in await conn.execute(counted.where(deliveries.c.document.in_(flat)))}
    total = 0
    for number, uid in enumerate(flat):
        total += sizes.get(uid, 0)
        if total > RECIPIENTS:
            return max(number, 1)
    return len(flat)


async def _going(
    conn: AsyncConnection, kind: Kept, keys: Sequence[tuple[str, ...]], before: datetime
) -> list[tuple[str, ...]]:
    """Those of the candidates with which nothing is left to do, and which nobody moves before this transaction ends."""
    if not keys:
        return []
    _, columns = _ORDER[kind]
    first = [ids[0] for ids in keys]
    if kind is Kept.SENT:
        await conn.execute(sa.select(messages.c.id).where(messages.c.document.in_(first)).with_for_update())
        await conn.execute(sa.select(deliveries.c.id).where(deliveries.c.document.in_(first)).with_for_update())
    elif kind is Kept.RECEIVED:
        await conn.execute(sa.select(receptions.c.id).where(receptions.c.document.in_(first)).with_for_update())
    chosen: sa.ColumnElement[bool] = columns[0].in_(first)
    if len(columns) > 1:
        chosen = sa.or_(*(sa.and_(*(c == each for c, each in zip(columns, ids, strict=True))) for ids in keys))
    wanted = sa.select(*columns).where(chosen, *_CONDITIONS[kind](before))
    return [tuple(row) for row in await conn.execute(wanted)]


_REMOVE: Mapping[Kept, Callable[[AsyncConnection, Sequence[tuple[str, ...]], str, datetime], Awaitable[None]]] = (
    MappingProxyType(
        {
            Kept.SENT: removing.sent,
            Kept.RECEIVED: removing.received,
            Kept.ITEMS: removing.items,
            Kept.STATUSES: removing.statuses,
        },
    )
)
