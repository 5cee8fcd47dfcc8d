"""Which reading of the database's clock is counted on from."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.store.clock import DRIFT, Reading, better, contradicts
from tests.make import NOW

SPANS = st.timedeltas(timedelta(0), timedelta(hours=2))
ERRORS = st.timedeltas(timedelta(0), timedelta(seconds=30))
STARTED = NOW - timedelta(days=3)
"""When this machine started, by the clock that the tests take for the true one."""


@st.composite
def truthful(draw):
    """A reading that is wrong by no more than it says."""
    uptime, error = draw(SPANS), draw(ERRORS)
    wrong = draw(st.timedeltas(-error, error))
    return Reading(at=STARTED + uptime + wrong, uptime=uptime, error=error)


@given(old=truthful(), new=truthful())
def test_of_true_readings_the_more_exact_is_kept(old, new):
    """Readings of one clock never contradict each other, and what is kept is the more exact by then."""
    kept = better(old, new)
    assert not contradicts(old, new)
    assert kept.later(new.uptime).error <= min(old.later(new.uptime).error, new.error)
    assert abs(kept.later(new.uptime).at - (STARTED + new.uptime)) <= kept.later(new.uptime).error


@given(old=truthful(), passed=SPANS, error=ERRORS, by=st.timedeltas(timedelta(seconds=1), timedelta(days=900)))
def test_a_clock_that_was_set_is_followed(old, passed, error, by):
    """A reading that cannot be true beside the old one replaces it, however inexact, forward and back."""
    expected = old.later(old.uptime + passed)
    for way in (1, -1):
        new = Reading(at=expected.at + way * (expected.error + error + by), uptime=expected.uptime, error=error)
        assert contradicts(old, new)
        assert better(old, new) == new


def test_a_reading_becomes_less_exact_with_time():
    """Its error grows by the drift that two clocks may have, its time by what has passed."""
    reading = Reading(at=NOW, uptime=timedelta(0), error=timedelta(milliseconds=2))
    later = reading.later(timedelta(hours=1))
    assert later.at == NOW + timedelta(hours=1)
    assert later.error == timedelta(milliseconds=2) + timedelta(hours=1) * DRIFT
