"""Brings the store's directory to what the axes list, and computes from it who may speak for whom."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

import structlog

from gateway.domain.directorymerge import Listing, merge
from gateway.domain.ids import AccountName
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
    """Keeps the directory and the mandates current: of several gateways one fetches, and all see what it stored.

    `axes` give the directory; where two list the same agency, the earlier one's row counts.
    """

    def __init__(
        self,
        *,
        axes: Sequence[Axis],
        directory: Directory,
        vendors: Sequence[VendorSystem],
        interval: timedelta,
        claim: Claim,
        clock: Clock,
    ) -> None:
        self._axes = axes
        self._directory = directory
        self._vendors = vendors
        self._interval = interval
        self._claim = claim
        self._clock = clock
        self._loaded = False
        self._heard: dict[AccountName, Listing] = {}
        """What each axis listed last, for when it gives nothing."""
        self._applied = 0
        """Times that the store was brought to what the axes list."""
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
        """Fetch, apply, compute mandates; False if one of the axes gave nothing.

        For one that gives nothing, what it listed before holds. One not heard of yet since the start keeps a directory
        from being changed: every agency that it alone lists would be closed. An empty one takes what there is.

        The mandates follow the settings even then, over the directory the store already has; the first time before the
        axis is asked, since one that hangs must not keep a restarted gateway from serving.
        """
        async with self._one_at_a_time:
            return await self._sync()

    async def refresh(self) -> bool:
        """Synchronise since a code is unknown; False if that was tried within ten minutes, or nothing new could be had.

        Whoever needs to know fetches, whether or not it keeps the directory: the store applies one listing at a time.
        """
        if self._asked_at is not None and self._clock.now() - self._asked_at < _NOT_AGAIN:
            return False
        before = self._applied
        await self.sync()
        return self._applied > before

    async def _sync(self) -> bool:
        if not self._loaded:
            await self._compute_mandates()
        self._asked_at = self._clock.now()
        listings = await asyncio.gather(*(self._listing(axis) for axis in self._axes))
        self._heard |= {listing.account: listing for listing in listings if listing is not None}
        # Those before the first one unheard of: whose an agency is, an earlier axis decides.
        known = list(takewhile(bool, [self._heard.get(axis.account) for axis in self._axes]))
        whole = [listing for listing in known if listing is not None]
        if not whole or all(listing is None for listing in listings) or (self._loaded and len(whole) < len(listings)):
            return False
        rows = await asyncio.to_thread(merge, whole)
        changes = await self._directory.apply(rows, at=self._clock.now())
        self._applied += 1
        _log.info("directory.applied", agencies=len(rows), changes=changes)
        if len(self._axes) == 1:
            self._heard.clear()  # of use beside others alone, and large
        await self._compute_mandates()
        return None not in listings

    async def _listing(self, axis: Axis) -> Listing | None:
        listing = await axis.agencies()
        if isinstance(listing, DirectoryListing) and listing.rows:
            return Listing(account=axis.account, rows=listing.rows)
        # An empty list is an error page in disguise (axis.md, 4): applied, it would close every agency.
        reason = "empty list" if isinstance(listing, DirectoryListing) else listing.reason
        _log.warning("directory.not_fetched", account=axis.account, reason=reason)
        return None

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
            self._heard.clear()  # who has the claim hears of newer ones
            self._loaded = self._loaded or await self._directory.loaded()
            return min(LOOK, self._interval)
        now = self._clock.now()
        if self._due_at is None or now >= self._due_at:
            self._due_at = now + (self._interval if await self.sync() else self._after_failure)
        # Looking again soon costs nothing, and finds the claim should it have been lost for a while.
        return min(LOOK, self._interval)
