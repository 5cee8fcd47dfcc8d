"""The loop around one route of the outbox: lease, run, renew, drain. Knows nothing of documents."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Literal

import structlog

from gateway.flows.breaker import Breaker
from gateway.flows.config import AccountPolicy, OutboundPolicy
from gateway.flows.fairness import by_waiting
from gateway.flows.outages import log_failure
from gateway.flows.tenure import OF_THIS_ATTEMPT, Tenure
from gateway.ports import Clock, LeasedMessage, OutboxQueue, Wakeups

_log = structlog.get_logger()

LEASE_LOST = "lease lost"
"""Message of the cancellation that ends a delivery whose lease is, or may be, another's by now."""

_UNRENEWED = 2
"""Lengths of a lease after which a delivery ends that could not be renewed. Shorter than what must pass before another
worker sends it again: the lease itself, a question, and the settling time."""


class Worker:
    """Runs `deliver` on due messages of one account, `policy.concurrency` at a time, while the breaker lets it.

    Attempts run side by side, so a slow one keeps one place and no more; one that breaks stops no other. `owner` names
    this process in leases.
    """

    def __init__(
        self,
        *,
        owner: str,
        account: AccountPolicy,
        breaker: Breaker,
        outbox: OutboxQueue,
        deliver: Callable[[LeasedMessage], Awaitable[None]],
        policy: OutboundPolicy,
        clock: Clock,
        wakeups: Wakeups,
    ) -> None:
        self._owner = owner
        self._account = account
        self._breaker = breaker
        self._outbox = outbox
        self._deliver = deliver
        self._policy = policy
        self._clock = clock
        self._wakeups = wakeups
        self._stopping = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        """By lease: a message may be leased again while an attempt without a lease still ends."""
        self._given = 0
        """Places given so far."""

    def stop(self) -> None:
        """Take nothing more; `run` returns once what is running has ended or its grace is over."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`. Cancelling it ends running attempts at once."""
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                await self._turn(stopped)
            await self._drain()
        finally:
            stopped.cancel()
            await self._abort()

    async def _turn(self, stopped: asyncio.Future[Literal[True]]) -> None:
        # Waiting begins before looking: a hint given in between is not missed.
        hint = asyncio.ensure_future(self._wakeups.wait("outbox", at_most=self._policy.poll_interval))
        try:
            await asyncio.sleep(0)  # lets the hint begin to wait
            await self._breaker.catch_up()
            places = self._breaker.places(self._policy.concurrency - len(self._running))
            if places and await self._fill(places) == places:
                return
            for_room = () if places else self._running.values()
            await asyncio.wait({hint, stopped, *for_room}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hint.cancel()

    async def _fill(self, places: int) -> int:
        """Start attempts in free places; how many."""
        found = await self._take(by_waiting(self._given, places), longest_waiting=True)
        found += await self._take(places - found, longest_waiting=False)
        self._given += found
        return found

    async def _take(self, limit: int, *, longest_waiting: bool) -> int:
        if not limit:
            return 0
        asked_at = monotonic()
        try:
            leased = await self._outbox.lease(
                self._owner,
                route=self._account.name,
                limit=limit,
                lease_for=self._policy.lease_for,
                at=self._clock.now(),
                longest_waiting=longest_waiting,
                cap=self._account.max_in_flight,
            )
        except Exception as error:  # noqa: BLE001 - a store that fails now may work at the next look
            log_failure("lease.broke", error, route=self._account.name)
            return 0
        for message in leased:
            self._start(message, Tenure(self._policy.lease_for, asked_at=asked_at))
        return len(leased)

    def _start(self, message: LeasedMessage, tenure: Tenure) -> None:
        self._breaker.began(message.id)
        task = asyncio.create_task(self._attempt(message, tenure), name=f"message-{message.id}")
        self._running[message.lease] = task
        task.add_done_callback(lambda _: self._running.pop(message.lease, None))

    async def _attempt(self, message: LeasedMessage, tenure: Tenure) -> None:
        attempt = asyncio.current_task()
        assert attempt is not None
        OF_THIS_ATTEMPT.set(tenure)
        renewing = asyncio.create_task(self._guard(message, attempt, tenure))
        try:
            await self._deliver(message)
        except Exception as error:  # noqa: BLE001 - its end could not be written: its lease runs out, and the next one asks
            log_failure("attempt.not_settled", error, message_id=message.id)
        finally:
            renewing.cancel()
            self._breaker.ended(message.id)

    async def _guard(self, message: LeasedMessage, attempt: asyncio.Task[None], tenure: Tenure) -> None:
        """End the attempt when its lease is lost, or could not be renewed for long: what is still going out must end.

        Whoever has the message then asks, and sends it again if the axis has nothing. A body that breaks off before its
        last byte is not processed.
        """
        longest = _UNRENEWED * self._policy.lease_for.total_seconds()
        kept = True
        try:
            while kept:
                async with asyncio.timeout(longest):
                    kept = await self._renew(message, tenure)
        except TimeoutError:
            _log.warning("lease.not_renewed", message_id=message.id)
        else:
            _log.warning("lease.lost", message_id=message.id)
        attempt.cancel(LEASE_LOST)

    async def _renew(self, message: LeasedMessage, tenure: Tenure) -> bool:
        """Renew once, in time, as soon as the store answers; False if the lease is lost."""
        pause = self._policy.lease_for.total_seconds() / 3
        while True:
            await asyncio.sleep(pause)
            asked_at = monotonic()
            try:
                kept = await self._outbox.renew(message, lease_for=self._policy.lease_for, at=self._clock.now())
            except Exception as error:  # noqa: BLE001 - two more tries fit into the lease
                log_failure("renewal.broke", error, message_id=message.id)
                continue
            if kept:
                tenure.renewed(asked_at=asked_at)
            return kept

    async def _drain(self) -> None:
        if self._running:
            _log.info("worker.draining", running=len(self._running))
            await asyncio.wait(set(self._running.values()), timeout=self._policy.drain_grace.total_seconds())

    async def _abort(self) -> None:
        left = set(self._running.values())
        for task in left:
            task.cancel()
        if left:
            _log.warning("attempts.interrupted", count=len(left))
            await asyncio.wait(left)
