"""The MessageHeader of documents and statuses, in the standard's order (edxml.md 1.3, 1.6).

The national SDK's additions stand at the end of their groups; its places for them are not known to matter.
"""

from collections.abc import Sequence

from gateway.domain.dialect import StatusContainer, TypePractice
from gateway.domain.document import Document, Organization, OtherInfo, ResponseFor, StaffInfo
from gateway.domain.status import StatusReport
from gateway.domain.vntime import edxml_date
from gateway.translate.edxml.writing.habits import type_words
from gateway.translate.edxml.writing.packetxml import PacketXml


def write_message(
    xml: PacketXml, document: Document, recipients: Sequence[Organization], practice: TypePractice
) -> None:
    """The MessageHeader of a document."""
    xml.open("MessageHeader")
    _organization(xml, "From", document.sender)
    for recipient in recipients:
        _organization(xml, "To", recipient)
    xml.group("Code", ("CodeNumber", document.code_number), ("CodeNotation", document.code_notation))
    issued = "" if document.promulgation_date is None else edxml_date(document.promulgation_date)
    xml.group("PromulgationInfo", ("Place", document.promulgation_place), ("PromulgationDate", issued))
    kind, detail = type_words(document.document_type, practice)
    xml.group("DocumentType", ("Type", kind), ("TypeDetail", detail), ("TypeName", document.document_type.type_name))
    xml.leaf("Subject", document.subject)
    xml.leaf("Content", document.content)
    signer = document.signer_info
    signed = ("Competence", signer.competence), ("Position", signer.position), ("FullName", signer.full_name)
    xml.group("SignerInfo", *signed)
    xml.leaf("DueDate", "" if document.due_date is None else edxml_date(document.due_date))
    xml.texts("ToPlaces", "Place", document.to_places)
    _other_info(xml, document.other_info)
    for named in document.response_for:
        _response_for(xml, named)
    xml.leaf("SteeringType", "" if document.steering_type is None else str(document.steering_type))
    xml.texts("ResponseForTask", "TaskCode", document.task_codes)
    xml.leaf("ApplicationType", document.application_type)
    xml.leaf("DocumentId", document.document_id)
    xml.close("MessageHeader")


def write_status_message(xml: PacketXml, report: StatusReport, container: StatusContainer) -> None:
    """The same place of a status packet, under the name the peer wants."""
    xml.open(container)
    _organization(xml, "From", report.sender)
    _response_for(xml, report.response_for)
    write_staff(xml, report.staff_info)
    xml.leaf("StatusCode", report.status_code)
    xml.leaf("Description", report.description)
    xml.leaf("Timestamp", report.timestamp)
    xml.close(container)


def write_staff(xml: PacketXml, staff: StaffInfo) -> None:
    """Group StaffInfo."""
    xml.group(
        "StaffInfo",
        ("Department", staff.department),
        ("Staff", staff.staff),
        ("Mobile", staff.mobile),
        ("Email", staff.email),
        ("DepartmentId", staff.department_id),
        ("StaffId", staff.staff_id),
    )


def _organization(xml: PacketXml, name: str, body: Organization) -> None:
    xml.group(
        name,
        ("OrganId", body.organ_id),
        ("OrganizationInCharge", body.organization_in_charge),
        ("OrganName", body.organ_name),
        ("OrganAdd", body.organ_add),
        ("Email", body.email),
        ("Telephone", body.telephone),
        ("Fax", body.fax),
        ("Website", body.website),
    )


def _other_info(xml: PacketXml, other: OtherInfo) -> None:
    xml.open("OtherInfo")
    xml.leaf("Priority", str(int(other.priority)))
    xml.leaf("SphereOfPromulgation", other.sphere_of_promulgation)
    xml.leaf("TyperNotation", other.typer_notation)
    xml.number("PromulgationAmount", other.promulgation_amount)
    xml.number("PageAmount", other.page_amount)
    xml.texts("Appendixes", "Appendix", other.appendixes)
    xml.leaf("Direction", "true" if other.direction else "")
    # How the SDK holds several values is not known: one child each is our choice.
    xml.texts("ReplyFors", "ReplyFor", other.reply_fors)
    xml.texts("ReferenceCodes", "ReferenceCode", other.reference_codes)
    xml.close("OtherInfo")


def _response_for(xml: PacketXml, named: ResponseFor) -> None:
    day = "" if named.promulgation_date is None else edxml_date(named.promulgation_date)
    xml.group(
        "ResponseFor",
        ("OrganId", named.organ_id),
        ("Code", named.code),
        ("PromulgationDate", day),
        ("DocumentId", named.document_id),
    )
