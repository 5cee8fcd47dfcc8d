"""What calls to an axis may cost, where an account does not say otherwise."""

from datetime import timedelta

from gateway.domain.backoff import Backoff

_MIB = 1024 * 1024

SECONDS = Backoff(
    first=timedelta(seconds=0.5),
    factor=2,
    ceiling=timedelta(seconds=4),
    jitter=0.5,
    give_up_after=timedelta(seconds=10),
)
"""Repetitions within one call; the long waits are the outbox's."""

CONCURRENCY = 8
"""Connections at a time for packets sent, and as many for everything else."""

LIST_BYTES = 64 * _MIB
"""Longest answer to a list call."""

DIRECTORY_BYTES = 256 * _MIB
"""Longest directory."""
