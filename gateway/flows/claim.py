"""A job of which only one gateway of several does at a time; another takes over seconds after the one that did it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from gateway.domain.errors import GatewayError
from gateway.flows.outages import log_failure
from gateway.ports import Claims, Clock

_log = structlog.get_logger()

HOLD = timedelta(seconds=6)
"""How long a claim outlives whoever held it; renewed at a third of it."""

LOOK = timedelta(seconds=1.5)
"""Pause between two looks whether a job is free. HOLD and LOOK together are the longest time nobody does it."""


class Claim:
    """This gateway's part in one such job. `held` counts by this process's own steady clock, so that it errs early."""

    def __init__(self, *, claims: Claims, name: str, owner: str, clock: Clock, hold_for: timedelta = HOLD) -> None:
        self._claims = claims
        self._name = name
        self._owner = owner
        self._clock = clock
        self._hold_for = hold_for
        self._until = 0.0

    @property
    def held(self) -> bool:
        """True while no other gateway can do the job."""
        return asyncio.get_running_loop().time() < self._until

    async def seize(self) -> bool:
        """Take the job if it is free; True if this gateway does it now. Raises what the store raises."""
        return self.held or await self._take()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep what is seized inside, however long one turn of the job lasts; at the end it is given up."""
        keeping = asyncio.create_task(self._keep(), name=f"claim-{self._name}")
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})
            await self._give_up()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._hold_for.total_seconds() / 3)
            if not self.held:
                continue
            try:
                if not await self._take():
                    _log.warning("claim.lost", claim=self._name)
            except Exception as error:  # noqa: BLE001 - the claim may hold until the next try
                log_failure("claim.not_renewed", error, claim=self._name)

    async def _take(self) -> bool:
        # From before the store was asked: whenever it answers, its claim ends later than this.
        begun, before = asyncio.get_running_loop().time(), self._until
        taken = await self._claims.take(self._name, self._owner, hold_for=self._hold_for, at=self._clock.now())
        self._until = begun + self._hold_for.total_seconds() if taken else 0.0
        if taken and not before:
            _log.info("claim.taken", claim=self._name)
        return taken

    async def _give_up(self) -> None:
        if not self.held:
            return
        self._until = 0.0
        try:
            await self._claims.give_up(self._name, self._owner)
        except GatewayError:
            _log.warning("claim.not_given_up", claim=self._name)
