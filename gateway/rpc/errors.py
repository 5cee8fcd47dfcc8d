"""GatewayError -> google.rpc.Status: one table, and the details that let a program and a clerk mend the request."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from gateway.domain.errors import ErrorCode, FieldViolation, GatewayError

DOMAIN = "lgsp-gateway"
"""ErrorInfo.domain of every error."""

DETAILS_KEY = "grpc-status-details-bin"

_SENTENCE_LIMIT = 300
_FACT_LIMIT = 120
_VIOLATIONS_LIMIT = 2000
# gRPC clients refuse trailers above 8 KiB; base64 and percent-encoding must fit as well.

STATUS: Mapping[ErrorCode, grpc.StatusCode] = MappingProxyType(
    {
        ErrorCode.INVALID_FIELD: grpc.StatusCode.INVALID_ARGUMENT,
        ErrorCode.INVALID_PAGE_TOKEN: grpc.StatusCode.INVALID_ARGUMENT,
        ErrorCode.UPLOAD_MALFORMED: grpc.StatusCode.INVALID_ARGUMENT,
        ErrorCode.SIZE_MISMATCH: grpc.StatusCode.INVALID_ARGUMENT,
        ErrorCode.DIGEST_MISMATCH: grpc.StatusCode.INVALID_ARGUMENT,
        ErrorCode.ATTACHMENT_TOO_LARGE: grpc.StatusCode.INVALID_ARGUMENT,
        ErrorCode.PACKET_TOO_LARGE: grpc.StatusCode.INVALID_ARGUMENT,
        ErrorCode.STATUS_NOT_ALLOWED: grpc.StatusCode.INVALID_ARGUMENT,
        ErrorCode.IDENTITY_UNKNOWN: grpc.StatusCode.PERMISSION_DENIED,
        ErrorCode.AGENCY_NOT_PERMITTED: grpc.StatusCode.PERMISSION_DENIED,
        ErrorCode.AGENCY_UNKNOWN: grpc.StatusCode.NOT_FOUND,
        ErrorCode.RECIPIENT_UNKNOWN: grpc.StatusCode.NOT_FOUND,
        ErrorCode.DOCUMENT_UNKNOWN: grpc.StatusCode.NOT_FOUND,
        ErrorCode.ATTACHMENT_UNKNOWN: grpc.StatusCode.NOT_FOUND,
        ErrorCode.REQUEST_ID_REUSED: grpc.StatusCode.ALREADY_EXISTS,
        ErrorCode.DOCUMENT_ID_REUSED: grpc.StatusCode.ALREADY_EXISTS,
        ErrorCode.DOCUMENT_REMOVED: grpc.StatusCode.ALREADY_EXISTS,
        ErrorCode.NO_ROUTE: grpc.StatusCode.FAILED_PRECONDITION,
        ErrorCode.SIGNATURE_MISSING: grpc.StatusCode.FAILED_PRECONDITION,
        ErrorCode.SIGNATURE_ALTERED: grpc.StatusCode.FAILED_PRECONDITION,
        ErrorCode.SIGNATURE_INVALID: grpc.StatusCode.FAILED_PRECONDITION,
        ErrorCode.SIGNATURE_UNTRUSTED: grpc.StatusCode.FAILED_PRECONDITION,
        ErrorCode.LEASE_LOST: grpc.StatusCode.FAILED_PRECONDITION,
        ErrorCode.NOT_ACKNOWLEDGED: grpc.StatusCode.FAILED_PRECONDITION,
        ErrorCode.ALREADY_REFUSED: grpc.StatusCode.FAILED_PRECONDITION,
        ErrorCode.ALREADY_ACKNOWLEDGED: grpc.StatusCode.FAILED_PRECONDITION,
        ErrorCode.CURSOR_EXPIRED: grpc.StatusCode.OUT_OF_RANGE,
        ErrorCode.STORE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
        ErrorCode.STORAGE_FULL: grpc.StatusCode.RESOURCE_EXHAUSTED,
        ErrorCode.SHUTTING_DOWN: grpc.StatusCode.UNAVAILABLE,
        ErrorCode.INTERNAL: grpc.StatusCode.INTERNAL,
    },
)

RETRY: Mapping[ErrorCode, timedelta] = MappingProxyType(
    {
        ErrorCode.STORE_UNAVAILABLE: timedelta(seconds=5),
        ErrorCode.STORAGE_FULL: timedelta(seconds=60),
        ErrorCode.SHUTTING_DOWN: timedelta(seconds=1),
    },
)
"""Where the same call may succeed later; the error's own `retry_after` wins."""


def status_of(error: GatewayError, request_id: str) -> status_pb2.Status:
    """The whole status of an error, small enough for the trailers of a call."""
    details: list[Message] = [
        error_details_pb2.ErrorInfo(
            reason=error.code.value,
            domain=DOMAIN,
            metadata={name: value[:_FACT_LIMIT] for name, value in error.facts.items()},
        ),
        error_details_pb2.RequestInfo(request_id=request_id),
        error_details_pb2.LocalizedMessage(locale="vi-VN", message=error.vietnamese[:_SENTENCE_LIMIT]),
    ]
    if error.violations:
        details.append(_bad_request(error.violations))
    retry_after = error.retry_after or RETRY.get(error.code)
    if retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(retry_after)
        details.append(retry)
    return status_pb2.Status(
        code=STATUS[error.code].value[0],
        message=error.english[:_SENTENCE_LIMIT],
        details=[_packed(each) for each in details],
    )


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def _bad_request(violations: Iterable[FieldViolation]) -> error_details_pb2.BadRequest:
    """As many violations as fit, at least the first; who mends those will be told the next."""
    bad_request = error_details_pb2.BadRequest()
    for violation in violations:
        shown = error_details_pb2.BadRequest.FieldViolation(
            field=violation.path[:_FACT_LIMIT],
            description=violation.en[:_FACT_LIMIT],
            localized_message=error_details_pb2.LocalizedMessage(locale="vi-VN", message=violation.vi[:_FACT_LIMIT]),
        )
        if bad_request.field_violations and bad_request.ByteSize() + shown.ByteSize() > _VIOLATIONS_LIMIT:
            break
        bad_request.field_violations.append(shown)
    return bad_request
