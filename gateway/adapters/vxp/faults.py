"""What an answer of the axis, or none, means: one table, pure and total (axis.md sections 4 and 7).

| the peer says | outcome |
|---|---|
| envelope OK, code 0, with a DocId | Accepted |
| envelope OK, code 0, without a usable DocId | Uncertain: taken, but under an id nobody knows |
| envelope that contradicts itself (OK with an error code) | Uncertain |
| envelope FAIL with 10, 18, 19, 22 | Rejected: the packet or its addresses are wrong for good |
| envelope FAIL with 15 | Unavailable: our system id or secret is wrong, which an operator mends |
| envelope FAIL with any other code, 20, 21, 23 among them | Unavailable with the peer's words |
| no envelope: 3xx (redirects are not followed), 4xx, 503 | Unavailable |
| no envelope: anything else (HTML page, junk, 500, 502, 504) | Uncertain |
| connection lost | Unavailable while the request cannot have been processed, else Uncertain |

An envelope decides whatever the HTTP status is, as the stock client ignores the status.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

from gateway.adapters.http import Broken
from gateway.adapters.vxp.signing import header_safe
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


class Word(StrEnum):
    """Member `status` of an envelope."""

    OK = "OK"
    FAIL = "FAIL"
    SILENT = ""
    """Left out; the code alone speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The axis's own verdict on a call."""

    word: Word
    code: str
    """ErrorCode; "" where left out."""
    description: str
    doc_id: str
    """DocId; "" where left out."""

    @property
    def good(self) -> bool:
        """True if nothing in it speaks against success."""
        return self.word is not Word.FAIL and self.code in {"", "0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back over HTTP, without any list or packet in it."""

    http_status: int
    content_type: str
    retry_after: str = ""
    """Header Retry-After as it came."""
    envelope: Envelope | None
    """None if the body is not an envelope."""
    flaw: str = ""
    """Why it is not one."""


def text(value: object) -> str:
    """A JSON scalar as text: numbers are written out, everything that is neither number nor text becomes ""."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def read_envelope(members: Mapping[str, object]) -> Envelope | None:
    """The verdict among the members of a JSON object; None if it carries none. Names count in any case."""
    lower = {name.lower(): value for name, value in members.items()}
    word, code = text(lower.get("status")).upper(), text(lower.get("errorcode"))
    word = Word.OK if word == "SUCCESS" else word
    if word not in set(Word) or (not word and not code):
        return None
    return Envelope(
        word=Word(word),
        code=code,
        description=text(lower.get("errordesc")),
        doc_id=text(lower.get("docid")),
    )


def usable_doc_id(value: str) -> AxisDocId | None:
    """The docId, if it is one that later calls can carry: at most 64 printable ASCII characters."""
    return AxisDocId(value) if value and len(value) <= _DOC_ID_LIMIT and header_safe(value) else None


def judge(answer: Answer, *, now: datetime, doc_id: AxisDocId | None = None) -> Outcome:
    """The outcome of a call whose request went out whole.

    Args:
        answer: What came back.
        now: The present, for a Retry-After written as a date.
        doc_id: The item a call is about; None for sendEdoc, whose answer must name it.
    """
    envelope = answer.envelope
    wish = read_retry_after(answer.retry_after, now=now)
    if envelope is None:
        return _judge_status(answer, wish)
    if envelope.good:
        known = doc_id or usable_doc_id(envelope.doc_id)
        return Accepted(axis_doc_id=known) if known else Uncertain(reason="the axis said OK but gave no usable DocId")
    words = _words(envelope)
    if envelope.word is Word.OK:
        return Uncertain(reason=f"the axis said OK with error code {words}")
    if envelope.code in _FINAL:
        return Rejected(code=envelope.code, reason=clip(envelope.description) or _FINAL[envelope.code])
    code = "" if envelope.code in _GENERAL else envelope.code
    return Unavailable(reason=words, retry_after=wish, code=code)


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


def _words(envelope: Envelope) -> str:
    """Code, our gloss where the code is known, and what the peer wrote."""
    gloss = _PASSING.get(envelope.code) or _FINAL.get(envelope.code, "")
    parts = (envelope.code or "no code", gloss, envelope.description)
    return clip(": ".join(part for part in parts if part))


def _judge_status(answer: Answer, wish: timedelta | None) -> Outcome:
    status = answer.http_status
    kind = "an HTML page" if "html" in answer.content_type.lower() else answer.flaw or "no axis envelope"
    if 300 <= status < 400:  # noqa: PLR2004 - the class of redirects
        return Unavailable(reason=f"HTTP {status}: the axis redirects, which is not followed")
    if 400 <= status < 500 or status == HTTPStatus.SERVICE_UNAVAILABLE:  # noqa: PLR2004 - the class of refusals
        return Unavailable(reason=clip(f"HTTP {status}: {kind}"), retry_after=wish)
    return Uncertain(reason=clip(f"HTTP {status}: {kind}"))
