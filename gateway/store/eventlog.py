"""Implements EventLog: the status log (nhật ký trạng thái) in order of position."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.ids import AgencyId, VendorId
from gateway.domain.status import DeliveryChange, StatusReport
from gateway.ports.inbound import EventLog, EventPage, LogHead
from gateway.store import rows
from gateway.store.engine import Database
from gateway.store.statements import subtree, take_numbers
from gateway.store.tables import agencies, counters, events, mandates, meta

WINDOW = 10_000
"""Positions searched by one statement, so that a vendor with few events among many holds nothing for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event that has no position yet."""

    agency: str
    resource: str
    document_id: str
    recipient_code: str
    change: DeliveryChange | StatusReport


class SqlEventLog(EventLog):
    """The status log in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self) -> LogHead:
        """See EventLog."""
        return await self._database.read(_head)

    async def read(self, vendor: VendorId, *, under: AgencyId | None, after: int, limit: int) -> EventPage:
        """See EventLog."""
        low = after
        while True:
            page, last = await self._database.read(partial(_page, vendor=vendor, under=under, after=low, limit=limit))
            if page.events or page.up_to >= last:
                return page
            low = page.up_to


async def append(conn: AsyncConnection, new: Sequence[NewEvent], *, at: datetime) -> None:
    """Write events, last in a transaction: their counter stays locked, so positions become visible in order."""
    if not new:
        return
    changes = {change: rows.change_row(change) for change in {each.change for each in new}}  # mostly one for many
    positions = await take_numbers(conn, "events", len(new))
    values = [
        {
            "position": position,
            "at": at,
            "agency": each.agency,
            "resource": each.resource,
            "document_id": each.document_id,
            "recipient_code": each.recipient_code,
            **changes[each.change],
        }
        for position, each in zip(positions, new, strict=True)
    ]
    await conn.execute(sa.insert(events), values)


async def last_position(conn: AsyncConnection) -> int:
    """Position of the newest event; read before the events, so that none below it is missing."""
    return int((await conn.execute(sa.select(counters.c.value).where(counters.c.name == "events"))).scalar_one())


async def epoch_of(conn: AsyncConnection) -> str:
    """Which life of the log its positions count in: another after each restore."""
    return str((await conn.execute(sa.select(meta.c.value).where(meta.c.name == "epoch"))).scalar_one())


async def before_first(conn: AsyncConnection, last: int) -> int:
    """Position before the oldest event kept, retention takes them from the front; `last` where none is."""
    first = (await conn.execute(sa.select(sa.func.min(events.c.position)))).scalar_one()
    return last if first is None else int(first) - 1


async def _head(conn: AsyncConnection) -> LogHead:
    last = await last_position(conn)
    return LogHead(epoch=await epoch_of(conn), first=await before_first(conn, last), last=last)


async def _page(
    conn: AsyncConnection, vendor: VendorId, under: AgencyId | None, after: int, limit: int
) -> tuple[EventPage, int]:
    last = await last_position(conn)
    high = min(last, after + WINDOW)
    wanted = (
        sa.select(
            events.c.position,
            events.c.at,
            agencies.c.code.label("agency_code"),
            events.c.resource,
            events.c.document_id,
            events.c.recipient_code,
            events.c.kind,
            events.c.payload,
        )
        .join(agencies, agencies.c.id == events.c.agency)
        .join(mandates, sa.and_(mandates.c.agency == events.c.agency, mandates.c.vendor == vendor))
        .where(events.c.position > after, events.c.position <= high)
    )
    if under is not None:
        wanted = wanted.where(events.c.agency.in_(subtree(under)))
    found = (await conn.execute(wanted.order_by(events.c.position).limit(limit))).all()
    up_to = found[-1].position if len(found) == limit else max(high, after)
    return EventPage(events=tuple(rows.event_of(row) for row in found), up_to=up_to), last
