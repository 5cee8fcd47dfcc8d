"""How long each text of the contract may be, and who says so; every limit in characters, nothing is ever cut.

`legal` is what the decree allows: more is a warning (law-and-load 1, rule 18). `technical` is what the peer's systems
take: more is refused before acceptance. Sources: ND30 = Decree 30/2020/ND-CP, Appendix VI; A1 = Amendment 1:2022 of
QCVN 102; BKV = the provincial axis of Bkav; UNI = a university's receiver table; VOF = Viettel VOffice; own = no source
is known, the limit is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """The limits of one field."""

    element: str
    """The edXML element."""
    technical: int
    source: str
    """Where the numbers come from."""
    legal: int = 0
    """0 = the decree names none."""


def _length(element: str, technical: int, source: str, *, legal: int = 0) -> Length:
    return Length(element=element, technical=technical, source=source, legal=legal)


LENGTHS: Mapping[str, Length] = MappingProxyType(
    {
        "Organization.organ_id": _length("OrganId", 35, "A1; legal ND30, before A1", legal=13),
        "Organization.organ_name": _length("OrganName", 200, "ND30", legal=200),
        "Organization.organization_in_charge": _length("OrganizationInCharge", 200, "BKV, UNI"),
        "Organization.organ_add": _length("OrganAdd", 250, "BKV, UNI"),
        "Organization.email": _length("Email", 100, "BKV, UNI"),
        "Organization.telephone": _length("Telephone", 50, "UNI; BKV 20"),
        "Organization.fax": _length("Fax", 50, "UNI; BKV 20"),
        "Organization.website": _length("Website", 100, "UNI; BKV's 20 is an error"),
        "DocumentType.type_name": _length("TypeName", 250, "own; legal ND30", legal=100),
        "SignerInfo.competence": _length("Competence", 100, "BKV, UNI"),
        "SignerInfo.position": _length("Position", 100, "ND30", legal=100),
        "SignerInfo.full_name": _length("FullName", 255, "BKV; legal ND30", legal=50),
        "ResponseFor.organ_id": _length("OrganId", 35, "A1"),
        "ResponseFor.code": _length("Code", 100, "own: CodeNumber + CodeNotation"),
        "ResponseFor.document_id": _length("DocumentId", 200, "UNI; BKV 75"),
        "StaffInfo.department": _length("Department", 300, "BKV"),
        "StaffInfo.staff": _length("Staff", 300, "BKV"),
        "StaffInfo.mobile": _length("Mobile", 100, "UNI; BKV 30"),
        "StaffInfo.email": _length("Email", 100, "BKV, UNI"),
        "StaffInfo.department_id": _length("DepartmentId", 100, "own"),
        "StaffInfo.staff_id": _length("StaffId", 100, "own"),
        "OtherInfo.sphere_of_promulgation": _length("SphereOfPromulgation", 100, "BKV, UNI"),
        "OtherInfo.typer_notation": _length("TyperNotation", 10, "BKV, UNI"),
        "OtherInfo.appendixes": _length("Appendix", 250, "BKV"),
        "OtherInfo.reply_fors": _length("ReplyFors", 200, "own"),
        "OtherInfo.reference_codes": _length("ReferenceCodes", 200, "own"),
        "ReceiverChange.organ_id": _length("OrganId", 35, "A1"),
        "ReplacementInfo.document_id": _length("DocumentId", 200, "UNI; BKV 75"),
        "ReplacementInfo.organ_ids": _length("OrganId", 35, "A1"),
        "Business.reason": _length("BussinessDocReason", 500, "BKV"),
        "Business.document_id": _length("DocumentId", 200, "UNI; BKV 75"),
        "Attachment.attachment_name": _length("AttachmentName", 500, "BKV"),
        "Attachment.media_type": _length("ContentType", 255, "own"),
        "Attachment.description": _length("Description", 500, "own"),
        "Attachment.field_name": _length("FieldName", 100, "own"),
        "Attachment.mime_type": _length("MimeType", 255, "own"),
        "Attachment.format": _length("Format", 100, "own"),
        "Document.document_id": _length("DocumentId", 200, "UNI; BKV 75"),
        "Document.code_number": _length("CodeNumber", 50, "UNI; legal ND30, BKV 11", legal=11),
        "Document.code_notation": _length("CodeNotation", 50, "UNI; legal ND30, BKV 30", legal=30),
        "Document.promulgation_place": _length("Place", 50, "BKV, UNI"),
        "Document.subject": _length("Subject", 500, "ND30", legal=500),
        "Document.content": _length("Content", 500, "BKV, UNI"),
        "Document.to_places": _length("Place", 150, "BKV"),
        "Document.application_type": _length("ApplicationType", 100, "own"),
        "Document.task_codes": _length("TaskCode", 100, "own"),
        "StatusReport.description": _length("Description", 1000, "VOF; BKV 75"),
    },
)
"""By message and field of the contract. docs/edxml.md: from here."""

BKAV: Mapping[str, int] = MappingProxyType(
    {
        "Organization.telephone": 20,
        "Organization.fax": 20,
        "ResponseFor.document_id": 75,
        "StaffInfo.mobile": 30,
        "ReplacementInfo.document_id": 75,
        "Business.document_id": 75,
        "Document.document_id": 75,
        "Document.code_number": 11,
        "Document.code_notation": 30,
        "StatusReport.description": 75,
    },
)
"""Where Bkav's axis takes less."""
