from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.outcome import Absent, CannotTell, Found, SentQuery
from gateway.domain.sentlist import SentEntries, SentEntry

START = datetime(2026, 11, 21, 13, 50, 43, tzinfo=UTC)
QUERY = SentQuery(
    sender_code="H99.01",
    recipient_codes=("H98.01", "H98.02"),
    notation="12/CV-UBND",
    title="V/v họp giao ban",
    submitted_after=START,
)
ROW = SentEntry(
    axis_doc_id="d1",
    kind="edoc",
    sender="H99.01",
    recipients=("H98.01",),
    title="V/v họp  giao ban",
    notation="12/CV-UBND",
    sent_at=START + timedelta(seconds=5),
)
BOTH = replace(ROW, recipients=("H98.01", "H98.02"))


def test_one_row_per_recipient():
    """The packet is found if its rows together name all recipients."""
    assert SentEntries([ROW, replace(ROW, recipients=("h98.02",))]).find(QUERY) == Found(axis_doc_id="d1")


def test_earliest_of_two():
    """If it was taken twice, the first counts."""
    later = replace(BOTH, axis_doc_id="d0", sent_at=START + timedelta(minutes=5))
    assert SentEntries([later, BOTH]).find(QUERY) == Found(axis_doc_id="d1")


@pytest.mark.parametrize(
    "other",
    [
        replace(BOTH, sender="H99.02"),
        replace(BOTH, notation="13/CV-UBND"),
        replace(BOTH, recipients=("H97.01",)),
        replace(BOTH, kind="status"),
        replace(BOTH, sent_at=START - timedelta(minutes=2)),
    ],
)
def test_other_packets(other):
    """Packets of another sender, notation, recipient, kind or time are not ours."""
    assert SentEntries([other]).find(QUERY) == Absent()


def test_clock_skew():
    """An axis whose clock is half a minute behind still shows our packet."""
    assert SentEntries([replace(BOTH, sent_at=START - timedelta(seconds=30))]).find(QUERY) == Found(axis_doc_id="d1")


def test_known_elsewhere():
    """A packet that belongs to another message is not taken for ours."""
    assert SentEntries([BOTH]).find(replace(QUERY, known_elsewhere=frozenset({"d1"}))) == Absent()


@pytest.mark.parametrize(
    "rows",
    [
        [ROW],
        [replace(BOTH, sent_at=None)],
        [replace(BOTH, title="V/v khác")],
        [replace(BOTH, axis_doc_id=None)],
        [ROW, replace(ROW, axis_doc_id="d2", recipients=("H98.02",))],
    ],
)
def test_no_proof(rows):
    """Some recipients only, an unreadable time, another title or no id prove nothing."""
    assert isinstance(SentEntries(rows).find(QUERY), CannotTell)


def test_without_notation():
    """Without a notation the title alone tells packets apart."""
    query = replace(QUERY, notation="")
    assert SentEntries([replace(BOTH, notation="", title="V/v khác")]).find(query) == Absent()
    assert SentEntries([replace(BOTH, notation="")]).find(query) == Found(axis_doc_id="d1")
