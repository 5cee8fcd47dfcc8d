"""The store's view of agencies, and of who may speak for them."""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.agency import Agency, DirectoryRow
from gateway.domain.ids import AgencyId, VendorId
from gateway.domain.mandate import Mandate


class Directory(Protocol):
    """The agencies, and who may speak for them."""

    @abstractmethod
    async def resolve(self, codes: Collection[str]) -> Mapping[str, Agency]:
        """The current agency behind each code, whatever known form; unknown codes are left out. Case and space ignored.

        A current code wins over an alias; an active agency wins over a closed one.
        """

    @abstractmethod
    async def get(self, agency: AgencyId) -> Agency | None:
        """One agency."""

    @abstractmethod
    async def lineage(self, agency: AgencyId) -> tuple[Agency, ...]:
        """The agency and everything above it, nearest first; a loop in the parent links ends it."""

    @abstractmethod
    async def lineages_of(self, agencies: Collection[AgencyId]) -> Mapping[AgencyId, Sequence[Agency]]:
        """`lineage` of many at once, closed units among them; unknown agencies are left out."""

    @abstractmethod
    async def page(
        self, *, after_code: str, limit: int, parent: AgencyId | None, query: str, include_closed: bool
    ) -> tuple[Agency, ...]:
        """Agencies by code, beginning after `after_code`; `query` matches code and name without case and marks."""

    @abstractmethod
    async def apply(self, rows: Sequence[DirectoryRow], *, at: datetime) -> int:
        """Bring the directory to what the axis lists; what is no longer listed is closed. The number of changes."""

    @abstractmethod
    async def set_mandates(self, vendors: Sequence[Mandate]) -> None:
        """Replace all mandates."""

    @abstractmethod
    async def lineages(self) -> Mapping[AgencyId, Sequence[Agency]]:
        """The lineage of every active agency, for computing mandates."""

    @abstractmethod
    async def may_act(self, vendor: VendorId, agency: AgencyId) -> bool:
        """True if the vendor system may act for the agency."""

    @abstractmethod
    async def serves(self, vendor: VendorId, agency: AgencyId) -> bool:
        """True if the agency's documents go to this vendor system now."""

    @abstractmethod
    async def served(self, agencies: Collection[AgencyId]) -> Mapping[AgencyId, VendorId]:
        """Who receives for each of these agencies; agencies that no vendor serves are left out."""

    @abstractmethod
    async def loaded(self) -> bool:
        """True once agencies are known and the mandates over them were set: before, every call would be refused."""
