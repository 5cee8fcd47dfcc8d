"""Lists of sent documents, at a cost that does not grow with the number of documents."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.agency import code_key
from gateway.domain.ids import DocumentUid
from gateway.ports.outbound import DocumentFilter, DocumentPage, PageKey
from gateway.store import contents, rows
from gateway.store.statements import subtree
from gateway.store.tables import attachments, deliveries, documents

WINDOW = 100
"""Documents looked at for one page, unless the page itself is longer."""
FEW = 16
"""Agencies up to which each one's documents are found by its own index; those of more, along the time of all."""

DOCUMENT = sa.select(documents.c.uid, documents.c.agency, documents.c.header, documents.c.accepted_at)

_KEY = sa.tuple_(documents.c.accepted_at, documents.c.uid)
_NEWEST = (documents.c.accepted_at.desc(), documents.c.uid.desc())


async def page(conn: AsyncConnection, wanted: DocumentFilter, after: PageKey | None, limit: int) -> DocumentPage:
    """Up to `limit` documents, newest first; fewer where few among those looked at are wanted."""
    few = await _few(conn, wanted)
    between = _between(wanted, after)
    floor = None if wanted.document_id else await _floor(conn, few, between, limit + 1)
    found = (await conn.execute(_page(wanted, few, between, floor).limit(limit + 1))).all()
    if len(found) > limit:
        found = found[:limit]
        floor = PageKey(accepted_at=found[-1].accepted_at, uid=DocumentUid(found[-1].uid))
    content = await contents.read(conn, attachments, [row.uid for row in found])
    return DocumentPage(
        documents=tuple(rows.sent_of(row, content.get(row.uid, contents.Content()).attachments, ()) for row in found),
        after=floor,
    )


async def _few(conn: AsyncConnection, wanted: DocumentFilter) -> Sequence[str] | None:
    """The agencies whose documents are wanted; None if they are many."""
    if wanted.agencies is not None:
        ids: Sequence[str] = sorted(wanted.agencies)
    else:
        ids = list(await conn.scalars(subtree(wanted.root).limit(FEW + 1)))
    return ids if len(ids) <= FEW else None


def _between(wanted: DocumentFilter, after: PageKey | None) -> list[sa.ColumnElement[bool]]:
    """The time wanted, and what the pages before have left of it."""
    between: list[sa.ColumnElement[bool]] = []
    if after is not None:
        between += [documents.c.accepted_at <= after.accepted_at, _bound(after) > _KEY]
    if wanted.accepted_from is not None:
        between.append(documents.c.accepted_at >= wanted.accepted_from)
    if wanted.accepted_before is not None:
        between.append(documents.c.accepted_at < wanted.accepted_before)
    return between


async def _floor(
    conn: AsyncConnection,
    few: Sequence[str] | None,
    between: Sequence[sa.ColumnElement[bool]],
    least: int,
) -> PageKey | None:
    """The oldest document to look at for this page; None if there are no more than may be looked at."""
    oldest = sa.select(documents.c.accepted_at, documents.c.uid).where(*between).order_by(*_NEWEST).limit(1)
    if few is None:
        row = (await conn.execute(oldest.offset(max(WINDOW, least) - 1))).one_or_none()
    elif few:
        share = max(WINDOW // len(few), least)
        each = [sa.select(oldest.where(documents.c.agency == one).offset(share - 1).subquery("last")) for one in few]
        ends = sa.union_all(*each).subquery("ends")
        row = (
            await conn.execute(sa.select(ends).order_by(ends.c.accepted_at.desc(), ends.c.uid.desc()).limit(1))
        ).one_or_none()
    else:
        row = None
    return None if row is None else PageKey(accepted_at=row.accepted_at, uid=DocumentUid(row.uid))


def _page(
    wanted: DocumentFilter,
    few: Sequence[str] | None,
    between: Sequence[sa.ColumnElement[bool]],
    floor: PageKey | None,
) -> sa.Select[tuple[str, str, str, Any]]:
    page = DOCUMENT.where(*between).order_by(*_NEWEST)
    if few is not None:
        page = page.where(documents.c.agency.in_(few))
    elif wanted.agencies is not None:
        page = page.where((documents.c.agency + "").in_(wanted.agencies))
    else:
        page = page.where((documents.c.agency + "").in_(subtree(wanted.root)))
    if floor is not None:
        page = page.where(documents.c.accepted_at >= floor.accepted_at, _bound(floor) <= _KEY)
    if wanted.document_id:
        page = page.where(documents.c.document_id == wanted.document_id)
    of_one = [deliveries.c.document == documents.c.uid]
    if wanted.state is not None:
        of_one.append(deliveries.c.state == wanted.state.value)
    if wanted.recipient is not None:
        of_one.append(deliveries.c.recipient_key == code_key(wanted.recipient))
    if len(of_one) == 1:
        return page
    # Document by document in any database: as a join, PostgreSQL would read all deliveries where they are few.
    one = sa.select(sa.literal_column("1")).where(*of_one).limit(1).correlate(documents).scalar_subquery()
    return page.where(one.is_not(None))


def _bound(key: PageKey) -> sa.Tuple:
    ended = sa.literal(key.accepted_at, documents.c.accepted_at.type)  # a tuple does not hand its types on
    return sa.tuple_(ended, sa.literal(key.uid))
