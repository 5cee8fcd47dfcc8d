"""What an axis's lists and our records say differently: decisions, pure. The sources are axis.md sections 3 to 5."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.domain.ids import AxisDocId
from gateway.domain.sentlist import SentEntry


class DiscrepancyKind(StrEnum):
    """What is said differently; the key of each is named."""

    SENT_MISSING = "SENT_MISSING"
    """We count a message as sent, the axis does not list it. Key: message. Never resent: old items vanish there."""
    SENT_REPAIRED = "SENT_REPAIRED"
    """The axis listed a message that was held or unknown here; it counts as sent now. Key: message."""
    FAILED_BUT_LISTED = "FAILED_BUT_LISTED"
    """The axis lists a message that failed here. Key: message."""
    SENT_UNKNOWN_HERE = "SENT_UNKNOWN_HERE"
    """The axis lists a packet as ours that no message here has: sent by another system on the account, or before this
    store was restored from a backup. Key: the axis's id of the packet."""
    RECIPIENT_FAILED = "RECIPIENT_FAILED"
    """A recipient's system told the axis that it could not take our packet. Key: axis id|recipient codes."""
    RECEIVED_MISSING = "RECEIVED_MISSING"
    """An item was acknowledged at the axis as stored, but never recorded here. Key: item."""
    HANDLING_BROKE = "HANDLING_BROKE"
    """Our own handling of an item breaks each time; its packet is kept, the axis is told nothing. Key: item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentComparison:
    """What one list of sent items, read whole, says about what we hold for sent."""

    missing: frozenset[AxisDocId]
    """Ours, not listed."""
    listed: frozenset[AxisDocId]
    """Ours, listed."""
    unknown: Mapping[AxisDocId, SentEntry]
    """Listed within the window, not ours."""
    failed: Mapping[str, SentEntry]
    """Entries that their recipients could not take, by key."""


def compare_sent(
    entries: Iterable[SentEntry],
    *,
    ours: Collection[AxisDocId],
    known: Collection[AxisDocId],
    newer_than: datetime,
    until: datetime,
) -> SentComparison:
    """Compare a whole list with what we hold for sent.

    Args:
        entries: The axis's list.
        ours: Ids of the sent messages in question.
        known: Ids that are explained otherwise: other messages', found for unproven ones.
        newer_than: Entries sent no later than this were compared before.
        until: Entries sent later than this are too fresh: our own record of them may still be on its way.
    """
    documents = [entry for entry in entries if entry.may_be_document]
    listed = {entry.axis_doc_id for entry in documents}
    asked = frozenset(ours)
    explained = asked | frozenset(known)
    unknown: dict[AxisDocId, SentEntry] = {}
    for entry in documents:
        fresh = entry.sent_at is not None and newer_than < entry.sent_at <= until
        if fresh and entry.axis_doc_id is not None and entry.axis_doc_id not in explained:
            unknown.setdefault(entry.axis_doc_id, entry)
    return SentComparison(
        missing=asked - listed,
        listed=asked & listed,
        unknown=unknown,
        failed={failure_key(entry): entry for entry in documents if entry.failed and entry.axis_doc_id is not None},
    )


def failure_key(entry: SentEntry) -> str:
    """Key of RECIPIENT_FAILED."""
    return f"{entry.axis_doc_id}|{','.join(entry.recipients)}"
