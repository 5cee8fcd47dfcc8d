"""Small periodic jobs: gauges, and the removal of stored bytes that nothing refers to."""

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta

import structlog

from gateway.domain.ids import AccountName
from gateway.domain.lifecycle import MessageState
from gateway.flows.config import UpkeepPolicy
from gateway.flows.periodic import Periodic
from gateway.observability.metrics import Metrics
from gateway.ports import BlobIndex, Blobs, Clock, OutboxQueue, QueueDepth

_log = structlog.get_logger()

_SWEEP_BATCH = 500


class Upkeep:
    """Keeps house: gauges often, expired rows now and then, the whole object store once per `orphaned_for`."""

    def __init__(
        self,
        *,
        outbox: OutboxQueue,
        routes: Collection[AccountName],
        blob_index: BlobIndex,
        blobs: Blobs,
        policy: UpkeepPolicy,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        """`routes` are those that messages leave by."""
        self._outbox = outbox
        self._routes = routes
        self._blob_index = blob_index
        self._blobs = blobs
        self._policy = policy
        self._clock = clock
        self._metrics = metrics
        measured, cleaned = policy.measure_interval, policy.clean_interval
        self._measuring = Periodic(name="measure", turn=self._measure_turn, after_failure=measured)
        self._cleaning = Periodic(name="clean", turn=self._clean_turn, after_failure=cleaned)
        self._walking = Periodic(name="orphans", turn=self._walk_turn, after_failure=cleaned)

    async def run(self) -> None:
        """Measure, clean and walk, now and at their intervals, until `stop`; none waits for another."""
        await asyncio.gather(self._measuring.run(), self._cleaning.run(), self._walking.run())

    def stop(self) -> None:
        """End; what was cut short is done by the next turn."""
        self._measuring.stop()
        self._cleaning.stop()
        self._walking.stop()

    async def measure(self) -> None:
        """Set the gauges of outbox and inbox."""
        now = self._clock.now()
        show(await self._outbox.depth(at=now, near=self._policy.deadline_near), self._metrics, now=now)

    async def count_stranded(self) -> int:
        """Messages whose account is no longer in the settings: nobody sends them, nobody gives them up; how many."""
        stranded = {route: n for route, n in (await self._outbox.unsettled()).items() if route not in self._routes}
        for route, count in stranded.items():
            _log.warning("outbox.account_missing", account=route, messages=count)
        total = sum(stranded.values())
        self._metrics.stranded.set(total)
        return total

    async def sweep(self) -> int:
        """Remove objects whose last reference ended a while ago, rows first; how many."""
        since = self._clock.now() - self._policy.unreferenced_for
        removed = 0
        while True:
            keys = await self._blob_index.sweep(unreferenced_since=since, limit=_SWEEP_BATCH)
            await self._blobs.discard(keys)
            removed += len(keys)
            if len(keys) < _SWEEP_BATCH:
                break
        if removed:
            _log.info("blobs.swept", count=removed)
        return removed

    async def collect_orphans(self) -> int:
        """Remove old objects that no row knows: what a crash left between writing bytes and rows; how many."""
        removed = 0
        async for keys in self._blobs.keys(older_than=self._clock.now() - self._policy.orphaned_for):
            orphans = frozenset(keys) - await self._blob_index.known(keys)
            await self._blobs.discard(orphans)
            removed += len(orphans)
        if removed:
            _log.info("blobs.orphans_removed", count=removed)
        return removed

    async def _measure_turn(self) -> timedelta:
        await self.measure()
        return self._policy.measure_interval

    async def _clean_turn(self) -> timedelta:
        await self.count_stranded()
        await self.sweep()
        return self._policy.clean_interval

    async def _walk_turn(self) -> timedelta:
        # Only what is older than this counts, so looking more often would list every object for nothing.
        await self.collect_orphans()
        return self._policy.orphaned_for


def show(depth: QueueDepth, metrics: Metrics, *, now: datetime) -> None:
    """Set the gauges; a state with no message shows 0, as a missing series would look like a missing gateway."""
    for state in MessageState:
        if state is not MessageState.SENT:
            metrics.queue_depth.labels(state).set(depth.outbox.get(state, 0))
    overdue = (now - depth.oldest_due).total_seconds() if depth.oldest_due else 0.0
    metrics.oldest_due.set(max(overdue, 0.0))
    metrics.deadline_near.set(depth.deadline_near)
    metrics.deadline_missed.set(depth.deadline_missed)
    metrics.inbox_waiting.set(depth.inbox_waiting)
    metrics.inbox_unclaimed.set(depth.inbox_unclaimed)
    metrics.quarantine_depth.set(depth.quarantined)
