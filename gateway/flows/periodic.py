"""A job that is repeated until told to stop, and survives what goes wrong in one turn."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Literal

import structlog

from gateway.flows.outages import log_failure

_log = structlog.get_logger()

GRACE = timedelta(seconds=5)
"""Time the turn under way gets at a stop. Then it is cancelled, which every job must bear at any instant."""


class Periodic:
    """Runs `turn` now and after each pause that it returns; after a turn that raises, `after_failure` is the pause."""

    def __init__(
        self, *, name: str, turn: Callable[[], Awaitable[timedelta]], after_failure: timedelta, grace: timedelta = GRACE
    ) -> None:
        self._name = name
        self._turn = turn
        self._after_failure = after_failure
        self._grace = grace
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Begin no further turn."""
        self._stopping.set()

    async def run(self) -> None:
        """Repeat until `stop`. Cancelling it cancels the turn under way."""
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                pause = await self._one_turn(stopped)
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(stopped), pause.total_seconds())
        finally:
            stopped.cancel()

    async def _one_turn(self, stopped: asyncio.Task[Literal[True]]) -> timedelta:
        turn = asyncio.ensure_future(self._turn())
        try:
            await asyncio.wait({turn, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not turn.done():
                await asyncio.wait({turn}, timeout=self._grace.total_seconds())
        finally:
            if turn.cancel():
                await asyncio.wait({turn})
        if turn.cancelled():
            _log.warning("turn.interrupted", job=self._name)
            return self._after_failure
        try:
            return turn.result()
        except Exception as error:  # noqa: BLE001 - what fails now may work at the next turn
            log_failure("turn.broke", error, job=self._name)
            return self._after_failure
