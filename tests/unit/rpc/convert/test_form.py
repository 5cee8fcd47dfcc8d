"""Form: presence and form of fields, all violations at once, in both languages."""

from datetime import UTC, date, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.rpc.convert.form import Form


def _paths(form: Form) -> list[str]:
    return [violation.path for violation in form.violations]


def test_check_raises_with_every_violation():
    """Two wrong fields make one error that names both, each in two languages."""
    form = Form()
    form.required("agency", " ")
    form.request_id("request_id", "42")
    with pytest.raises(GatewayError) as caught:
        form.check()
    assert caught.value.code is ErrorCode.INVALID_FIELD
    assert [v.path for v in caught.value.violations] == ["agency", "request_id"]
    assert all(v.en and v.vi and v.en != v.vi for v in caught.value.violations)


def test_check_passes_when_nothing_was_wrong():
    """Good values leave no violation and come back unchanged."""
    form = Form()
    assert form.required("a", "H98") == "H98"
    assert form.digest("b", "0a" * 32) == "0a" * 32
    form.check()


@pytest.mark.parametrize(
    ("text", "day"), [("", None), ("2026-03-02", date(2026, 3, 2)), ("2024-02-29", date(2024, 2, 29))]
)
def test_day_reads_civil_dates(text, day):
    """Dates are yyyy-MM-dd; empty is no date."""
    form = Form()
    assert form.day("d", text) == day
    assert not form.violations


@pytest.mark.parametrize("text", ["2026/03/02", "20260302", "2026-02-30", "2026-3-2", "2026-W10-1", " 2026-03-02", "0"])
def test_day_refuses_other_forms(text):
    """Other ways to write a date, and days that do not exist, are violations."""
    form = Form()
    assert form.day("d", text) is None
    assert _paths(form) == ["d"]


@pytest.mark.parametrize("text", ["", "0A" * 32, "0a" * 31, "0a" * 33, "zz" * 32, "0a" * 32 + "\n"])
def test_digest_is_strict(text):
    """Only 64 lower-case hexadecimal digits name content."""
    form = Form()
    form.digest("sha256", text)
    assert _paths(form) == ["sha256"]


def test_request_id_is_made_canonical():
    """The same UUID in another case is the same request."""
    form = Form()
    assert form.request_id("r", "01234567-89AB-CDEF-0123-456789ABCDEF") == "01234567-89ab-cdef-0123-456789abcdef"
    assert not form.violations


@pytest.mark.parametrize("text", ["", "0123456789abcdef0123456789abcdef", "{01234567-89ab-cdef-0123-456789abcdef}"])
def test_request_id_wants_one_spelling(text):
    """Braces, missing hyphens and nothing at all are refused."""
    form = Form()
    form.request_id("r", text)
    assert _paths(form) == ["r"]


@pytest.mark.parametrize(("given_", "taken"), [(0, 50), (1, 1), (500, 500), (501, 500), (2**31 - 1, 500)])
def test_count_is_capped(given_, taken):
    """0 means the default, more than the highest means the highest."""
    form = Form()
    assert form.count("page_size", given_, default=50, highest=500) == taken
    assert not form.violations


def test_count_refuses_negative():
    """A negative page size is a violation."""
    form = Form()
    form.count("page_size", -1, default=50, highest=500)
    assert _paths(form) == ["page_size"]


@given(seconds=st.integers(-(2**62), 2**62), nanos=st.integers(-(2**31), 2**31 - 1))
def test_span_is_total_and_inside_its_limits(seconds, nanos):
    """Whatever duration comes, the result lies inside the limits or a violation is noted."""
    form = Form()
    low, high = timedelta(seconds=10), timedelta(seconds=600)
    span = form.span(
        "ack_deadline", Duration(seconds=seconds, nanos=nanos), default=timedelta(seconds=60), lowest=low, highest=high
    )
    assert low <= span <= high
    if form.violations:
        assert span == timedelta(seconds=60)


@given(seconds=st.integers(-(2**62), 2**62), nanos=st.integers(-(2**31), 2**31 - 1))
def test_instant_is_total(seconds, nanos):
    """Whatever timestamp comes, the result is an aware instant, or None with a violation unless it was absent."""
    form = Form()
    instant = form.instant("accepted_from", Timestamp(seconds=seconds, nanos=nanos))
    if instant is None:
        assert bool(form.violations) == bool(seconds or nanos)
    else:
        assert instant.tzinfo is UTC


def test_instant_keeps_the_time():
    """An ordinary timestamp comes through exactly."""
    message = Timestamp()
    at = datetime(2026, 3, 2, 2, 30, 0, 123456, tzinfo=UTC)
    message.FromDatetime(at)
    assert Form().instant("t", message) == at


def test_resource_gives_the_id():
    """The id is what follows the collection."""
    form = Form()
    assert form.resource("name", "documents/a-1_B", "documents") == "a-1_B"
    assert not form.violations


@pytest.mark.parametrize("name", ["", "documents/", "documents/a/b", "agencies/a", "documents/../a", "documents/a\n"])
def test_resource_refuses_other_names(name):
    """Anything but collection/{id} is a violation."""
    form = Form()
    form.resource("name", name, "documents")
    assert _paths(form) == ["name"]


def test_attachment_names_have_three_parts():
    """Collection, document and index are told apart, in both directions."""
    form = Form()
    assert form.attachment("name", "documents/d1/attachments/0") == ("documents", "d1", 0)
    assert form.attachment("name", "receivedDocuments/r1/attachments/12") == ("receivedDocuments", "r1", 12)
    assert not form.violations


@pytest.mark.parametrize(
    "name", ["documents/d1", "documents/d1/attachments/", "documents/d1/attachments/-1", "agencies/a/attachments/0"]
)
def test_attachment_refuses_other_names(name):
    """Digests, negative numbers and other collections name no attachment."""
    form = Form()
    form.attachment("name", name)
    assert _paths(form) == ["name"]
