"""What came of one call to an axis: values, never exceptions."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.ids import AxisDocId

REASON_LIMIT = 1000
"""Characters of a peer's words, or ours, that are kept and shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The axis took it."""

    axis_doc_id: AxisDocId


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The axis said no for good: repeating the same call cannot help."""

    code: str
    """The peer's own code, e.g. "18"."""
    reason: str
    """The peer's words, cut to REASON_LIMIT."""
    known_as: AxisDocId | None = None
    """Not None: refused because the peer has this very document already, under this id. After an earlier attempt, that
    attempt took it."""


NOT_OFFERED = "not-offered"
"""Code of Rejected for what a dialect has no operation for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """Certainly not processed, or refused with a code that may pass: try again later."""

    reason: str
    retry_after: timedelta | None = None
    """The peer's wish, where it gave one."""
    code: str = ""
    """The peer's own code, where it refused this one packet with one that may pass; "" = its trouble is general."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """The request left, the answer did not come: it may or may not have been processed."""

    reason: str


Outcome = Accepted | Rejected | Unavailable | Uncertain


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The axis shows the packet as taken."""

    axis_doc_id: AxisDocId


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The axis's list, read whole, does not show the packet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CannotTell:
    """The axis cannot be asked, or its answer proves nothing."""

    reason: str
    passing: bool = False
    """True: it could not be reached this time; asking later may help."""


Finding = Found | Absent | CannotTell


@dataclass(frozen=True, slots=True, kw_only=True)
class SentQuery:
    """What identifies a packet in the axis's list of sent items, whose own id was lost with the answer."""

    sender_code: str
    recipient_codes: tuple[str, ...]
    notation: str
    """`number/notation`."""
    title: str
    """Subject."""
    submitted_after: datetime
    """Start of the first attempt, UTC."""
    known_elsewhere: frozenset[AxisDocId] = frozenset()
    """Axis ids that belong to other messages, so that a twin is not taken for this one."""
    listed_since: datetime | None = None
    """A list that the axis gave at this moment or later answers the question; None = one asked for from now on."""
