"""What a submitted document must look like; limits as the contract's comments state them (edXML 5.7; ND 30/2020).

State-secret documents are outside electronic interchange (văn bản mật; QĐ 28/2018, art. 1.2). The only field that can
show a secrecy level is sphere_of_promulgation: one of the words Mật, Tối mật, Tuyệt mật in it refuses the document,
whatever stands around it, save "không mật" (not secret).
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from gateway.domain import following
from gateway.domain.agency import code_key, is_hub
from gateway.domain.dialect import Dialect
from gateway.domain.document import (
    Attachment,
    AttachmentRole,
    BusinessType,
    Document,
    Organization,
    Priority,
    StaffInfo,
    SteeringType,
)
from gateway.domain.errors import FieldViolation, required, unknown_value
from gateway.domain.lengths import LENGTHS
from gateway.domain.packet import PacketWarning
from gateway.domain.vntime import edxml_date

LEGAL_LENGTH_EXCEEDED = "LEGAL_LENGTH_EXCEEDED"
"""Warning: longer than ND 30/2020, Appendix VI allows, yet carried (law-and-load 1, rule 18)."""

NAME_LIMIT = LENGTHS["Organization.organ_name"].technical
"""Characters of an agency's name as printed."""

NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot carry."""

_IN_FILE_NAME = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]")
_SECRET = re.compile(r"(?<!\w)(?<!không )(tuyệt mật|tối mật|mật)(?!\w)")
_SHORT = 65535
_LEGAL_PAGES = 999


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Counts that settings may lower."""

    recipients: int = 5000
    attachments: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """One text field; `field` is its key in LENGTHS."""

    path: str
    value: str
    field: str
    required: bool = False


def check(
    document: Document, *, today: date, limits: Limits, dialect: Dialect
) -> tuple[tuple[FieldViolation, ...], tuple[PacketWarning, ...]]:
    """Everything wrong with a completed submission, and everything that merely exceeds the decree's lengths.

    `document` has its sender and recipients resolved to current codes and its document_id filled in. `today` is the
    civil day in Vietnam; `dialect` is that of the peer it goes to. Paths are those of the contract.
    """
    texts = tuple(_texts(document))
    violations = (
        *(v for text in texts for v in _judge_required(text)),
        *(v for text in texts for v in _judge_text(text, dialect)),
        *following.judge_kind(document),
        *_judge_dates(document, today),
        *_judge_values(document),
        *_judge_lists(document, limits, attachments=0 if document.business_type == BusinessType.RECALL else 1),
        *_judge_recipients(document.to),
        *_judge_attachments(document.attachments),
    )
    return violations, tuple(_warnings(document, texts, dialect))


def check_writable(
    document: Document, *, limits: Limits, dialect: Dialect
) -> tuple[tuple[FieldViolation, ...], tuple[PacketWarning, ...]]:
    """What keeps a document from being written as a packet at all, of any business type; otherwise as `check`.

    Elements that the standard requires may be missing: whoever builds a packet by hand may want just that.
    """
    texts = tuple(_texts(document))
    violations = (
        *(v for text in texts for v in _judge_text(text, dialect)),
        *_judge_values(document),
        *_judge_lists(document, limits, attachments=0),
        *_judge_attachments(document.attachments),
    )
    return violations, tuple(_warnings(document, texts, dialect))


def check_status_text(
    *, path: str, text: str, required: bool, staff: StaffInfo, dialect: Dialect
) -> tuple[FieldViolation, ...]:
    """What is wrong with the words of a refusal or status report to a peer of this dialect."""
    described = _Text(path=path, value=text, field="StatusReport.description", required=required)
    fields = (described, *_fields("staff_info", staff, *_STAFF))
    return (
        *(v for field in fields for v in _judge_required(field)),
        *(v for field in fields for v in _judge_text(field, dialect)),
    )


def default_document_id(document: Document) -> str:
    """`<organ_id>,<yyyy/MM/dd>,<number>/<notation>`; empty while one of the parts is missing."""
    if not (document.promulgation_date and document.code_number and document.code_notation):
        return ""
    return compose_document_id(document.sender.organ_id, document.promulgation_date, document.code)


def compose_document_id(sender: str, promulgated: date, code: str) -> str:
    """The form that edXML 5.6 gives a DocumentId; `code` is `number/notation`."""
    return f"{sender},{edxml_date(promulgated)},{code}"


