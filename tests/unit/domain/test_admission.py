"""When new work is put off."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.admission import Shortage, Terms, Usage, shortage

SIZES = st.integers(min_value=0, max_value=2**50)
TERMS = st.builds(Terms, reserve=SIZES, quota=SIZES)
USAGES = st.builds(Usage, free=SIZES, kept=SIZES, under_way=SIZES)


@given(USAGES, TERMS, SIZES)
def test_what_is_admitted_leaves_the_reserve_and_keeps_the_quota(usage: Usage, terms: Terms, announced: int) -> None:
    """Admitted exactly where, with everything announced written, the reserve is free and the quota kept."""
    admitted = shortage(usage, terms, announced=announced) is None
    coming = usage.under_way + announced
    assert admitted == (
        usage.free - coming >= terms.reserve and (not terms.quota or usage.kept + coming <= terms.quota)
    )


@given(USAGES, TERMS, SIZES, SIZES)
def test_less_is_never_refused_where_more_is_admitted(usage: Usage, terms: Terms, one: int, other: int) -> None:
    """A smaller file always fits where a larger one does."""
    if shortage(usage, terms, announced=max(one, other)) is None:
        assert shortage(usage, terms, announced=min(one, other)) is None


def test_the_reason_is_named() -> None:
    """A disk is told from a quota; no quota limits nothing."""
    roomy = Usage(free=100, kept=50, under_way=0)
    assert shortage(roomy, Terms(reserve=99, quota=60), announced=2) is Shortage.DISK
    assert shortage(roomy, Terms(reserve=10, quota=60), announced=11) is Shortage.QUOTA
    assert shortage(roomy, Terms(reserve=10, quota=60), announced=10) is None
    assert shortage(roomy, Terms(reserve=10, quota=0), announced=90) is None
