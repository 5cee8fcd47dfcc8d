"""GatewayError -> google.rpc.Status: every reason has a status, every status fits into the trailers."""

import string
from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2

from gateway.domain.errors import SENTENCES, ErrorCode, FieldViolation, GatewayError
from gateway.rpc.errors import DOMAIN, RETRY, STATUS, status_of


def _error(code, fill="x", **more):
    names = {name for _, name, _, _ in string.Formatter().parse(SENTENCES[code].en + SENTENCES[code].vi) if name}
    return GatewayError(code, **dict.fromkeys(names, fill), **more)


def _detail(status, kind):
    found = kind()
    assert any(each.Unpack(found) for each in status.details)
    return found


@pytest.mark.parametrize("code", ErrorCode)
def test_every_reason_has_a_status_and_both_languages(code):
    """The table is total, and each status carries reason, domain, the request id and a Vietnamese sentence."""
    status = status_of(_error(code), "r1")
    assert status.code == STATUS[code].value[0] != grpc.StatusCode.OK.value[0]
    info = _detail(status, error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain) == (code.value, DOMAIN)
    assert _detail(status, error_details_pb2.RequestInfo).request_id == "r1"
    localized = _detail(status, error_details_pb2.LocalizedMessage)
    assert localized.locale == "vi-VN"
    assert localized.message == SENTENCES[code].vi.format(**info.metadata)
    assert status.message == SENTENCES[code].en.format(**info.metadata)


@pytest.mark.parametrize("code", ErrorCode)
def test_retry_info_is_there_exactly_where_repeating_the_call_helps(code):
    """What is away or full carries a delay; errors that the caller must mend carry none."""
    status = status_of(_error(code), "r1")
    delays = [each for each in status.details if each.Is(error_details_pb2.RetryInfo.DESCRIPTOR)]
    passing = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert bool(delays) == (code in RETRY) == (STATUS[code] in passing)


def test_the_errors_own_delay_wins():
    """retry_after of the error is what the caller is told."""
    status = status_of(GatewayError(ErrorCode.STORE_UNAVAILABLE, retry_after=timedelta(seconds=42)), "r1")
    assert _detail(status, error_details_pb2.RetryInfo).retry_delay.seconds == 42


def test_violations_are_shown_in_both_languages():
    """Each violation has path, English description and a vi-VN message."""
    violation = FieldViolation(path="document.subject", en="is required", vi="là trường bắt buộc")
    status = status_of(GatewayError(ErrorCode.INVALID_FIELD, violations=[violation]), "r1")
    shown = _detail(status, error_details_pb2.BadRequest).field_violations
    assert [(v.field, v.description) for v in shown] == [(violation.path, violation.en)]
    assert (shown[0].localized_message.locale, shown[0].localized_message.message) == ("vi-VN", violation.vi)


@pytest.mark.parametrize("code", ErrorCode)
def test_a_status_stays_below_what_trailers_may_hold(code):
    """Hostile facts and thousands of violations are cut so that base64 and all stays under gRPC's 8 KiB."""
    violations = [FieldViolation(path=f"document.to[{i}]", en="e" * 500, vi="ệ" * 500) for i in range(5000)]
    status = status_of(_error(code, fill="ệ" * 10_000, violations=violations), "r" * 64)
    assert _detail(status, error_details_pb2.BadRequest).field_violations
    assert len(status.SerializeToString()) * 4 // 3 < 8000
