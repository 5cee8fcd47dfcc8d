from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.vxp.rows import read_agency, read_codes, read_item, read_sent, read_taken_item, read_time
from gateway.domain.agency import DirectoryRow
from gateway.domain.packet import AxisItem, PacketKind

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


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


def test_item():
    """A waiting item keeps its id and addressees."""
    row = {"docId": "d-1", "messageType": "edoc", "from": "H99.01", "to": "H98.01", "status": "initial"}
    kind = PacketKind.DOCUMENT
    assert read_item(row, kind) == AxisItem(axis_doc_id="d-1", kind=kind, recipients=("H98.01",))


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"docId": None},
        {"docId": "a\r\nb"},
        {"docId": "d-1", "messageType": "status"},
        {"docId": "d-1", "status": "done"},
        {"docId": "d-1", "status": "FAIL"},
    ],
)
def test_item_skipped(row):
    """Items without a usable id, of the other kind or already acknowledged are not waiting."""
    assert read_item(row, PacketKind.DOCUMENT) is None


@pytest.mark.parametrize(
    ("row", "known"),
    [
        ({"docId": "d-1", "status": "done", "created_time": "2026/03/02 10:00:00"}, True),
        ({"docId": "d-1", "status": "DONE"}, True),
        ({"docId": "d-1", "status": "done", "created_time": "2026/02/27 10:00:00"}, False),
        ({"docId": "d-1", "status": "fail"}, False),
        ({"docId": "d-1"}, False),
        ({"docId": "d-1", "status": "done", "messageType": "status"}, False),
        ({"status": "done"}, False),
    ],
)
def test_taken_item(row, known):
    """Only items acknowledged as done are taken, not ones of before the window; an unreadable time hides none."""
    assert (read_taken_item(row, PacketKind.DOCUMENT, datetime(2026, 3, 1, tzinfo=UTC)) is not None) == known


def test_agency():
    """Both old codes become aliases, once each, without the current one."""
    row = {"id": 7, "pid": "1", "code": "H98.01", "name": "UBND\nxã", "code102": "000.01.01.H98", "oldCode": "H98.01"}
    assert read_agency(row) == DirectoryRow(
        axis_id="7", parent_axis_id="1", code="H98.01", name="UBND xã", email="", aliases=("000.01.01.H98",)
    )
    assert read_agency({"id": "8", "code": " ", "name": "no code"}) is None


@given(
    st.dictionaries(st.sampled_from(["docId", "to", "code", "code102", "sentTime", "toCode", "status"]), JSON_VALUES)
)
def test_rows_are_total(row):
    """No row makes a reader stumble."""
    read_item(row, PacketKind.DOCUMENT)
    read_taken_item(row, PacketKind.DOCUMENT, datetime(2026, 1, 1, tzinfo=UTC))
    read_agency(row)
    read_sent(row)
