"""When new work is put off: before a disk is full, and beyond the bytes that may be kept."""

from dataclasses import dataclass
from enum import StrEnum


class Shortage(StrEnum):
    """What there is too little of."""

    DISK = "disk"
    """The reserve for finishing what was accepted would be touched."""
    QUOTA = "quota"
    """More bytes would be kept than an operator allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What operators allow."""

    reserve: int
    """Bytes that stay free on every disk."""
    quota: int
    """Most bytes kept; 0 = no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How things stand."""

    free: int
    """Bytes free on the fullest disk."""
    kept: int
    under_way: int
    """Bytes announced and not wholly written yet. Those written are counted twice for a while: rather too careful."""


def shortage(usage: Usage, terms: Terms, *, announced: int) -> Shortage | None:
    """What forbids to take `announced` more bytes; None = they may come."""
    if usage.free - usage.under_way - announced < terms.reserve:
        return Shortage.DISK
    if terms.quota and usage.kept + usage.under_way + announced > terms.quota:
        return Shortage.QUOTA
    return None
