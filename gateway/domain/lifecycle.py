"""States and the table of allowed moves, both directions. The pages in docs/ are printed from these tables.

Outbound: a *document* has one *delivery* per recipient; a *message* is the leased outbox entry that carries one packet
or one status for one or more deliveries. Inbound: an *axis item* becomes one *reception* per local recipient.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class MessageState(StrEnum):
    """Where one outbox entry stands. A lease is kept beside the state, not in it."""

    QUEUED = "queued"
    """Due at its time; nothing of it has left."""
    SUBMITTING = "submitting"
    """Written before the first byte leaves: found so after a crash, its outcome is unknown."""
    UNCERTAIN = "uncertain"
    """Sent, answer lost: the axis is asked before anything is resent."""
    HELD = "held"
    """Unknown and cannot be asked: a report of its recipient's proves that it arrived, else an operator decides."""
    SENT = "sent"
    """The axis took it."""
    FAILED = "failed"
    """Refused for good, or out of time; kept whole, an operator can requeue it."""


class DeliveryState(StrEnum):
    """Where the way to one recipient stands, as vendors see it."""

    QUEUED = "queued"
    DELAYED = "delayed"
    SENT = "sent"
    FAILED = "failed"
    HELD = "held"


class ReceptionState(StrEnum):
    """Where one received document stands with the vendor system of its recipient."""

    WAITING = "waiting"
    LEASED = "leased"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"


class ItemState(StrEnum):
    """How far one axis item has come in."""

    FETCHED = "fetched"
    """Raw packet durable, not yet read."""
    STORED = "stored"
    """Its content is in the inbox or the status log; the axis may be told done."""
    QUARANTINED = "quarantined"
    """Cannot be read or placed; kept whole for operators; the axis may be told fail."""
    SETTLED = "settled"
    """Stored, and the axis has been told."""
    REJECTED = "rejected"
    """Quarantined, and the axis has been told."""


MESSAGE_MOVES: Mapping[MessageState, frozenset[MessageState]] = MappingProxyType(
    {
        MessageState.QUEUED: frozenset({MessageState.SUBMITTING, MessageState.QUEUED, MessageState.FAILED}),
        MessageState.SUBMITTING: frozenset(
            {
                MessageState.SENT,
                MessageState.QUEUED,
                MessageState.UNCERTAIN,
                MessageState.HELD,
                MessageState.FAILED,
            },
        ),
        MessageState.UNCERTAIN: frozenset(
            {
                MessageState.SENT,
                MessageState.QUEUED,
                MessageState.UNCERTAIN,
                MessageState.HELD,
                MessageState.FAILED,
            },
        ),
        MessageState.HELD: frozenset({MessageState.QUEUED, MessageState.SENT, MessageState.FAILED}),
        MessageState.FAILED: frozenset({MessageState.QUEUED}),
        MessageState.SENT: frozenset(),
    },
)
"""SUBMITTING may be settled by asking after a crash, hence HELD. FAILED leaves only by an operator's hand."""

AFTER_RESTORE: Mapping[MessageState, MessageState] = MappingProxyType(
    {
        MessageState.QUEUED: MessageState.UNCERTAIN,
        MessageState.SUBMITTING: MessageState.UNCERTAIN,
        MessageState.UNCERTAIN: MessageState.UNCERTAIN,
        MessageState.HELD: MessageState.HELD,
        MessageState.SENT: MessageState.SENT,
        MessageState.FAILED: MessageState.FAILED,
    },
)
"""What a document's message becomes where an earlier state of the store is restored: it may have been sent since.

No move of a running gateway: nothing else leads from QUEUED to UNCERTAIN. Statuses stay as they are and are repeated.
"""

RECEPTION_MOVES: Mapping[ReceptionState, frozenset[ReceptionState]] = MappingProxyType(
    {
        ReceptionState.WAITING: frozenset({ReceptionState.LEASED}),
        ReceptionState.LEASED: frozenset(
            {ReceptionState.LEASED, ReceptionState.ACKNOWLEDGED, ReceptionState.REFUSED},
        ),
        ReceptionState.ACKNOWLEDGED: frozenset(),
        ReceptionState.REFUSED: frozenset(),
    },
)
"""A lease that ran out is taken again: LEASED to LEASED. An altered document is stored as REFUSED at once."""

ITEM_MOVES: Mapping[ItemState, frozenset[ItemState]] = MappingProxyType(
    {
        ItemState.FETCHED: frozenset({ItemState.STORED, ItemState.QUARANTINED}),
        ItemState.STORED: frozenset({ItemState.SETTLED}),
        ItemState.QUARANTINED: frozenset({ItemState.REJECTED, ItemState.FETCHED}),
        ItemState.SETTLED: frozenset(),
        ItemState.REJECTED: frozenset({ItemState.FETCHED}),
    },
)
"""Back to FETCHED by an operator's hand alone: what kept the packet from being read was mended on our side."""

UNSETTLED = frozenset(
    {MessageState.QUEUED, MessageState.SUBMITTING, MessageState.UNCERTAIN, MessageState.HELD},
)
"""States that keep younger messages of the same ordering key waiting."""

NOBODY_KNOWS = frozenset({MessageState.UNCERTAIN, MessageState.HELD})
"""Something left, and nobody has said whether the axis took it."""

MAYBE_SENT = NOBODY_KNOWS | {MessageState.SUBMITTING}
"""Nobody knows yet, or only the late holder of a lost lease, whether the axis took it."""

DELIVERY_OF: Mapping[MessageState, DeliveryState] = MappingProxyType(
    {
        MessageState.QUEUED: DeliveryState.DELAYED,
        MessageState.SUBMITTING: DeliveryState.QUEUED,
        MessageState.UNCERTAIN: DeliveryState.DELAYED,
        MessageState.HELD: DeliveryState.HELD,
        MessageState.SENT: DeliveryState.SENT,
        MessageState.FAILED: DeliveryState.FAILED,
    },
)
"""What vendors are shown once an attempt ended in a message state."""


def is_outweighed(before: MessageState, after: MessageState) -> bool:
    """Whether a report of its recipient's says more of a packet than the end of this attempt or question does.

    It does where something may have left and the end says that nobody knows, or that it is tried or asked again; and
    where a question (UNCERTAIN) ends in giving up. An attempt fails by the axis's own refusal.
    """
    if before is MessageState.QUEUED:
        return False
    return after in UNSETTLED or (before is MessageState.UNCERTAIN and after is MessageState.FAILED)
