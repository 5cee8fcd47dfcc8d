"""Every call to an axis is timed, counted and, where it went wrong, logged: the same for all dialects."""

import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from gateway.domain.ids import AccountName
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
from gateway.domain.sentlist import SentEntries
from gateway.observability.metrics import Metrics
from gateway.ports import DirectoryListing, Fetched, Waiting

_log = structlog.get_logger()

_WORDS = {
    Accepted: "accepted",
    Waiting: "accepted",
    Fetched: "accepted",
    DirectoryListing: "accepted",
    SentEntries: "accepted",
    Rejected: "rejected",
    Unavailable: "unavailable",
    Uncertain: "uncertain",
    Found: "found",
    Absent: "absent",
    CannotTell: "cannot_tell",
}
"""Metric label of each result; a question that was answered counts as accepted."""

_Result = TypeVar("_Result", bound=Outcome | Finding | Waiting | Fetched | DirectoryListing | SentEntries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """The calls of one account."""

    account: AccountName
    metrics: Metrics

    async def observed(self, operation: str, work: Awaitable[_Result]) -> _Result:
        """Do the work, then count its time and outcome, and log what went wrong."""
        start, word = time.perf_counter(), "interrupted"
        try:
            result = await work
            word, reason = _WORDS[type(result)], getattr(result, "reason", "")
        finally:
            seconds = time.perf_counter() - start
            self.metrics.axis_seconds.labels(self.account, operation, word).observe(seconds)
        if reason:
            _log.warning("axis.call_failed", account=self.account, operation=operation, outcome=word, reason=reason)
        return result
