"""One long answer for all who ask at about the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from gateway.ports import Clock

_Answer = TypeVar("_Answer")

FRESH = timedelta(seconds=5)
"""How long an answer that came still serves others."""


class Shared(Generic[_Answer]):
    """Asks one question at a time, and no more often than those who want to know need."""

    def __init__(self, ask: Callable[[], Awaitable[_Answer]], *, keep: Callable[[_Answer], bool], clock: Clock) -> None:
        """Ask nothing yet; `keep` says of an answer whether it may serve those who come after it."""
        self._ask = ask
        self._keep = keep
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._last: tuple[datetime, _Answer] | None = None

    async def get(self, *, since: datetime) -> _Answer:
        """The answer to a question that went out at `since` or later."""
        async with self._one_at_a_time:
            if self._last is not None and self._last[0] >= since:
                return self._last[1]
            asked_at = self._clock.now()
            answer = await self._ask()
            if self._keep(answer):
                self._last = (asked_at, answer)
                asyncio.get_running_loop().call_later(FRESH.total_seconds(), self._forget, asked_at)
            return answer

    def _forget(self, asked_at: datetime) -> None:
        if self._last is not None and self._last[0] == asked_at:
            self._last = None
