"""Which report proves that a packet of ours arrived although its answer was lost. Pure.

A wrong proof loses a document, a missing one leaves it to an operator: whatever could be about another packet proves
nothing. What an axis tells in a recipient's name (a SOAP axis tells 01 once the packet was fetched) proves as much as
what that one says itself: the axis has the packet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from gateway.domain.document import BusinessType
from gateway.domain.status import AGREED, KNOWN, NOT_AGREED, TAKE_BACK_ASKED

TELLING = KNOWN - {TAKE_BACK_ASKED}
"""Codes that say that the reporter has what it reports on. 13 comes from senders; what others mean nobody knows."""

_ANSWERS = frozenset({AGREED, NOT_AGREED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What a document is named by, each as it compares; empty or None where it is not given."""

    document_id: str
    code: str
    """Number and notation."""
    day: date | None
    """Of issue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A document of ours for the reporter, as far as its packet counts here."""

    marks: Marks
    business_type: int
    followed: str = ""
    """Document id, as it compares, of the one that it recalls, updates or replaces."""
    left: bool
    """Its packet may have left: nobody reports on what never did."""
    asked_back: bool = False
    """The reporter was asked to give it back."""


def proven(status_code: str, named: Marks, candidates: Sequence[Candidate]) -> int | None:
    """The place of the one whose packet the report proves to have arrived; None if it proves none.

    `candidates` are all that bear the document id or the code named.
    """
    if status_code not in TELLING:
        return None
    meant: Sequence[int] = [
        place for place, each in enumerate(candidates) if each.left and _fits(named, each, candidates)
    ]
    if status_code in _ANSWERS:
        meant = _answered(meant, candidates)
    if len(meant) != 1:
        return None
    return meant[0] if _stands_apart(named, meant[0], candidates) else None


def _fits(named: Marks, candidate: Candidate, candidates: Sequence[Candidate]) -> bool:
    """True if no mark given is another's. A document id that none of them has is one that the peer made itself."""
    own = candidate.marks
    if not named.document_id or all(each.marks.document_id != named.document_id for each in candidates):
        # Numbers begin anew every year.
        return bool(named.code) and own.code == named.code and named.day is not None and own.day == named.day
    same_code, same_day = named.code in ("", own.code), named.day in (None, own.day)
    return own.document_id == named.document_id and same_code and same_day


def _answered(meant: Sequence[int], candidates: Sequence[Candidate]) -> Sequence[int]:
    """15 and 16 answer a recall that bears its document's marks, unless they may answer something else there."""
    recalls = [place for place in meant if candidates[place].business_type == BusinessType.RECALL]
    others = [
        place
        for place in meant
        if candidates[place].asked_back or candidates[place].business_type == BusinessType.UPDATE
    ]
    return recalls if recalls and not others else meant


def _stands_apart(named: Marks, place: int, candidates: Sequence[Candidate]) -> bool:
    """False for what follows a document that may bear the same marks, and of which it cannot be told apart.

    That one may have been removed long ago, and reports on it still come.
    """
    one = candidates[place]
    if one.business_type == BusinessType.NEW:
        return True
    if named.document_id == one.marks.document_id != one.followed:
        return True
    return any(each.marks.document_id == one.followed for at, each in enumerate(candidates) if at != place)
