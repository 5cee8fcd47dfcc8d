"""What an axis's JSON answer, or none, means: one table for all REST dialects, pure and total (axis.md 4 and 7).

| the peer says | outcome |
|---|---|
| envelope OK, code 0, with a docId | Accepted |
| envelope OK, code 0, without a usable docId | Uncertain: taken, but under an id nobody knows |
| envelope that contradicts itself (OK with an error code) | Uncertain |
| envelope FAIL with 10, 18, 19, 22 | Rejected: the packet or its addresses are wrong for good |
| envelope FAIL with 15 | Unavailable: our system id or secret is wrong, which an operator mends |
| envelope FAIL with any other code, 20, 21, 23 among them | Unavailable with the peer's words |
| no envelope: 3xx (redirects are not followed), 4xx, 503 | Unavailable |
| no envelope: anything else (HTML page, junk, 500, 502, 504) | Uncertain |
| connection lost | Unavailable while the request cannot have been processed, else Uncertain |

An envelope decides whatever the HTTP status is, as the stock client ignores the status.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.adapters.answers import in_words, judge_code, judge_status, read_retry_after, usable_doc_id
from gateway.adapters.scalars import text
from gateway.domain.ids import AxisDocId
from gateway.domain.outcome import Accepted, Outcome, Uncertain


class Word(StrEnum):
    """The axis's verdict in one word."""

    OK = "OK"
    FAIL = "FAIL"
    SILENT = ""
    """Left out; the code alone speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The axis's own verdict on a call."""

    word: Word
    code: str
    """The error code; "" where left out."""
    description: str
    doc_id: str
    """The docId; "" where left out."""

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


ReadEnvelope = Callable[[Mapping[str, object]], Envelope | None]
"""Finds the verdict among the members of an answer; None if it carries none."""


def read_envelope(members: Mapping[str, object]) -> Envelope | None:
    """The verdict in members status, ErrorCode, ErrorDesc and DocId, whatever the case of their letters."""
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


def judge(answer: Answer, *, now: datetime, doc_id: AxisDocId | None = None) -> Outcome:
    """The outcome of a call whose request went out whole.

    Args:
        answer: What came back.
        now: The present, for a Retry-After written as a date.
        doc_id: The item a call is about; None for sending, whose answer must name it.
    """
    envelope = answer.envelope
    wish = read_retry_after(answer.retry_after, now=now)
    if envelope is None:
        kind = "an HTML page" if "html" in answer.content_type.lower() else answer.flaw or "no axis envelope"
        return judge_status(answer.http_status, kind, wish)
    if envelope.good:
        known = doc_id or usable_doc_id(envelope.doc_id)
        return Accepted(axis_doc_id=known) if known else Uncertain(reason="the axis said OK but gave no usable DocId")
    if envelope.word is Word.OK:
        return Uncertain(reason=f"the axis said OK with error code {in_words(envelope.code, envelope.description)}")
    return judge_code(envelope.code, envelope.description, wish)
