"""What an answer of the service, or none, means: one table, pure and total (axis.md 9.1, edxml.md 2.7).

| the peer says | outcome |
|---|---|
| IsSuccess true without an error | Accepted |
| M.Exist | Rejected, known as what the answer or the packet calls the document |
| M.UpdateTraces | Accepted: the status was told before, and telling it again was all that was wrong |
| Permission, CheckSignature, M.CheckPermission, M.GetDocumentCheckAllow, anything about the token | Unavailable |
| N.*, R.*, T.*, any other M.* | Rejected: the packet is wrong for good |
| IsSuccess false with another code, or with none | Unavailable with the peer's words |
| IsSuccess true with an error | Uncertain |
| Fault that blames the caller, or its WS-Security | Unavailable |
| any other Fault, no report, no envelope | by HTTP status: 3xx, 4xx, 503 Unavailable, else Uncertain |
| connection lost | Unavailable while the request cannot have been processed, else Uncertain |

An envelope without a report is what deployed services send when they fail inside: the packet may have been taken.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from gateway.adapters.answers import clip, judge_status, read_retry_after, usable_doc_id
from gateway.adapters.soap.envelopes import Envelope
from gateway.adapters.soap.names import child, children, descendants, local, words
from gateway.domain.ids import AxisDocId
from gateway.domain.outcome import Accepted, Outcome, Rejected, Unavailable, Uncertain

EXISTS = "M.Exist"
REPEATED = "M.UpdateTraces"
_OPERATORS: Mapping[str, str] = {
    "permission": "the service does not permit this organ to do this",
    "m.checkpermission": "the service does not permit this organ to do this",
    "checksignature": "the service refuses the account's organ or token",
    "m.getdocumentcheckallow": "the document is not pending for this organ",
}
"""What an operator mends, or what passes: code in lower case, and our words."""
_FINAL: Mapping[str, str] = {
    "N": "is missing",
    "R": "is too long or out of its range",
    "M": "has a value that the service does not take",
    "T": "is of the wrong type",
}
_CODE = re.compile(r"([NRMT])\.([0-9A-Za-z_.\-]{1,200})")
_MOST_ERRORS = 20
_BLAMES_CALLER = re.compile(
    r"client|sender|failedauthentication|failedcheck|invalidsecurity|securitytoken", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedError:
    """One Error of a report."""

    code: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The service's own verdict on a call."""

    success: bool | None
    """None where it is not said."""
    errors: tuple[ReportedError, ...]
    document_id: str
    """"" where left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back over HTTP, without any document in it."""

    http_status: int
    retry_after: str = ""
    """Header Retry-After as it came."""
    envelope: Envelope | None
    """None if the body is no envelope."""
    flaw: str = ""
    """Why it is none."""


def read_report(envelope: Envelope) -> Report | None:
    """The verdict in an envelope; None if it carries none."""
    content = envelope.content
    report = (
        content if content is not None and local(content) == "Report" else next(descendants(content, "Report"), None)
    )
    said = words(child(report if report is not None else content, "IsSuccess")).lower()
    errors = tuple(_errors(report if report is not None else content))
    if not said and not errors:
        return None
    named = words(child(content, "DocumentId")) or words(child(report, "DocumentId"))
    return Report(
        success={"true": True, "1": True, "false": False, "0": False}.get(said), errors=errors, document_id=named
    )


def judge(answer: Answer, *, now: datetime, document_id: AxisDocId) -> Outcome:
    """The outcome of a call whose request went out whole.

    Args:
        answer: What came back.
        now: The present, for a Retry-After written as a date.
        document_id: What the call was about, where the answer does not name it.
    """
    wish = read_retry_after(answer.retry_after, now=now)
    if answer.envelope is None:
        return judge_status(answer.http_status, answer.flaw or "no SOAP envelope", wish)
    fault = child(answer.envelope.body, "Fault")
    if fault is not None:
        return _judge_fault(fault, answer.http_status)
    report = read_report(answer.envelope)
    if report is None:
        return judge_status(answer.http_status, "an envelope without a report: the service failed inside", wish)
    known = usable_doc_id(report.document_id) or document_id
    if report.success and not report.errors:
        return Accepted(axis_doc_id=known)
    refusal = _judge_errors(report.errors, known)
    if report.success and not isinstance(refusal, Accepted):
        return Uncertain(reason=clip(f"the service reports success with an error: {refusal.reason}"))
    return refusal


def _judge_errors(errors: tuple[ReportedError, ...], known: AxisDocId) -> Accepted | Rejected | Unavailable:
    """The first error that decides: a repetition, then what an operator mends, then what is wrong for good."""
    if any(error.code == REPEATED for error in errors):
        return Accepted(axis_doc_id=known)
    for error in errors:
        if error.code == EXISTS:
            return Rejected(code=EXISTS, reason=_worded("the service has this document already", error), known_as=known)
    for error in errors:
        lower = error.code.lower()
        if "token" in lower or lower in _OPERATORS:
            gloss = _OPERATORS.get(lower, _OPERATORS["checksignature"])
            return Unavailable(reason=_worded(gloss, error))
    for error in errors:
        found = _CODE.fullmatch(error.code)
        if found:
            path = found[2].replace(".", "/").replace("-", "/")
            return Rejected(code=error.code, reason=_worded(f"edXML element {path} {_FINAL[found[1]]}", error))
    if not errors:
        return Unavailable(reason="the service refuses without a reason: is the account's token right?")
    return Unavailable(reason=_worded("the service refuses", errors[0]), code=clip(errors[0].code))


def _worded(gloss: str, error: ReportedError) -> str:
    return clip(": ".join(part for part in (error.code, gloss, error.description) if part))


def _judge_fault(fault: etree._Element, http_status: int) -> Outcome:
    code = words(child(fault, "faultcode")) or words(child(child(fault, "Code"), "Value"))
    said = words(child(fault, "faultstring")) or words(child(child(fault, "Reason"), "Text"))
    reason = clip(f"SOAP Fault {code}: {said}")
    if _BLAMES_CALLER.search(code):
        return Unavailable(reason=reason)
    return judge_status(http_status, reason, None)


def _errors(report: etree._Element | None) -> list[ReportedError]:
    found: list[ReportedError] = []
    for error in children(child(report, "ErrorList")):
        code, description = words(child(error, "Code")), words(child(error, "Description"))
        if local(error) == "Error" and (code or description) and len(found) < _MOST_ERRORS:
            found.append(ReportedError(code=code, description=description))
    return found
