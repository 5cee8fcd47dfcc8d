"""The decision after each attempt: what became of a message, whether and when it is tried or asked again. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from gateway.domain.backoff import Backoff
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlePolicy:
    """The rules of one account."""

    backoff: Backoff
    settling_time: timedelta
    on_unknown: OnUnknown


def settle(
    result: Outcome | Finding, facts: MessageFacts, policy: SettlePolicy, *, now: datetime, draw: float
) -> Settlement:
    """The end of one attempt (an outcome) or of one question to the axis (a finding).

    A due time is never before `now`, nor before the peer's wish where it gave one. `draw` in [0, 1) spreads the waits.
    """
    match result:
        case Accepted() | Found():
            return _taken(result)
        case Rejected():
            return _end(MessageState.FAILED, f"{result.code}: {result.reason}" if result.code else result.reason)
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


def _taken(result: Accepted | Found) -> Settlement:
    return Settlement(
        state=MessageState.SENT,
        due_at=None,
        reason="",
        counted=isinstance(result, Accepted),
        axis_doc_id=result.axis_doc_id,
    )


def _later(
    result: Unavailable | Uncertain, facts: MessageFacts, policy: SettlePolicy, *, now: datetime, draw: float
) -> Settlement:
    if _too_old(facts, policy, now):
        return _end(MessageState.FAILED, result.reason)
    wait = policy.backoff.delay(facts.attempts + 1, draw)
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
        return _end(MessageState.FAILED, "the axis does not have it, and its time ran out", counted=False)
    return resend("the axis does not have it", now=now)


def _after_no_word(
    result: CannotTell, facts: MessageFacts, policy: SettlePolicy, *, now: datetime, draw: float
) -> Settlement:
    settle_after = _settle_after(facts, policy, now)
    if now < settle_after:
        return _ask(result.reason, settle_after, counted=False)
    if result.passing and not _too_old(facts, policy, now):
        again = now + policy.backoff.delay(facts.attempts, draw)
        return _ask(result.reason, again, counted=False, settle_after=settle_after)
    if policy.on_unknown is OnUnknown.RESEND and not _too_old(facts, policy, now):
        return resend(result.reason, now=now)
    return _end(MessageState.HELD, result.reason, counted=False)


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


def _end(state: MessageState, reason: str, *, counted: bool = True) -> Settlement:
    return Settlement(state=state, due_at=None, reason=_cut(reason), counted=counted, axis_doc_id=None)


def _too_old(facts: MessageFacts, policy: SettlePolicy, now: datetime) -> bool:
    return now - facts.created_at >= policy.backoff.give_up_after


def _cut(reason: str) -> str:
    return reason[:REASON_LIMIT]
