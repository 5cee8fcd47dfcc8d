"""The calendar of working days (ngày làm việc): weekends, public holidays, and what the settings say otherwise."""

from collections.abc import Callable, Collection
from datetime import date

import holidays


def working_days(*, extra_holidays: Collection[date], extra_working_days: Collection[date]) -> Callable[[date], bool]:
    """Tells whether Vietnam's offices work on a day.

    The library knows the holidays of law and the swaps of weekend and working days decided when it was made; later
    decisions of the government come by the settings, which win.
    """
    public = holidays.country_holidays("VN")
    off, worked = frozenset(extra_holidays), frozenset(extra_working_days)

    def is_working_day(day: date) -> bool:
        if day in worked:
            return True
        return day not in off and public.is_working_day(day)

    return is_working_day
