"""Asks one account what is waiting and takes it in; what a crash interrupted comes first."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from gateway.flows.claim import LOOK, Claim
from gateway.flows.config import InboundPolicy
from gateway.flows.documentlane import DocumentLane
from gateway.flows.fetching import Fetcher
from gateway.flows.inbound import Intake
from gateway.flows.lanes import Lane
from gateway.flows.periodic import Periodic
from gateway.flows.statuslane import StatusLane
from gateway.ports import Admission, Axis, Blobs, Clock, Discrepancies, InboundItems

_AFTER_FAILURE = timedelta(seconds=5)
"""Pause after a poll that broke, if the interval is not shorter."""
_SAVING = timedelta(seconds=8)
"""Time that what an axis gives only once has at a stop to be recorded, after the grace of the turn under way."""


class Poller:
    """The way in of one account. Run one per gateway and account: of several gateways one polls at a time.

    Documents and statuses are polled apart, side by side under the one claim: a document, which may be urgent, never
    waits for the statuses that came before it.

    `run` polls nothing until `ready` says yes: without a directory every packet would be for nobody here, and the axis
    would be told so.
    """

    def __init__(
        self,
        *,
        axis: Axis,
        intake: Intake,
        fetcher: Fetcher,
        admission: Admission,
        items: InboundItems,
        blobs: Blobs,
        discrepancies: Discrepancies,
        claim: Claim,
        policy: InboundPolicy,
        clock: Clock,
        ready: Callable[[], bool],
    ) -> None:
        self._admission = admission
        self._claim = claim
        self._policy = policy
        self._ready = ready
        lane: dict[str, Any] = {
            "axis": axis,
            "intake": intake,
            "fetcher": fetcher,
            "items": items,
            "discrepancies": discrepancies,
            "blobs": blobs,
            "held": lambda: self._claim.held,
            "first_pause": policy.poll_interval,
            "clock": clock,
        }
        documents = DocumentLane(concurrency=policy.concurrency, **lane)
        statuses = StatusLane(concurrency=policy.status_concurrency, documents_quiet=documents.quiet, **lane)
        self._lanes: tuple[Lane, ...] = (documents, statuses)
        after_failure = min(_AFTER_FAILURE, policy.poll_interval)
        self._periodics = [
            Periodic(name=f"poll_{each.kind}", turn=partial(self._turn, each), after_failure=after_failure)
            for each in self._lanes
        ]

    async def run(self) -> None:
        """Poll at the interval until `stop`, at once again while there is more; without the claim, look for it."""
        async with self._claim.kept():
            await asyncio.gather(*(each.run() for each in self._periodics))
            await asyncio.gather(*(self._save(each) for each in self._lanes))

    def stop(self) -> None:
        """End; every step that is cut short is resumed by the next poll, whoever makes it."""
        for each in self._periodics:
            each.stop()

    async def poll(self) -> int:
        """Finish what was begun, then take in what is waiting. The number of new items.

        Nothing is done without the claim, and no item is begun after it is lost. Without room nothing is done either:
        what waits at the axis is safe there.
        """
        return sum(await asyncio.gather(*(self._poll(each) for each in self._lanes)))

    async def _save(self, lane: Lane) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(lane.save_carried(), _SAVING.total_seconds())

    async def _poll(self, lane: Lane) -> int:
        await lane.keep_carried()
        if not await self._claim.seize() or not await self._admission.has_room():
            return 0
        return await lane.poll()

    async def _turn(self, lane: Lane) -> timedelta:
        await lane.keep_carried()
        if not self._ready() or not await self._claim.seize():
            return min(LOOK, self._policy.poll_interval)
        # An axis may list no more than one answer's worth: what is taken in makes room for the next.
        if await self._poll(lane):
            return timedelta(0)
        return self._policy.poll_interval if self._claim.held else LOOK
