"""The administrative document (văn bản) as values; field names follow the edXML elements, see the proto contract."""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum

from gateway.domain.ids import Digest, OrganId
from gateway.domain.verdict import SignatureVerdict


class BusinessType(IntEnum):
    """Element BussinessDocType: what the packet asks of the receiver. Fields hold a plain int, as for Priority."""

    NEW = 0
    RECALL = 1
    UPDATE = 2
    REPLACE = 3


class Priority(IntEnum):
    """Element Priority (độ khẩn). Fields hold a plain int, so that values outside this list survive."""

    NORMAL = 0
    URGENT = 1
    VERY_URGENT = 2
    FLASH = 3
    FLASH_TIMED = 4


class SteeringType(IntEnum):
    """Element SteeringType. Fields hold a plain int, so that values outside this list survive."""

    NONE = 0
    DIRECTIVE = 1
    REPORT = 2


class AttachmentRole(StrEnum):
    """Part a file plays in its document."""

    MAIN = "main"
    ANNEX = "annex"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """An agency as printed in a packet: elements From and To."""

    organ_id: OrganId
    organ_name: str = ""
    organization_in_charge: str = ""
    organ_add: str = ""
    email: str = ""
    telephone: str = ""
    fax: str = ""
    website: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentType:
    """Kind of document (loại văn bản)."""

    type: int = 0
    """Class 1 or 2, or 3 and above a number of the administrative list; 0 = absent."""
    type_detail: int = 0
    """Number in the list of the class; 0 = absent."""
    type_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerInfo:
    """Who signed, as printed."""

    competence: str = ""
    position: str = ""
    full_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFor:
    """Names another document: answered, recalled or reported on."""

    organ_id: OrganId
    code: str = ""
    """`number/notation`."""
    promulgation_date: date | None = None
    document_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffInfo:
    """The handling clerk."""

    department: str = ""
    staff: str = ""
    mobile: str = ""
    email: str = ""
    department_id: str = ""
    """Addition of the national SDK."""
    staff_id: str = ""
    """Addition of the national SDK."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherInfo:
    """Numbers and remarks about the document."""

    priority: int = Priority.NORMAL
    sphere_of_promulgation: str = ""
    typer_notation: str = ""
    promulgation_amount: int = 0
    """0 = absent."""
    page_amount: int = 0
    """0 = absent."""
    appendixes: tuple[str, ...] = ()
    direction: bool = False
    """Addition of the national SDK."""
    reply_fors: tuple[str, ...] = ()
    """Addition of the national SDK."""
    reference_codes: tuple[str, ...] = ()
    """Addition of the national SDK."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceHeader:
    """One hop; both parts as written by the hop, either may be empty."""

    organ_id: str
    timestamp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverChange:
    """One changed recipient of an update: receiver_type 1 = added, 0 = removed."""

    receiver_type: int
    organ_id: OrganId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacementInfo:
    """One replaced document and the recipients concerned."""

    document_id: str
    organ_ids: tuple[OrganId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """Group Bussiness without its type, which is Document.business_type."""

    reason: str = ""
    document_id: str = ""
    document_info_changed: bool = False
    document_receiver_changed: bool = False
    receivers: tuple[ReceiverChange, ...] = ()
    staff_info: StaffInfo = StaffInfo()
    paper: bool = False
    replacements: tuple[ReplacementInfo, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One attached file; its bytes are a stored object named by their digest."""

    name: str
    """Element AttachmentName, as written; never used as a path."""
    media_type: str
    size: int
    """Bytes."""
    sha256: Digest
    role: AttachmentRole
    description: str = ""
    verdict: SignatureVerdict | None = None
    """None until checked, and for files that are not PDF."""
    field_name: str = ""
    """Addition of the national SDK, as the next two; says nothing about the bytes."""
    mime_type: str = ""
    format: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One administrative document, complete."""

    sender: Organization
    """Element From."""
    to: tuple[Organization, ...]
    document_id: str
    code_number: str
    code_notation: str
    promulgation_place: str
    promulgation_date: date | None
    """None only in received packets that name none."""
    subject: str
    document_type: DocumentType = DocumentType()
    business_type: int = BusinessType.NEW
    content: str = ""
    signer_info: SignerInfo = SignerInfo()
    due_date: date | None = None
    to_places: tuple[str, ...] = ()
    other_info: OtherInfo = OtherInfo()
    response_for: tuple[ResponseFor, ...] = ()
    steering_type: int | None = None
    application_type: str = ""
    """Addition of the national SDK."""
    task_codes: tuple[str, ...] = ()
    """Tasks answered, elements ResponseForTask/TaskCode; an addition of the national SDK."""
    business: Business = Business()
    trace: tuple[TraceHeader, ...] = ()
    attachments: tuple[Attachment, ...] = ()

    @property
    def code(self) -> str:
        """Full number and notation (số, ký hiệu), `number/notation`."""
        return f"{self.code_number}/{self.code_notation}"
