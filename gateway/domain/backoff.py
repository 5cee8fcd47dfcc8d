"""How long to wait between attempts: exponential with jitter, a ceiling, and an age at which to give up."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """One policy; the outbox has one of minutes and hours, each adapter one of seconds."""

    first: timedelta
    """Wait after the first failed attempt."""
    factor: float
    """Growth from attempt to attempt, at least 1."""
    ceiling: timedelta
    """Longest wait."""
    jitter: float
    """Share of the wait that is drawn at random, 0 to 1."""
    give_up_after: timedelta
    """Age at which no further attempt is made."""

    def delay(self, attempt: int, draw: float) -> timedelta:
        """Wait after failed attempt number `attempt` (1, 2, ...); `draw` in [0, 1) spreads the jitter downwards."""
        exponent = min(max(attempt, 1) - 1, 64)
        full = min(self.first.total_seconds() * self.factor**exponent, self.ceiling.total_seconds())
        return timedelta(seconds=full * (1 - self.jitter * draw))
