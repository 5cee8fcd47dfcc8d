"""Pure: what a new listing changes in the directory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from gateway.domain.agency import DirectoryRow, code_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """Another code of an agency."""

    code: str
    former: bool
    """True: once its own code, kept whatever is listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One agency as the store has it, or is to have it."""

    id: str
    axis_id: str
    parent_id: str | None
    code: str
    name: str
    email: str
    active: bool
    aliases: tuple[Alias, ...]
    """By normalised code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One agency that is new or no longer as it was."""

    after: Known
    new: bool


def changes(known: Mapping[str, Known], rows: Sequence[DirectoryRow]) -> list[Change]:
    """What to write so that the directory is as listed; of rows with one axis id the last counts.

    What is not listed is closed. A code that was replaced stays as an alias. A parent that is not listed is no parent.
    """
    listed = {row.axis_id: row for row in rows}
    ids = {axis_id: known[axis_id].id if axis_id in known else uuid4().hex for axis_id in listed}
    found: list[Change] = []
    for axis_id, row in listed.items():
        before = known.get(axis_id)
        after = Known(
            id=ids[axis_id],
            axis_id=axis_id,
            parent_id=ids.get(row.parent_axis_id),
            code=row.code.strip(),
            name=row.name,
            email=row.email,
            active=True,
            aliases=_aliases(before, row),
        )
        if after != before:
            found.append(Change(after=after, new=before is None))
    found.extend(
        Change(after=replace(each, active=False), new=False)
        for axis_id, each in known.items()
        if each.active and axis_id not in listed
    )
    return found


def _aliases(before: Known | None, row: DirectoryRow) -> tuple[Alias, ...]:
    own = code_key(row.code)
    aliases = {code_key(code): Alias(code=code.strip(), former=False) for code in row.aliases if code.strip()}
    if before is not None:
        former = [alias.code for alias in before.aliases if alias.former]
        if code_key(before.code) != own:
            former.append(before.code)
        aliases.update((code_key(code), Alias(code=code, former=True)) for code in former)
    return tuple(alias for key, alias in sorted(aliases.items()) if key != own)
