"""Answers as the stock Java client needs them (axis.md 4): never null, always JSON, always the full envelope.

Everything is written in ASCII, because the national SDK decodes answers to sendEdoc as US-ASCII.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from gateway.domain.errors import ErrorCode, FieldViolation, GatewayError
from gateway.domain.packet import PacketDefect
from gateway.domain.plaintext import without_marks

DESCRIPTION_LIMIT = 500
"""Characters of ErrorDesc."""
_SHOWN = 3
"""Violations told in one answer; who mends those will be told the next."""


class DoorCode(StrEnum):
    """ErrorCode of an answer: the one published list of an axis of this kind (axis.md 7, Lang Son)."""

    OK = "0"
    BAD_FILE = "10"
    BAD_SIGNATURE = "15"
    UNKNOWN_RECEIVER = "18"
    UNKNOWN_SENDER = "19"
    SYSTEM = "20"
    PROCESSING = "21"
    MALFORMED = "22"
    LOCKED_RECEIVER = "23"


CODES: Mapping[ErrorCode, DoorCode] = MappingProxyType(
    {
        ErrorCode.INVALID_FIELD: DoorCode.MALFORMED,
        ErrorCode.INVALID_PAGE_TOKEN: DoorCode.PROCESSING,
        ErrorCode.UPLOAD_MALFORMED: DoorCode.BAD_FILE,
        ErrorCode.SIZE_MISMATCH: DoorCode.BAD_FILE,
        ErrorCode.DIGEST_MISMATCH: DoorCode.BAD_FILE,
        ErrorCode.ATTACHMENT_TOO_LARGE: DoorCode.BAD_FILE,
        ErrorCode.PACKET_TOO_LARGE: DoorCode.BAD_FILE,
        ErrorCode.ATTACHMENT_UNKNOWN: DoorCode.MALFORMED,
        ErrorCode.IDENTITY_UNKNOWN: DoorCode.BAD_SIGNATURE,
        ErrorCode.AGENCY_NOT_PERMITTED: DoorCode.UNKNOWN_SENDER,
        ErrorCode.AGENCY_UNKNOWN: DoorCode.UNKNOWN_SENDER,
        ErrorCode.RECIPIENT_UNKNOWN: DoorCode.UNKNOWN_RECEIVER,
        ErrorCode.NO_ROUTE: DoorCode.UNKNOWN_RECEIVER,
        ErrorCode.DOCUMENT_UNKNOWN: DoorCode.BAD_FILE,
        ErrorCode.REQUEST_ID_REUSED: DoorCode.MALFORMED,
        ErrorCode.DOCUMENT_ID_REUSED: DoorCode.MALFORMED,
        ErrorCode.DOCUMENT_REMOVED: DoorCode.MALFORMED,
        ErrorCode.SIGNATURE_MISSING: DoorCode.BAD_FILE,
        ErrorCode.SIGNATURE_ALTERED: DoorCode.BAD_FILE,
        ErrorCode.SIGNATURE_INVALID: DoorCode.BAD_FILE,
        ErrorCode.SIGNATURE_UNTRUSTED: DoorCode.BAD_FILE,
        ErrorCode.LEASE_LOST: DoorCode.SYSTEM,
        ErrorCode.NOT_ACKNOWLEDGED: DoorCode.MALFORMED,
        ErrorCode.ALREADY_REFUSED: DoorCode.MALFORMED,
        ErrorCode.ALREADY_ACKNOWLEDGED: DoorCode.MALFORMED,
        ErrorCode.STATUS_NOT_ALLOWED: DoorCode.MALFORMED,
        ErrorCode.CURSOR_EXPIRED: DoorCode.PROCESSING,
        ErrorCode.STORE_UNAVAILABLE: DoorCode.SYSTEM,
        ErrorCode.STORAGE_FULL: DoorCode.SYSTEM,
        ErrorCode.SHUTTING_DOWN: DoorCode.SYSTEM,
        ErrorCode.INTERNAL: DoorCode.SYSTEM,
    },
)
"""Clients repeat 20, and some 21 (axis.md 7): what no repetition can mend has another code."""

RETRY: Mapping[ErrorCode, timedelta] = MappingProxyType(
    {
        ErrorCode.STORE_UNAVAILABLE: timedelta(seconds=5),
        ErrorCode.STORAGE_FULL: timedelta(seconds=60),
        ErrorCode.SHUTTING_DOWN: timedelta(seconds=5),
    },
)
"""Header Retry-After; the error's own `retry_after` wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A call that is answered with FAIL."""

    code: DoorCode
    sentence: str
    """Vietnamese; loses its marks on the way out."""
    retry_after: timedelta | None = None
    status: int = 200
    """HTTP status; not 200 only for what no client of this interface sends."""


def refusal_of(error: GatewayError) -> Refusal:
    """What a caller is told of an error, with the first fields that are wrong."""
    sentence = error.vietnamese
    if error.violations:
        sentence = f"{sentence.rstrip('.')}: {_told(error.violations)}"
    return Refusal(code=CODES[error.code], sentence=sentence, retry_after=error.retry_after or RETRY.get(error.code))


def refusal_of_defect(defect: PacketDefect) -> Refusal:
    """What a caller is told of a packet that cannot be read."""
    place = f" tại {defect.path}" if defect.path else ""
    return Refusal(
        code=DoorCode.MALFORMED, sentence=f"Gói tin edXML không hợp lệ{place}: {defect.code}: {defect.message}"
    )


def rendered(operation: str, result: Mapping[str, Any] | Refusal) -> bytes:
    """The whole answer. Values must hold no None; text may be of any language."""
    members = envelope(result)
    if operation == "sendEdoc":
        members.setdefault("DocId", "")
    if operation == "getEdoc" and not members["data"]:
        members["data"] = ""  # text there, and a list where text is expected costs the client the whole answer
    return json.dumps(members, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def envelope(result: Mapping[str, Any] | Refusal) -> dict[str, Any]:
    """The members of an answer."""
    if isinstance(result, Refusal):
        words = without_marks(result.sentence)[:DESCRIPTION_LIMIT]
        return {"status": "FAIL", "ErrorCode": result.code.value, "ErrorDesc": words, "data": []}
    return {"status": "OK", "ErrorCode": DoorCode.OK.value, "ErrorDesc": "Thanh cong", "data": [], **result}


def _told(violations: Iterable[FieldViolation]) -> str:
    shown = [f"{element_path(each.path)}: {each.vi.rstrip('.')}" for each in violations]
    return "; ".join(shown[:_SHOWN])


_ELEMENTS: Mapping[str, str] = MappingProxyType(
    {
        "document.code_number": "Code/CodeNumber",
        "document.code_notation": "Code/CodeNotation",
        "document.promulgation_place": "PromulgationInfo/Place",
        "document.promulgation_date": "PromulgationInfo/PromulgationDate",
        "document.business_type": "Bussiness/BussinessDocType",
        "document.business.reason": "Bussiness/BussinessDocReason",
        "reason": "Description",
        "description": "Description",
    }
)
"""Elements that are named or nested otherwise than the contract's fields."""


def element_path(path: str) -> str:
    """A field path of the gRPC contract as the path of the edXML element it stands for."""
    if path in _ELEMENTS:
        return _ELEMENTS[path]
    words = re.sub(r"(?:^|_|(?<=\.))([a-z])", lambda found: found[1].upper(), path.removeprefix("document."))
    return words.replace(".", "/").replace("Business", "Bussiness")
