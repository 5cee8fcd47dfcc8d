"""Presence and form of request fields. What is wrong is collected, so that a caller mends everything in one round."""

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.domain.errors import ErrorCode, FieldViolation, GatewayError
from gateway.domain.ids import Digest

_DIGEST = re.compile(r"[0-9a-f]{64}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_ID = r"[A-Za-z0-9_-]{1,100}"
_ATTACHMENT = re.compile(
    rf"(?P<collection>documents|receivedDocuments)/(?P<id>{_ID})/attachments/(?P<index>0|[1-9][0-9]{{0,5}})"
)

SPAN_LIMIT = timedelta(days=1)
"""Durations beyond this are wrong in every field of the contract."""

Closed = TypeVar("Closed")


class Form:
    """One request under examination: methods return a usable value and note what was wrong with the field."""

    def __init__(self) -> None:
        self.violations: list[FieldViolation] = []

    def wrong(self, path: str, en: str, vi: str) -> None:
        """Note a violation."""
        self.violations.append(FieldViolation(path=path, en=en, vi=vi))

    def check(self) -> None:
        """Raises GatewayError INVALID_FIELD with all violations, if there are any."""
        if self.violations:
            raise GatewayError(ErrorCode.INVALID_FIELD, violations=self.violations)

    def required(self, path: str, value: str) -> str:
        """A text that is not blank."""
        if not value.strip():
            self.wrong(path, "is required", "là trường bắt buộc")
        return value

    def day(self, path: str, value: str) -> date | None:
        """A civil date `yyyy-MM-dd`; empty is None."""
        if not value:
            return None
        if _DAY.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass  # such as 30 February: the same violation as any other malformed date
        self.wrong(path, "is not a date yyyy-MM-dd", "không phải ngày dạng yyyy-MM-dd")
        return None

    def digest(self, path: str, value: str) -> Digest:
        """A SHA-256."""
        if not _DIGEST.fullmatch(value):
            self.wrong(
                path, "is not 64 lower-case hexadecimal digits", "không phải 64 chữ số thập lục phân viết thường"
            )
        return Digest(value)

    def request_id(self, path: str, value: str) -> str:
        """A UUID in canonical form (AIP-155)."""
        if not _UUID.fullmatch(value):
            self.wrong(path, "is not a UUID", "không phải UUID")
            return ""
        return str(uuid.UUID(value))

    def choice(self, path: str, number: int, meanings: Mapping[int, Closed], default: Closed) -> Closed:
        """The meaning of an enum number this server knows."""
        if number not in meanings:
            self.wrong(path, f"has unknown value {number}", f"có giá trị không xác định {number}")
        return meanings.get(number, default)

    def count(self, path: str, value: int, *, default: int, highest: int) -> int:
        """A page size: 0 takes the default, more than the highest takes the highest (AIP-158)."""
        if value < 0:
            self.wrong(path, "is negative", "là số âm")
        return min(value, highest) if value > 0 else default

    def span(
        self, path: str, value: Duration, *, default: timedelta, lowest: timedelta, highest: timedelta
    ) -> timedelta:
        """A duration inside its limits; absent or zero takes the default."""
        if value.seconds == 0 and value.nanos == 0:
            return default
        if abs(value.seconds) <= SPAN_LIMIT.total_seconds():
            given = timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)
            if lowest <= given <= highest:
                return given
        low, high = lowest.total_seconds(), highest.total_seconds()
        self.wrong(path, f"is not between {low:g} s and {high:g} s", f"không nằm trong khoảng {low:g} s đến {high:g} s")
        return default

    def instant(self, path: str, value: Timestamp) -> datetime | None:
        """A UTC instant; absent is None."""
        if value.seconds == 0 and value.nanos == 0:
            return None
        try:
            return value.ToDatetime(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.wrong(path, "is not a valid timestamp", "không phải thời điểm hợp lệ")
            return None

    def resource(self, path: str, name: str, collection: str) -> str:
        """The id inside `collection/{id}`."""
        found = re.fullmatch(rf"{collection}/({_ID})", name)
        if found is None:
            self.wrong(path, f"is not of the form {collection}/{{id}}", f"không có dạng {collection}/{{id}}")
            return ""
        return found[1]

    def attachment(self, path: str, name: str) -> tuple[str, str, int]:
        """Collection, id and index inside `{documents|receivedDocuments}/{id}/attachments/{index}`."""
        found = _ATTACHMENT.fullmatch(name)
        if found is None:
            self.wrong(path, "is not the name of an attachment", "không phải tên tệp đính kèm")
            return "", "", 0
        return found["collection"], found["id"], int(found["index"])
