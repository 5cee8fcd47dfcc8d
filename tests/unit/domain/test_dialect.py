"""What dialects say about each other."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.dialect import DIALECTS, strictest
from gateway.domain.lengths import LENGTHS


@given(st.lists(st.sampled_from(sorted(DIALECTS)), min_size=1))
def test_the_strictest_takes_only_what_all_take(names):
    """Of every field it takes as many characters as the peer that takes the fewest."""
    several = [DIALECTS[name] for name in names]
    for field in LENGTHS:
        assert strictest(several).limit(field) == min(each.limit(field) for each in several)
