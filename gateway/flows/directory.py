"""Brings the store's directory to what the axis lists, and computes from it who may speak for whom."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from gateway.domain.mandate import VendorSystem, mandates_over
from gateway.flows.claim import LOOK, Claim
from gateway.flows.periodic import Periodic
from gateway.ports import Axis, Clock, Directory, DirectoryListing

_log = structlog.get_logger()

_RETRY = timedelta(seconds=30)
"""Pause after a failed synchronisation, if the interval is not shorter."""

_NOT_AGAIN = timedelta(minutes=10)
"""A refresh is not repeated within: packets for nobody must not make the gateway fetch the nation at every poll."""


class DirectorySync:
    """Keeps the directory and the mandates current: of several gateways one fetches, and all see what it stored."""

    def __init__(
        self,
        *,
        axis: Axis,
        directory: Directory,
        vendors: Sequence[VendorSystem],
        interval: timedelta,
        claim: Claim,
        clock: Clock,
    ) -> None:
        self._axis = axis
        self._directory = directory
        self._vendors = vendors
        self._interval = interval
        self._claim = claim
        self._clock = clock
        self._loaded = False
        self._asked_at: datetime | None = None
        self._due_at: datetime | None = None
        self._one_at_a_time = asyncio.Lock()
        self._after_failure = min(_RETRY, interval)
        self._periodic = Periodic(name="directory", turn=self._turn, after_failure=self._after_failure)

    @property
    def loaded(self) -> bool:
        """True once the store holds a directory and the mandates over it are computed: then the service is ready."""
        return self._loaded

    async def ready(self) -> bool:
        """`loaded`, for who waits for it."""
        return self._loaded

    async def sync(self) -> bool:
        """Fetch, apply, compute mandates; False if the axis gave nothing.

        The mandates follow the settings even then, over the directory the store already has; the first time before the
        axis is asked, since one that hangs must not keep a restarted gateway from serving.
        """
        async with self._one_at_a_time:
            return await self._sync()

    async def refresh(self) -> bool:
        """Synchronise since a code is unknown; False if that was tried within ten minutes or the axis gave nothing.

        Whoever needs to know fetches, whether or not it keeps the directory: the store applies one listing at a time.
        """
        if self._asked_at is not None and self._clock.now() - self._asked_at < _NOT_AGAIN:
            return False
        return await self.sync()

    async def _sync(self) -> bool:
        if not self._loaded:
            await self._compute_mandates()
        self._asked_at = self._clock.now()
        listing = await self._axis.agencies()
        if not isinstance(listing, DirectoryListing) or not listing.rows:
            # An empty list is an error page in disguise (axis.md, 4): applied, it would close every agency.
            reason = "empty list" if isinstance(listing, DirectoryListing) else listing.reason
            _log.warning("directory.not_fetched", account=self._axis.account, reason=reason)
            return False
        changes = await self._directory.apply(listing.rows, at=self._clock.now())
        _log.info("directory.applied", agencies=len(listing.rows), changes=changes)
        await self._compute_mandates()
        return True

    async def run(self) -> None:
        """Synchronise now and at the interval until `stop`, sooner after a failure; without the claim, look for it."""
        async with self._claim.kept():
            await self._periodic.run()

    def stop(self) -> None:
        """End; a synchronisation cut short is completed by the next one."""
        self._periodic.stop()

    async def _compute_mandates(self) -> None:
        lineages = await self._directory.lineages()
        if lineages:
            mandates = await asyncio.to_thread(mandates_over, lineages, self._vendors)
            await self._directory.set_mandates(mandates)
            self._loaded = True

    async def _turn(self) -> timedelta:
        if not await self._claim.seize():
            self._loaded = self._loaded or await self._directory.loaded()
            return min(LOOK, self._interval)
        now = self._clock.now()
        if self._due_at is None or now >= self._due_at:
            self._due_at = now + (self._interval if await self.sync() else self._after_failure)
        # Looking again soon costs nothing, and finds the claim should it have been lost for a while.
        return min(LOOK, self._interval)
