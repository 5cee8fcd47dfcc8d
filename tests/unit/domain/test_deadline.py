from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.deadline import legal_deadline, shortened
from gateway.domain.document import OtherInfo, Priority
from tests.make import NOW, make_document

MONDAY, FRIDAY = date(2026, 3, 2), date(2026, 3, 6)
days = st.dates(date(2020, 1, 1), date(2035, 12, 31))
instants = st.datetimes(datetime(2020, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone


def weekdays(day):
    return day.weekday() < 5


def noon(day):
    """12:00 in Vietnam."""
    return datetime(day.year, day.month, day.day, 5, tzinfo=UTC)


def deadline_of(signed, accepted_at, is_working_day=weekdays, priority=Priority.NORMAL):
    document = make_document(promulgation_date=signed, other_info=OtherInfo(priority=priority))
    return legal_deadline(document, accepted_at, is_working_day)


@pytest.mark.parametrize(
    ("signed", "accepted", "due"),
    [
        (MONDAY, NOW, noon(date(2026, 3, 3))),
        (FRIDAY, datetime(2026, 3, 6, 9, tzinfo=UTC), noon(date(2026, 3, 9))),
        (None, datetime(2026, 3, 6, 9, tzinfo=UTC), noon(date(2026, 3, 9))),
        (FRIDAY, NOW, noon(date(2026, 3, 3))),
        (None, datetime(2026, 3, 2, 17, tzinfo=UTC), noon(date(2026, 3, 4))),
        (MONDAY, datetime(2026, 3, 3, 4, 59, tzinfo=UTC), noon(date(2026, 3, 3))),
    ],
    ids=["next day", "over a weekend", "unsigned", "signed tomorrow", "past midnight in Vietnam", "just in time"],
)
def test_by_noon_of_the_next_working_day(signed, accepted, due):
    """After the day of signing, or of acceptance in Vietnam where that is missing or lies ahead."""
    assert deadline_of(signed, accepted) == due


def test_a_late_submission_is_due_at_once():
    """A document that comes after its deadline has its acceptance for a deadline."""
    late = datetime(2026, 3, 3, 5, 1, tzinfo=UTC)
    assert deadline_of(MONDAY, late) == late
    assert deadline_of(date(2001, 1, 1), NOW) == NOW


@pytest.mark.parametrize("priority", [1, 2, 3, 4, 9])
def test_urgent_means_at_once(priority):
    """Every urgent level, an unknown one too, is due at its acceptance."""
    assert deadline_of(MONDAY, NOW, priority=priority) == NOW


def test_holidays_are_skipped():
    """A day off after the day of signing moves the deadline behind it."""
    off = {date(2026, 3, 3), date(2026, 3, 4)}
    assert deadline_of(MONDAY, NOW, lambda day: weekdays(day) and day not in off) == noon(date(2026, 3, 5))


def test_a_calendar_without_working_days_ends_the_search():
    """A wrong calendar gives some deadline, soon enough to be seen."""
    assert deadline_of(MONDAY, NOW, lambda _: False) <= NOW + timedelta(days=70)


@given(days, instants, st.integers(0, 4))
def test_a_deadline_never_lies_before_acceptance_nor_far_ahead(signed, accepted_at, priority):
    """Whatever is signed when: not before acceptance, at most a long weekend later, and past only at once."""
    due = deadline_of(signed, accepted_at, priority=priority)
    assert accepted_at <= due <= accepted_at + timedelta(days=4)


@given(
    st.timedeltas(timedelta(0), timedelta(days=2)),
    st.timedeltas(timedelta(0), timedelta(hours=1)),
    st.timedeltas(timedelta(days=-2), timedelta(days=2)),
)
def test_waits_shrink_before_the_deadline(wait, first, left):
    """At most half of the time left, unless the first wait is longer; never longer than asked; as asked once past."""
    given_wait = shortened(wait, first=first, deadline=NOW + left, now=NOW)
    assert given_wait <= wait
    if left <= timedelta(0):
        assert given_wait == wait
    else:
        assert given_wait <= max(left / 2, first)
        assert given_wait >= min(wait, first)
    assert shortened(wait, first=first, deadline=None, now=NOW) == wait
