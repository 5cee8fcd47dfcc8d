"""One directory out of those of several axes. Pure.

An agency is told by its codes: what an earlier account lists under any of them, a later account does not list again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.domain.agency import DirectoryRow, code_key
from gateway.domain.ids import AccountName


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one account's axis lists."""

    account: AccountName
    rows: Sequence[DirectoryRow]


def merge(listings: Sequence[Listing]) -> tuple[DirectoryRow, ...]:
    """The rows of the first account as they are, then of each later one those that are new.

    Ids of a later account are kept apart by its name before them. A row whose parent an earlier account lists hangs
    under that one; the parent may be named by id, or by code where an axis has no other ids.
    """
    if not listings:
        return ()
    merged = list(listings[0].rows)
    by_code: dict[str, str] = {}
    _learn(by_code, merged)
    for listing in listings[1:]:
        added = _added(listing, by_code)
        _learn(by_code, added)
        merged += added
    return tuple(merged)


def _added(listing: Listing, by_code: dict[str, str]) -> list[DirectoryRow]:
    """What a later account adds; `by_code` has the ids of agencies listed before, by each of their codes."""
    own = {row.axis_id: f"{listing.account}:{row.axis_id}" for row in listing.rows}
    known = {row.axis_id: id_ for row in listing.rows if (id_ := _listed_before(row, by_code)) is not None}

    def parent_of(row: DirectoryRow) -> str:
        above = row.parent_axis_id
        return known.get(above) or own.get(above) or by_code.get(code_key(above), "")

    return [
        replace(row, axis_id=own[row.axis_id], parent_axis_id=parent_of(row))
        for row in listing.rows
        if row.axis_id not in known
    ]


def _listed_before(row: DirectoryRow, by_code: dict[str, str]) -> str | None:
    return next((by_code[key] for key in _keys(row) if key in by_code), None)


def _learn(by_code: dict[str, str], rows: Sequence[DirectoryRow]) -> None:
    """Own codes first: one agency's code may be another's former one."""
    for row in rows:
        if code_key(row.code):
            by_code.setdefault(code_key(row.code), row.axis_id)
    for row in rows:
        for key in _keys(row):
            by_code.setdefault(key, row.axis_id)


def _keys(row: DirectoryRow) -> list[str]:
    return [key for code in (row.code, *row.aliases) if (key := code_key(code))]
