"""The loop around the outbox: lease, run, renew, drain. Knows nothing of documents."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import structlog

from gateway.domain.ids import MessageId
from gateway.flows.config import OutboundPolicy
from gateway.ports import Clock, LeasedMessage, OutboxQueue, Wakeups

_log = structlog.get_logger()


class Worker:
    """Runs `deliver` on due messages, `policy.concurrency` at a time; one that breaks never stops the others.

    `owner` names this process in leases.
    """

    def __init__(
        self,
        *,
        owner: str,
        outbox: OutboxQueue,
        deliver: Callable[[LeasedMessage], Awaitable[None]],
        policy: OutboundPolicy,
        clock: Clock,
        wakeups: Wakeups,
    ) -> None:
        self._owner = owner
        self._outbox = outbox
        self._deliver = deliver
        self._policy = policy
        self._clock = clock
        self._wakeups = wakeups
        self._stopping = asyncio.Event()
        self._running: dict[MessageId, asyncio.Task[None]] = {}

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
            free = self._policy.concurrency - len(self._running)
            leased = await self._lease(free) if free else ()
            for message in leased:
                self._start(message)
            if free and len(leased) == free:
                return
            for_room = self._running.values() if len(self._running) >= self._policy.concurrency else ()
            await asyncio.wait({hint, stopped, *for_room}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hint.cancel()

    async def _lease(self, free: int) -> tuple[LeasedMessage, ...]:
        try:
            return await self._outbox.lease(
                self._owner, limit=free, lease_for=self._policy.lease_for, at=self._clock.now()
            )
        except Exception:  # noqa: BLE001 - a store that fails now may work at the next look
            _log.exception("lease.broke")
            return ()

    def _start(self, message: LeasedMessage) -> None:
        task = asyncio.create_task(self._attempt(message), name=f"message-{message.id}")
        self._running[message.id] = task
        task.add_done_callback(lambda _: self._running.pop(message.id, None))

    async def _attempt(self, message: LeasedMessage) -> None:
        renewing = asyncio.create_task(self._keep(message))
        try:
            await self._deliver(message)
        except Exception:  # noqa: BLE001 - one broken message stops no other; its lease runs out and it comes again
            _log.exception("message.broke", message_id=message.id)
        finally:
            renewing.cancel()

    async def _keep(self, message: LeasedMessage) -> None:
        pause = self._policy.lease_for.total_seconds() / 3
        while True:
            await asyncio.sleep(pause)
            try:
                kept = await self._outbox.renew(message, lease_for=self._policy.lease_for, at=self._clock.now())
            except Exception:  # noqa: BLE001 - two more tries fit into the lease
                _log.exception("renewal.broke", message_id=message.id)
                continue
            if not kept:
                # Whoever has it now asks first; what this attempt learns, the store will refuse.
                _log.warning("lease.lost", message_id=message.id)
                return

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
