"""Hands what waits for an account that is down to the next account of its route."""

from collections.abc import Mapping
from datetime import timedelta

import structlog

from gateway.domain.failover import standing
from gateway.domain.ids import AccountName
from gateway.flows.breaker import Breaker
from gateway.flows.periodic import Periodic
from gateway.observability.metrics import Metrics
from gateway.ports import Clock, OutboxQueue, Wakeups

_log = structlog.get_logger()

_LOOK = timedelta(seconds=1)
"""Pause between two looks at the circuits."""
_AFTER_FAILURE = timedelta(seconds=5)


class Failover:
    """Run one per gateway. Each goes by what it heard of the peers itself; moving a message twice is not possible."""

    def __init__(
        self,
        *,
        outbox: OutboxQueue,
        breakers: Mapping[AccountName, Breaker],
        after: timedelta,
        clock: Clock,
        metrics: Metrics,
        wakeups: Wakeups,
    ) -> None:
        """`after` is how long an account must be down."""
        self._outbox = outbox
        self._breakers = breakers
        self._after = after
        self._clock = clock
        self._metrics = metrics
        self._wakeups = wakeups
        self._periodic = Periodic(name="failover", turn=self._turn, after_failure=_AFTER_FAILURE)

    async def run(self) -> None:
        """Look until `stop`."""
        await self._periodic.run()

    def stop(self) -> None:
        """End; what is left waiting is moved by whoever looks next."""
        self._periodic.stop()

    async def look(self) -> int:
        """Move what has to be moved; how many messages. Raises what the store raises."""
        circuits = {name: breaker.circuit for name, breaker in self._breakers.items()}
        stand = standing(circuits, after=self._after, at=self._clock.now())
        moved = 0
        for route in sorted(stand.down):
            if stand.healthy:
                moved += await self._leave(route, stand.healthy)
            if stand.doubtful:
                moved += await self._scout(route, stand.doubtful)
        return moved

    async def _leave(self, route: AccountName, healthy: frozenset[AccountName]) -> int:
        moved: dict[AccountName, int] = {}
        while some := await self._outbox.fail_over(route, among=healthy, at=self._clock.now()):
            self._note(route, some)
            for to, count in some.items():
                moved[to] = moved.get(to, 0) + count
        for to, count in moved.items():
            _log.warning("route.failed_over", account=route, to=to, messages=count)
        return sum(moved.values())

    async def _scout(self, route: AccountName, doubtful: frozenset[AccountName]) -> int:
        """Where no account is healthy: one message finds out whether an account nobody heard of for long is back.

        Nothing else would. Should it be down still, its circuit knows by then, and no other message follows.
        """
        some = await self._outbox.fail_over(route, among=doubtful, at=self._clock.now(), most=1)
        self._note(route, some)
        for to in some:
            _log.info("route.scouted", account=route, to=to)
        return sum(some.values())

    def _note(self, route: AccountName, moved: Mapping[AccountName, int]) -> None:
        for to, count in moved.items():
            self._metrics.failed_over.labels(route, to).inc(count)
        if moved:
            self._wakeups.notify("outbox")

    async def _turn(self) -> timedelta:
        await self.look()
        return _LOOK
