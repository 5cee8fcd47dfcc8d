"""Recall, update, replacement (thu hồi, cập nhật, thay thế): which earlier document they follow, and how they say so.

One submission follows one document: VNPT's builder keeps only the last of several ResponseFor (edXML 1.12), and a place
in the order of one document is the only one there can be. The sender owns what it follows (edXML 5.7 item 12).
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from gateway.domain.agency import code_key, same_code
from gateway.domain.document import BusinessType, Document, ResponseFor
from gateway.domain.errors import FieldViolation, required, unknown_value


def followed(document: Document) -> ResponseFor | None:
    """How the submission names the document it follows; None for a new document, or where it names none or several."""
    business = document.business
    match document.business_type:
        case BusinessType.RECALL if len(document.response_for) == 1:
            return document.response_for[0]
        case BusinessType.UPDATE:
            return ResponseFor(organ_id=document.sender.organ_id, document_id=business.document_id)
        case BusinessType.REPLACE if len(business.replacements) == 1:
            return ResponseFor(organ_id=document.sender.organ_id, document_id=business.replacements[0].document_id)
        case _:
            return None


def judge_kind(document: Document) -> Iterator[FieldViolation]:
    """What is wrong with the way the submission names what it follows, as far as it shows by itself."""
    business = document.business
    match document.business_type:
        case BusinessType.NEW:
            return
        case BusinessType.RECALL:
            yield from _judge_recall(document)
        case BusinessType.UPDATE:
            if not business.document_id.strip():
                yield required("document.business.document_id")
        case BusinessType.REPLACE:
            yield from _judge_one("document.business.replacements", len(business.replacements))
            if len(business.replacements) == 1 and not business.replacements[0].document_id.strip():
                yield required("document.business.replacements[0].document_id")
        case unknown:
            yield unknown_value("document.business_type", unknown)


def judge_followed(
    document: Document, *, found: Document | None, recipients: Collection[str]
) -> Iterator[FieldViolation]:
    """What is wrong with it beside the document found under the name it gives; `recipients` are that one's code keys.

    Only those may be asked to give a document back who were sent it; an update or replacement may go to others too.
    """
    if found is None:
        yield FieldViolation(
            path=_path(document),
            en="the gateway keeps no document of this sender that matches",
            vi="Hệ thống không lưu văn bản nào của cơ quan gửi khớp với thông tin này.",
        )
    elif document.business_type == BusinessType.RECALL:
        yield from _judge_marks(document.response_for[0], found)
        for i, organization in enumerate(document.to):
            if code_key(organization.organ_id) not in recipients:
                yield FieldViolation(
                    path=f"document.to[{i}].organ_id",
                    en="the document recalled was not sent to this agency",
                    vi="Văn bản bị thu hồi chưa từng được gửi cho cơ quan này.",
                )


def completed(document: Document, found: Document) -> Document:
    """The submission naming what it follows as its recipients know it: with all its marks, as it was sent."""
    business = document.business
    match document.business_type:
        case BusinessType.RECALL:
            reference = ResponseFor(
                organ_id=found.sender.organ_id,
                code=found.code,
                promulgation_date=found.promulgation_date,
                document_id=found.document_id,
            )
            return replace(document, response_for=(reference,))
        case BusinessType.UPDATE:
            return replace(document, business=replace(business, document_id=found.document_id))
        case _:
            named = tuple(replace(each, document_id=found.document_id) for each in business.replacements)
            return replace(document, business=replace(business, replacements=named))


def _path(document: Document) -> str:
    match document.business_type:
        case BusinessType.RECALL:
            return "document.response_for[0]"
        case BusinessType.UPDATE:
            return "document.business.document_id"
        case _:
            return "document.business.replacements[0].document_id"


def _judge_recall(document: Document) -> Iterator[FieldViolation]:
    business = document.business
    yield from _judge_one("document.response_for", len(document.response_for))
    if len(document.response_for) == 1:
        yield from _judge_reference("document.response_for[0]", document)
    if not business.reason.strip():
        yield required("document.business.reason")
    if business.document_id.strip():
        yield FieldViolation(
            path="document.business.document_id",
            en="empty in a recall, which names its document in response_for",
            vi="Văn bản bị thu hồi được nêu trong response_for; trường này phải để trống.",
        )


def _judge_one(path: str, count: int) -> Iterator[FieldViolation]:
    if count != 1:
        yield FieldViolation(
            path=path,
            en=f"names exactly one earlier document, found {count}",
            vi=f"Phải nêu đúng một văn bản đã gửi, hiện có {count}.",
        )


def _judge_reference(path: str, document: Document) -> Iterator[FieldViolation]:
    reference = document.response_for[0]
    if not same_code(reference.organ_id, document.sender.organ_id):
        yield FieldViolation(
            path=f"{path}.organ_id",
            en="only the sender's own documents can be recalled",
            vi="Chỉ được thu hồi văn bản của chính cơ quan gửi.",
        )
    by_number = reference.code.strip(" /") and reference.promulgation_date is not None
    if not reference.document_id.strip() and not by_number:
        yield FieldViolation(
            path=f"{path}.document_id",
            en="required, unless both code and promulgation_date are given",
            vi="Bắt buộc nhập, trừ khi có đủ số, ký hiệu và ngày ban hành.",
        )


def _judge_marks(reference: ResponseFor, found: Document) -> Iterator[FieldViolation]:
    """A document id with another document's number or date: a slip that would recall the wrong one."""
    day = reference.promulgation_date
    for name, given, fits in (
        ("code", reference.code.strip(), same_code(reference.code, found.code)),
        ("promulgation_date", day, day == found.promulgation_date),
    ):
        if given and not fits:
            yield FieldViolation(
                path=f"document.response_for[0].{name}",
                en=f"not that of the document {found.document_id}",
                vi=f"Không khớp với văn bản {found.document_id}.",
            )
