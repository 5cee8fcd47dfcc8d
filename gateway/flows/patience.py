"""How often work on an item failed, and when it is tried again. In memory: after a restart all is tried at once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.ids import AxisDocId

TRIES = 5
"""Failures after which an item no longer holds back those behind it, and operators are told of a bug of ours."""

LONGEST = timedelta(hours=1)
"""Longest pause before an item is tried again. It may be hundreds of MB, so a refused one waits this long at once."""


@dataclass(frozen=True, slots=True)
class _Trouble:
    count: int
    until: datetime
    refused: bool = False


class Patience:
    """The items of one account that gave trouble."""

    def __init__(self, *, first: timedelta) -> None:
        """`first` is the pause after the first break of our own work; it doubles with each further one."""
        self._first = first
        self._troubles: dict[AxisDocId, _Trouble] = {}

    def __len__(self) -> int:
        return len(self._troubles)

    def missed(self, item: AxisDocId, *, at: datetime) -> None:
        """The axis did not give it this time."""
        self._troubles[item] = _Trouble(self._count(item) + 1, at)

    def broke(self, item: AxisDocId, *, at: datetime) -> bool:
        """Our own work on it broke; True if operators should hear of it."""
        count = self._count(item) + 1
        pause = min(self._first * 2 ** min(count - 1, 20), LONGEST)
        # Somewhat less than the interval of the polls, which must not miss it by a hair.
        self._troubles[item] = _Trouble(count, at + pause * 0.9)
        return count >= TRIES

    def refused(self, item: AxisDocId, *, at: datetime) -> None:
        """Trying again soon cannot help."""
        self._troubles[item] = _Trouble(TRIES, at + LONGEST, refused=True)

    def waits(self, item: AxisDocId, *, at: datetime) -> bool:
        """True if it is not to be tried yet."""
        known = self._troubles.get(item)
        return known is not None and at < known.until

    def is_over(self, item: AxisDocId) -> bool:
        """True if it failed so often that it holds nothing back any more."""
        known = self._troubles.get(item)
        return known is not None and known.count >= TRIES

    def is_refused(self, item: AxisDocId) -> bool:
        """True if the axis refused it when it was last tried."""
        known = self._troubles.get(item)
        return known is not None and known.refused

    def forget(self, item: AxisDocId) -> None:
        """It worked."""
        self._troubles.pop(item, None)

    def forget_old(self, *, at: datetime) -> None:
        """Forget items that were not tried for long: the axis no longer lists them."""
        self._troubles = {item: each for item, each in self._troubles.items() if at < each.until + 24 * LONGEST}

    def _count(self, item: AxisDocId) -> int:
        known = self._troubles.get(item)
        return 0 if known is None else known.count
