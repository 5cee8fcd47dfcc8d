"""The format as one table: every element in standard order with its cardinality, lengths and form.

The writer follows the same order by hand, since its text is literal; `check(write(document))` finds nothing, and a test
keeps it so. Sources: edxml.md sections 1.3 to 1.6; lengths are (legal, technical), 0 = none known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Form(StrEnum):
    """What an element's text must look like."""

    GROUP = "group"
    TEXT = "text"
    DATE = "date"
    TIME = "time"
    ORGAN_ID = "organ_id"
    NUMBER = "number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element and what belongs into it."""

    name: str
    form: Form = Form.TEXT
    required: bool = False
    many: bool = False
    legal: int = 0
    """Characters by decree or amendment; more is a warning."""
    technical: int = 0
    """Characters deployed systems take."""
    allowed: tuple[str, ...] = ()
    """The code list of a NUMBER; empty = any unsigned short."""
    children: tuple["Element", ...] = ()

    def child(self, name: str) -> "Element | None":
        """The child of that name."""
        return next((child for child in self.children if child.name == name), None)


def _text(name: str, *, legal: int = 0, technical: int = 0, required: bool = False, many: bool = False) -> Element:
    return Element(name=name, legal=legal, technical=technical, required=required, many=many)


def _number(name: str, *allowed: str, required: bool = False) -> Element:
    return Element(name=name, form=Form.NUMBER, allowed=allowed, required=required)


def _date(name: str, *, required: bool = False) -> Element:
    return Element(name=name, form=Form.DATE, required=required)


def _group(name: str, *children: Element, required: bool = False, many: bool = False) -> Element:
    return Element(name=name, form=Form.GROUP, children=children, required=required, many=many)


_ORGAN_ID = Element(name="OrganId", form=Form.ORGAN_ID, required=True, legal=35, technical=35)
_BODY = (
    _ORGAN_ID,
    _text("OrganizationInCharge", technical=200),
    _text("OrganName", legal=200, technical=200, required=True),
    _text("OrganAdd", technical=250),
    _text("Email", technical=100),
    _text("Telephone", technical=50),
    _text("Fax", technical=50),
    _text("Website", technical=100),
)
_RESPONSE_FOR = (
    _ORGAN_ID,
    _text("Code", technical=100, required=True),
    _date("PromulgationDate", required=True),
    _text("DocumentId", technical=200, required=True),
)
_STAFF = (
    _text("Department", technical=300),
    _text("Staff", technical=300),
    _text("Mobile", technical=100),
    _text("Email", technical=100),
)
_OTHER_INFO = (
    _number("Priority", "0", "1", "2", "3", "4", required=True),
    _text("SphereOfPromulgation", technical=100),
    _text("TyperNotation", technical=10),
    _number("PromulgationAmount"),
    _number("PageAmount"),
    _group("Appendixes", _text("Appendix", technical=250, many=True)),
)
DOCUMENT_HEADER = _group(
    "MessageHeader",
    _group("From", *_BODY, required=True),
    _group("To", *_BODY, required=True, many=True),
    _group(
        "Code",
        _text("CodeNumber", legal=11, technical=50, required=True),
        _text("CodeNotation", legal=30, technical=50, required=True),
        required=True,
    ),
    _group(
        "PromulgationInfo",
        _text("Place", technical=50, required=True),
        _date("PromulgationDate", required=True),
        required=True,
    ),
    _group(
        "DocumentType",
        _number("Type", required=True),
        _number("TypeDetail"),
        _text("TypeName", legal=100, technical=250, required=True),
        required=True,
    ),
    _text("Subject", legal=500, technical=500, required=True),
    _text("Content", technical=500),
    _group(
        "SignerInfo",
        _text("Competence", technical=100),
        _text("Position", legal=100, technical=100),
        _text("FullName", legal=50, technical=255, required=True),
        required=True,
    ),
    _date("DueDate"),
    _group("ToPlaces", _text("Place", technical=150, many=True)),
    _group("OtherInfo", *_OTHER_INFO),
    _group("ResponseFor", *_RESPONSE_FOR, many=True),
    _number("SteeringType", "0", "1", "2"),
    _text("DocumentId", technical=200, required=True),
    required=True,
)
STATUS_HEADER = _group(
    "MessageHeader",
    _group("From", *_BODY, required=True),
    _group("ResponseFor", *_RESPONSE_FOR, required=True),
    _group("StaffInfo", *_STAFF),
    _number("StatusCode", *("01", "02", "03", "04", "05", "06", "13", "15", "16"), required=True),
    _text("Description", technical=1000),
    Element(name="Timestamp", form=Form.TIME, required=True),
    required=True,
)
BUSINESS = _group(
    "Bussiness",
    _number("BussinessDocType", "0", "1", "2", "3", required=True),
    _text("BussinessDocReason", technical=500),
    _group(
        "BussinessDocumentInfo",
        _number("DocumentInfo", "0", "1", required=True),
        _number("DocumentReceiver", "0", "1", required=True),
        _group("ReceiverList", _group("Receiver", _number("ReceiverType", "0", "1"), _ORGAN_ID, many=True)),
    ),
    _text("DocumentId", technical=200),
    _group("StaffInfo", *_STAFF),
    _number("Paper", "0", "1"),
    _group(
        "ReplacementInfoList",
        _group(
            "ReplacementInfo",
            _text("DocumentId", technical=200, required=True),
            _group("OrganIdList", Element(name="OrganId", form=Form.ORGAN_ID, many=True, legal=35, technical=35)),
            many=True,
        ),
    ),
)
TRACE_LIST = _group(
    "TraceHeaderList",
    _group(
        "TraceHeader",
        _ORGAN_ID,
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
    _text("ContentType", required=True),
    _text("Description"),
    _text("AttachmentName", technical=500, required=True),
    many=True,
)
ATTACHMENT = _group(
    "Attachment",
    _text("ContentId", required=True),
    _text("AttachmentName", technical=500, required=True),
    _text("Description"),
    _text("ContentType", required=True),
    _text("ContentTransferEncoded"),
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
