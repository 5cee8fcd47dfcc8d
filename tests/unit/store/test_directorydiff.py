"""What a listing changes."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.agency import DirectoryRow
from gateway.store.directorydiff import Alias, changes
from tests.make import make_directory_row

CODES = st.sampled_from(["A", "B", "b ", "C", "D"])
LISTINGS = st.lists(
    st.builds(
        DirectoryRow,
        axis_id=st.sampled_from("1234"),
        parent_axis_id=st.sampled_from(["", "1", "2", "9"]),
        code=CODES,
        name=st.sampled_from(["x", "y"]),
        email=st.just(""),
        aliases=st.lists(CODES, max_size=2).map(tuple),
    ),
    max_size=5,
)


def applied(known, rows):
    """The directory after a listing."""
    return known | {change.after.axis_id: change.after for change in changes(known, rows)}


@given(st.lists(LISTINGS, max_size=4))
def test_applying_a_listing_twice_changes_nothing_more(listings):
    """After any history, the last listing applied again finds nothing to change; ids never change hands."""
    known = {}
    for rows in listings:
        after = applied(known, rows)
        assert changes(after, rows) == []
        assert all(after[axis_id].id == each.id for axis_id, each in known.items())
        known = after


@given(st.lists(LISTINGS, min_size=1, max_size=4))
def test_exactly_what_is_listed_is_active(listings):
    """Whatever was listed before, the active agencies are those of the last listing."""
    known = {}
    for rows in listings:
        known = applied(known, rows)
    assert {axis_id for axis_id, each in known.items() if each.active} == {row.axis_id for row in listings[-1]}


def test_a_former_code_outlives_its_listing():
    """A replaced code stays an alias for good, a listed alias goes with its listing, and one's own code is no alias."""
    known = applied({}, [make_directory_row("OLD", axis_id="1", aliases=("x", "old"))])
    assert known["1"].aliases == (Alias(code="x", former=False),)
    known = applied(known, [make_directory_row("NEW", axis_id="1")])
    assert known["1"].aliases == (Alias(code="OLD", former=True),)
    known = applied(known, [make_directory_row("OLD", axis_id="1")])
    assert known["1"].aliases == (Alias(code="NEW", former=True),)


def test_a_parent_that_is_not_listed_is_no_parent():
    """Parent links point to listed agencies only."""
    known = applied({}, [make_directory_row("A", axis_id="1", parent_axis_id="9")])
    assert known["1"].parent_id is None
