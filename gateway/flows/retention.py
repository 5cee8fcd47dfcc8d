"""Takes away what is settled and older than the policy says, a bounded share at a time, one gateway at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog

from gateway.flows.claim import Claim
from gateway.flows.periodic import Periodic
from gateway.observability.metrics import Metrics
from gateway.ports import Claims, Clock, Kept, Mark, Removable, Retention

_log = structlog.get_logger()

CLAIM = "retention"
HOLD = timedelta(minutes=15)
"""Longest silence of a gateway that removes before another may take over."""
INTERVAL = timedelta(hours=1)
SOONER = timedelta(minutes=1)
"""Pause while there is more to look at."""
SHARES = 50
"""Transactions of one kind in one turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """How long each kind is kept; a kind that is left out is kept for good."""

    keep: Mapping[Kept, timedelta]
    named: Mapping[Kept, str]
    """The setting that says so, as it is put on record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one turn did."""

    removed: Mapping[Kept, int]
    more: bool
    """There is more to look at."""


class RetentionFlow:
    """Removal in the background. Where a turn ends the next goes on, so that no turn looks at everything again."""

    def __init__(
        self,
        *,
        retention: Retention,
        claims: Claims,
        owner: str,
        policy: RetentionPolicy,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._retention = retention
        self._claim = Claim(claims=claims, name=CLAIM, owner=owner, clock=clock, hold_for=HOLD)
        self._policy = policy
        self._clock = clock
        self._metrics = metrics
        self._marks: dict[Kept, Mark] = {}
        self._periodic = Periodic(name="retention", turn=self._turn, after_failure=INTERVAL)

    async def run(self) -> None:
        """Remove, now and at the interval, until `stop`; sooner again while there is more to look at."""
        await self._periodic.run()

    def stop(self) -> None:
        """End; what a transaction did is whole, the rest waits."""
        self._periodic.stop()

    async def remove(self) -> Turn | None:
        """One turn's share of every kind; None if another gateway is at it."""
        if not self._policy.keep:
            return Turn(removed={}, more=False)
        async with self._claim.kept():
            if not await self._claim.seize():
                return None
            removed = {kind: await self._remove(kind) for kind in self._policy.keep}
        return Turn(removed=removed, more=bool(self._marks))

    async def forecast(self) -> Mapping[Kept, Removable]:
        """What would go now, were it all done at once."""
        now = self._clock.now()
        return {
            kind: await self._retention.removable(kind, before=now - age) for kind, age in self._policy.keep.items()
        }

    async def _turn(self) -> timedelta:
        turn = await self.remove()
        return SOONER if turn is not None and turn.more else INTERVAL

    async def _remove(self, kind: Kept) -> int:
        removed = 0
        for _ in range(SHARES):
            if not await self._claim.seize():
                break
            now = self._clock.now()
            share = await self._retention.remove(
                kind,
                before=now - self._policy.keep[kind],
                after=self._marks.pop(kind, None),
                policy=self._policy.named[kind],
                at=now,
            )
            self._metrics.removed.labels(kind).inc(share.removed)
            removed += share.removed
            if share.mark is None:
                break
            self._marks[kind] = share.mark
        if removed:
            _log.info("retention.removed", kind=kind, count=removed)
        return removed
