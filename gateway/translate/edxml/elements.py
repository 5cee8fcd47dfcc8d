"""The format as one table: every element in standard order with its cardinality, lengths and form.

The writer follows the same order by hand, since its text is literal; `check(write(document))` finds nothing but the
additions, and a test keeps it so. Sources: edxml.md sections 1.3 to 1.6; lengths come from gateway.domain.lengths.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from gateway.domain.document import BusinessType, Priority, SteeringType
from gateway.domain.lengths import LENGTHS
from gateway.domain.status import KNOWN
from gateway.translate.edxml.codes import CONTENT


class Form(StrEnum):
    """What an element's text must look like."""

    GROUP = "group"
    TEXT = "text"
    DATE = "date"
    TIME = "time"
    ORGAN_ID = "organ_id"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CONTENT = "content"
    """Base64 of any length, which is never part of a tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element and what belongs into it."""

    name: str
    form: Form = Form.TEXT
    required: bool = False
    many: bool = False
    legal: int = 0
    """Characters by decree or amendment, 0 = none named; more is a warning."""
    technical: int = 0
    """Characters deployed systems take, 0 = none known."""
    allowed: tuple[str, ...] = ()
    """The code list of a NUMBER; empty = any unsigned short."""
    addition: bool = False
    """The national SDK's own, not the standard's: it has no place in the order."""
    children: tuple["Element", ...] = ()

    def child(self, name: str) -> "Element | None":
        """The child of that name."""
        return next((child for child in self.children if child.name == name), None)


def _text(name: str, field: str = "", *, required: bool = False, many: bool = False, addition: bool = False) -> Element:
    """A text; `field` is its key in LENGTHS, empty if nothing limits it."""
    technical, legal = (LENGTHS[field].technical, LENGTHS[field].legal) if field else (0, 0)
    return Element(name=name, technical=technical, legal=legal, required=required, many=many, addition=addition)


def _organ_id(field: str, *, required: bool = True, many: bool = False) -> Element:
    """An identifier code: the amendment's 35 characters are the law now, the decree's 13 are not (edxml.md 1.3)."""
    technical = LENGTHS[field].technical
    return Element(name="OrganId", form=Form.ORGAN_ID, technical=technical, required=required, many=many)


def _number(name: str, *allowed: str, required: bool = False) -> Element:
    return Element(name=name, form=Form.NUMBER, allowed=allowed, required=required)


def _words(values: Iterable[int]) -> Iterator[str]:
    """The numbers of a code list as they are written."""
    return (str(int(value)) for value in values)


def _date(name: str, *, required: bool = False) -> Element:
    return Element(name=name, form=Form.DATE, required=required)


def _group(
    name: str, *children: Element, required: bool = False, many: bool = False, addition: bool = False
) -> Element:
    return Element(name=name, form=Form.GROUP, children=children, required=required, many=many, addition=addition)


