from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.backoff import Backoff

SECOND = timedelta(seconds=1)


def make(**overrides):
    values = {
        "first": 30 * SECOND,
        "factor": 2.0,
        "ceiling": 600 * SECOND,
        "jitter": 0.0,
        "give_up_after": 9999 * SECOND,
    }
    return Backoff(**(values | overrides))


def test_waits_double_up_to_the_ceiling():
    """30 s, 60 s, 120 s and so on, never above the ceiling."""
    assert [make().delay(n, 0.5) / SECOND for n in (1, 2, 3, 6, 7, 1000)] == [30, 60, 120, 600, 600, 600]


@given(st.integers(-5, 10**6), st.floats(0, 1, exclude_max=True), st.floats(0, 1), st.floats(1, 10))
def test_jitter_only_shortens(attempt, draw, jitter, factor):
    """Whatever is drawn, the wait lies between the unshortened share and the full wait, and never overflows."""
    policy = make(factor=factor, jitter=jitter)
    full = make(factor=factor).delay(attempt, 0)
    tolerance = timedelta(microseconds=1)
    assert full * (1 - jitter) - tolerance <= policy.delay(attempt, draw) <= full + tolerance
