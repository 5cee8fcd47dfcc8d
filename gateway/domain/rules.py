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

from gateway.domain.agency import code_key, is_hub
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
from gateway.domain.errors import FieldViolation
from gateway.domain.packet import PacketWarning
from gateway.domain.vntime import edxml_date

LEGAL_LENGTH_EXCEEDED = "LEGAL_LENGTH_EXCEEDED"
"""Warning: longer than ND 30/2020, Appendix VI allows, yet carried (law-and-load 1, rule 18)."""

NAME_LIMIT = 200
"""Characters of an agency's name as printed."""

STATUS_TEXT_LIMIT = 1000
"""Characters of a status's Description."""

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
    """One text field with its limits in characters; `legal` 0 = the decree names none."""

    path: str
    value: str
    limit: int
    legal: int = 0
    required: bool = False


def check(
    document: Document, *, today: date, limits: Limits
) -> tuple[tuple[FieldViolation, ...], tuple[PacketWarning, ...]]:
    """Everything wrong with a completed submission, and everything that merely exceeds the decree's lengths.

    `document` has its sender and recipients resolved to current codes and its document_id filled in. `today` is the
    civil day in Vietnam. Paths are those of the contract.
    """
    texts = tuple(_texts(document))
    violations = (
        *(v for text in texts for v in _judge_text(text)),
        *_judge_kind(document),
        *_judge_dates(document, today),
        *_judge_numbers(document),
        *_judge_lists(document, limits),
        *_judge_recipients(document.to),
        *_judge_attachments(document.attachments),
        *_judge_secrecy(document.other_info.sphere_of_promulgation),
    )
    return violations, tuple(_warnings(document, texts))


def check_status_text(
    *, path: str, text: str, required: bool, staff: StaffInfo, staff_path: str = "staff_info"
) -> tuple[FieldViolation, ...]:
    """What is wrong with the words of a refusal or status report; at most 1,000 characters of text."""
    fields = (_Text(path=path, value=text, limit=STATUS_TEXT_LIMIT, required=required), *_staff(staff_path, staff))
    return tuple(v for field in fields for v in _judge_text(field))


def default_document_id(document: Document) -> str:
    """`<organ_id>,<yyyy/MM/dd>,<number>/<notation>`; empty while one of the parts is missing."""
    if not (document.promulgation_date and document.code_number and document.code_notation):
        return ""
    return compose_document_id(document.sender.organ_id, document.promulgation_date, document.code)


def compose_document_id(sender: str, promulgated: date, code: str) -> str:
    """The form that edXML 5.6 gives a DocumentId; `code` is `number/notation`."""
    return f"{sender},{edxml_date(promulgated)},{code}"


def _texts(document: Document) -> Iterator[_Text]:
    yield from _organization("document.from", document.sender)
    for i, organization in enumerate(document.to):
        yield from _organization(f"document.to[{i}]", organization)
    yield from (
        _Text(path="document.document_id", value=document.document_id, limit=200),
        _Text(path="document.code_number", value=document.code_number, limit=50, legal=11, required=True),
        _Text(path="document.code_notation", value=document.code_notation, limit=50, legal=30, required=True),
        _Text(path="document.promulgation_place", value=document.promulgation_place, limit=50, required=True),
        _Text(
            path="document.document_type.type_name",
            value=document.document_type.type_name,
            limit=250,
            legal=100,
            required=True,
        ),
        _Text(path="document.subject", value=document.subject, limit=500, required=True),
        _Text(path="document.content", value=document.content, limit=500),
    )
    yield from _signer_and_remarks(document)
    yield from _references(document)
    for i, attachment in enumerate(document.attachments):
        path = f"document.attachments[{i}]"
        yield _Text(path=f"{path}.attachment_name", value=attachment.name, limit=500, required=True)
        yield _Text(path=f"{path}.media_type", value=attachment.media_type, limit=255)
        yield _Text(path=f"{path}.description", value=attachment.description, limit=500)


def _organization(path: str, organization: Organization) -> Iterator[_Text]:
    yield _Text(path=f"{path}.organ_id", value=organization.organ_id, limit=35, legal=13, required=True)
    for name, limit in (
        ("organ_name", NAME_LIMIT),
        ("organization_in_charge", 200),
        ("organ_add", 250),
        ("email", 100),
        ("telephone", 50),
        ("fax", 50),
        ("website", 100),
    ):
        value = getattr(organization, name)
        if value:
            yield _Text(path=f"{path}.{name}", value=value, limit=limit)


def _staff(path: str, staff: StaffInfo) -> Iterator[_Text]:
    for name, limit in (("department", 300), ("staff", 300), ("mobile", 100), ("email", 100)):
        yield _Text(path=f"{path}.{name}", value=getattr(staff, name), limit=limit)


