"""Implements StatusFeed: a position per vendor system, and the positions beyond it that it has taken out of order."""

import re
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.ids import AgencyId, VendorId
from gateway.domain.status import StatusReport
from gateway.ports.feed import FedStatus, StatusFeed
from gateway.store import rows
from gateway.store.codec import from_json
from gateway.store.engine import Database
from gateway.store.eventlog import WINDOW, before_first, epoch_of, last_position
from gateway.store.statements import upsert
from gateway.store.tables import events, feed_taken, feeds, mandates

_ID = re.compile(r"status-([0-9a-f]{8})-([0-9]{1,18})", re.ASCII)


class SqlStatusFeed(StatusFeed):
    """The feeds in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, vendor: VendorId, *, at: datetime) -> None:
        """See StatusFeed."""

        async def work(conn: AsyncConnection) -> None:
            first = upsert(feeds).values(vendor=vendor, after=await last_position(conn), began_at=at)
            await conn.execute(first.on_conflict_do_nothing())

        await self._database.write(work)

    async def waiting(self, vendor: VendorId, *, limit: int) -> tuple[FedStatus, ...]:
        """See StatusFeed."""
        found: list[FedStatus] = []
        low: int | None = 0
        while low is not None and len(found) < limit:
            look = partial(_window, vendor=vendor, low=low, room=limit - len(found))
            part, low = await self._database.read(look)
            found += part
            if low is not None and not found:
                # Nothing waits up to there: passed for good, so that nobody reads it twice.
                await self._database.write(partial(_advance, vendor=vendor, to=low))
        return tuple(found)

    async def count(self, vendor: VendorId, *, most: int) -> int:
        """See StatusFeed."""

        async def work(conn: AsyncConnection) -> int:
            after = await _after(conn, vendor)
            if after is None:
                return 0
            mine = _mine(vendor).with_only_columns(events.c.position).where(events.c.position > after, _untaken(vendor))
            high = await last_position(conn)
            mine = mine.where(events.c.position <= min(high, after + most * _SPARSE)).limit(most)
            return int(
                (await conn.execute(sa.select(sa.func.count()).select_from(mine.subquery("chosen")))).scalar_one()
            )

        return await self._database.read(work)

    async def get(self, vendor: VendorId, status: str) -> FedStatus | None:
        """See StatusFeed."""
        return await self._database.read(lambda conn: _get(conn, vendor, status))

    async def take(self, vendor: VendorId, status: str) -> bool:
        """See StatusFeed."""

        async def work(conn: AsyncConnection) -> bool:
            found = await _get(conn, vendor, status)
            after = await _after(conn, vendor, lock=True)
            position = _position(status, await epoch_of(conn))
            if found is None or position is None or after is None:
                return False
            if position > after:
                taken = upsert(feed_taken).values(vendor=vendor, position=position)
                await conn.execute(taken.on_conflict_do_nothing())
                await _compact(conn, vendor, after)
            return True

        return await self._database.write(work)


_SPARSE = 10
"""A count looks at this many times the most it may say: a feed left alone for long costs no more."""


def _mine(vendor: VendorId) -> sa.Select[tuple[int, datetime, str, str]]:
    """The business statuses of agencies that the vendor serves or acts for."""
    return (
        sa.select(events.c.position, events.c.at, events.c.agency, events.c.payload)
        .join(mandates, sa.and_(mandates.c.agency == events.c.agency, mandates.c.vendor == vendor))
        .where(events.c.kind == rows.STATUS)
    )


def _untaken(vendor: VendorId) -> sa.ColumnElement[bool]:
    return ~sa.exists().where(feed_taken.c.vendor == vendor, feed_taken.c.position == events.c.position)


async def _window(conn: AsyncConnection, vendor: VendorId, low: int, room: int) -> tuple[list[FedStatus], int | None]:
    """What waits in the next stretch of the log, and where to go on; None = that was all."""
    after = await _after(conn, vendor)
    if after is None:
        return [], None
    last = await last_position(conn)
    low = max(after, low, await before_first(conn, last))
    high = min(last, low + WINDOW)
    wanted = _mine(vendor).where(events.c.position > low, events.c.position <= high, _untaken(vendor))
    found = (await conn.execute(wanted.order_by(events.c.position).limit(room))).all()
    epoch = await epoch_of(conn)
    return [_fed(row, epoch) for row in found], None if high >= last or len(found) == room else high


async def _compact(conn: AsyncConnection, vendor: VendorId, after: int) -> None:
    """Move the feed past what is taken, as far as one stretch of the log shows it."""
    last = await last_position(conn)
    low = max(after, await before_first(conn, last))
    high = min(last, low + WINDOW)
    open_ones = _mine(vendor).where(events.c.position > low, events.c.position <= high, _untaken(vendor))
    first = (await conn.execute(open_ones.order_by(events.c.position).limit(1))).first()
    await _advance(conn, vendor, high if first is None else first.position - 1)


async def _advance(conn: AsyncConnection, vendor: VendorId, to: int) -> None:
    further = sa.update(feeds).where(feeds.c.vendor == vendor, feeds.c.after < to).values(after=to)
    await conn.execute(further)
    await conn.execute(sa.delete(feed_taken).where(feed_taken.c.vendor == vendor, feed_taken.c.position <= to))


async def _after(conn: AsyncConnection, vendor: VendorId, *, lock: bool = False) -> int | None:
    mine = sa.select(feeds.c.after).where(feeds.c.vendor == vendor)
    return (await conn.execute(mine.with_for_update() if lock else mine)).scalar_one_or_none()


async def _get(conn: AsyncConnection, vendor: VendorId, status: str) -> FedStatus | None:
    epoch = await epoch_of(conn)
    position = _position(status, epoch)
    if position is None:
        return None
    row = (await conn.execute(_mine(vendor).where(events.c.position == position))).one_or_none()
    return None if row is None else _fed(row, epoch)


def _position(status: str, epoch: str) -> int | None:
    """A restore gives positions again to other events, under another epoch."""
    said = _ID.fullmatch(status)
    return int(said[2]) if said is not None and said[1] == _short(epoch) else None


def _fed(row: rows.Row, epoch: str) -> FedStatus:
    status = f"status-{_short(epoch)}-{row.position}"
    return FedStatus(id=status, at=row.at, agency=AgencyId(row.agency), report=from_json(StatusReport, row.payload))


def _short(epoch: str) -> str:
    return epoch[:8]