_BODY = (
    _organ_id("Organization.organ_id"),
    _text("OrganizationInCharge", "Organization.organization_in_charge"),
    _text("OrganName", "Organization.organ_name", required=True),
    _text("OrganAdd", "Organization.organ_add"),
    _text("Email", "Organization.email"),
    _text("Telephone", "Organization.telephone"),
    _text("Fax", "Organization.fax"),
    _text("Website", "Organization.website"),
)
_RESPONSE_FOR = (
    _organ_id("ResponseFor.organ_id"),
    _text("Code", "ResponseFor.code", required=True),
    _date("PromulgationDate", required=True),
    _text("DocumentId", "ResponseFor.document_id", required=True),
)
_STAFF = (
    _text("Department", "StaffInfo.department"),
    _text("Staff", "StaffInfo.staff"),
    _text("Mobile", "StaffInfo.mobile"),
    _text("Email", "StaffInfo.email"),
    _text("DepartmentId", "StaffInfo.department_id", addition=True),
    _text("StaffId", "StaffInfo.staff_id", addition=True),
)
_OTHER_INFO = (
    _number("Priority", *_words(Priority), required=True),
    _text("SphereOfPromulgation", "OtherInfo.sphere_of_promulgation"),
    _text("TyperNotation", "OtherInfo.typer_notation"),
    _number("PromulgationAmount"),
    _number("PageAmount"),
    _group("Appendixes", _text("Appendix", "OtherInfo.appendixes", many=True)),
    Element(name="Direction", form=Form.BOOLEAN, addition=True),
    # What these two hold is not known: read in any shape, written as here.
    _group("ReplyFors", _text("ReplyFor", "OtherInfo.reply_fors", many=True, addition=True), many=True, addition=True),
    _group(
        "ReferenceCodes",
        _text("ReferenceCode", "OtherInfo.reference_codes", many=True, addition=True),
        many=True,
        addition=True,
    ),
)
DOCUMENT_HEADER = _group(
    "MessageHeader",
    _group("From", *_BODY, required=True),
    _group("To", *_BODY, required=True, many=True),
    _group(
        "Code",
        _text("CodeNumber", "Document.code_number", required=True),
        _text("CodeNotation", "Document.code_notation", required=True),
        required=True,
    ),
    _group(
        "PromulgationInfo",
        _text("Place", "Document.promulgation_place", required=True),
        _date("PromulgationDate", required=True),
        required=True,
    ),
    _group(
        "DocumentType",
        _number("Type", required=True),
        _number("TypeDetail"),
        _text("TypeName", "DocumentType.type_name", required=True),
        required=True,
    ),
    _text("Subject", "Document.subject", required=True),
    _text("Content", "Document.content"),
    _group(
        "SignerInfo",
        _text("Competence", "SignerInfo.competence"),
        _text("Position", "SignerInfo.position"),
        _text("FullName", "SignerInfo.full_name", required=True),
        required=True,
    ),
    _date("DueDate"),
    _group("ToPlaces", _text("Place", "Document.to_places", many=True)),
    _group("OtherInfo", *_OTHER_INFO),
    _group("ResponseFor", *_RESPONSE_FOR, many=True),
    _number("SteeringType", *_words(SteeringType)),
    _group(
        "ResponseForTask",
        _text("TaskCode", "Document.task_codes", many=True, addition=True),
        many=True,
        addition=True,
    ),
    _text("ApplicationType", "Document.application_type", addition=True),
    _text("DocumentId", "Document.document_id", required=True),
    required=True,
)
STATUS_HEADER = _group(
    "MessageHeader",
    _group("From", *_BODY, required=True),
    _group("ResponseFor", *_RESPONSE_FOR, required=True),
    _group("StaffInfo", *_STAFF),
    _number("StatusCode", *sorted(KNOWN), required=True),
    _text("Description", "StatusReport.description"),
    Element(name="Timestamp", form=Form.TIME, required=True),
    required=True,
)
BUSINESS = _group(
    "Bussiness",
    _number("BussinessDocType", *_words(BusinessType), required=True),
    _text("BussinessDocReason", "Business.reason"),
    _group(
        "BussinessDocumentInfo",
        _number("DocumentInfo", "0", "1", required=True),
        _number("DocumentReceiver", "0", "1", required=True),
        _group(
            "ReceiverList",
            _group("Receiver", _number("ReceiverType", "0", "1"), _organ_id("ReceiverChange.organ_id"), many=True),
        ),
    ),
    _text("DocumentId", "Business.document_id"),
    _group("StaffInfo", *_STAFF),
    _number("Paper", "0", "1"),
    _group(
        "ReplacementInfoList",
        _group(
            "ReplacementInfo",
            _text("DocumentId", "ReplacementInfo.document_id", required=True),
            _group("OrganIdList", _organ_id("ReplacementInfo.organ_ids", required=False, many=True)),
            many=True,
        ),
    ),
)
TRACE_LIST = _group(
    "TraceHeaderList",
    _group(
        "TraceHeader",
        _organ_id("Organization.organ_id"),
        Element(name="Timestamp", form=Form.TIME, required=True),
        required=True,
        many=True,
    ),
    BUSINESS,
    required=True,
)
REFERENCE = _group(
    "Reference",
    _text("ContentId", required=True),
    _text("ContentType", "Attachment.media_type", required=True),
    _text("Description", "Attachment.description"),
    _text("AttachmentName", "Attachment.attachment_name", required=True),
    many=True,
)
ATTACHMENT = _group(
    "Attachment",
    _text("ContentId", required=True),
    _text("AttachmentName", "Attachment.attachment_name", required=True),
    _text("Description", "Attachment.description"),
    _text("ContentType", "Attachment.media_type", required=True),
    Element(name=CONTENT, form=Form.CONTENT),
    _text("FieldName", "Attachment.field_name", addition=True),
    _text("MimeType", "Attachment.mime_type", addition=True),
    _text("Format", "Attachment.format", addition=True),
    many=True,
)

CORRECTED_SPELLINGS: Mapping[str, str] = MappingProxyType(
    {
        "Business": "Bussiness",
        "BusinessDocType": "BussinessDocType",
        "BusinessDocReason": "BussinessDocReason",
        "BusinessDocumentInfo": "BussinessDocumentInfo",
    },
)
"""Correct English, which the national SDK does not read, to the standard's spelling."""
