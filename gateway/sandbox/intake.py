"""The last steps of every face's send: the packet is filed, then the axis decides; what it refuses leaves no file."""

from collections.abc import Callable
from datetime import datetime

from gateway.sandbox.codes import Refusal
from gateway.sandbox.core import Axis, Submission
from gateway.sandbox.packet import PacketSummary
from gateway.sandbox.spool import Arrived, Spool, rewrite


def submission_of(system_id: str, summary: PacketSummary, arrived: Arrived) -> Submission:
    """A submission addressed by the packet itself: its From and its To list."""
    return Submission(
        system_id=system_id,
        sender=summary.from_code,
        receivers=summary.to_codes,
        summary=summary,
        packet=arrived.kept_name,
        size=arrived.size,
        sha256=arrived.digest.hex(),
    )


async def hand_in(
    arrived: Arrived,
    submission: Submission | Refusal,
    *,
    axis: Axis,
    spool: Spool,
    rewrite_as: str | None,
    now: Callable[[], datetime],
) -> str | Refusal:
    """Let the axis judge what arrived; gives its DocId.

    Args:
        arrived: The packet; its file is kept or removed here.
        submission: What the face made of it, or why the face refuses it.
        axis: Decides.
        spool: Where the file stays.
        rewrite_as: OrganId of the TraceHeader to append; None keeps the bytes as received.
        now: The time of that TraceHeader.
    """
    if isinstance(submission, Refusal):
        arrived.path.unlink()
        return submission
    if rewrite_as is not None:
        await rewrite(arrived.path, organ_id=rewrite_as, now=now())
    spool.keep(arrived)
    doc_id = axis.accept(submission)
    if isinstance(doc_id, Refusal):
        spool.drop(arrived.kept_name)
    return doc_id
