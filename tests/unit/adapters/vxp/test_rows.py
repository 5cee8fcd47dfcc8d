from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.scalars import read_codes, read_time
from gateway.adapters.vxp.rows import read_agency, read_sent
from gateway.domain.agency import DirectoryRow
from tests.fakes.jsonvalues import JSON_VALUES


@pytest.mark.parametrize(
    "written",
    [
        "2026/11/21 20:50:43",
        "2026/11/21 20:50:43.0",
        "21/11/2026 20:50:43",
        "2026-11-21 20:50:43",
        "2026-11-21T20:50:43",
        "2026-11-21T20:50:43.000+07:00",
        "2026-11-21T13:50:43Z",
        1795269043000,
        "1795269043000",
    ],
)
def test_times(written):
    """Every tolerated form means the same instant; without a zone it is Vietnam time."""
    assert read_time(written) == datetime(2026, 11, 21, 13, 50, 43, tzinfo=UTC)


@given(JSON_VALUES)
def test_times_are_total(written):
    """No value makes the reader stumble; what it reads is an aware instant."""
    found = read_time(written)
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize("written", ["H98.01,H98.02", "H98.01; H98.02", '["H98.01","H98.02"]', ["H98.01", "H98.02"]])
def test_codes(written):
    """Addressees are read in every form met or likely."""
    assert read_codes(written) == ("H98.01", "H98.02")


def test_agency():
    """Both old codes become aliases, once each, without the current one."""
    row = {"id": 7, "pid": "1", "code": "H98.01", "name": "UBND\nxã", "code102": "000.01.01.H98", "oldCode": "H98.01"}
    assert read_agency(row) == DirectoryRow(
        axis_id="7", parent_axis_id="1", code="H98.01", name="UBND xã", email="", aliases=("000.01.01.H98",)
    )
    assert read_agency({"id": "8", "code": " ", "name": "no code"}) is None


@given(st.dictionaries(st.sampled_from(["code", "code102", "sentTime", "toCode"]), JSON_VALUES))
def test_rows_are_total(row):
    """No row makes a reader stumble."""
    read_agency(row)
    read_sent(row)
