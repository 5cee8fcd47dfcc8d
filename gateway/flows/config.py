"""What operators decide about the flows, as plain values."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from gateway.domain.backoff import Backoff
from gateway.domain.circuit import CircuitRules
from gateway.domain.dialect import Dialect
from gateway.domain.ids import AccountName, OrganId

_USUAL_CIRCUIT = CircuitRules()


class OnUnknown(StrEnum):
    """What to do with a document packet whose fate cannot be asked."""

    HOLD = "hold"
    """The recipient's report settles it, or an operator does; nothing can be doubled."""
    RESEND_NEW = "resend_new"
    """A new document is sent again, since the peer refuses one it has; what follows another is held."""
    RESEND = "resend"
    """Send again; a document may arrive twice."""


class ReceiptAt(StrEnum):
    """When the sender is told status 01, arrived (đã đến)."""

    VENDOR_ACK = "vendor_ack"
    """Once the vendor system has it."""
    STORED = "stored"
    """Once the gateway has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPolicy:
    """One axis account as the flows see it."""

    name: AccountName
    local_roots: frozenset[OrganId]
    """Codes of the agencies this account receives for, with everything below them."""
    hop: OrganId
    """Code written into the trace of packets that leave through this account."""
    packet_limit: int
    """Bytes of the largest packet the peer takes."""
    recipients_per_message: int
    """Recipients that share one packet."""
    settling_time: timedelta
    """How long the axis's list of sent items may lag: before it ended, a missing entry proves nothing."""
    dialect: Dialect
    """How the peer wants its packets; here for its limits."""
    on_unknown: OnUnknown
    """Status packets are resent whatever this says: repeating one is harmless."""
    one_packet: bool = False
    """The peer takes one packet of a document, and refuses others as known."""
    max_in_flight: int | None = None
    """Packets under way at a time, all replicas together; None = no limit."""
    divided_codes: frozenset[str] = frozenset()
    """The peer's codes for a bad recipient: a packet for several is then sent again in halves."""
    circuit: CircuitRules = _USUAL_CIRCUIT


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundPolicy:
    """How the outbox is worked off."""

    backoff: Backoff
    lease_for: timedelta
    """Renewed at a third of it; a crashed worker's messages wait at most this long."""
    concurrency: int
    """Messages of a route under way at a time in this process."""
    poll_interval: timedelta
    """Longest pause between two looks at the outbox; hints shorten it."""
    drain_grace: timedelta
    """Time running attempts get at a stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundPolicy:
    """How an account's waiting items are taken in."""

    poll_interval: timedelta
    concurrency: int
    """Documents under way at a time."""
    status_concurrency: int
    """Statuses fetched, or told, at a time; they are small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilePolicy:
    """How an account's lists are compared with what is recorded here."""

    interval: timedelta | None
    """Pause between two comparisons; None = none are made."""
    window: timedelta
    """How far back a comparison looks; no longer than the axis lists what it has."""
    settling_time: timedelta
    """How long the axis's lists may lag: what is younger is not compared yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepPolicy:
    """How often the house is kept, and what counts as rubbish."""

    measure_interval: timedelta
    clean_interval: timedelta
    deadline_near: timedelta
    """Time before its legal deadline at which a document counts as at risk."""
    unreferenced_for: timedelta
    """Age at which an object that nothing refers to is removed."""
    orphaned_for: timedelta
    """Age at which a stored object without any row is removed; longer than any upload or download lasts."""
