"""What operators decide about the flows, as plain values."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from gateway.domain.backoff import Backoff
from gateway.domain.dialect import Dialect
from gateway.domain.ids import AccountName, OrganId


class OnUnknown(StrEnum):
    """What to do with a document packet whose fate cannot be asked."""

    HOLD = "hold"
    """An operator decides; nothing can be doubled."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundPolicy:
    """How the outbox is worked off."""

    backoff: Backoff
    lease_for: timedelta
    """Renewed at a third of it; a crashed worker's messages wait at most this long."""
    concurrency: int
    """Messages under way at a time."""
    poll_interval: timedelta
    """Longest pause between two looks at the outbox; hints shorten it."""
    drain_grace: timedelta
    """Time running attempts get at a stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundPolicy:
    """How an account's waiting items are taken in."""

    poll_interval: timedelta
    concurrency: int
    """Items under way at a time."""
    packet_limit: int
    """Bytes of the largest packet read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepPolicy:
    """How often the house is kept, and what counts as rubbish."""

    measure_interval: timedelta
    clean_interval: timedelta
    unreferenced_for: timedelta
    """Age at which an object that nothing refers to is removed."""
    orphaned_for: timedelta
    """Age at which a stored object without any row is removed; longer than any upload or download lasts."""
