"""Implements Directory: the agencies, and who may speak for them."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.agency import Agency, DirectoryRow, code_key
from gateway.domain.ids import AgencyId, VendorId
from gateway.domain.mandate import Mandate
from gateway.ports.agencies import Directory
from gateway.store import directorydiff as diff
from gateway.store import rows
from gateway.store.engine import Database
from gateway.store.keys import search_key
from gateway.store.statements import batches, upsert
from gateway.store.tables import agencies, agency_aliases, mandates, meta

DEPTH = 32
"""Parent links followed before the directory is taken to be looped."""
STEP = 500
"""Rows read at once, and agencies changed per transaction: a whole directory lands without holding up others."""
_MANDATES_SET = "mandates_set"
"""Name in `meta`: mandates were computed over a directory once."""

_parent = agencies.alias("parent")
_AGENCY = (
    sa.select(
        agencies.c.id,
        agencies.c.code,
        agencies.c.name,
        agencies.c.parent_id,
        _parent.c.code.label("parent_code"),
        agencies.c.email,
        agencies.c.active,
    )
    .select_from(agencies.outerjoin(_parent, agencies.c.parent_id == _parent.c.id))
    .order_by(agencies.c.id)
)


class SqlDirectory(Directory):
    """The directory in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def resolve(self, codes: Collection[str]) -> Mapping[str, Agency]:
        """See Directory."""
        return await self._database.read(lambda conn: resolve(conn, codes))

    async def get(self, agency: AgencyId) -> Agency | None:
        """See Directory."""
        found = await self._database.read(lambda conn: agencies_by_id(conn, [agency]))
        return found.get(agency)

    async def lineage(self, agency: AgencyId) -> tuple[Agency, ...]:
        """See Directory."""

        async def work(conn: AsyncConnection) -> tuple[Agency, ...]:
            up = sa.select(agencies.c.id, sa.literal(0).label("depth")).where(agencies.c.id == agency)
            line = up.cte("line", recursive=True)
            line = line.union_all(
                sa.select(agencies.c.parent_id, line.c.depth + 1).where(
                    agencies.c.id == line.c.id, agencies.c.parent_id.is_not(None), line.c.depth < DEPTH
                ),
            )
            ids = list(dict.fromkeys((await conn.scalars(sa.select(line.c.id).order_by(line.c.depth))).all()))
            found = await agencies_by_id(conn, ids)
            return tuple(found[each] for each in ids if each in found)

        return await self._database.read(work)

    async def lineages_of(self, agencies: Collection[AgencyId]) -> Mapping[AgencyId, Sequence[Agency]]:
        """See Directory. A few statements for each level of the tree, however many are asked for."""

        async def work(conn: AsyncConnection) -> Mapping[AgencyId, Agency]:
            whole: dict[AgencyId, Agency] = {}
            wanted = set(agencies)
            while wanted:
                found = await agencies_by_id(conn, wanted)
                whole.update(found)
                wanted = {each.parent_id for each in found.values() if each.parent_id is not None} - whole.keys()
            return whole

        whole = await self._database.read(work)
        return {agency: _line(whole[agency], whole) for agency in agencies if agency in whole}

    async def page(
        self, *, after_code: str, limit: int, parent: AgencyId | None, query: str, include_closed: bool
    ) -> tuple[Agency, ...]:
        """See Directory. Of several agencies with one code only the one is listed that `resolve` gives."""
        better = agencies.alias("better")
        wins = sa.or_(
            better.c.active > agencies.c.active,
            sa.and_(better.c.active == agencies.c.active, better.c.id < agencies.c.id),
        )
        wanted = sa.select(agencies.c.id).where(
            agencies.c.code_key > code_key(after_code),
            ~sa.exists().where(better.c.code_key == agencies.c.code_key, wins),
        )
        if parent is not None:
            wanted = wanted.where(agencies.c.parent_id == parent)
        if not include_closed:
            wanted = wanted.where(agencies.c.active)
        if query.strip():
            wanted = wanted.where(agencies.c.search.contains(search_key(query), autoescape=True))
        wanted = wanted.order_by(agencies.c.code_key).limit(limit)

        async def work(conn: AsyncConnection) -> tuple[Agency, ...]:
            ids = (await conn.scalars(wanted)).all()
            found = await agencies_by_id(conn, ids)
            return tuple(found[AgencyId(each)] for each in ids)

        return await self._database.read(work)

    async def apply(self, rows: Sequence[DirectoryRow], *, at: datetime) -> int:
        """See Directory. Lands in several transactions; one cut short is completed by the next call."""
        async with self._database.alone("directory"):
            known = await self._known()
            changes = await asyncio.to_thread(diff.changes, known, rows)
            for batch in batches(changes, STEP):
                await self._database.write(partial(_write_changes, changes=batch, at=at))
            return len(changes)

    async def set_mandates(self, vendors: Sequence[Mandate]) -> None:
        """See Directory."""
        wanted: set[tuple[str, str, bool]] = {(m.vendor, m.agency, m.serves) for m in vendors}

        async def work(conn: AsyncConnection) -> None:
            kept = sa.select(mandates.c.vendor, mandates.c.agency, mandates.c.serves)
            held: set[tuple[str, str, bool]] = set()
            async for part in (await conn.stream(kept)).partitions(STEP):
                held.update((row.vendor, row.agency, row.serves) for row in part)
            gone, new = await asyncio.to_thread(lambda: (sorted(held - wanted), sorted(wanted - held)))
            forget = sa.delete(mandates).where(
                mandates.c.vendor == sa.bindparam("v"), mandates.c.agency == sa.bindparam("a")
            )
            for batch in batches(gone, STEP):
                await conn.execute(forget, [{"v": vendor, "a": agency} for vendor, agency, _ in batch])
            for batch in batches(new, STEP):
                await conn.execute(
                    sa.insert(mandates), [{"vendor": v, "agency": a, "serves": serves} for v, a, serves in batch]
                )
            # Mandates may be none at all, so that their table cannot tell whether they were set.
            await conn.execute(upsert(meta).values(name=_MANDATES_SET, value="").on_conflict_do_nothing())

        async with self._database.alone("directory"):
            await self._database.write(work)

    async def lineages(self) -> Mapping[AgencyId, Sequence[Agency]]:
        """See Directory."""
        whole = await self._whole()
        return await asyncio.to_thread(_lineages, whole)

    async def loaded(self) -> bool:
        """See Directory."""
        some = sa.select(sa.exists().where(agencies.c.active), sa.exists().where(meta.c.name == _MANDATES_SET))

        async def work(conn: AsyncConnection) -> bool:
            return all((await conn.execute(some)).one())

        return await self._database.read(work)

    async def may_act(self, vendor: VendorId, agency: AgencyId) -> bool:
        """See Directory."""
        return await self._mandated(mandates.c.vendor == vendor, mandates.c.agency == agency)

    async def serves(self, vendor: VendorId, agency: AgencyId) -> bool:
        """See Directory."""
        return await self._mandated(mandates.c.vendor == vendor, mandates.c.agency == agency, mandates.c.serves)

    async def served(self, agencies: Collection[AgencyId]) -> Mapping[AgencyId, VendorId]:
        """See Directory."""

        async def work(conn: AsyncConnection) -> Mapping[AgencyId, VendorId]:
            found: dict[AgencyId, VendorId] = {}
            for batch in batches(set(agencies)):
                who = sa.select(mandates.c.agency, mandates.c.vendor)
                held = await conn.execute(who.where(mandates.c.agency.in_(batch), mandates.c.serves))
                found.update((AgencyId(row.agency), VendorId(row.vendor)) for row in held)
            return found

        return await self._database.read(work)

    async def _mandated(self, *conditions: sa.ColumnElement[bool]) -> bool:
        held = sa.select(mandates.c.agency).where(*conditions)

        async def work(conn: AsyncConnection) -> bool:
            return (await conn.execute(held)).first() is not None

        return await self._database.read(work)

    async def _known(self) -> Mapping[str, diff.Known]:
        """Every agency ever listed, by its axis id."""
        columns = sa.select(
            agencies.c.id,
            agencies.c.axis_id,
            agencies.c.parent_id,
            agencies.c.code,
            agencies.c.name,
            agencies.c.email,
            agencies.c.active,
        ).order_by(agencies.c.id)

        async def work(conn: AsyncConnection) -> Mapping[str, diff.Known]:
            known: dict[str, diff.Known] = {}
            last = ""
            while batch := (await conn.execute(columns.where(agencies.c.id > last).limit(STEP))).mappings().all():
                aliases = await _aliases(conn, low=last, high=batch[-1]["id"])
                last = batch[-1]["id"]
                known.update((row["axis_id"], diff.Known(**row, aliases=aliases.get(row["id"], ()))) for row in batch)
            return known

        return await self._database.read(work)

    async def _whole(self) -> Mapping[AgencyId, Agency]:
        async def work(conn: AsyncConnection) -> Mapping[AgencyId, Agency]:
            whole: dict[AgencyId, Agency] = {}
            last = ""
            while batch := (await conn.execute(_AGENCY.where(agencies.c.id > last).limit(STEP))).all():
                aliases = await _aliases(conn, low=last, high=batch[-1].id)
                last = batch[-1].id
                whole.update((AgencyId(row.id), rows.agency_of(row, aliases.get(row.id, ()))) for row in batch)
            return whole

        return await self._database.read(work)


