"""Implements Wakeups within one process."""

import asyncio
from datetime import timedelta

from gateway.ports import Wakeups


class LocalWakeups(Wakeups):
    """Hints between tasks of one event loop. A hint wakes those who wait at that moment; nothing is kept for later."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}

    def notify(self, topic: str) -> None:
        """Wake whoever waits for the topic."""
        for waiter in self._waiting.pop(topic, set()):
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, topic: str, *, at_most: timedelta) -> None:
        """Return after a notification or the time, whichever is first."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(topic, set()).add(waiter)
        try:
            await asyncio.wait((waiter,), timeout=max(at_most.total_seconds(), 0))
        finally:
            left = self._waiting.get(topic)
            if left is not None:
                left.discard(waiter)
                if not left:
                    del self._waiting[topic]
