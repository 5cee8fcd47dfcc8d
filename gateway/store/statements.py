"""Statement forms that several modules share, among them the few on which SQLite and PostgreSQL differ."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.ids import AgencyId, VendorId
from gateway.store.tables import agencies, counters, mandates

BATCH = 500
"""Values bound by one IN list or rows read at once; far below either database's limit on parameters."""

T = TypeVar("T")


def upsert(table: sa.Table) -> Insert:
    """An INSERT that knows ON CONFLICT; SQLite reads PostgreSQL's form."""
    return insert(table)


def batches(values: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """The values in lists of at most `size`."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch


def subtree(root: AgencyId) -> sa.Select[tuple[str]]:
    """Ids of an agency and everything below it by the parent links; a loop in the links ends it."""
    tree = sa.select(agencies.c.id).where(agencies.c.id == root).cte("tree", recursive=True)
    tree = tree.union(sa.select(agencies.c.id).where(agencies.c.parent_id == tree.c.id))
    return sa.select(tree.c.id)


def served_by(vendor: VendorId) -> sa.Select[tuple[str]]:
    """Ids of the agencies whose documents this vendor receives now."""
    return sa.select(mandates.c.agency).where(mandates.c.vendor == vendor, mandates.c.serves)


async def take_numbers(conn: AsyncConnection, counter: str, count: int) -> range:
    """The next `count` numbers of a counter.

    Its row stays locked to the end of the transaction, so numbers become visible in order. Take `messages` before
    `events`, both as late as possible.
    """
    bump = sa.update(counters).where(counters.c.name == counter).values(value=counters.c.value + count)
    last: int = (await conn.execute(bump.returning(counters.c.value))).scalar_one()
    return range(last - count + 1, last + 1)
