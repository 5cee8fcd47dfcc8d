from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.items import read_item, read_taken_item
from gateway.domain.packet import AxisItem, PacketKind
from tests.fakes.jsonvalues import JSON_VALUES


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
        ({"docId": "d-1", "status": "done", "createdTime": "2026/02/27 10:00:00"}, False),
        ({"docId": "d-1", "status": "fail"}, False),
        ({"docId": "d-1"}, False),
        ({"docId": "d-1", "status": "done", "messageType": "status"}, False),
        ({"status": "done"}, False),
    ],
)
def test_taken_item(row, known):
    """Only items acknowledged as done are taken, not ones of before the window; an unreadable time hides none."""
    assert (read_taken_item(row, PacketKind.DOCUMENT, datetime(2026, 3, 1, tzinfo=UTC)) is not None) == known


@given(st.dictionaries(st.sampled_from(["docId", "to", "messageType", "createdTime", "status"]), JSON_VALUES))
def test_items_are_total(row):
    """No row makes a reader stumble."""
    read_item(row, PacketKind.DOCUMENT)
    read_taken_item(row, PacketKind.DOCUMENT, datetime(2026, 1, 1, tzinfo=UTC))