def _signer_and_remarks(document: Document) -> Iterator[_Text]:
    signer, other = document.signer_info, document.other_info
    yield _Text(path="document.signer_info.competence", value=signer.competence, limit=100)
    yield _Text(path="document.signer_info.position", value=signer.position, limit=100)
    yield _Text(path="document.signer_info.full_name", value=signer.full_name, limit=255, legal=50, required=True)
    yield _Text(path="document.other_info.sphere_of_promulgation", value=other.sphere_of_promulgation, limit=100)
    yield _Text(path="document.other_info.typer_notation", value=other.typer_notation, limit=10)
    for i, title in enumerate(other.appendixes):
        yield _Text(path=f"document.other_info.appendixes[{i}]", value=title, limit=250)
    for i, place in enumerate(document.to_places):
        yield _Text(path=f"document.to_places[{i}]", value=place, limit=150)


def _references(document: Document) -> Iterator[_Text]:
    for i, reference in enumerate(document.response_for):
        path = f"document.response_for[{i}]"
        yield _Text(path=f"{path}.organ_id", value=reference.organ_id, limit=35)
        yield _Text(path=f"{path}.code", value=reference.code, limit=100)
        yield _Text(path=f"{path}.document_id", value=reference.document_id, limit=200)
    business = document.business
    yield _Text(path="document.business.reason", value=business.reason, limit=500)
    yield _Text(path="document.business.document_id", value=business.document_id, limit=200)
    yield from _staff("document.business.staff_info", business.staff_info)
    for i, change in enumerate(business.receivers):
        yield _Text(path=f"document.business.receivers[{i}].organ_id", value=change.organ_id, limit=35)
    for i, replaced in enumerate(business.replacements):
        path = f"document.business.replacements[{i}]"
        yield _Text(path=f"{path}.document_id", value=replaced.document_id, limit=200)
        for j, code in enumerate(replaced.organ_ids):
            yield _Text(path=f"{path}.organ_ids[{j}]", value=code, limit=35)


def _judge_text(text: _Text) -> Iterator[FieldViolation]:
    if text.required and not text.value.strip():
        yield FieldViolation(path=text.path, en="required", vi="Bắt buộc nhập.")
    if len(text.value) > text.limit:
        yield FieldViolation(
            path=text.path,
            en=f"at most {text.limit} characters, found {len(text.value)}",
            vi=f"Tối đa {text.limit} ký tự, hiện có {len(text.value)}.",
        )
    found = NOT_IN_XML.search(text.value)
    if found:
        yield FieldViolation(
            path=text.path,
            en=f"character U+{ord(found.group()):04X} cannot be written in XML",
            vi=f"Ký tự U+{ord(found.group()):04X} không dùng được trong XML.",
        )


def _judge_kind(document: Document) -> Iterator[FieldViolation]:
    if document.business_type != BusinessType.NEW:
        yield FieldViolation(
            path="document.business_type",
            en=f"{document.business_type.name} is not offered by SubmitDocument, which takes new documents only",
            vi="SubmitDocument chỉ nhận văn bản mới; thu hồi, cập nhật, thay thế không thực hiện qua phương thức này.",
        )


def _judge_dates(document: Document, today: date) -> Iterator[FieldViolation]:
    path = "document.promulgation_date"
    if document.promulgation_date is None:
        yield FieldViolation(path=path, en="required", vi="Bắt buộc nhập.")
    elif document.promulgation_date > today + timedelta(days=1):
        yield FieldViolation(
            path=path,
            en=f"at most one day after today in Vietnam, {today}",
            vi=f"Không được sau ngày hôm nay ({today}) quá một ngày.",
        )


def _judge_numbers(document: Document) -> Iterator[FieldViolation]:
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
        yield _unknown_value("document.other_info.priority", other.priority)
    if document.steering_type is not None and document.steering_type not in list(SteeringType):
        yield _unknown_value("document.steering_type", document.steering_type)
    for i, change in enumerate(document.business.receivers):
        if change.receiver_type not in (0, 1):
            yield _unknown_value(f"document.business.receivers[{i}].receiver_type", change.receiver_type)


def _unknown_value(path: str, value: int) -> FieldViolation:
    return FieldViolation(
        path=path, en=f"{value} is no value of this list", vi=f"Giá trị {value} không có trong danh mục."
    )


def _judge_lists(document: Document, limits: Limits) -> Iterator[FieldViolation]:
    for path, count, least, most in (
        ("document.to", len(document.to), 1, limits.recipients),
        ("document.attachments", len(document.attachments), 1, limits.attachments),
        ("document.response_for", len(document.response_for), 0, 100),
        ("document.to_places", len(document.to_places), 0, 200),
        ("document.other_info.appendixes", len(document.other_info.appendixes), 0, 200),
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


def _warnings(document: Document, texts: Sequence[_Text]) -> Iterator[PacketWarning]:
    for text in texts:
        if text.legal and text.legal < len(text.value) <= text.limit:
            yield PacketWarning(
                code=LEGAL_LENGTH_EXCEEDED,
                path=text.path,
                message=f"{len(text.value)} characters; Decree 30/2020 allows {text.legal}",
            )
    if _LEGAL_PAGES < document.other_info.page_amount <= _SHORT:
        yield PacketWarning(
            code=LEGAL_LENGTH_EXCEEDED,
            path="document.other_info.page_amount",
            message=f"{document.other_info.page_amount} pages; Decree 30/2020 allows three digits",
        )