_REQUIRED = frozenset(
    {
        *("Organization.organ_id", "Document.code_number", "Document.code_notation", "Document.promulgation_place"),
        *("DocumentType.type_name", "Document.subject", "SignerInfo.full_name", "Attachment.attachment_name"),
    },
)


def _fields(path: str, value: object, *fields: str) -> Iterator[_Text]:
    """Text fields of one message; the contract's message is named by the key, the attribute is the field."""
    for field in fields:
        name = field.partition(".")[2]
        attribute = "name" if field == "Attachment.attachment_name" else name
        found = getattr(value, attribute)
        required = field in _REQUIRED
        if isinstance(found, str):
            yield _Text(path=f"{path}.{name}", value=found, field=field, required=required)
        else:
            for i, each in enumerate(found):
                yield _Text(path=f"{path}.{name}[{i}]", value=each, field=field, required=required)


def _of(message: str) -> tuple[str, ...]:
    return tuple(field for field in LENGTHS if field.startswith(f"{message}."))


_ORGANIZATION = _of("Organization")
_STAFF = _of("StaffInfo")
_DOCUMENT = _of("Document")
_SIGNER = _of("SignerInfo")
_OTHER = _of("OtherInfo")
_RESPONSE_FOR = _of("ResponseFor")
_BUSINESS = _of("Business")
_RECEIVER = _of("ReceiverChange")
_REPLACEMENT = _of("ReplacementInfo")
_ATTACHMENT = _of("Attachment")


def _texts(document: Document) -> Iterator[_Text]:
    yield from _fields("document.from", document.sender, *_ORGANIZATION)
    for i, organization in enumerate(document.to):
        yield from _fields(f"document.to[{i}]", organization, *_ORGANIZATION)
    yield from _fields("document", document, *_DOCUMENT)
    yield from _fields("document.document_type", document.document_type, "DocumentType.type_name")
    yield from _fields("document.signer_info", document.signer_info, *_SIGNER)
    yield from _fields("document.other_info", document.other_info, *_OTHER)
    for i, reference in enumerate(document.response_for):
        yield from _fields(f"document.response_for[{i}]", reference, *_RESPONSE_FOR)
    business = document.business
    yield from _fields("document.business", business, *_BUSINESS)
    yield from _fields("document.business.staff_info", business.staff_info, *_STAFF)
    for i, change in enumerate(business.receivers):
        yield from _fields(f"document.business.receivers[{i}]", change, *_RECEIVER)
    for i, replaced in enumerate(business.replacements):
        yield from _fields(f"document.business.replacements[{i}]", replaced, *_REPLACEMENT)
    for i, attachment in enumerate(document.attachments):
        yield from _fields(f"document.attachments[{i}]", attachment, *_ATTACHMENT)


def _judge_required(text: _Text) -> Iterator[FieldViolation]:
    if text.required and not text.value.strip():
        yield required(text.path)


def _judge_text(text: _Text, dialect: Dialect) -> Iterator[FieldViolation]:
    limit = dialect.limit(text.field)
    if len(text.value) > limit:
        yield FieldViolation(
            path=text.path,
            en=f"at most {limit} characters, found {len(text.value)}",
            vi=f"Tối đa {limit} ký tự, hiện có {len(text.value)}.",
        )
    found = NOT_IN_XML.search(text.value)
    if found:
        yield FieldViolation(
            path=text.path,
            en=f"character U+{ord(found.group()):04X} cannot be written in XML",
            vi=f"Ký tự U+{ord(found.group()):04X} không dùng được trong XML.",
        )


def _judge_dates(document: Document, today: date) -> Iterator[FieldViolation]:
    path = "document.promulgation_date"
    if document.promulgation_date is None:
        yield required(path)
    elif document.promulgation_date > today + timedelta(days=1):
        yield FieldViolation(
            path=path,
            en=f"at most one day after today in Vietnam, {today}",
            vi=f"Không được sau ngày hôm nay ({today}) quá một ngày.",
        )


