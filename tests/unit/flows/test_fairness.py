from hypothesis import given
from hypothesis import strategies as st

from gateway.flows.fairness import FAIR_EVERY, by_waiting


@given(st.integers(0, 10_000), st.integers(0, 300))
def test_every_so_many_places_one_goes_by_waiting(given_before, places):
    """However places are asked for, a quarter of them goes to those who have waited longest, never all."""
    fair = by_waiting(given_before, places)
    assert abs(fair - places / FAIR_EVERY) < 1
    assert fair < max(places, 2)


@given(st.lists(st.integers(0, 7), max_size=50))
def test_no_place_is_forgotten_between_two_looks(looks):
    """Many small looks give as many fair places as one large one."""
    done = fair = 0
    for places in looks:
        fair += by_waiting(done, places)
        done += places
    assert fair == by_waiting(0, done)
