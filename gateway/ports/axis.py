"""One account on one exchange axis."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.domain.agency import AgencyEntry, DirectoryRow
from gateway.domain.ids import AccountName, AxisDocId, OrganId
from gateway.domain.outcome import CannotTell, Finding, Outcome, Rejected, SentQuery, Unavailable
from gateway.domain.packet import AxisItem, PacketKind, Sealed, StoredObject
from gateway.domain.sentlist import SentEntries
from gateway.ports.content import BlobWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The axis's answer to what is waiting."""

    items: tuple[AxisItem, ...]
    carried: Mapping[AxisDocId, bytes] = field(default_factory=dict)
    """Packets that came with the list, by item: the axis may never give them again, so they are recorded first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryListing:
    """The axis's whole directory."""

    rows: tuple[DirectoryRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The packet arrived whole."""

    stored: StoredObject


PacketBytes = Callable[[], AsyncIterator[bytes]]
"""A packet's bytes from the beginning, the same at every call. Called again only where the peer has thrown away what it
was given before, say to ask for a fresh token."""


class Axis(Protocol):
    """One account on one axis. No method raises for what an axis may do."""

    @property
    @abstractmethod
    def account(self) -> AccountName:
        """The account's name in the settings."""

    @abstractmethod
    async def submit(self, sealed: Sealed, body: PacketBytes) -> Outcome:
        """Send a packet once; `body` is Translator.stream of sealed.draft.

        Retries only what cannot have been processed, and only before the body is touched.
        """

    @abstractmethod
    async def find(self, query: SentQuery) -> Finding:
        """Ask whether a packet whose answer was lost was taken."""

    @abstractmethod
    async def waiting(self, kind: PacketKind) -> Waiting | Unavailable:
        """What is not yet acknowledged."""

    @abstractmethod
    async def acknowledged(self, kind: PacketKind, *, since: datetime) -> Waiting | Unavailable:
        """What is acknowledged as done and came since then, as far as the axis lists it; items not yet so are none."""

    @abstractmethod
    async def sent_list(self) -> SentEntries | CannotTell:
        """All document packets that this system sent, the whole list; CannotTell, not passing, where there is none."""

    @abstractmethod
    async def sent_packet(self, axis_doc_id: AxisDocId) -> SentEntries | CannotTell:
        """What the axis lists of one document packet; no entry = it does not list it."""

    @abstractmethod
    async def fetch(self, item: AxisItem, writer: BlobWriter) -> Fetched | Rejected | Unavailable:
        """Download one packet into `writer` and finish it."""

    @abstractmethod
    async def settle(self, axis_doc_id: AxisDocId, *, done: bool) -> Outcome:
        """Tell the axis that an item is stored (done) or cannot be read (fail). Repeating is harmless."""

    @abstractmethod
    async def register(self, unit: AgencyEntry) -> Outcome:
        """Create or update a unit in the axis's directory; Rejected NOT_OFFERED where the axis takes none.

        Accepted carries the unit's code. Repeating is harmless.
        """

    @abstractmethod
    async def deregister(self, code: OrganId) -> Outcome:
        """Take a unit off the axis's directory; else as `register`."""

    @abstractmethod
    async def agencies(self) -> DirectoryListing | Unavailable:
        """The axis's directory with old and new codes."""
