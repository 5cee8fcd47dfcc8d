"""The store's ports on the way out: what exists, what was sent, what is still to be sent."""

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gateway.domain.document import Document, Organization, ResponseFor
from gateway.domain.ids import (
    AccountName,
    AgencyId,
    AxisDocId,
    Digest,
    DocumentUid,
    MessageId,
    ObjectKey,
    OrganId,
    VendorId,
)
from gateway.domain.lifecycle import DeliveryState, MessageState
from gateway.domain.packet import StoredObject
from gateway.domain.routing import Share
from gateway.domain.status import StatusReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Bytes a vendor system has uploaded and may name until they expire."""

    stored: StoredObject
    expires_at: datetime


class BlobIndex(Protocol):
    """Which objects exist and who may refer to them."""

    @abstractmethod
    async def register_upload(self, vendor: VendorId, stored: StoredObject, *, expires_at: datetime) -> Upload:
        """Note that the vendor uploaded these bytes.

        The answer holds the object kept: if the same bytes were stored before, its key differs and the caller discards
        the new object.
        """

    @abstractmethod
    async def referable(
        self, vendor: VendorId, digests: Collection[Digest], *, at: datetime
    ) -> Mapping[Digest, StoredObject]:
        """The objects among `digests` that this vendor uploaded (unexpired), sent or received."""

    @abstractmethod
    async def sweep(self, *, unreferenced_since: datetime, limit: int) -> tuple[ObjectKey, ...]:
        """Forget objects that nothing refers to, expired uploads included; the caller then discards their keys."""

    @abstractmethod
    async def known(self, keys: Collection[ObjectKey]) -> frozenset[ObjectKey]:
        """Those of the keys that rows refer to."""

    @abstractmethod
    async def kept_bytes(self) -> int:
        """Bytes of all objects. Costs grow with their number: for now and then, not for every request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """One recipient's part of a sent document."""

    recipient: OrganId
    state: DeliveryState
    attempts: int
    reason: str
    last_status: str
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SentDocument:
    """A document sent through this gateway."""

    uid: DocumentUid
    agency: AgencyId
    document: Document
    accepted_at: datetime
    deliveries: tuple[DeliveryView, ...]
    """Empty in lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Everything that accepting a document makes durable, in one transaction."""

    vendor: VendorId
    agency: AgencyId
    request_id: str
    request_digest: Digest
    """Over the request as it came; tells a repetition from a reuse."""
    content_digest: Digest
    """domain.digests.submission_digest of the completed document; tells a second submission from a conflict."""
    document: Document
    objects: tuple[StoredObject, ...]
    """One per attachment; inline ones are registered here."""
    shares: tuple[Share, ...]
    """Together all recipients, each once."""
    deadline_at: datetime | None = None
    """When the law wants it sent, see domain/deadline.py."""
    follows: DocumentUid | None = None
    """The document recalled, updated or replaced: this one goes out after every packet of that one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A document of ours that a recall, update or replacement names."""

    uid: DocumentUid
    document: Document
    """Without attachments."""
    recipients: frozenset[OrganId]
    """Codes, as written, of all who were sent a document of this name, earlier updates of it among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The document is durable. `repeated` = it was before; then `redundant` names objects to discard."""

    sent: SentDocument
    repeated: bool
    redundant: tuple[ObjectKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReused:
    """The request id was used before with other content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentReused:
    """The sender used the document id before with other content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRemoved:
    """The very document, or the request, was taken before; retention has removed it since."""

    document_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFilter:
    """What to list."""

    agencies: frozenset[AgencyId] | None
    """None = every agency below `root`, too."""
    root: AgencyId
    document_id: str = ""
    state: DeliveryState | None = None
    recipient: OrganId | None = None
    accepted_from: datetime | None = None
    accepted_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageKey:
    """Where a page of documents ended: newest first."""

    accepted_at: datetime
    uid: DocumentUid


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPage:
    """Some of the documents wanted."""

    documents: tuple[SentDocument, ...]
    """Possibly fewer than asked for, none even, though there are more: each page is searched for a bounded time."""
    after: PageKey | None
    """Where the next page begins; None: there is none."""


class Documents(Protocol):
    """The sent documents, as rpc and submission see them."""

    @abstractmethod
    async def repetition(
        self, vendor: VendorId, request_id: str, request_digest: Digest
    ) -> Taken | RequestReused | DocumentRemoved | None:
        """What an earlier use of the request id became; None if there was none."""

    @abstractmethod
    async def accept(
        self, acceptance: Acceptance, *, at: datetime
    ) -> Taken | RequestReused | DocumentReused | DocumentRemoved:
        """Make a document, its deliveries, messages, first events and blob references durable at once.

        Race-free: of two concurrent calls with one request id, or one sender and document id, one finds the other's.
        A document that failed for every recipient no longer holds its document id. One that retention removed still
        holds it, and its request ids.

        A recall, update or replacement holds no document id; but the same once more, with the same document id and
        content, is the first one again unless that failed for every recipient. Its messages take the place in the order
        of the document it follows.
        """

    @abstractmethod
    async def followed(self, named: ResponseFor) -> Followed | None:
        """The newest document of the agency `named.organ_id` that is named: by document id, else by code and date.

        The agency counts under all its codes. Recalls are never meant; removed documents are not found.
        """

    @abstractmethod
    async def get(self, uid: DocumentUid) -> SentDocument | None:
        """One document with its deliveries."""

    @abstractmethod
    async def list(self, wanted: DocumentFilter, *, after: PageKey | None, limit: int) -> DocumentPage:
        """A page of up to `limit` documents, newest first."""

    @abstractmethod
    async def attachment(self, uid: DocumentUid, index: int) -> StoredObject | None:
        """The bytes of one attachment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedMessage:
    """One outbox entry, leased to this worker."""

    id: MessageId
    lease: str
    """Proof of the lease; every write names it."""
    route: AccountName
    state: MessageState
    """SUBMITTING here means: an earlier attempt was cut short, its outcome is unknown."""
    attempts: int
    """Attempts that ended before this one."""
    created_at: datetime
    first_submitted_at: datetime | None
    """Start of the first attempt by this route."""
    settle_after: datetime | None
    """UNCERTAIN: the axis's word that it has nothing counts only from then on."""
    document: Document | None
    """For a document packet."""
    objects: tuple[StoredObject, ...]
    recipients: tuple[Organization, ...]
    """This message's share of the document's recipients."""
    report: StatusReport | None
    """For a status packet."""
    deadline_at: datetime | None = None
    """When the law wants the document sent."""
    interruptions: int = 0
    """Leases in a row, this one's predecessor the last, that ran out while nobody ended the attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How one attempt ended, decided by flows/settle and applied by the store in one transaction."""

    state: MessageState
    due_at: datetime | None
    """Next attempt; None in states that wait for nobody or for an operator."""
    reason: str
    counted: bool
    """False: interrupted, not an attempt."""
    axis_doc_id: AxisDocId | None
    settle_after: datetime | None = None
    bound: bool = False
    """The account may have the packet: no other may carry it from now on, or it could arrive twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """The outbox and inbox in numbers."""

    outbox: Mapping[MessageState, int]
    """Unsettled and failed messages by state."""
    oldest_due: datetime | None
    """Due time of the longest overdue message."""
    inbox_waiting: int
    inbox_unclaimed: int
    """Waiting for agencies that no vendor serves."""
    quarantined: int
    deadline_near: int
    """Document messages not sent whose legal deadline is near, not missed."""
    deadline_missed: int
    """Document messages not sent whose legal deadline has passed."""


class OutboxQueue(Protocol):
    """The outbox as the worker sees it."""

    @abstractmethod
    async def lease(
        self,
        owner: str,
        *,
        route: AccountName,
        limit: int,
        lease_for: timedelta,
        at: datetime,
        longest_waiting: bool = False,
        cap: int | None = None,
    ) -> tuple[LeasedMessage, ...]:
        """Due messages of a route, urgent first, then by due time; `longest_waiting`: by due time alone.

        Never one behind an older unsettled one of its ordering key. With `cap`, never more than that many leases of the
        route at a time, those of all replicas counted.
        """

    @abstractmethod
    async def divide(self, message: LeasedMessage, *, reason: str, at: datetime) -> bool:
        """Put a message for several recipients back as two halves, each QUEUED and due at once; False if it is lost.

        The halves keep the message's place in its ordering key and do not wait for each other. The attempt is recorded
        with the reason. Raises IllegalMoveError for a message of one recipient.
        """

    @abstractmethod
    async def hasten(self, route: AccountName, *, at: datetime) -> int:
        """After an outage: make what waits for its next attempt due now, at most some thousands; how many.

        What is UNCERTAIN is due no earlier than its `settle_after`; what never was attempted is due anyway.
        """

    @abstractmethod
    async def fail_over(
        self, route: AccountName, *, among: Collection[AccountName], at: datetime, most: int | None = None
    ) -> Mapping[AccountName, int]:
        """Hand what waits for a route that is down to the first of its alternatives that is `among` the fit ones.

        How many went where, `most` or some thousands: to be repeated until there is none. They are due at once, and the
        route left becomes their last alternative. What is leased, or may have been sent, stays; so do statuses, and for
        a minute what was handed over to this route and has not been tried yet. Each move stands in the record of
        attempts.
        """

    @abstractmethod
    async def is_anothers(self, message: LeasedMessage, axis_doc_id: AxisDocId) -> bool:
        """Whether another message of the same route was sent under this id, or may have been.

        May have been: one that a list cannot tell from this one was SENT on its recipient's report, its id unknown.
        """

    @abstractmethod
    async def abandon(self, owner: str, *, at: datetime) -> int:
        """End the leases of an owner that is known to be gone, as if they had run out; how many."""

    @abstractmethod
    async def begin_submit(self, message: LeasedMessage, *, at: datetime) -> bool:
        """Write SUBMITTING before the first byte leaves; False if the lease is lost.

        Also False if nothing is to leave: its recipient has reported on what left before, and it is SENT now.
        """

    @abstractmethod
    async def renew(self, message: LeasedMessage, *, lease_for: timedelta, at: datetime) -> bool:
        """Keep the lease; False if it is lost."""

    @abstractmethod
    async def settle(self, message: LeasedMessage, settlement: Settlement, *, at: datetime) -> Settlement | None:
        """Apply an attempt's end to message, deliveries, attempts and events, if the lease still holds; else None.

        What was written: SENT instead of an end that says less than a report of its recipient's that came meanwhile.

        SENT with an axis id is a proof: it also holds without the lease while the message is SUBMITTING, UNCERTAIN or
        HELD, by the same route. Whoever has leased it since has lost it then.
        """

    @abstractmethod
    async def known_axis_ids(self, route: AccountName, *, since: datetime) -> frozenset[AxisDocId]:
        """Axis ids given to messages since an instant."""

    @abstractmethod
    async def depth(self, *, at: datetime, near: timedelta) -> QueueDepth:
        """How much is waiting, for metrics; a deadline is near within `near`."""

    @abstractmethod
    async def unsettled(self) -> Mapping[AccountName, int]:
        """How many messages are not settled, by route."""
