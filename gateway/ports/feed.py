"""The event log as a list to be worked off: for vendor systems that fetch statuses one by one, through the door."""

from abc import abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.domain.ids import AgencyId, VendorId
from gateway.domain.status import StatusReport


@dataclass(frozen=True, slots=True, kw_only=True)
class FedStatus:
    """A business status that came for an agency the vendor acts for."""

    id: str
    """Opaque, at most 64 characters; never stands for another status, not even after a restore."""
    at: datetime
    """When it was logged."""
    agency: AgencyId
    """Whom it is for."""
    report: StatusReport


class StatusFeed(Protocol):
    """What each vendor system has still to take of the statuses in the log; costs do not grow with the log.

    A status is for every vendor system that serves its agency or acts for it now. Any order of taking will do.
    """

    @abstractmethod
    async def begin(self, vendor: VendorId, *, at: datetime) -> None:
        """Start at the log's present end, the first time only: what came before is history to a new vendor system."""

    @abstractmethod
    async def waiting(self, vendor: VendorId, *, limit: int) -> tuple[FedStatus, ...]:
        """What is not taken yet, oldest first; nothing before `begin`."""

    @abstractmethod
    async def count(self, vendor: VendorId, *, most: int) -> int:
        """How many are not taken yet; `most` where there are more."""

    @abstractmethod
    async def get(self, vendor: VendorId, status: str) -> FedStatus | None:
        """One status, taken or not; None for foreign, unknown and removed ones."""

    @abstractmethod
    async def take(self, vendor: VendorId, status: str) -> bool:
        """Never list it again. True if it is taken now, or was before; False for what `get` does not know."""
