"""Normalised forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.agency import code_key
from gateway.store.keys import document_key, search_key


@pytest.mark.parametrize(
    "written",
    ["H98.1,2026/03/02,12/TN-VP", " h98.1,2026-03-02,12/tn-vp ", "H98.1,2026-3-2,12/TN-VP", "H98.1,2026/3/02,12/TN-VP"],
)
def test_document_ids_meet_whatever_the_date_looks_like(written):
    """Dashes, missing zeros, case and outer space do not tell two document ids apart."""
    assert document_key(written) == "H98.1,2026/03/02,12/TN-VP"


@pytest.mark.parametrize("text", ["2026/02/30", "12026-03-021", "123e4567-e89b-12d3-a456-426614174000"])
def test_what_is_no_date_stays(text):
    """An impossible day is kept, and digits inside longer runs or a UUID are not taken for a date."""
    assert document_key(text) == text.upper()


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    """Each normalised form is its own normalised form, so that a stored key can be compared with a computed one."""
    assert document_key(document_key(text)) == document_key(text)
    assert search_key(search_key(text)) == search_key(text)


def test_search_ignores_marks_and_case():
    """Vietnamese marks, đ and runs of space do not matter to a search."""
    assert search_key("  Sở  GIAO THÔNG Đường bộ ") == "so giao thong duong bo"
    assert code_key(" h98.01 ") == "H98.01"
