"""What an operator may do to a message by hand, and to which: within the lifecycle, and never to a leased one."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from gateway.domain.ids import AxisDocId
from gateway.domain.lifecycle import NOBODY_KNOWS, MessageState
from gateway.domain.outcome import REASON_LIMIT


class Action(StrEnum):
    """The operator's decision."""

    REQUEUE = "requeue"
    """Send it again, now."""
    MARK_SENT = "mark_sent"
    """The axis has it, under the id given."""
    MARK_NOT_SENT = "mark_not_sent"
    """The axis does not have it: send it."""
    GIVE_UP = "give_up"
    """It is not to be sent; the vendor system is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What an action is for."""

    before: frozenset[MessageState]
    after: MessageState
    said: str
    """Begins the reason that the record and the vendor systems get."""


RULES: Mapping[Action, Rule] = MappingProxyType(
    {
        Action.REQUEUE: Rule(
            before=frozenset({MessageState.FAILED, MessageState.HELD}), after=MessageState.QUEUED, said="requeued"
        ),
        Action.MARK_SENT: Rule(
            before=NOBODY_KNOWS,
            after=MessageState.SENT,
            said="found on the axis",
        ),
        Action.MARK_NOT_SENT: Rule(
            before=NOBODY_KNOWS,
            after=MessageState.QUEUED,
            said="not found on the axis",
        ),
        Action.GIVE_UP: Rule(
            before=frozenset({MessageState.HELD, MessageState.QUEUED}), after=MessageState.FAILED, said="given up"
        ),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An action with who wants it and why."""

    action: Action
    operator: str
    reason: str = ""
    axis_doc_id: AxisDocId | None = None
    """MARK_SENT: the axis's id."""
    may_repeat: bool = False
    """REQUEUE: also what may have arrived already (HELD)."""

    @property
    def words(self) -> str:
        """The reason as it is recorded."""
        why = f": {self.reason}" if self.reason else ""
        return f"{RULES[self.action].said} by operator {self.operator}{why}"[:REASON_LIMIT]


class Objection(StrEnum):
    """Why an order was not carried out."""

    UNKNOWN_MESSAGE = "UNKNOWN_MESSAGE"
    LEASED = "LEASED"
    """A gateway is working on it."""
    WRONG_STATE = "WRONG_STATE"
    """The action is not for messages in this state."""
    MAY_ARRIVE_TWICE = "MAY_ARRIVE_TWICE"
    """Its answer was lost: nobody has said whether the axis has it."""
    SUPERSEDED = "SUPERSEDED"
    """The vendor system has submitted the document again since it failed."""
    OVERTAKEN = "OVERTAKEN"
    """What goes after it has left since it failed: its recall, update or replacement, or a later status."""


def objection(
    order: Order, state: MessageState, *, leased: bool, superseded: bool, overtaken: bool
) -> Objection | None:
    """Why this order must not be carried out on a message; None if it may be."""
    if leased:
        return Objection.LEASED
    rule = RULES[order.action]
    if state not in rule.before:
        return Objection.WRONG_STATE
    if superseded and rule.after is MessageState.QUEUED:
        return Objection.SUPERSEDED
    if overtaken and rule.after is MessageState.QUEUED:
        return Objection.OVERTAKEN
    if order.action is Action.REQUEUE and state is MessageState.HELD and not order.may_repeat:
        return Objection.MAY_ARRIVE_TWICE
    return None
