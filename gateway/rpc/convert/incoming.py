"""Requests -> domain. Form only: what a document must contain is decided where it is accepted."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gateway.domain.document import (
    Attachment,
    AttachmentRole,
    Business,
    BusinessType,
    Document,
    DocumentType,
    Organization,
    OtherInfo,
    Priority,
    ReceiverChange,
    ReplacementInfo,
    ResponseFor,
    SignerInfo,
    StaffInfo,
    SteeringType,
)
from gateway.domain.ids import Digest, OrganId
from gateway.pb.lgsp.gateway.v1 import document_pb2 as pb
from gateway.rpc.config import INLINE_LIMIT
from gateway.rpc.convert.form import Form

UNKNOWN_SIZE = -1
"""Size of an attachment of which a request names only the digest."""

_BUSINESS_TYPES: Mapping[int, BusinessType] = {
    pb.BUSINESS_TYPE_UNSPECIFIED: BusinessType.NEW,
    pb.BUSINESS_TYPE_NEW: BusinessType.NEW,
    pb.BUSINESS_TYPE_RECALL: BusinessType.RECALL,
    pb.BUSINESS_TYPE_UPDATE: BusinessType.UPDATE,
    pb.BUSINESS_TYPE_REPLACE: BusinessType.REPLACE,
}
_PRIORITIES: Mapping[int, Priority] = {
    pb.PRIORITY_UNSPECIFIED: Priority.NORMAL,
    pb.PRIORITY_NORMAL: Priority.NORMAL,
    pb.PRIORITY_URGENT: Priority.URGENT,
    pb.PRIORITY_VERY_URGENT: Priority.VERY_URGENT,
    pb.PRIORITY_FLASH: Priority.FLASH,
    pb.PRIORITY_FLASH_TIMED: Priority.FLASH_TIMED,
}
_STEERING: Mapping[int, SteeringType | None] = {
    pb.STEERING_TYPE_UNSPECIFIED: None,
    pb.STEERING_TYPE_NONE: SteeringType.NONE,
    pb.STEERING_TYPE_DIRECTIVE: SteeringType.DIRECTIVE,
    pb.STEERING_TYPE_REPORT: SteeringType.REPORT,
}
ROLES_IN: Mapping[int, AttachmentRole | None] = {
    pb.ATTACHMENT_ROLE_UNSPECIFIED: None,
    pb.ATTACHMENT_ROLE_MAIN: AttachmentRole.MAIN,
    pb.ATTACHMENT_ROLE_ANNEX: AttachmentRole.ANNEX,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedDocument:
    """A document as a request carries it."""

    document: Document
    """Attachments have size -1 where only a digest was given."""
    inline: Mapping[Digest, bytes]
    """Content that came inside the request, by its digest."""


def document_in(form: Form, message: pb.Document) -> SubmittedDocument:
    """The document of a SubmitDocument request; fields marked "output only" are not looked at (AIP-203).

    Violations are noted in `form`; the result may be used only after `form.check()`.
    """
    top = "document"
    attachments, inline = _attachments(form, f"{top}.attachments", message.attachments)
    document = Document(
        sender=_organization(getattr(message, "from")),
        to=tuple(_organization(each) for each in message.to),
        document_id=message.document_id,
        code_number=message.code_number,
        code_notation=message.code_notation,
        promulgation_place=message.promulgation_place,
        promulgation_date=form.day(f"{top}.promulgation_date", message.promulgation_date),
        subject=message.subject,
        document_type=_document_type(message.document_type),
        business_type=form.choice(f"{top}.business_type", message.business_type, _BUSINESS_TYPES, BusinessType.NEW),
        content=message.content,
        signer_info=_signer_info(message.signer_info),
        due_date=form.day(f"{top}.due_date", message.due_date),
        to_places=tuple(message.to_places),
        other_info=_other_info(form, f"{top}.other_info", message.other_info),
        response_for=tuple(
            _response_for(form, f"{top}.response_for[{i}]", each) for i, each in enumerate(message.response_for)
        ),
        steering_type=form.choice(f"{top}.steering_type", message.steering_type, _STEERING, None),
        application_type=message.application_type,
        task_codes=tuple(message.task_codes),
        business=_business(message.business),
        attachments=attachments,
    )
    return SubmittedDocument(document=document, inline=inline)


def staff_in(message: pb.StaffInfo) -> StaffInfo:
    """The handling clerk."""
    return StaffInfo(
        department=message.department,
        staff=message.staff,
        mobile=message.mobile,
        email=message.email,
        department_id=message.department_id,
        staff_id=message.staff_id,
    )


def assign_roles(wishes: Sequence[AttachmentRole | None], looks_like_pdf: Sequence[bool]) -> tuple[AttachmentRole, ...]:
    """A role for each: without a stated MAIN, the first PDF nobody called an annex is it; the rest are annexes."""
    main = next(
        (
            i
            for i, (wish, pdf) in enumerate(zip(wishes, looks_like_pdf, strict=True))
            if AttachmentRole.MAIN not in wishes and wish is None and pdf
        ),
        None,
    )
    return tuple(AttachmentRole.MAIN if i == main else wish or AttachmentRole.ANNEX for i, wish in enumerate(wishes))


def _attachments(
    form: Form, path: str, messages: Sequence[pb.Attachment]
) -> tuple[tuple[Attachment, ...], Mapping[Digest, bytes]]:
    wishes = [form.choice(f"{path}[{i}].role", each.role, ROLES_IN, None) for i, each in enumerate(messages)]
    if sum(len(each.content) for each in messages) > INLINE_LIMIT:
        form.wrong(
            path,
            f"carries more than {INLINE_LIMIT} bytes inline; use UploadAttachment",
            f"chứa hơn {INLINE_LIMIT} byte trực tiếp; hãy dùng UploadAttachment",
        )
    roles = assign_roles(wishes, [_looks_like_pdf(each) for each in messages])
    inline: dict[Digest, bytes] = {}
    attachments = []
    for i, (message, role) in enumerate(zip(messages, roles, strict=True)):
        digest = _content_digest(form, f"{path}[{i}]", message)
        if message.content:
            inline[digest] = message.content
        attachments.append(
            Attachment(
                name=message.attachment_name,
                media_type=message.media_type,
                size=len(message.content) if message.content else UNKNOWN_SIZE,
                sha256=digest,
                role=role,
                description=message.description,
                field_name=message.field_name,
                mime_type=message.mime_type,
                format=message.format,
            )
        )
    return tuple(attachments), MappingProxyType(inline)


def _content_digest(form: Form, path: str, message: pb.Attachment) -> Digest:
    if not message.content:
        return form.digest(f"{path}.sha256", message.sha256)
    digest = Digest(hashlib.sha256(message.content).hexdigest())
    if message.sha256 and message.sha256 != digest:
        form.wrong(f"{path}.sha256", "is not the digest of content", "không phải giá trị băm của content")
    return digest


def _looks_like_pdf(message: pb.Attachment) -> bool:
    declared = message.media_type.partition(";")[0].strip().lower()
    return declared == "application/pdf" or message.attachment_name.lower().endswith(".pdf")


def _organization(message: pb.Organization) -> Organization:
    return Organization(
        organ_id=OrganId(message.organ_id),
        organ_name=message.organ_name,
        organization_in_charge=message.organization_in_charge,
        organ_add=message.organ_add,
        email=message.email,
        telephone=message.telephone,
        fax=message.fax,
        website=message.website,
    )


def _document_type(message: pb.DocumentType) -> DocumentType:
    return DocumentType(
        type=message.type,
        type_detail=message.type_detail,
        type_name=message.type_name,
    )


def _signer_info(message: pb.SignerInfo) -> SignerInfo:
    return SignerInfo(
        competence=message.competence,
        position=message.position,
        full_name=message.full_name,
    )


def _other_info(form: Form, path: str, message: pb.OtherInfo) -> OtherInfo:
    return OtherInfo(
        priority=form.choice(f"{path}.priority", message.priority, _PRIORITIES, Priority.NORMAL),
        sphere_of_promulgation=message.sphere_of_promulgation,
        typer_notation=message.typer_notation,
        promulgation_amount=message.promulgation_amount,
        page_amount=message.page_amount,
        appendixes=tuple(message.appendixes),
        direction=message.direction,
        reply_fors=tuple(message.reply_fors),
        reference_codes=tuple(message.reference_codes),
    )


def _response_for(form: Form, path: str, message: pb.ResponseFor) -> ResponseFor:
    return ResponseFor(
        organ_id=OrganId(message.organ_id),
        code=message.code,
        promulgation_date=form.day(f"{path}.promulgation_date", message.promulgation_date),
        document_id=message.document_id,
    )


def _business(message: pb.Business) -> Business:
    return Business(
        reason=message.reason,
        document_id=message.document_id,
        document_info_changed=message.document_info_changed,
        document_receiver_changed=message.document_receiver_changed,
        receivers=tuple(
            ReceiverChange(
                receiver_type=each.receiver_type,
                organ_id=OrganId(each.organ_id),
            )
            for each in message.receivers
        ),
        staff_info=staff_in(message.staff_info),
        paper=message.paper,
        replacements=tuple(
            ReplacementInfo(
                document_id=each.document_id,
                organ_ids=tuple(OrganId(code) for code in each.organ_ids),
            )
            for each in message.replacements
        ),
    )
