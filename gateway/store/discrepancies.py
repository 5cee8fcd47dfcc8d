"""Implements Discrepancies: what was found to differ from an axis's lists, and what became of it."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.ids import AccountName
from gateway.domain.reconciliation import DiscrepancyKind
from gateway.ports.reconciliation import Discrepancies, Discrepancy
from gateway.store import rows
from gateway.store.engine import Database
from gateway.store.statements import batches, upsert
from gateway.store.tables import discrepancies

_Key = TypeVar("_Key", bound=str)

SHOWN = 1_000
"""Open discrepancies read at once."""


class SqlDiscrepancies(Discrepancies):
    """The discrepancies in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(
        self, account: AccountName, kind: DiscrepancyKind, found: Mapping[_Key, str], *, at: datetime
    ) -> frozenset[_Key]:
        """See Discrepancies."""

        async def work(conn: AsyncConnection) -> frozenset[_Key]:
            known: set[str] = set()
            for batch in batches(sorted(found.items())):
                held = sa.select(discrepancies.c.key).where(_are_open(account, kind, [key for key, _ in batch]))
                known.update(await conn.scalars(held))
                seen = upsert(discrepancies).values(
                    [
                        {
                            "account": account,
                            "kind": kind.value,
                            "key": key,
                            "detail": detail,
                            "first_seen_at": at,
                            "last_seen_at": at,
                            "outcome": "",
                        }
                        for key, detail in batch
                    ]
                )
                again = {"detail": seen.excluded.detail, "last_seen_at": at, "closed_at": None, "outcome": ""}
                columns = [discrepancies.c.account, discrepancies.c.kind, discrepancies.c.key]
                await conn.execute(seen.on_conflict_do_update(index_elements=columns, set_=again))
            return frozenset(found) - known

        return await self._database.write(work)

    async def close(
        self, account: AccountName, kind: DiscrepancyKind, keys: Collection[str], *, outcome: str, at: datetime
    ) -> int:
        """See Discrepancies."""

        async def work(conn: AsyncConnection) -> int:
            closed = 0
            for batch in batches(sorted(set(keys))):
                ended = sa.update(discrepancies).where(_are_open(account, kind, batch))
                closed += (await conn.execute(ended.values(closed_at=at, outcome=outcome))).rowcount
            return closed

        return await self._database.write(work)

    async def open(self, account: AccountName, *, kind: DiscrepancyKind | None = None) -> tuple[Discrepancy, ...]:
        """See Discrepancies."""
        wanted = sa.select(discrepancies).where(discrepancies.c.account == account, discrepancies.c.closed_at.is_(None))
        if kind is not None:
            wanted = wanted.where(discrepancies.c.kind == kind.value)
        wanted = wanted.order_by(discrepancies.c.first_seen_at, discrepancies.c.kind, discrepancies.c.key).limit(SHOWN)

        async def work(conn: AsyncConnection) -> tuple[Discrepancy, ...]:
            return tuple([_discrepancy_of(row) for row in await conn.execute(wanted)])

        return await self._database.read(work)

    async def counts(self, account: AccountName) -> Mapping[DiscrepancyKind, int]:
        """See Discrepancies."""
        counted = sa.select(discrepancies.c.kind, sa.func.count()).group_by(discrepancies.c.kind)
        counted = counted.where(discrepancies.c.account == account, discrepancies.c.closed_at.is_(None))

        async def work(conn: AsyncConnection) -> Mapping[DiscrepancyKind, int]:
            return {DiscrepancyKind(kind): number for kind, number in await conn.execute(counted)}

        return await self._database.read(work)


def _are_open(account: AccountName, kind: DiscrepancyKind, keys: Collection[str]) -> sa.ColumnElement[bool]:
    return sa.and_(
        discrepancies.c.account == account,
        discrepancies.c.kind == kind.value,
        discrepancies.c.key.in_(keys),
        discrepancies.c.closed_at.is_(None),
    )


def _discrepancy_of(row: rows.Row) -> Discrepancy:
    return Discrepancy(
        account=AccountName(row.account),
        kind=DiscrepancyKind(row.kind),
        key=row.key,
        detail=row.detail,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        closed_at=row.closed_at,
        outcome=row.outcome,
    )
