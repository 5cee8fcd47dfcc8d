from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.ids import AxisDocId
from gateway.domain.reconciliation import compare_sent
from gateway.domain.sentlist import SentEntry
from tests.make import NOW

IDS = st.sampled_from([AxisDocId(f"d{number}") for number in range(6)])
ENTRIES = st.lists(
    st.builds(
        SentEntry,
        axis_doc_id=st.none() | IDS,
        kind=st.sampled_from(["", "edoc", "status"]),
        sender=st.just("H99.01"),
        recipients=st.just(("H98.01",)),
        title=st.just("t"),
        notation=st.just("1/n"),
        sent_at=st.none() | st.integers(-10, 10).map(lambda minutes: NOW + timedelta(minutes=minutes)),
        failed=st.booleans(),
    ),
    max_size=12,
)


@given(ENTRIES, st.frozensets(IDS), st.frozensets(IDS))
def test_every_packet_is_judged_once(entries, ours, known):
    """Ours are missing or listed, never both; unknown ones are neither ours nor explained, and lie in the window."""
    window = {"newer_than": NOW - timedelta(minutes=5), "until": NOW + timedelta(minutes=5)}
    compared = compare_sent(entries, ours=ours, known=known, **window)
    documents = [entry for entry in entries if entry.kind != "status"]
    ids = {entry.axis_doc_id for entry in documents}
    assert compared.missing | compared.listed == ours
    assert not compared.missing & compared.listed
    assert compared.listed == ours & ids
    assert not compared.unknown.keys() & (ours | known)
    for entry in compared.unknown.values():
        assert window["newer_than"] < entry.sent_at <= window["until"]
    fresh = {e.axis_doc_id for e in documents if e.sent_at and window["newer_than"] < e.sent_at <= window["until"]}
    assert compared.unknown.keys() == fresh - {None} - ours - known
    assert all(entry.failed for entry in compared.failed.values())
    assert {e.axis_doc_id for e in compared.failed.values()} == {e.axis_doc_id for e in documents if e.failed} - {None}


@given(ENTRIES, st.frozensets(IDS))
def test_agreement_is_silent(entries, extra):
    """Where everything listed is known, and everything ours is listed, nothing is found."""
    ids = frozenset(entry.axis_doc_id for entry in entries if entry.axis_doc_id is not None and entry.kind != "status")
    compared = compare_sent(
        entries, ours=ids, known=extra, newer_than=NOW - timedelta(days=1), until=NOW + timedelta(days=1)
    )
    assert not compared.missing
    assert not compared.unknown
