"""How a stream waits for news: hints shorten the wait, polling never misses anything, a drain ends it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.ports import Wakeups

INBOX = "inbox"
EVENTS = "events"


class Pauses:
    """Shared by all streams of one server."""

    def __init__(self, wakeups: Wakeups, *, poll_interval: timedelta) -> None:
        self._wakeups = wakeups
        self._poll_interval = poll_interval
        self._draining = False

    def drain(self) -> None:
        """End all streams at their next step; clients come back, to another replica or after the restart."""
        self._draining = True
        self._wakeups.notify(INBOX)
        self._wakeups.notify(EVENTS)

    @asynccontextmanager
    async def listening(self, topic: str, *, at_most: timedelta) -> AsyncIterator[asyncio.Task[None]]:
        """A task that ends with the next hint, the poll interval or `at_most` seconds.

        It begins before the look into the store, so that what is stored during the look is not noticed late. Raises
        GatewayError SHUTTING_DOWN once the server drains.
        """
        if self._draining:
            raise GatewayError(ErrorCode.SHUTTING_DOWN)
        news = asyncio.create_task(self._wakeups.wait(topic, at_most=min(at_most, self._poll_interval)))
        try:
            yield news
        finally:
            news.cancel()
