"""Resume and page tokens: they come back, and nothing else is taken for one."""

import base64
from datetime import UTC

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import DocumentUid, VendorId
from gateway.pb.lgsp.gateway.v1 import document_service_pb2 as pb
from gateway.ports import LogHead, PageKey
from gateway.rpc.tokens import (
    Cursor,
    agency_page_start,
    agency_page_token,
    document_page_key,
    document_page_token,
    filter_digest,
    resume_after,
)
from tests.make import NOW

HEAD = LogHead(epoch="e1", first=10, last=20)


@given(position=st.integers(10, 20))
def test_a_cursor_comes_back(position):
    """A token of this epoch inside the kept log names its position."""
    assert resume_after(Cursor(epoch="e1", position=position).token(), HEAD) == position


@pytest.mark.parametrize(
    ("epoch", "position"),
    [("e1", 9), ("e1", 21), ("e2", 15), ("", 15)],
    ids=["no longer kept", "not reached", "another epoch", "no epoch"],
)
def test_a_cursor_outside_the_log_has_expired(epoch, position):
    """Cut off, ahead of a restored store, or of another epoch: list documents and watch from now."""
    with pytest.raises(GatewayError) as caught:
        resume_after(Cursor(epoch=epoch, position=position).token(), HEAD)
    assert caught.value.code is ErrorCode.CURSOR_EXPIRED


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_what_was_never_a_token_is_an_invalid_field(token):
    """Arbitrary text, also when it is base64, is refused with the field named, and never anything worse."""
    assume(token != Cursor(epoch="e1", position=15).token())
    with pytest.raises(GatewayError) as caught:
        resume_after(token, HEAD)
    assert caught.value.code in {ErrorCode.INVALID_FIELD, ErrorCode.CURSOR_EXPIRED}
    if caught.value.code is ErrorCode.INVALID_FIELD:
        assert [v.path for v in caught.value.violations] == ["resume_token"]


@pytest.mark.parametrize("cut", ["1\ne1\n²", "1\ne1\n-5", "1\ne1\n" + "9" * 30, "2\ne1\n15", "1\ne1"])
def test_look_alikes_are_invalid(cut):
    """Other versions, other digits, numbers beyond any position and missing parts are no tokens."""
    with pytest.raises(GatewayError) as caught:
        resume_after(base64.urlsafe_b64encode(cut.encode()).decode(), HEAD)
    assert caught.value.code is ErrorCode.INVALID_FIELD


def test_page_tokens_come_back():
    """Both kinds of page token name where the page begins; no token is the first page."""
    key = PageKey(accepted_at=NOW, uid=DocumentUid("u1"))
    assert document_page_key(document_page_token(key, "f"), "f") == key
    assert document_page_key(document_page_token(key, "f"), "f").accepted_at.tzinfo is not None
    assert agency_page_start(agency_page_token("H98.1", "f"), "f") == "H98.1"
    assert (document_page_key("", "f"), agency_page_start("", "f")) == (None, "")


@pytest.mark.parametrize(
    "token",
    [
        document_page_token(PageKey(accepted_at=NOW, uid=DocumentUid("u1")), "other filters"),
        document_page_token(PageKey(accepted_at=NOW.astimezone(UTC).replace(tzinfo=None), uid=DocumentUid("u")), "f"),
        agency_page_token("H98", "f"),
        Cursor(epoch="f", position=1).token(),
        "%%%",
        "A" * 600,
        base64.urlsafe_b64encode(b"1\nf\nyesterday\nu1").decode(),
    ],
)
def test_foreign_page_tokens_are_refused(token):
    """A token of other filters, of another method, or made up, is INVALID_PAGE_TOKEN."""
    with pytest.raises(GatewayError) as caught:
        document_page_key(token, "f")
    assert caught.value.code is ErrorCode.INVALID_PAGE_TOKEN


def test_the_filter_digest_covers_caller_and_filters_but_not_paging():
    """Page size and token may change from page to page; everything else binds the token."""
    paging = ("page_size", "page_token")
    vendor = VendorId("a")
    base = filter_digest(vendor, pb.ListDocumentsRequest(agency="H98"), paging=paging)
    assert base == filter_digest(
        vendor, pb.ListDocumentsRequest(agency="H98", page_size=5, page_token="t"), paging=paging
    )
    assert base != filter_digest(vendor, pb.ListDocumentsRequest(agency="H99"), paging=paging)
    assert base != filter_digest(vendor, pb.ListDocumentsRequest(agency="H98", include_subtree=True), paging=paging)
    assert base != filter_digest(VendorId("b"), pb.ListDocumentsRequest(agency="H98"), paging=paging)