def _judge_values(document: Document) -> Iterator[FieldViolation]:
    kind, other = document.document_type, document.other_info
    for path, value in (
        ("document.document_type.type", kind.type),
        ("document.document_type.type_detail", kind.type_detail),
        ("document.other_info.promulgation_amount", other.promulgation_amount),
        ("document.other_info.page_amount", other.page_amount),
    ):
        if not 0 <= value <= _SHORT:
            yield FieldViolation(
                path=path, en=f"0 to {_SHORT}, found {value}", vi=f"Từ 0 đến {_SHORT}, hiện là {value}."
            )
    if other.priority not in list(Priority):
        yield unknown_value("document.other_info.priority", other.priority)
    if document.steering_type is not None and document.steering_type not in list(SteeringType):
        yield unknown_value("document.steering_type", document.steering_type)
    for i, change in enumerate(document.business.receivers):
        if change.receiver_type not in (0, 1):
            yield unknown_value(f"document.business.receivers[{i}].receiver_type", change.receiver_type)
    yield from _judge_secrecy(document.other_info.sphere_of_promulgation)


def _judge_lists(document: Document, limits: Limits, *, attachments: int) -> Iterator[FieldViolation]:
    """`attachments` is the least number of them."""
    for path, count, least, most in (
        ("document.to", len(document.to), 1, limits.recipients),
        ("document.attachments", len(document.attachments), attachments, limits.attachments),
        ("document.response_for", len(document.response_for), 0, 100),
        ("document.to_places", len(document.to_places), 0, 200),
        ("document.task_codes", len(document.task_codes), 0, 100),
        ("document.other_info.appendixes", len(document.other_info.appendixes), 0, 200),
        ("document.other_info.reply_fors", len(document.other_info.reply_fors), 0, 100),
        ("document.other_info.reference_codes", len(document.other_info.reference_codes), 0, 100),
    ):
        if not least <= count <= most:
            yield FieldViolation(
                path=path,
                en=f"{least} to {most} entries, found {count}",
                vi=f"Từ {least} đến {most} mục, hiện có {count}.",
            )


def _judge_recipients(recipients: Sequence[Organization]) -> Iterator[FieldViolation]:
    seen: dict[str, int] = {}
    for i, recipient in enumerate(recipients):
        path = f"document.to[{i}].organ_id"
        first = seen.setdefault(code_key(recipient.organ_id), i)
        if first != i:
            yield FieldViolation(
                path=path,
                en=f"the same agency as document.to[{first}]",
                vi=f"Trùng cơ quan với document.to[{first}].",
            )
        if is_hub(recipient.organ_id):
            yield FieldViolation(
                path=path,
                en="an exchange centre is no addressee",
                vi="Mã trung tâm trục liên thông không phải là nơi nhận văn bản.",
            )


def _judge_attachments(attachments: Sequence[Attachment]) -> Iterator[FieldViolation]:
    mains = [i for i, attachment in enumerate(attachments) if attachment.role == AttachmentRole.MAIN]
    for i in mains[1:]:
        yield FieldViolation(
            path=f"document.attachments[{i}].role",
            en=f"only one main file; document.attachments[{mains[0]}] is it already",
            vi=f"Chỉ có một tệp chính; document.attachments[{mains[0]}] đã là tệp chính.",
        )
    for i, attachment in enumerate(attachments):
        if _IN_FILE_NAME.search(attachment.name) or attachment.name in (".", ".."):
            yield FieldViolation(
                path=f"document.attachments[{i}].attachment_name",
                en="a file name without folders and control characters",
                vi="Tên tệp không được chứa thư mục hoặc ký tự điều khiển.",
            )


def _judge_secrecy(sphere: str) -> Iterator[FieldViolation]:
    if _SECRET.search(" ".join(unicodedata.normalize("NFC", sphere).casefold().split())):
        yield FieldViolation(
            path="document.other_info.sphere_of_promulgation",
            en="state-secret documents must not be exchanged electronically (Decision 28/2018, art. 1.2)",
            vi="Văn bản thuộc bí mật nhà nước không được gửi qua trục liên thông (QĐ 28/2018/QĐ-TTg, Điều 1 khoản 2).",
        )


def _warnings(document: Document, texts: Sequence[_Text], dialect: Dialect) -> Iterator[PacketWarning]:
    for text in texts:
        legal = LENGTHS[text.field].legal
        if legal and legal < len(text.value) <= dialect.limit(text.field):
            yield PacketWarning(
                code=LEGAL_LENGTH_EXCEEDED,
                path=text.path,
                message=f"{len(text.value)} characters; Decree 30/2020 allows {legal}",
            )
    if _LEGAL_PAGES < document.other_info.page_amount <= _SHORT:
        yield PacketWarning(
            code=LEGAL_LENGTH_EXCEEDED,
            path="document.other_info.page_amount",
            message=f"{document.other_info.page_amount} pages; Decree 30/2020 allows three digits",
        )