async def agencies_by_id(conn: AsyncConnection, ids: Iterable[str]) -> Mapping[AgencyId, Agency]:
    """The agencies with these ids; unknown ones are left out."""
    found: dict[AgencyId, Agency] = {}
    for batch in batches(dict.fromkeys(ids)):
        held = (await conn.execute(_AGENCY.where(agencies.c.id.in_(batch)))).all()
        aliases = await _aliases(conn, of=batch)
        found.update((AgencyId(row.id), rows.agency_of(row, aliases.get(row.id, ()))) for row in held)
    return found


async def resolve(conn: AsyncConnection, codes: Collection[str]) -> Mapping[str, Agency]:
    """The current agency behind each code: an active one before a closed one, a current code before an alias."""
    best: dict[str, tuple[bool, bool, str]] = {}
    for batch in batches({code_key(code) for code in codes}):
        current = sa.select(
            agencies.c.code_key, agencies.c.active, sa.literal(value=True).label("current"), agencies.c.id
        ).where(agencies.c.code_key.in_(batch))
        former = (
            sa.select(agency_aliases.c.code_key, agencies.c.active, sa.literal(value=False), agencies.c.id)
            .join(agencies, agencies.c.id == agency_aliases.c.agency)
            .where(agency_aliases.c.code_key.in_(batch))
        )
        for key, active, is_current, agency in await conn.execute(current.union_all(former)):
            rank = (not active, not is_current, str(agency))
            best[key] = min(rank, best.get(key, rank))
    found = await agencies_by_id(conn, [agency for _, _, agency in best.values()])
    keyed = {key: found[AgencyId(agency)] for key, (_, _, agency) in best.items()}
    return {code: keyed[code_key(code)] for code in codes if code_key(code) in keyed}


