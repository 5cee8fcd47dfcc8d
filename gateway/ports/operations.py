"""The store as operators and auditors see it: what waits for a decision, what was done by hand, who sent what."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from gateway.domain.ids import AccountName, AxisDocId, DocumentUid, MessageId, OrganId, ReceptionId
from gateway.domain.lifecycle import DeliveryState, ItemState, MessageState, ReceptionState
from gateway.domain.operating import Objection, Order
from gateway.domain.packet import PacketKind


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """Which messages to list."""

    states: frozenset[MessageState]
    route: AccountName | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLine:
    """One outbox entry in a list."""

    id: MessageId
    kind: PacketKind
    route: AccountName
    state: MessageState
    leased: bool
    """A gateway is working on it."""
    superseded: bool
    """The vendor system has submitted the document again since."""
    document_id: str
    """Of a status: of the document it is about."""
    sender: OrganId
    recipients: int
    first_recipients: tuple[OrganId, ...]
    """At most three."""
    priority: int
    attempts: int
    created_at: datetime
    due_at: datetime | None
    deadline_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientLine:
    """One recipient of a message."""

    recipient: OrganId
    state: DeliveryState
    last_status: str
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLine:
    """What became of a message once: an attempt, a question to the axis, an operator's order."""

    number: int
    started_at: datetime | None
    """None for what no worker did."""
    ended_at: datetime
    state: MessageState
    reason: str
    counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFacts:
    """Everything that a decision about a message needs."""

    line: MessageLine
    uid: DocumentUid | None
    """None for a status."""
    subject: str
    code: str
    """Number and notation."""
    status_code: str
    """Empty for a document."""
    first_submitted_at: datetime | None
    settle_after: datetime | None
    sent_at: datetime | None
    axis_doc_id: AxisDocId | None
    alternatives: tuple[AccountName, ...]
    """Accounts that may carry it while its own is down, in order."""
    recipients: tuple[RecipientLine, ...]
    attempts: tuple[AttemptLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The order was carried out and recorded."""

    before: MessageState
    after: MessageState


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDone:
    """Nothing was changed."""

    objection: Objection
    state: MessageState | None = None
    """None for an unknown message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A packet in quarantine."""

    account: AccountName
    axis_doc_id: AxisDocId
    kind: PacketKind
    state: ItemState
    code: str
    path: str
    message: str
    recorded_at: datetime
    told_at: datetime | None
    """When the axis was told `fail`; None = not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingLine:
    """A received document that no vendor system has taken yet."""

    id: ReceptionId
    recipient: OrganId
    document_id: str
    state: ReceptionState
    delivery_attempt: int
    """Times it was handed out."""
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing known under a document id."""

    kind: str
    """`document` sent, `inbound_document` received, or another kind of removal, see store/removals.py."""
    key: str
    facts: Mapping[str, Any]
    """Words, numbers, lists: the same of a living document as of a removed one."""
    removed_at: datetime | None
    """None while it is kept."""
    policy: str
    """Under which it was removed, else empty."""


class Operations(Protocol):
    """Looking and repairing by hand, beside gateways that run."""

    @abstractmethod
    async def messages(self, wanted: MessageFilter, *, limit: int, at: datetime) -> tuple[MessageLine, ...]:
        """The newest messages that match, newest last."""

    @abstractmethod
    async def message(self, message: MessageId, *, at: datetime) -> MessageFacts | None:
        """One message with everything known of it."""

    @abstractmethod
    async def carry_out(self, message: MessageId, order: Order, *, at: datetime) -> Done | NotDone:
        """Do what an operator decided: message, deliveries, events and record in one transaction."""

    @abstractmethod
    async def problems(self, *, limit: int) -> tuple[Problem, ...]:
        """The newest packets in quarantine, newest last."""

    @abstractmethod
    async def waiting(self, *, limit: int) -> tuple[WaitingLine, ...]:
        """Received documents that wait for a vendor system, longest waiting first."""

    @abstractmethod
    async def retake(
        self, account: AccountName, axis_doc_id: AxisDocId, *, operator: str, reason: str, at: datetime
    ) -> ItemState | None:
        """Let a quarantined packet be read again by the poller, which then tells the axis again.

        The state it was in, None for an unknown item; only what was QUARANTINED or REJECTED is changed.
        """

    @abstractmethod
    async def audit(self, document_id: str) -> tuple[AuditEntry, ...]:
        """All that is known of a document id, however written: sent and received, kept and removed."""
