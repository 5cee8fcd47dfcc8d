"""The decision after each attempt: what became of a message, whether and when it is tried or asked again. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from gateway.domain.backoff import Backoff
from gateway.domain.deadline import shortened
from gateway.domain.ids import AxisDocId
from gateway.domain.lifecycle import MessageState
from gateway.domain.outcome import (
    REASON_LIMIT,
    Absent,
    Accepted,
    CannotTell,
    Finding,
    Found,
    Outcome,
    Rejected,
    Unavailable,
    Uncertain,
)
from gateway.domain.packet import PacketKind
from gateway.flows.config import OnUnknown
from gateway.ports import Settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFacts:
    """What the decision needs to know of the message."""

    kind: PacketKind
    attempts: int
    """Attempts that ended before this one."""
    created_at: datetime
    settle_after: datetime | None
    """The axis's word that it has nothing counts only from then on; None = it was never waited for."""
    first_submitted_at: datetime | None = None
    """Start of the first attempt before this one, by the account that has it now; None = there was none."""
    deadline_at: datetime | None = None
    """When the law wants it sent."""
    interruptions: int = 0
    """Times in a row that the process ended within its attempt."""
    follows: bool = False
    """A recall, update or replacement: no peer is known to notice a repeated one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlePolicy:
    """The rules of one account."""

    backoff: Backoff
    settling_time: timedelta
    on_unknown: OnUnknown
    longest_wait: timedelta | None = None
    """While the peer is down; None = as the backoff says."""


MOST_INTERRUPTIONS = 5
"""Kills of the process hit one message now and then; one that is hit so often in a row is taken for their cause."""


def settle(
    result: Outcome | Finding, facts: MessageFacts, policy: SettlePolicy, *, now: datetime, draw: float
) -> Settlement:
    """The end of one attempt (an outcome) or of one question to the axis (a finding).

    A due time is never before `now`, nor before the peer's wish where it gave one. `draw` in [0, 1) spreads the waits.
    """
    match result:
        case Accepted() | Found():
            return _taken(result.axis_doc_id, counted=isinstance(result, Accepted))
        case Rejected():
            return _refused(result, facts)
        case Unavailable():
            return _later(result, facts, policy, now=now, draw=draw)
        case Uncertain():
            return _after_lost_answer(result, facts, policy, now=now, draw=draw)
        case Absent():
            return _after_absent(facts, policy, now=now)
        case CannotTell():
            return _after_no_word(result, facts, policy, now=now, draw=draw)
        case _:
            assert_never(result)


def resend(reason: str, *, now: datetime) -> Settlement:
    """Back into the queue at once: what is repeated without harm, or is known not to have arrived."""
    return Settlement(state=MessageState.QUEUED, due_at=now, reason=_cut(reason), counted=False, axis_doc_id=None)


def suspect(state: MessageState, facts: MessageFacts) -> Settlement | None:
    """The end of a message that seems to end the process at each attempt; None while it may be tried or asked again.

    One of which something may have left is HELD, else it is FAILED; an operator can requeue it.
    """
    if facts.interruptions < MOST_INTERRUPTIONS:
        return None
    reason = f"the gateway's process ended within {facts.interruptions} attempts in a row"
    if state is MessageState.QUEUED or facts.kind is PacketKind.STATUS:
        return _end(MessageState.FAILED, reason, counted=False)
    return _held(reason, facts)


def _taken(axis_doc_id: AxisDocId, *, counted: bool) -> Settlement:
    return Settlement(state=MessageState.SENT, due_at=None, reason="", counted=counted, axis_doc_id=axis_doc_id)


def _refused(result: Rejected, facts: MessageFacts) -> Settlement:
    if result.known_as is not None and facts.first_submitted_at is not None:
        return _taken(result.known_as, counted=True)  # by the attempt before, whose answer was lost
    return _end(MessageState.FAILED, f"{result.code}: {result.reason}" if result.code else result.reason)


def _later(
    result: Unavailable | Uncertain, facts: MessageFacts, policy: SettlePolicy, *, now: datetime, draw: float
) -> Settlement:
    if _too_old(facts, policy, now):
        return _given_up(result.reason, facts, now=now)
    wait = _wait(facts.attempts + 1, facts, policy, now=now, draw=draw)
    if isinstance(result, Unavailable) and result.retry_after is not None:
        wait = max(wait, result.retry_after)
    return Settlement(
        state=MessageState.QUEUED, due_at=now + wait, reason=_cut(result.reason), counted=True, axis_doc_id=None
    )


def _after_lost_answer(
    result: Uncertain, facts: MessageFacts, policy: SettlePolicy, *, now: datetime, draw: float
) -> Settlement:
    if facts.kind is PacketKind.STATUS:
        return _later(result, facts, policy, now=now, draw=draw)
    return _ask(result.reason, now + policy.settling_time, counted=True)


def _after_absent(facts: MessageFacts, policy: SettlePolicy, *, now: datetime) -> Settlement:
    settle_after = _settle_after(facts, policy, now)
    if now < settle_after:
        return _ask("not in the axis's list yet", settle_after, counted=False)
    if _too_old(facts, policy, now):
        return _given_up("the axis does not have it", facts, now=now, counted=False)
    return resend("the axis does not have it", now=now)


def _after_no_word(
    result: CannotTell, facts: MessageFacts, policy: SettlePolicy, *, now: datetime, draw: float
) -> Settlement:
    settle_after = _settle_after(facts, policy, now)
    if now < settle_after:
        return _ask(result.reason, settle_after, counted=False)
    if result.passing and not _too_old(facts, policy, now):
        again = now + _wait(facts.attempts, facts, policy, now=now, draw=draw)
        return _ask(result.reason, again, counted=False, settle_after=settle_after)
    if _may_be_repeated(facts, policy) and not _too_old(facts, policy, now):
        return replace(resend(result.reason, now=now), bound=True)
    return _held(result.reason, facts)


def _may_be_repeated(facts: MessageFacts, policy: SettlePolicy) -> bool:
    if policy.on_unknown is OnUnknown.RESEND_NEW:
        return not facts.follows
    return policy.on_unknown is OnUnknown.RESEND


def _settle_after(facts: MessageFacts, policy: SettlePolicy, now: datetime) -> datetime:
    # An attempt cut short by a crash left no time: the wait begins when it is found.
    return facts.settle_after if facts.settle_after is not None else now + policy.settling_time


def _ask(reason: str, at: datetime, *, counted: bool, settle_after: datetime | None = None) -> Settlement:
    return Settlement(
        state=MessageState.UNCERTAIN,
        due_at=at,
        reason=_cut(reason),
        counted=counted,
        axis_doc_id=None,
        settle_after=settle_after or at,
    )


def _wait(attempt: int, facts: MessageFacts, policy: SettlePolicy, *, now: datetime, draw: float) -> timedelta:
    wait = policy.backoff.delay(attempt, draw)
    if policy.longest_wait is not None:
        wait = min(wait, policy.longest_wait)
    return shortened(wait, first=policy.backoff.first, deadline=facts.deadline_at, now=now)


def _given_up(reason: str, facts: MessageFacts, *, now: datetime, counted: bool = True) -> Settlement:
    """FAILED for its age, with what there was to say last."""
    hours = (now - facts.created_at) / timedelta(hours=1)
    tried = f" (given up after {facts.attempts + counted} attempts in {hours:.0f} hours)"
    return _end(MessageState.FAILED, reason[: REASON_LIMIT - len(tried)] + tried, counted=counted)


def _held(reason: str, facts: MessageFacts) -> Settlement:
    """HELD with the facts that an operator needs to look for the packet elsewhere."""
    since = facts.first_submitted_at
    sent = f" (first submitted {since.isoformat(timespec='seconds')}, {facts.attempts} attempts ended)" if since else ""
    return _end(MessageState.HELD, reason[: REASON_LIMIT - len(sent)] + sent, counted=False)


def _end(state: MessageState, reason: str, *, counted: bool = True) -> Settlement:
    return Settlement(state=state, due_at=None, reason=_cut(reason), counted=counted, axis_doc_id=None)


def _too_old(facts: MessageFacts, policy: SettlePolicy, now: datetime) -> bool:
    return now - facts.created_at >= policy.backoff.give_up_after


def _cut(reason: str) -> str:
    return reason[:REASON_LIMIT]