async def code_forms(conn: AsyncConnection, code: str) -> frozenset[str]:
    """Every normalised code under which the agency behind this one may have been written."""
    return (await forms_of(conn, [code]))[code]


async def forms_of(conn: AsyncConnection, codes: Collection[str]) -> Mapping[str, frozenset[str]]:
    """`code_forms` of many."""
    found = await resolve(conn, codes)
    written = {code: (found[code].code, *found[code].aliases) if code in found else () for code in codes}
    return {code: frozenset(code_key(each) for each in (code, *others)) for code, others in written.items()}


async def _aliases(
    conn: AsyncConnection, *, of: Collection[str] | None = None, low: str = "", high: str = ""
) -> Mapping[str, tuple[diff.Alias, ...]]:
    """Aliases by agency: of the agencies named, or of those with ids in (low, high]."""
    wanted = sa.select(agency_aliases.c.agency, agency_aliases.c.code, agency_aliases.c.former)
    column = agency_aliases.c.agency
    wanted = wanted.where(column.in_(of)) if of is not None else wanted.where(column > low, column <= high)
    found: dict[str, tuple[diff.Alias, ...]] = {}
    for row in await conn.execute(wanted.order_by(column, agency_aliases.c.code_key)):
        found[row.agency] = (*found.get(row.agency, ()), diff.Alias(code=row.code, former=bool(row.former)))
    return found


async def _write_changes(conn: AsyncConnection, changes: Sequence[diff.Change], at: datetime) -> None:
    new = [each for each in changes if each.new]
    if new:
        await conn.execute(
            sa.insert(agencies),
            [
                {
                    **_columns(each),
                    "id": each.after.id,
                    "axis_id": each.after.axis_id,
                    "valid_from": at,
                    "closed_at": None,
                }
                for each in new
            ],
        )
    old = [each for each in changes if not each.new]
    if old:
        update = sa.update(agencies).where(agencies.c.id == sa.bindparam("which"))
        closed = sa.case(
            (agencies.c.active, sa.bindparam("now", type_=agencies.c.closed_at.type)), else_=agencies.c.closed_at
        )
        ended = sa.case((sa.bindparam("is_active", type_=sa.Boolean), sa.null()), else_=closed)
        values = [{**_columns(each), "which": each.after.id, "now": at, "is_active": each.after.active} for each in old]
        await conn.execute(
            update.values(closed_at=ended, **{name: sa.bindparam(name) for name in _columns(old[0])}), values
        )
        forget = sa.delete(agency_aliases).where(agency_aliases.c.agency == sa.bindparam("which"))
        await conn.execute(forget, [{"which": each.after.id} for each in old])
    named = [
        {"code_key": code_key(alias.code), "agency": each.after.id, "code": alias.code, "former": alias.former}
        for each in changes
        for alias in each.after.aliases
    ]
    if named:
        await conn.execute(sa.insert(agency_aliases), named)


def _columns(change: diff.Change) -> dict[str, object]:
    after = change.after
    return {
        "parent_id": after.parent_id,
        "code": after.code,
        "code_key": code_key(after.code),
        "name": after.name,
        "search": search_key(f"{after.code} {after.name}"),
        "email": after.email,
        "active": after.active,
    }


def _lineages(whole: Mapping[AgencyId, Agency]) -> Mapping[AgencyId, Sequence[Agency]]:
    return {agency.id: _line(agency, whole) for agency in whole.values() if agency.active}


def _line(agency: Agency, whole: Mapping[AgencyId, Agency]) -> Sequence[Agency]:
    """An agency and what is above it, nearest first, as far as `whole` has it; a loop ends it."""
    line = {agency.id: agency}
    parent = agency.parent_id
    while parent is not None and parent in whole and parent not in line:
        line[parent] = whole[parent]
        parent = whole[parent].parent_id
    return tuple(line.values())
