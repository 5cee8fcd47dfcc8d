"""Digests that tell a repetition from something else: of a request, of a submission, of a document under way.

An axis rewrites packets at every passage: the order of elements, prefixes, trace, defaults of absent numbers, media
types, descriptions and file wrappers change, and one document may come once per recipient. So `content_digest` is taken
over what survives: who issued which document with which words, and the unwrapped bytes and names of its files. Left out
are the trace, To, Signature, media types, descriptions, roles (guessed when absent), contact data of the sender,
ToPlaces, remarks, and what has defaults (Type, TypeDetail, Priority, PageAmount, PromulgationAmount, SteeringType).
Texts are compared in Unicode form NFC with white space collapsed.
"""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date
from hashlib import sha256

from gateway.domain.agency import Agency
from gateway.domain.document import BusinessType, Document
from gateway.domain.ids import Digest

_NO_SIZE = -1
_LATER = frozenset(
    {
        *("application_type", "task_codes", "direction", "reply_fors", "reference_codes", "department_id", "staff_id"),
        *("field_name", "mime_type", "format"),
    },
)
"""Fields that the model got after digests of requests were first stored; a field added later joins them."""


def content_digest(document: Document) -> Digest:
    """What a document says, whatever way it came."""
    return _digest(_content(document))


def submission_digest(document: Document) -> Digest:
    """What a document says and to whom: the same document id for other recipients is another submission.

    Of a recall, update or replacement also all that it says about the document it follows.
    """
    recipients = sorted(_code(organization.organ_id) for organization in document.to)
    said: dict[str, object] = {"content": _content(document), "to": recipients}
    if document.business_type != BusinessType.NEW:
        said["business"] = asdict(document.business)
    return _digest(said)


def request_digest(agency: Agency, document: Document) -> Digest:
    """The request as it came; what the server fills in (sizes, verdicts, trace) is left out."""
    bare = tuple(replace(a, size=_NO_SIZE, verdict=None) for a in document.attachments)
    asked = without_later(asdict(replace(document, attachments=bare, trace=())))
    return _digest({"agency": agency.id, "document": asked})


def without_later(value: object) -> object:
    """Without empty fields of _LATER: a request asked again after an upgrade is the request it was."""
    if isinstance(value, dict):
        return {key: without_later(each) for key, each in value.items() if key not in _LATER or each}
    if isinstance(value, tuple):
        return tuple(without_later(each) for each in value)
    return value


def _content(document: Document) -> Mapping[str, object]:
    return {
        "from": _code(document.sender.organ_id),
        "document_id": _text(document.document_id),
        "code": [_text(document.code_number), _text(document.code_notation)],
        "place": _text(document.promulgation_place),
        "date": document.promulgation_date,
        "type_name": _text(document.document_type.type_name),
        "subject": _text(document.subject),
        "content": _text(document.content),
        "signer": [_text(document.signer_info.position), _text(document.signer_info.full_name)],
        "due": document.due_date,
        "response_for": sorted([_code(r.organ_id), _text(r.code), _text(r.document_id)] for r in document.response_for),
        "business": [int(document.business_type), _text(document.business.reason)],
        "replaced": sorted(_text(r.document_id) for r in document.business.replacements),
        "attachments": sorted([a.sha256, _text(a.name)] for a in document.attachments),
    }


def _digest(value: object) -> Digest:
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=date.isoformat)
    return Digest(sha256(canonical.encode("ascii")).hexdigest())


def _text(value: str) -> str:
    return " ".join(unicodedata.normalize("NFC", value).split())


def _code(value: str) -> str:
    return _text(value).upper()
