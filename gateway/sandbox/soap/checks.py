"""What Bkav's axis checks of a document or a status before it is routed, in its error grammar `X.Path`. Pure.

X = N missing, R too long or out of range, M a value that makes no sense, T a wrong type (edxml.md 2.7, axis.md 9.1).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from gateway.sandbox.codes import AxisCode, Refusal
from gateway.sandbox.soap.tree import Node

_DATE = re.compile(r"\d{4}/\d{2}/\d{2}", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_TIME_FORM = "%Y/%m/%d %H:%M:%S"
_REQUIRED = (
    ("From", "OrganId"),
    ("Code", "CodeNumber"),
    ("Code", "CodeNotation"),
    ("PromulgationInfo", "PromulgationDate"),
    ("Subject",),
    ("DocumentId",),
)
_REQUIRED_OF_STATUS = (
    ("From", "OrganId"),
    ("ResponseFor", "OrganId"),
    ("ResponseFor", "Code"),
    ("ResponseFor", "DocumentId"),
    ("StatusCode",),
    ("Timestamp",),
)
_LONGEST = (
    (("Code", "CodeNumber"), 11),
    (("Code", "CodeNotation"), 30),
    (("Subject",), 500),
    (("From", "OrganName"), 200),
)
_LONGEST_ORGAN_NAME = 200
_LONGEST_NAME = 500
_MAX_REFERENCES = 200
_CLASSES = frozenset({1, 2})
_PRIORITIES = frozenset(range(5))
_BUSINESS_TYPES = frozenset(range(4))


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One Error of a Report."""

    code: str
    sentence: str


PERMISSION = Problem(code="Permission", sentence="OrganId hoac Token khong dung")
"""The token is not the organisation's."""


def check_document(message: Node, trace: Node, *, today: date) -> list[Problem]:
    """What is wrong with a MessageHeader and its TraceHeaderList."""
    return [*_check_missing(message, _REQUIRED), *_check_values(message, today), *_check_trace(trace)]


def check_status(status: Node) -> list[Problem]:
    """What is wrong with the content of a status."""
    problems = [*_check_missing(status, _REQUIRED_OF_STATUS)]
    code, time = status.value("StatusCode"), status.value("Timestamp")
    if code and not re.fullmatch(r"[0-9]{1,2}", code):
        problems.append(_problem("T", "StatusCode", "phai la so co hai chu so"))
    if time and read_time(time) is None:
        problems.append(_problem("T", "Timestamp", "phai co dang yyyy/MM/dd HH:mm:ss"))
    if len(status.all("ResponseFor")) > 1:
        problems.append(_problem("M", "ResponseFor", "chi duoc co mot"))
    return problems


def check_references(references: Sequence[Node]) -> Problem | None:
    """What is wrong with a Manifest's References, their content aside."""
    names = [reference.value("AttachmentName") for reference in references]
    if len(references) > _MAX_REFERENCES:
        return Problem(code="R.Manifest.Reference", sentence=f"Reference: nhieu qua {_MAX_REFERENCES}")
    if "" in names:
        return Problem(code="N.AttachmentName", sentence="AttachmentName: khong duoc de trong")
    if any(len(name) > _LONGEST_NAME for name in names):
        return Problem(code="R.AttachmentName", sentence=f"AttachmentName: dai qua {_LONGEST_NAME} ky tu")
    return None


def is_new(trace: Node) -> bool:
    """Whether a TraceHeaderList marks a new document: business type 0, or none."""
    return (_business_type(trace) or "0") == "0"


def read_time(text: str) -> datetime | None:
    """A time `yyyy/MM/dd HH:mm:ss`, without a zone; None for anything else."""
    try:
        return datetime.strptime(text, _TIME_FORM)  # noqa: DTZ007 - the dialect's times have no zone
    except ValueError:
        return None


def of_refusal(refusal: Refusal) -> Problem:
    """The axis's refusal in this grammar."""
    codes = {
        AxisCode.UNKNOWN_RECEIVER: "M.MessageHeader.To.OrganId",
        AxisCode.RECEIVER_LOCKED: "M.MessageHeader.To.OrganId",
        AxisCode.UNREGISTERED_SENDER: "M.MessageHeader.From.OrganId",
        AxisCode.BAD_FILE: "R.Attachment",
    }
    return Problem(code=codes.get(refusal.code, "M.edXML"), sentence=refusal.sentence)


def _check_missing(message: Node, required: tuple[tuple[str, ...], ...]) -> Iterator[Problem]:
    for path in required:
        if not message.value(*path):
            yield _problem("N", ".".join(path), "khong duoc de trong")


def _check_values(message: Node, today: date) -> Iterator[Problem]:
    receivers = [to.value("OrganId") for to in message.all("To")]
    if not receivers or "" in receivers:
        yield _problem("N", "To.OrganId", "khong duoc de trong")
    if len(set(receivers)) != len(receivers):
        yield _problem("M", "To.OrganId", "bi lap lai")
    for path, longest in _LONGEST:
        if len(message.value(*path)) > longest:
            yield _problem("R", ".".join(path), f"dai qua {longest} ky tu")
    if any(len(to.value("OrganName")) > _LONGEST_ORGAN_NAME for to in message.all("To")):
        yield _problem("R", "To.OrganName", f"dai qua {_LONGEST_ORGAN_NAME} ky tu")
    yield from _check_date(message.value("PromulgationInfo", "PromulgationDate"), today)
    for path, letter, known in (
        (("DocumentType", "Type"), "M", _CLASSES),
        (("OtherInfo", "Priority"), "R", _PRIORITIES),
    ):
        text = message.value(*path)
        if text and not _NUMBER.fullmatch(text):
            yield _problem("T", ".".join(path), "phai la so")
        elif text and int(text) not in known:
            yield _problem(letter, ".".join(path), "khong hop le")


def _check_date(text: str, today: date) -> Iterator[Problem]:
    path = "PromulgationInfo.PromulgationDate"
    if not text:
        return
    try:
        day = date(*map(int, text.split("/"))) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        yield _problem("T", path, "phai co dang yyyy/MM/dd")
    elif day > today:
        yield _problem("M", path, "khong duoc o tuong lai")


def _check_trace(trace: Node) -> Iterator[Problem]:
    if not trace.all("TraceHeader"):
        yield Problem(code="N.TraceHeaderList.TraceHeader", sentence="TraceHeader: khong duoc de trong")
    text = _business_type(trace)
    if text and (not _NUMBER.fullmatch(text) or int(text) not in _BUSINESS_TYPES):
        yield Problem(code="M.TraceHeaderList.Business.BusinessDocType", sentence="BusinessDocType: khong hop le")


def _business_type(trace: Node) -> str:
    """Both spellings are read (edxml.md 1.4)."""
    return trace.value("Business", "BusinessDocType") or trace.value("Bussiness", "BussinessDocType")


def _problem(letter: str, path: str, sentence: str) -> Problem:
    return Problem(code=f"{letter}.MessageHeader.{path}", sentence=f"{path}: {sentence}")
