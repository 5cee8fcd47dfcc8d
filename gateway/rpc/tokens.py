"""Opaque tokens: where a page or a stream goes on. They hold positions, never rights, which every call checks anew."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import Message

from gateway.domain.errors import ErrorCode, FieldViolation, GatewayError
from gateway.domain.ids import DocumentUid, VendorId
from gateway.ports import LogHead, PageKey

_VERSION = "1"
_LIMIT = 512
_LAST_POSITION = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place in the event log."""

    epoch: str
    position: int

    def token(self) -> str:
        """The resume token, URL-safe text."""
        return _pack((_VERSION, self.epoch, str(self.position)))


def resume_after(token: str, head: LogHead) -> int:
    """The position a resume token names.

    Raises GatewayError INVALID_FIELD for what was never a token, CURSOR_EXPIRED for another epoch of the store, for a
    position whose successors are no longer kept, and for one that this log has not reached (a restored store).
    """
    parts = _unpack(token)
    if parts is None or len(parts) != 3 or parts[0] != _VERSION or not _is_position(parts[2]):  # noqa: PLR2004 - as packed
        raise GatewayError(
            ErrorCode.INVALID_FIELD,
            violations=[
                FieldViolation(
                    path="resume_token",
                    en="was not issued by this service",
                    vi="không do dịch vụ này cấp",
                )
            ],
        )
    position = int(parts[2])
    if parts[1] != head.epoch or not head.first <= position <= head.last:
        raise GatewayError(ErrorCode.CURSOR_EXPIRED)
    return position


def filter_digest(vendor: VendorId, request: Message, *, paging: Sequence[str]) -> str:
    """What a page token is bound to: the caller and every field of the request but the `paging` ones."""
    filters = type(request)()
    filters.CopyFrom(request)
    for field in paging:
        filters.ClearField(field)
    told = f"{vendor}\0{filters.DESCRIPTOR.full_name}\0".encode() + filters.SerializeToString(deterministic=True)
    return hashlib.sha256(told).hexdigest()[:32]


def document_page_token(key: PageKey, bound_to: str) -> str:
    """The token of the page after a document."""
    return _pack((_VERSION, bound_to, key.accepted_at.isoformat(), key.uid))


def document_page_key(token: str, bound_to: str) -> PageKey | None:
    """Where a page of documents begins; None for the first. Raises GatewayError INVALID_PAGE_TOKEN."""
    if not token:
        return None
    instant, uid = _page_parts(token, bound_to, 2)
    try:
        accepted_at = datetime.fromisoformat(instant)
    except ValueError:
        raise GatewayError(ErrorCode.INVALID_PAGE_TOKEN) from None
    if accepted_at.tzinfo is None:
        raise GatewayError(ErrorCode.INVALID_PAGE_TOKEN)
    return PageKey(accepted_at=accepted_at, uid=DocumentUid(uid))


def agency_page_token(last_code: str, bound_to: str) -> str:
    """The token of the page after an agency code."""
    return _pack((_VERSION, bound_to, last_code))


def agency_page_start(token: str, bound_to: str) -> str:
    """The code after which a page begins; empty for the first. Raises GatewayError INVALID_PAGE_TOKEN."""
    return _page_parts(token, bound_to, 1)[0] if token else ""


def _page_parts(token: str, bound_to: str, count: int) -> tuple[str, ...]:
    parts = _unpack(token)
    if parts is None or len(parts) != count + 2 or parts[:2] != (_VERSION, bound_to):
        raise GatewayError(ErrorCode.INVALID_PAGE_TOKEN)
    return parts[2:]


def _is_position(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) <= _LAST_POSITION


def _pack(parts: Sequence[str]) -> str:
    return base64.urlsafe_b64encode("\n".join(parts).encode()).decode("ascii").rstrip("=")


def _unpack(token: str) -> tuple[str, ...] | None:
    if len(token) > _LIMIT or not token.isascii():
        return None
    try:
        packed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        return tuple(packed.decode().split("\n"))
    except (binascii.Error, UnicodeDecodeError):
        return None
