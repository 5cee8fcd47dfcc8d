"""The store's ports on the way in: axis items, receptions, events."""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gateway.domain.agency import Agency
from gateway.domain.document import Document, ResponseFor
from gateway.domain.ids import (
    AccountName,
    AgencyId,
    AxisDocId,
    Digest,
    MessageId,
    ObjectKey,
    OrganId,
    ReceptionId,
    VendorId,
)
from gateway.domain.lifecycle import ItemState, MessageState, ReceptionState
from gateway.domain.packet import (
    AxisItem,
    PacketDefect,
    PacketKind,
    PacketWarning,
    Received,
    SplitPacket,
    StoredObject,
    VerifiedDocument,
)
from gateway.domain.status import Event, StatusReport
from gateway.ports.outbound import RequestReused


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedEntry:
    """One received document for one recipient."""

    id: ReceptionId
    account: AccountName
    """The one the document came through."""
    recipient: Agency
    document: Document
    """Attachments carry their verdicts."""
    received_at: datetime
    state: ReceptionState
    warnings: tuple[PacketWarning, ...]
    ack_id: str = ""
    ack_deadline: datetime | None = None
    delivery_attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceptionLine:
    """One received document for one recipient, as lists show it."""

    id: ReceptionId
    sender: OrganId
    """Without outer space, in upper case, else as the packet has it."""
    recipient: OrganId
    state: ReceptionState
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceptionFilter:
    """Which received documents to list."""

    states: frozenset[ReceptionState]
    """WAITING and LEASED, or others."""
    recipients: frozenset[AgencyId] | None = None
    """None = all that the vendor serves."""
    received_from: datetime | None = None
    received_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The axis item that brought a document."""

    account: AccountName
    axis_doc_id: AxisDocId


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A verified document on its way into the inbox."""

    account: AccountName
    item: AxisItem
    verified: VerifiedDocument
    content_digest: Digest
    """domain.digests.content_digest: the same however often an axis has rewritten the packet."""
    recipients: tuple[Agency, ...]
    """Local recipients."""
    refusal: str = ""
    """Not empty: stored as REFUSED with this reason, and status 02 is put into the outbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The arrival is durable; `added` counts new receptions, 0 for a repetition."""

    added: int
    redundant: tuple[ObjectKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentConflict:
    """The same document id came with other content: the item is quarantined for an operator, nothing overwritten."""

    redundant: tuple[ObjectKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedOn:
    """A message whose answer was lost, and which is SENT now, because its recipient has reported on it."""

    message: MessageId
    route: AccountName
    was: MessageState


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPlaced:
    """The status is in the log, or was before (`repeated`)."""

    repeated: bool
    sent: ReportedOn | None = None
    """What it proved to have arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusUnplaced:
    """No document of ours matches, or the reporter is none of its recipients: quarantined."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusesTaken:
    """What became of statuses that were recorded and placed together."""

    outcomes: tuple[StatusPlaced | StatusUnplaced, ...]
    """In their order."""
    redundant: tuple[ObjectKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRecord:
    """How far an axis item has come in."""

    received: Received
    """`raw` is the packet until the item is STORED; of a packet that was split it is the skeleton alone."""
    state: ItemState
    whole: bool
    """False once the packet is kept as parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A packet as it came in, and how it is kept."""

    digest: Digest
    """Of the packet's own bytes."""
    size: int
    """Of the packet, bytes."""
    kept: StoredObject | SplitPacket
    """Whole, or as the parts that give it."""


class InboundItems(Protocol):
    """The inbox as the polling flow sees it."""

    @abstractmethod
    async def states(self, account: AccountName, ids: Collection[AxisDocId]) -> Mapping[AxisDocId, ItemState]:
        """How far these items have come in before; unknown ones are left out.

        One that retention removed since counts as settled.
        """

    @abstractmethod
    async def record(self, received: Received, *, at: datetime) -> tuple[ObjectKey, ...]:
        """Keep the raw packet as FETCHED. Redundant keys to discard (recorded before)."""

    @abstractmethod
    async def unfinished(
        self, account: AccountName, *, limit: int, kind: PacketKind | None = None
    ) -> tuple[ItemRecord, ...]:
        """Items, of one kind or of both, that are not SETTLED or REJECTED, oldest first: what a crash interrupted."""

    @abstractmethod
    async def store(
        self, arrival: Arrival, *, receipts: Sequence[StatusReport], at: datetime
    ) -> Stored | ContentConflict:
        """Add receptions, register objects, mark the item STORED (or QUARANTINED on conflict): one transaction.

        It also puts `receipts` (status 01 when the setting says stored, 02 on refusal) into the outbox, for new
        receptions only.
        """

    @abstractmethod
    async def split(self, received: Received, parts: SplitPacket) -> tuple[ObjectKey, ...]:
        """Keep a stored item's packet as these parts of it from now on, in one transaction; keys to discard.

        Among the keys is the whole packet's if nothing else refers to it. The contents are the objects kept under their
        digests, whatever keys `parts` names. The packet stays whole, and the skeleton is to be discarded, where `parts`
        are not of the packet on record, a content is not kept, or the packet was split before.
        """

    @abstractmethod
    async def original(self, account: AccountName, axis_doc_id: AxisDocId) -> Original | None:
        """How the packet of an item is kept; None for an unknown item."""

    @abstractmethod
    async def place_status(
        self, received: Received, report: StatusReport, *, at: datetime
    ) -> StatusPlaced | StatusUnplaced:
        """Match the document, update the delivery, append the event, mark the item: one transaction.

        A report of a recipient's proves that the axis took the packet it is about (domain/proof.py). Where that was not
        known, the message is SENT now; while somebody has it leased, once that attempt ends, see OutboxQueue.settle.
        """

    @abstractmethod
    async def take_statuses(self, batch: Sequence[tuple[Received, StatusReport]], *, at: datetime) -> StatusesTaken:
        """Record and place several of one account, in this order: one transaction, so all of them or none."""

    @abstractmethod
    async def quarantine(self, received: Received, defect: PacketDefect) -> None:
        """Keep a packet that cannot be read or placed, whole, with the reason."""

    @abstractmethod
    async def reopen(self, account: AccountName, axis_doc_id: AxisDocId) -> None:
        """Take an item out of quarantine, to be read again: its packet is being sent again. Any other is left alone."""

    @abstractmethod
    async def defect(self, account: AccountName, axis_doc_id: AxisDocId) -> PacketDefect | None:
        """Why an item is quarantined; None if it is not."""

    @abstractmethod
    async def told(self, account: AccountName, ids: Collection[AxisDocId], *, at: datetime) -> None:
        """The axis knows of these: STORED becomes SETTLED, QUARANTINED becomes REJECTED."""


class Receptions(Protocol):
    """The inbox as rpc sees it."""

    @abstractmethod
    async def lease(
        self, vendor: VendorId, *, under: AgencyId | None, limit: int, lease_for: timedelta, at: datetime
    ) -> tuple[ReceivedEntry, ...]:
        """Waiting or overdue documents of agencies this vendor serves now, urgent first, then oldest."""

    @abstractmethod
    async def get(self, reception: ReceptionId) -> ReceivedEntry | None:
        """One entry, whatever its state, without a lease."""

    @abstractmethod
    async def listed(
        self, vendor: VendorId, wanted: ReceptionFilter, *, skip: int, limit: int
    ) -> tuple[ReceptionLine, ...]:
        """Documents of agencies this vendor serves now, without leasing them.

        Those WAITING or LEASED are all found, in the order in which they are leased. Those that have ended come newest
        first, and only as far as they are among the newest two thousand received here.
        """

    @abstractmethod
    async def count(self, vendor: VendorId, *, most: int) -> int:
        """How many are WAITING or LEASED for agencies this vendor serves; `most` where there are more."""

    @abstractmethod
    async def find(self, agency: AgencyId, named: ResponseFor, *, recall_first: bool) -> ReceptionId | None:
        """The newest document received for the agency that is named: by document id, else by code and date.

        `named.organ_id` is its sender, under any code. A recall may bear the marks of its document; `recall_first` says
        which of the two is meant.
        """

    @abstractmethod
    async def source(self, reception: ReceptionId) -> Source | None:
        """Where the document of an entry came from."""

    @abstractmethod
    async def acknowledge(
        self, reception: ReceptionId, ack_id: str | None, *, receipt: StatusReport | None, at: datetime
    ) -> ReceptionState | None:
        """ACKNOWLEDGED if the lease named was the last one given, or if the entry is acknowledged already.

        Without an `ack_id` the entry is taken over at once, whoever may have it leased. `receipt` goes into the outbox
        in the same transaction, once. Otherwise the state found instead, or None for a lost lease.
        """

    @abstractmethod
    async def refuse(
        self, reception: ReceptionId, ack_id: str | None, *, reason: str, receipt: StatusReport, at: datetime
    ) -> ReceptionState | None:
        """REFUSED, with the status in the outbox; else as `acknowledge`."""

    @abstractmethod
    async def report(
        self, reception: ReceptionId, request_id: str, report: StatusReport, *, at: datetime
    ) -> bool | RequestReused:
        """Put a status into the outbox; False if this request id, or a code not REPEATABLE, was reported before.

        RequestReused if the request id stands for another code: answering "repeated" would swallow this one.
        """

    @abstractmethod
    async def attachment(self, reception: ReceptionId, index: int) -> StoredObject | None:
        """The bytes of one attachment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHead:
    """The ends of the event log."""

    epoch: str
    """Changes when the store was restored from a backup."""
    first: int
    """Position of the oldest kept event, minus one: the smallest position a reader can resume after."""
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Events in order of position; `up_to` is how far the log was searched, past foreign events too."""

    events: tuple[Event, ...]
    up_to: int


class EventLog(Protocol):
    """The status log as watchers see it."""

    @abstractmethod
    async def head(self) -> LogHead:
        """Epoch and ends."""

    @abstractmethod
    async def read(self, vendor: VendorId, *, under: AgencyId | None, after: int, limit: int) -> EventPage:
        """Events after a position, of agencies this vendor serves or acts for now."""


class Wakeups(Protocol):
    """In-process hints that something new is in the store; polling finds it anyway."""

    @abstractmethod
    def notify(self, topic: str) -> None:
        """Wake whoever waits for the topic: outbox, inbox, events."""

    @abstractmethod
    async def wait(self, topic: str, *, at_most: timedelta) -> None:
        """Return after a notification or the time, whichever is first."""
