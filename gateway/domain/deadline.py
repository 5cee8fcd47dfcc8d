"""By when the law wants a document sent, and how that shortens waits. Pure; who knows the calendar is asked.

Decision 28/2018/QĐ-TTg Art 6(2) and Decree 30/2020/NĐ-CP Art 18(1): on the day of signing, at the latest in the morning
of the next working day (ngày làm việc tiếp theo); urgent documents (văn bản khẩn) at once.
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta

from gateway.domain.document import Document, Priority
from gateway.domain.vntime import from_vietnam, vietnam_date

MORNING_ENDS = time(12)
"""Vietnam time."""

_LONGEST_HOLIDAY = 60
"""Days; a calendar without a working day in so many is wrong, and its last day is taken."""

_DAY = timedelta(days=1)


def legal_deadline(document: Document, accepted_at: datetime, is_working_day: Callable[[date], bool]) -> datetime:
    """The instant, UTC, by which a document has to be sent; never before its acceptance.

    The day of signing is PromulgationDate; where that is missing or lies ahead, the day of acceptance in Vietnam.
    Urgent levels, known or not, and documents whose deadline had passed when they came: at once, `accepted_at` itself.
    """
    if document.other_info.priority > Priority.NORMAL:
        return accepted_at
    today = vietnam_date(accepted_at)
    signed = document.promulgation_date
    day = (signed if signed is not None and signed <= today else today) + _DAY
    for _ in range(_LONGEST_HOLIDAY):
        if is_working_day(day):
            break
        day += _DAY
    return max(from_vietnam(datetime.combine(day, MORNING_ENDS)), accepted_at)


def shortened(wait: timedelta, *, first: timedelta, deadline: datetime | None, now: datetime) -> timedelta:
    """A wait between attempts before a deadline: at most half of the time left, but no shorter than `first` for it.

    After the deadline, or without one, the wait is as given.
    """
    if deadline is None or deadline <= now:
        return wait
    return min(wait, max((deadline - now) / 2, first))
