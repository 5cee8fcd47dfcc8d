"""Whether an attempt's lease still holds by this process's own reckoning, asked just before the last bytes leave.

A process that was frozen does not know it: when it wakes, another may have asked the axis for the packet and sent it
again. It finishes no packet that it began under a lease whose end it has slept through.
"""

from contextvars import ContextVar
from datetime import timedelta
from time import monotonic


class LeaseEndedError(Exception):
    """The lease ended before the packet was whole; its last bytes were not sent."""


class Tenure:
    """One lease, counted from before it was asked for, so that it ends here no later than in the store."""

    def __init__(self, lease_for: timedelta, *, asked_at: float) -> None:
        """`asked_at` is `monotonic()` before the store was asked."""
        self._lease_for = lease_for.total_seconds()
        self._until = asked_at + self._lease_for

    def renewed(self, *, asked_at: float) -> None:
        """The store has kept the lease."""
        self._until = asked_at + self._lease_for

    def holds(self) -> bool:
        """True until the lease ends, unless it was renewed."""
        return monotonic() < self._until


OF_THIS_ATTEMPT: ContextVar[Tenure | None] = ContextVar("tenure", default=None)
"""Set by the worker for the task of an attempt; None where nobody leases."""
