"""Civil dates as packets write them: one right form, three tolerated, the rest unreadable."""

import re
from datetime import date
from typing import NamedTuple

from gateway.translate.edxml.findings import Tolerance

_YEAR_FIRST = re.compile(r"([0-9]{4})([/-])([0-9]{1,2})\2([0-9]{1,2})(?P<time>[ T].*)?")
_DAY_FIRST = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})(?P<time>[ T].*)?")
_STRICT_DATE = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9]{2}")
_STRICT_TIME = re.compile(r"([0-9]{4}/[0-9]{2}/[0-9]{2}) ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]")


class ReadDate(NamedTuple):
    """A date, or why there is none; `oddities` also says which tolerated forms were met."""

    day: date | None
    oddities: tuple[Tolerance, ...] = ()


def read_date(text: str) -> ReadDate:
    """Read `yyyy/MM/dd`, tolerate `yyyy-MM-dd`, `dd/MM/yyyy` (never month first) and a time behind the date."""
    if found := _YEAR_FIRST.fullmatch(text):
        year, month, day = found.group(1), found.group(3), found.group(4)
    elif found := _DAY_FIRST.fullmatch(text):
        day, month, year = found.group(1), found.group(2), found.group(3)
    else:
        return ReadDate(None, (Tolerance.DATE_UNREADABLE,))
    try:
        value = date(int(year), int(month), int(day))
    except ValueError:
        return ReadDate(None, (Tolerance.DATE_IMPOSSIBLE,))
    time = found.group("time")
    strange = _STRICT_DATE.fullmatch(text.removesuffix(time or "")) is None
    met = ((Tolerance.DATE_FORMAT, strange), (Tolerance.DATE_TIME, time is not None))
    return ReadDate(value, tuple(oddity for oddity, is_met in met if is_met))


def is_strict_date(text: str) -> bool:
    """True for an existing day written `yyyy/MM/dd`."""
    return _STRICT_DATE.fullmatch(text) is not None and read_date(text).day is not None


def is_strict_time(text: str) -> bool:
    """True for `yyyy/MM/dd HH:mm:ss` on an existing day."""
    found = _STRICT_TIME.fullmatch(text)
    return found is not None and is_strict_date(found.group(1))
