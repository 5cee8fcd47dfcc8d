from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.vntime import edxml_date, edxml_timestamp, from_vietnam, vietnam_date

LATE = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)


def test_the_day_begins_at_17_utc():
    """Seven hours ahead: 17:00 UTC is the next day in Vietnam."""
    assert vietnam_date(LATE) == date(2026, 3, 3)
    assert edxml_timestamp(LATE) == "2026/03/03 00:00:00"
    assert edxml_date(date(987, 3, 3)) == "0987/03/03"


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 - local times are what it takes
def test_local_times_come_back(local):
    """A time written without a zone becomes UTC and prints as it was."""
    instant = from_vietnam(local)
    assert instant.utcoffset().total_seconds() == 0
    assert edxml_timestamp(instant) == local.strftime("%Y/%m/%d %H:%M:%S")
