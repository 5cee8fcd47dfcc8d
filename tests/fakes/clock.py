"""A clock that stands until a test moves it."""

from datetime import datetime, timedelta

from gateway.ports import Clock
from tests.make import NOW


class SettableClock(Clock):
    def __init__(self, at: datetime = NOW) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def advance(self, by: timedelta) -> None:
        self._at += by
