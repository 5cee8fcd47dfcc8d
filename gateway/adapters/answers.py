"""What every axis's answers have in common: codes, ids, waits, words, and calls that ended without an answer. Pure.

The code table is Lang Son's, the closest to a published one; the national axis is taken to use the same (axis.md 4, 7):

| code | outcome |
|---|---|
| 10, 18, 19, 22 | Rejected: the packet or its addresses are wrong for good |
| 15 | Unavailable: our system id or secret is wrong, which an operator mends |
| any other, 20, 21, 23 among them | Unavailable with the peer's words |
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from gateway.adapters.http import Broken
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AxisDocId
from gateway.domain.outcome import REASON_LIMIT, Accepted, Outcome, Rejected, Unavailable, Uncertain

TOO_LARGE = "packet-too-large"
UNWRITABLE = "address-not-ascii"

_DOC_ID_LIMIT = 64
_LONGEST_WISH = timedelta(days=1)
_CONFIGURATION = "15"
_FINAL: Mapping[str, str] = {
    "10": "the axis calls the file bad",
    "18": "the axis does not know a recipient",
    "19": "the sender is not registered under this system id",
    "22": "the axis calls the edXML malformed",
}
_GENERAL = frozenset({"", _CONFIGURATION, "20", "21"})
"""Codes that say nothing about the packet at hand."""
_PASSING: Mapping[str, str] = {
    _CONFIGURATION: "the axis refuses the account's system id or secret",
    "20": "the axis reports an error of its own",
    "21": "the axis could not process the call",
    "23": "a recipient is locked",
}


def judge_code(code: str, description: str, wish: timedelta | None) -> Rejected | Unavailable:
    """What a refusal with a code means, by the table above."""
    if code in _FINAL:
        return Rejected(code=code, reason=clip(description) or _FINAL[code])
    return Unavailable(reason=in_words(code, description), retry_after=wish, code="" if code in _GENERAL else code)


def in_words(code: str, description: str) -> str:
    """Code, our gloss where the code is known, and what the peer wrote."""
    gloss = _PASSING.get(code) or _FINAL.get(code, "")
    return clip(": ".join(part for part in (code or "no code", gloss, description) if part))


def usable_doc_id(value: str) -> AxisDocId | None:
    """The docId, if it is one that later calls can carry: at most 64 printable ASCII characters."""
    return AxisDocId(value) if value and len(value) <= _DOC_ID_LIMIT and header_safe(value) else None


def judge_broken(broken: Broken) -> Outcome:
    """The outcome of a call that ended without an answer."""
    if broken.processed:
        return Uncertain(reason=clip(broken.reason))
    return Unavailable(reason=clip(broken.reason))


def as_unavailable(outcome: Outcome) -> Unavailable:
    """What a failed reading call means: reading changes nothing, so it can simply be repeated later."""
    match outcome:
        case Unavailable():
            return outcome
        case Rejected(code=code, reason=reason):
            return Unavailable(reason=clip(f"{code}: {reason}"))
        case Uncertain(reason=reason):
            return Unavailable(reason=reason)
        case Accepted():
            return Unavailable(reason="the axis said OK but sent nothing")


def refuse_too_large(error: GatewayError) -> Rejected:
    """A packet longer than its writer takes. Raises `error` if it is about anything else."""
    if error.code is not ErrorCode.ATTACHMENT_TOO_LARGE:
        raise error
    return Rejected(code=TOO_LARGE, reason="the packet is larger than limits.packet_bytes")


def read_retry_after(value: str, *, now: datetime) -> timedelta | None:
    """Header Retry-After, seconds or a date, at most a day; None if absent or unreadable."""
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), _LONGEST_WISH.total_seconds()))
    try:
        moment = parsedate_to_datetime(value)
        wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, timedelta(0)), _LONGEST_WISH)


def clip(words: str) -> str:
    """A peer's words made fit to keep: one line, at most REASON_LIMIT characters, nothing a terminal would act on."""
    shown = "".join(character if character.isprintable() else " " for character in words[: 4 * REASON_LIMIT])
    return " ".join(shown.split())[:REASON_LIMIT]


def header_safe(value: str) -> bool:
    """True if a header can carry the value unchanged: printable ASCII without outer space."""
    return value.isascii() and value.isprintable() and value == value.strip()


def judge_status(http_status: int, kind: str, wish: timedelta | None) -> Outcome:
    """The outcome of an answer that says nothing the dialect knows: by its HTTP status alone.

    3xx (redirects are not followed), 4xx and 503 are Unavailable, all else is Uncertain. `kind` says what came instead.
    """
    if 300 <= http_status < 400:  # noqa: PLR2004 - the class of redirects
        return Unavailable(reason=f"HTTP {http_status}: the axis redirects, which is not followed")
    refused = 400 <= http_status < 500  # noqa: PLR2004 - the class of refusals
    if refused or http_status == HTTPStatus.SERVICE_UNAVAILABLE:
        return Unavailable(reason=clip(f"HTTP {http_status}: {kind}"), retry_after=wish)
    return Uncertain(reason=clip(f"HTTP {http_status}: {kind}"))
