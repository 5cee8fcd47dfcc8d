"""What need not be kept any longer."""

from abc import abstractmethod
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Kept(StrEnum):
    """What is kept for a time."""

    SENT = "sent"
    """Sent documents, every delivery SENT or FAILED, nothing changed since."""
    RECEIVED = "received"
    """Received documents that every recipient acknowledged or refused, with their packets."""
    ITEMS = "items"
    """Other settled packets: statuses, repetitions."""
    STATUSES = "statuses"
    """Statuses that went out."""
    EVENTS = "events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far a kind has been looked through, oldest first."""

    at: datetime
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one transaction did."""

    removed: int
    mark: Mark | None
    """Where to go on; None = all that is old enough has been looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removable:
    """What would go."""

    count: int
    oldest: datetime | None
    newest: datetime | None


class Retention(Protocol):
    """Removal of what is settled and old. What is removed stays on record for good, under its key."""

    @abstractmethod
    async def remove(self, kind: Kept, *, before: datetime, after: Mark | None, policy: str, at: datetime) -> Share:
        """Look at the next few that are older than `before`; remove and record those with which nothing is left to do.

        One transaction, bounded. Their objects are left to the sweep of unreferenced ones.
        """

    @abstractmethod
    async def removable(self, kind: Kept, *, before: datetime) -> Removable:
        """What `remove` would take away; reads everything that is old enough."""
