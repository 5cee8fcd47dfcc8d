"""What a dialect makes of a document before it is written: values alone, no XML (edxml.md 1.3, 1.4, 2.1)."""

from dataclasses import replace

from gateway.domain.dialect import Dialect, TypePractice
from gateway.domain.document import Document, DocumentType, StaffInfo
from gateway.domain.status import StatusReport
from gateway.translate.edxml.codes import TYPE_ADMINISTRATIVE, TYPE_NORMATIVE

_ADDED = 1
"""The contract's word for an added recipient."""


def document_for(document: Document, dialect: Dialect) -> Document:
    """The document as this peer wants it said; nothing changes for the national dialect."""
    business = document.business
    if dialect.receiver_added != _ADDED:
        changes = tuple(replace(one, receiver_type=_other(one.receiver_type)) for one in business.receivers)
        document = replace(document, business=replace(business, receivers=changes))
    return document if dialect.additions else _without_additions(document)


def status_for(report: StatusReport, dialect: Dialect) -> StatusReport:
    """The status as this peer wants it said."""
    return report if dialect.additions else replace(report, staff_info=_plain_staff(report.staff_info))


def type_words(kind: DocumentType, practice: TypePractice) -> tuple[str, str]:
    """Texts of Type and TypeDetail; an empty one is not written.

    Under LIST_NUMBER a number of either list goes into Type, so its class is lost; a class without a number stays.
    """
    given = str(kind.type or TYPE_ADMINISTRATIVE)
    detail = str(kind.type_detail or "")
    match practice:
        case TypePractice.SDK:
            return str(TYPE_NORMATIVE), "0"
        case TypePractice.LIST_NUMBER:
            return (detail if detail and kind.type <= TYPE_ADMINISTRATIVE else given), ""
        case TypePractice.AS_GIVEN:
            return given, detail


def _other(receiver_type: int) -> int:
    return 1 - receiver_type if receiver_type in (0, 1) else receiver_type


def _without_additions(document: Document) -> Document:
    return replace(
        document,
        application_type="",
        task_codes=(),
        other_info=replace(document.other_info, direction=False, reply_fors=(), reference_codes=()),
        business=replace(document.business, staff_info=_plain_staff(document.business.staff_info)),
        attachments=tuple(replace(one, field_name="", mime_type="", format="") for one in document.attachments),
    )


def _plain_staff(staff: StaffInfo) -> StaffInfo:
    return replace(staff, department_id="", staff_id="")
