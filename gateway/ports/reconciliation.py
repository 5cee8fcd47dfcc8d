"""The store as the comparison with an axis's own lists sees it, and what was found to differ."""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from gateway.domain.ids import AccountName, AxisDocId, MessageId
from gateway.domain.lifecycle import MessageState
from gateway.domain.outcome import SentQuery
from gateway.domain.packet import PacketKind
from gateway.domain.reconciliation import DiscrepancyKind

_Key = TypeVar("_Key", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """Something an operator should look at, or that was repaired."""

    account: AccountName
    kind: DiscrepancyKind
    key: str
    """Id of the message, the axis item or the axis's packet, see DiscrepancyKind."""
    detail: str
    """Facts for operators: ids and words, no content."""
    first_seen_at: datetime
    last_seen_at: datetime
    closed_at: datetime | None
    """None while it is open."""
    outcome: str
    """Why it was closed; "" while it is open."""


class Discrepancies(Protocol):
    """What was found to differ."""

    @abstractmethod
    async def note(
        self, account: AccountName, kind: DiscrepancyKind, found: Mapping[_Key, str], *, at: datetime
    ) -> frozenset[_Key]:
        """Open discrepancies, or see them again: `found` gives the detail of each key. A closed one opens again.

        The keys that were not open before.
        """

    @abstractmethod
    async def close(
        self, account: AccountName, kind: DiscrepancyKind, keys: Collection[str], *, outcome: str, at: datetime
    ) -> int:
        """Close those of the keys that are open; how many were."""

    @abstractmethod
    async def open(self, account: AccountName, *, kind: DiscrepancyKind | None = None) -> tuple[Discrepancy, ...]:
        """The open ones, of one kind or of all, longest known first, at most a thousand."""

    @abstractmethod
    async def counts(self, account: AccountName) -> Mapping[DiscrepancyKind, int]:
        """How many are open, by kind; kinds without any are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMark:
    """How far sent messages have been compared: all up to this one, in this order."""

    sent_at: datetime
    axis_doc_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentHere:
    """A document packet that the axis took, as we know it."""

    message: MessageId
    axis_doc_id: AxisDocId
    sent_at: datetime
    document_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproven:
    """A document packet that left or may have left, and is not known to have been taken: HELD, UNCERTAIN or FAILED.

    Or SENT on its recipient's report: under which id the axis has it is not known.
    """

    message: MessageId
    state: MessageState
    query: SentQuery
    """What it would be listed as."""
    document_id: str


class Reconciliation(Protocol):
    """What the store says of the outbox and how far it has been compared."""

    @abstractmethod
    async def sent(self, account: AccountName, *, after: SentMark, until: datetime, limit: int) -> tuple[SentHere, ...]:
        """Document packets SENT under a known id after the mark and no later than `until`, oldest first."""

    @abstractmethod
    async def still_sent(self, messages: Collection[MessageId]) -> Sequence[SentHere]:
        """Those of the messages that are SENT now, each with the axis id it has now."""

    @abstractmethod
    async def unproven(self, account: AccountName, *, since: datetime, limit: int) -> tuple[Unproven, ...]:
        """Document packets that may have left since an instant and are HELD, UNCERTAIN or FAILED, and not leased.

        Also those SENT since under an id that is not known.
        """

    @abstractmethod
    async def repair(self, message: MessageId, axis_doc_id: AxisDocId, *, at: datetime) -> bool:
        """Mark a message SENT that the axis lists, with deliveries and events; of one that is, note the id.

        False if it is no longer HELD or UNCERTAIN, or is leased, or may be another that is SENT under an unknown id.
        """

    @abstractmethod
    async def mark(self, account: AccountName, *, default: datetime) -> SentMark:
        """How far sent messages have been compared; `default` and later ones before the first comparison."""

    @abstractmethod
    async def set_mark(self, account: AccountName, mark: SentMark) -> None:
        """Note how far."""

    @abstractmethod
    async def received_mark(self, account: AccountName, kind: PacketKind, *, default: datetime) -> datetime:
        """Up to when received items have been compared; `default` before the first comparison."""

    @abstractmethod
    async def set_received_mark(self, account: AccountName, kind: PacketKind, mark: datetime) -> None:
        """Note up to when."""
