from datetime import date

import pytest

from gateway.bootstrap.calendar import working_days


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2026, 3, 2), True),
        (date(2026, 3, 7), False),
        (date(2026, 3, 8), False),
        (date(2026, 2, 17), False),
        (date(2026, 4, 27), False),
        (date(2026, 4, 30), False),
        (date(2026, 9, 2), False),
        (date(2026, 8, 31), False),
        (date(2026, 8, 22), True),
        (date(2027, 2, 8), False),
    ],
    ids=[
        "Monday",
        "Saturday",
        "Sunday",
        "Tết",
        "Hùng Kings, observed",
        "Liberation Day",
        "National Day",
        "swapped off",
        "Saturday worked for it",
        "Tết of another year",
    ],
)
def test_vietnams_offices(day, works):
    """Weekends and public holidays are off, those of the moon's calendar and swapped days too."""
    assert working_days(extra_holidays=(), extra_working_days=())(day) is works


def test_settings_win():
    """A day named in the settings is off, or worked, whatever the library says; worked wins over off."""
    monday, saturday, tet = date(2026, 3, 2), date(2026, 3, 7), date(2026, 2, 17)
    is_working_day = working_days(extra_holidays=(monday, tet), extra_working_days=(saturday, tet))
    assert [is_working_day(day) for day in (monday, saturday, tet)] == [False, True, True]
