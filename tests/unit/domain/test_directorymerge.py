from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.agency import code_key
from gateway.domain.directorymerge import Listing, merge
from gateway.domain.ids import AccountName, OrganId
from tests.make import make_directory_row

FIRST, SECOND, THIRD = (AccountName(name) for name in ("national", "province", "ministry"))

codes = st.sampled_from([f"H{n}" for n in range(8)] + ["h1", " H2 "]).map(OrganId)
rows = st.lists(
    st.builds(
        make_directory_row,
        codes,
        axis_id=st.integers(1, 9).map(str),
        parent_axis_id=st.integers(0, 9).map(lambda n: str(n) if n else ""),
        aliases=st.lists(codes, max_size=2).map(tuple),
    ),
    max_size=8,
    unique_by=lambda row: row.axis_id,
)
directories = st.tuples(rows, rows, rows)


def listings(directories):
    return [
        Listing(account=account, rows=rows) for account, rows in zip((FIRST, SECOND, THIRD), directories, strict=False)
    ]


def keys(row):
    return {code_key(code) for code in (row.code, *row.aliases)}


def test_a_unit_of_a_later_axis_hangs_under_the_agency_that_an_earlier_one_lists():
    """The province's own axis lists the province, too, by its old code: its new unit hangs under the national row."""
    national = [make_directory_row("H98", axis_id="1", aliases=(OrganId("000.00.00.H98"),))]
    province = [
        make_directory_row("000.00.00.h98", axis_id="1"),
        make_directory_row("H98.77", axis_id="2", parent_axis_id="1"),
        make_directory_row("H98.77.1", axis_id="3", parent_axis_id="2"),
        make_directory_row("H98.78", axis_id="4", parent_axis_id="H98"),
    ]
    found = merge(listings([national, province]))
    assert [(row.axis_id, row.parent_axis_id, row.code) for row in found] == [
        ("1", "", "H98"),
        ("province:2", "1", "H98.77"),
        ("province:3", "province:2", "H98.77.1"),
        ("province:4", "1", "H98.78"),
    ]


@given(directories)
def test_an_earlier_account_wins(directories):
    """Rows of the first stay as they are, and no later row shares a code with a row of an earlier account."""
    found = merge(listings(directories))
    first = directories[0]
    assert list(found[: len(first)]) == first
    later = found[len(first) :]
    for row in later:
        account = row.axis_id.partition(":")[0]
        before = [*first, *(each for each in later if each.axis_id.startswith("province:") and account != SECOND)]
        assert not any(keys(row) & keys(each) for each in before)


@given(directories)
def test_every_listed_code_leads_to_an_agency(directories):
    """No code is lost with the row that gave way: its agency is there under another of its codes."""
    found = merge(listings(directories))
    known = set().union(*map(keys, found)) if found else set()
    for rows in directories:
        assert all(keys(row) & known for row in rows)


@given(directories)
def test_ids_stay_apart_and_no_earlier_agency_hangs_under_a_later_one(directories):
    """Ids are unique, and the parent of a row is of its own account, of an earlier one, or not listed."""
    found = merge(listings(directories))
    place = {"": 0, SECOND: 1, THIRD: 2}
    ids = [row.axis_id for row in found]
    assert len(set(ids)) == len(ids)
    for row in found:
        own, above = (place[id_.rpartition(":")[0]] for id_ in (row.axis_id, row.parent_axis_id))
        assert above <= own
        if own:
            assert row.parent_axis_id in {"", *ids}


def test_one_account_is_taken_as_it_lists():
    """Without a second account nothing is touched, not even what is listed twice."""
    rows = [make_directory_row("H98", axis_id="1"), make_directory_row("H98", axis_id="2")]
    assert merge(listings([rows])) == tuple(rows)
    assert merge([]) == ()
