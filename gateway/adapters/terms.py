"""What every account on an axis is made of, and what calls to an axis may cost where it does not say otherwise."""

from dataclasses import dataclass
from datetime import timedelta

from gateway.adapters.http import DIRECT, Connection, Timeouts
from gateway.domain.backoff import Backoff
from gateway.domain.ids import AccountName

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


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisAccount:
    """One account, as the settings checked it, in the part that no dialect changes.

    TLS verification cannot be turned off.
    """

    name: AccountName
    endpoint: str
    """http:// or https:// URL; what is appended to it is the dialect's."""
    timeouts: Timeouts
    """Of every call."""
    connection: Connection = DIRECT
    concurrency: int = CONCURRENCY
    max_list_bytes: int = LIST_BYTES
    retry: Backoff = SECONDS
