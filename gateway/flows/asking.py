"""What the axis is asked about a message whose answer was lost, and what its word is worth."""

from gateway.domain.outcome import CannotTell, Finding, Found, SentQuery
from gateway.domain.sentlist import CLOCK_SKEW
from gateway.ports import Axis, LeasedMessage, OutboxQueue


async def ask(message: LeasedMessage, axis: Axis, outbox: OutboxQueue) -> Finding:
    """Look a document's packet up at its axis. Raises what breaks on the way."""
    assert message.document is not None
    since = message.first_submitted_at or message.created_at
    # A recall may look just like its document, sent the moment before: that one's id must be known, clocks apart.
    known = await outbox.known_axis_ids(message.route, since=since - 2 * CLOCK_SKEW)
    query = SentQuery(
        sender_code=message.document.sender.organ_id,
        recipient_codes=tuple(organization.organ_id for organization in message.recipients),
        notation=message.document.code,
        title=message.document.subject,
        submitted_after=since,
        known_elsewhere=known,
        listed_since=message.settle_after,
    )
    finding = await axis.find(query)
    if isinstance(finding, Found) and await outbox.is_anothers(message, finding.axis_doc_id):
        return CannotTell(reason="the axis lists this packet, or one just like it that was sent under an unknown id")
    return finding
