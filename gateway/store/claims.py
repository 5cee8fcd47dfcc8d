"""Implements Claims: one row a job, taken by one statement, so that of any number of takers one wins."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.ports.claims import Claims
from gateway.store.engine import Database
from gateway.store.statements import upsert
from gateway.store.tables import claims


class SqlClaims(Claims):
    """The claims in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, name: str, owner: str, *, hold_for: timedelta, at: datetime) -> bool:
        """See Claims; a claim holds up to its end and at that instant, as leases do."""
        row = upsert(claims).values(name=name, owner=owner, until=at + hold_for)
        guarded = row.on_conflict_do_update(
            index_elements=[claims.c.name],
            set_={"owner": row.excluded.owner, "until": row.excluded.until},
            where=sa.or_(claims.c.owner == owner, claims.c.until < at),
        )

        async def work(conn: AsyncConnection) -> bool:
            return (await conn.execute(guarded.returning(claims.c.name))).first() is not None

        return await self._database.write(work)

    async def give_up(self, name: str, owner: str) -> None:
        """See Claims."""
        mine = sa.delete(claims).where(claims.c.name == name, claims.c.owner == owner)
        await self._database.write(lambda conn: conn.execute(mine))
