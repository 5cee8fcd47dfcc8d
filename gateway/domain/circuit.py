"""The circuit breaker of one peer: after failures in a row it is left alone, then probed. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from gateway.domain.outcome import (
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

_SPREAD = 0.25
"""Share of the pause that is drawn at random, so that replicas do not probe in step."""

_PAUSES_TO_WAIT = 12


class Sign(StrEnum):
    """What an answer, or none, says of the peer itself."""

    ALIVE = "alive"
    DOWN = "down"
    SILENT = "silent"
    """Nothing: the peer was not asked."""


class Phase(StrEnum):
    """How the peer is treated."""

    CLOSED = "closed"
    """As usual."""
    HALF_OPEN = "half_open"
    """One probe at a time."""
    OPEN = "open"
    """Left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitRules:
    """When a peer counts as down, and how often it is tried then."""

    failures: int = 5
    """In a row, at least 1."""
    pause: timedelta = timedelta(seconds=5)
    """Between two probes."""

    def longest_wait(self, first: timedelta) -> timedelta:
        """Most that a message waits after a failed probe, `first` being the shortest wait it is given otherwise.

        With growing waits a queue of one message would not notice for an hour that the peer is back.
        """
        return max(first, self.pause * _PAUSES_TO_WAIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """Where the circuit stands; every method gives the next value."""

    failures: int = 0
    """In a row."""
    opened_at: datetime | None = None
    """Start of the pause; an instant before it means that the clock was set back, and ends the pause."""
    open_until: datetime | None = None
    """None = closed."""
    probing: bool = False
    """A probe is under way."""
    down_since: datetime | None = None
    """When it opened first of all, however often it was probed since; None = closed."""

    def phase(self, at: datetime) -> Phase:
        """How the peer is treated at an instant."""
        if self.open_until is None:
            return Phase.CLOSED
        return Phase.OPEN if (self.opened_at or at) <= at < self.open_until else Phase.HALF_OPEN

    def places(self, free: int, at: datetime) -> int:
        """How many of `free` attempts may begin."""
        match self.phase(at):
            case Phase.CLOSED:
                return free
            case Phase.HALF_OPEN:
                return 0 if self.probing else min(free, 1)
            case Phase.OPEN:
                return 0

    def probe_began(self) -> "Circuit":
        """No other begins before it ends."""
        return replace(self, probing=True)

    def probe_ended(self) -> "Circuit":
        """Whatever came of it; another may begin."""
        return replace(self, probing=False)

    def heard(self, sign: Sign, rules: CircuitRules, *, at: datetime, draw: float) -> "Circuit":
        """After a sign from the peer.

        While open, further failures are those of attempts that began before, and prolong nothing. `draw` in [0, 1)
        shortens the pause by up to a quarter.
        """
        match sign:
            case Sign.SILENT:
                return self
            case Sign.ALIVE:
                return Circuit(probing=self.probing)
            case Sign.DOWN:
                return self._failed(rules, at, draw)
            case _:
                assert_never(sign)

    def _failed(self, rules: CircuitRules, at: datetime, draw: float) -> "Circuit":
        failures = self.failures + 1
        phase = self.phase(at)
        if phase is Phase.OPEN or (phase is Phase.CLOSED and failures < rules.failures):
            return replace(self, failures=failures)
        pause = rules.pause * (1 - _SPREAD * draw)
        since = self.down_since or at
        return replace(self, failures=failures, opened_at=at, open_until=at + pause, down_since=since)


def sign_of(result: Outcome | Finding) -> Sign:
    """What the end of a call says of the peer.

    A refusal is a sign of life, and so is an answer about this one packet that may pass (Unavailable with a code). A
    question that proved nothing may never have been asked.
    """
    match result:
        case Accepted() | Rejected() | Found() | Absent():
            return Sign.ALIVE
        case Unavailable():
            return Sign.ALIVE if result.code else Sign.DOWN
        case Uncertain():
            return Sign.DOWN
        case CannotTell():
            return Sign.DOWN if result.passing else Sign.SILENT
        case _:
            assert_never(result)
