"""Faults the simulated axis can be told to show, at start and while it runs."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """One way in which an axis fails its clients."""

    DOWN = "down"
    # the connection is closed at once, before the body is read
    SLOW = "slow"
    # the answer comes late, the work is done in time
    HTML = "html"
    # a page of a proxy with HTTP 200 instead of an answer; nothing is done
    HTML_502 = "html-502"
    # the same with HTTP 502
    ANSWER_LOST = "answer-lost"
    # sendEdoc is carried out, then the connection is cut without an answer
    HALF_ANSWER = "half-answer"
    # the work is done, then the answer breaks off in the middle
    RESET = "reset"
    # the connection is reset (TCP RST) before the body is read; nothing is done
    RESET_AFTER = "reset-after"
    # the work is done, then the connection is reset instead of an answer
    NO_SENT_LIST = "no-sent-list"
    # getSentEdocList refuses an empty docId
    LOSE = "lose"
    # sabotage: the next document is accepted and listed as sent, but reaches no mailbox
    DOUBLE = "double"
    # sabotage: the next document is accepted twice, under two DocIds


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """A fault to switch on, for the next `count` requests it concerns or, without, until switched off."""

    fault: Fault
    count: int | None = None


def read_wish(text: str) -> Wish | None:
    """Read `NAME` or `NAME:COUNT`; None when the name is unknown or the count is not a positive number."""
    name, colon, count = text.partition(":")
    if name not in set(Fault) or (colon and not _is_count(count)):
        return None
    return Wish(fault=Fault(name), count=int(count) if colon else None)


class Faults:
    """The faults now switched on."""

    def __init__(self) -> None:
        self._left: dict[Fault, int | None] = {}

    def switch_on(self, wish: Wish) -> None:
        """Switch a fault on; a second wish for the same fault replaces the first."""
        self._left[wish.fault] = wish.count

    def switch_off(self, fault: Fault) -> None:
        """Switch a fault off; nothing happens when it is not on."""
        self._left.pop(fault, None)

    def is_on(self, fault: Fault) -> bool:
        """Whether the next request it concerns will meet this fault."""
        return fault in self._left

    def take(self, fault: Fault) -> bool:
        """Whether this request meets the fault; counts it down."""
        if fault not in self._left:
            return False
        left = self._left[fault]
        if left is not None:
            if left == 1:
                del self._left[fault]
            else:
                self._left[fault] = left - 1
        return True

    def describe(self) -> dict[str, int | None]:
        """Name -> requests left, None for "until switched off"."""
        return {fault.value: left for fault, left in self._left.items()}


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 1_000_000  # noqa: PLR2004 - a bound for sanity
