from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.answers import as_unavailable, clip, judge_broken, read_retry_after
from gateway.adapters.envelopes import Answer, Envelope, Word, judge, read_envelope
from gateway.adapters.http import Broken
from gateway.domain.ids import AxisDocId
from gateway.domain.outcome import REASON_LIMIT, Accepted, Rejected, Unavailable, Uncertain
from tests.fakes.jsonvalues import JSON_VALUES

NOW = datetime(2026, 11, 21, 13, 50, 43, tzinfo=UTC)


def answer(envelope=None, *, status=200, content_type="application/json", retry_after=""):
    return Answer(
        http_status=status,
        content_type=content_type,
        retry_after=retry_after,
        envelope=read_envelope(envelope) if envelope is not None else None,
    )


def fail(code, text=""):
    return {"status": "FAIL", "ErrorCode": code, "ErrorDesc": text}


@pytest.mark.parametrize("code", ["0", 0, ""])
def test_taken(code):
    """OK with a DocId is Accepted, whether code 0 is text, a number or left out."""
    envelope = {"status": "OK", "ErrorCode": code, "ErrorDesc": "Thanh cong", "DocId": "66f0a1b2c3d4e5f601234567"}
    assert judge(answer(envelope), now=NOW) == Accepted(axis_doc_id=AxisDocId("66f0a1b2c3d4e5f601234567"))


@pytest.mark.parametrize("doc_id", ["", None, "x" * 65, "a\nb"])
def test_taken_without_a_usable_id(doc_id):
    """OK without a DocId that can be kept is Uncertain: the packet was taken, so resending is not for us to decide."""
    assert isinstance(judge(answer({"status": "OK", "ErrorCode": "0", "DocId": doc_id}), now=NOW), Uncertain)


def test_acknowledged():
    """An OK about a known item needs no DocId."""
    outcome = judge(answer({"status": "OK", "ErrorCode": "0"}), now=NOW, doc_id=AxisDocId("d1"))
    assert outcome == Accepted(axis_doc_id=AxisDocId("d1"))


@pytest.mark.parametrize("code", ["10", "18", "19", "22", 18])
def test_refused_for_good(code):
    """The four codes about the packet and its addresses end the matter, with the peer's words."""
    outcome = judge(answer(fail(code, "Khong ton tai don vi nhan")), now=NOW)
    assert outcome == Rejected(code=str(code), reason="Khong ton tai don vi nhan")


@pytest.mark.parametrize("code", ["15", "20", "21", "23", "4711", "", "abc"])
def test_refused_for_now(code):
    """Every other refusal may pass; its code and words stay visible."""
    outcome = judge(answer(fail(code, "ly do")), now=NOW)
    assert isinstance(outcome, Unavailable)
    assert "ly do" in outcome.reason
    assert code in outcome.reason


def test_wrong_secret_is_named():
    """Code 15 tells the operator where to look."""
    outcome = judge(answer(fail("15")), now=NOW)
    assert isinstance(outcome, Unavailable)
    assert "system id or secret" in outcome.reason


@pytest.mark.parametrize("status", [200, 400, 500, 502, 503])
def test_envelope_beats_http_status(status):
    """An envelope decides whatever the HTTP status is."""
    assert isinstance(judge(answer(fail("18"), status=status), now=NOW), Rejected)


def test_contradiction():
    """OK together with an error code is Uncertain."""
    assert isinstance(judge(answer({"status": "OK", "ErrorCode": "18", "DocId": "d1"}), now=NOW), Uncertain)


@pytest.mark.parametrize("status", [200, 500, 502, 504, 599])
def test_no_envelope_after_the_body(status):
    """Pages and junk after a sent body leave it open what became of it."""
    assert isinstance(judge(answer(status=status, content_type="text/html"), now=NOW), Uncertain)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 413, 429, 503])
def test_no_envelope_and_refused(status):
    """Redirects, client errors and 503 say that nothing was processed."""
    assert isinstance(judge(answer(status=status, content_type="text/html"), now=NOW), Unavailable)


@pytest.mark.parametrize(
    ("written", "wait"),
    [
        ("120", timedelta(seconds=120)),
        ("Sat, 21 Nov 2026 13:51:43 GMT", timedelta(seconds=60)),
        ("Sat, 21 Nov 2026 13:00:00 GMT", timedelta(0)),
        ("99999999999999999999", timedelta(days=1)),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after(written, wait):
    """The peer's wish is kept as a span of at most a day."""
    assert read_retry_after(written, now=NOW) == wait
    outcome = judge(answer(status=503, retry_after=written), now=NOW)
    assert outcome == Unavailable(reason="HTTP 503: no axis envelope", retry_after=wait)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"timestamp": 1, "status": 500, "error": "Internal Server Error"},
        {"fault": {"code": 900901}},
        {"status": None, "ErrorCode": None},
        {"status": "UP"},
    ],
)
def test_other_json_is_no_envelope(members):
    """JSON of proxies and frameworks is not taken for the axis's verdict."""
    assert read_envelope(members) is None


def test_broken():
    """A lost connection is Uncertain only where the request may have been processed."""
    assert isinstance(judge_broken(Broken(reason="ReadError", processed=True)), Uncertain)
    assert isinstance(judge_broken(Broken(reason="ConnectError", processed=False)), Unavailable)


MEMBERS = st.dictionaries(st.sampled_from(["status", "ErrorCode", "ErrorDesc", "DocId", "data"]), JSON_VALUES)
ENVELOPES = MEMBERS.map(read_envelope) | st.builds(
    Envelope,
    word=st.sampled_from(Word),
    code=st.sampled_from(["", "0", "10", "15", "18", "99"]) | st.text(),
    description=st.text(),
    doc_id=st.text(),
)


@given(
    st.builds(
        Answer,
        http_status=st.integers(),
        content_type=st.text(),
        retry_after=st.text(),
        envelope=ENVELOPES,
        flaw=st.text(),
    )
)
def test_total(answer):
    """Whatever an axis answers becomes one outcome that fits the store, and reading calls only ever say "later"."""
    outcome = judge(answer, now=NOW)
    assert isinstance(outcome, Accepted | Rejected | Unavailable | Uncertain)
    if isinstance(outcome, Accepted):
        assert 0 < len(outcome.axis_doc_id) <= 64
    else:
        assert 0 < len(outcome.reason) <= REASON_LIMIT
    assert isinstance(as_unavailable(outcome), Unavailable)


@given(st.text(), st.just(NOW))
def test_retry_after_is_total(written, now):
    """No header makes the reader stumble or wait more than a day."""
    wait = read_retry_after(written, now=now)
    assert wait is None or timedelta(0) <= wait <= timedelta(days=1)


def test_clip():
    """A peer's words cannot act on a terminal or fill the store."""
    assert clip("a\x1b[31m\r\nb") == "a [31m b"
    assert len(clip("x" * 5000)) == REASON_LIMIT
