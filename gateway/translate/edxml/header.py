"""From the header's tree to a Document or StatusReport, tolerant where deployed systems differ (edxml.md 1.3-1.6)."""

from collections.abc import Iterable
from dataclasses import replace

from gateway.domain.document import (
    Document,
    DocumentType,
    OtherInfo,
    Priority,
    SignerInfo,
    TraceHeader,
)
from gateway.domain.rules import compose_document_id
from gateway.domain.status import StatusReport
from gateway.translate.edxml.business import find_business, read_business
from gateway.translate.edxml.codes import (
    PRIORITY_WORDS,
    TYPE_ADMINISTRATIVE,
    VENDOR_ADDITIONS,
    listed_name,
)
from gateway.translate.edxml.dates import is_strict_time
from gateway.translate.edxml.elements import DOCUMENT_HEADER, STATUS_HEADER, Element
from gateway.translate.edxml.findings import Defect, Findings, Tolerance, refusal
from gateway.translate.edxml.groups import Values, organization, response_for, staff_info
from gateway.translate.edxml.tree import Node
from gateway.xmlsafe import Limits

Header = Document | StatusReport
"""What a header says; a document without its attachments."""

_STATUS_DIGITS = 2
_STATUS_LIMIT = 3


def read_header(root: Node, limits: Limits, findings: Findings) -> Header:
    """Read the header of a whole packet. Raises RefusedError if what routing needs is missing."""
    header = _required(_required(root, "edXMLEnvelope"), "edXMLHeader")
    message = header.first("MessageHeader")
    container = header.first("Status")
    if message is None and container is not None:
        findings.add(Tolerance.STATUS_CONTAINER, container)
        message = container
    if message is None:
        raise refusal(Defect.ELEMENT_MISSING, header.path, what="MessageHeader")
    values = Values(findings)
    if message is container or message.first("StatusCode"):
        _note_oddities(message, STATUS_HEADER, findings)
        return _status(message, values)
    _note_oddities(message, DOCUMENT_HEADER, findings)
    return _document(header, message, limits, values)


def _required(node: Node, name: str) -> Node:
    found = node.first(name)
    if found is None:
        raise refusal(Defect.ELEMENT_MISSING, node.path, what=name)
    return found


def _note_oddities(node: Node, element: Element, findings: Findings) -> None:
    """Elements that do not belong here, and single ones that come more than once: both are passed over."""
    seen: set[str] = set()
    for child in node.children:
        known = element.child(child.name)
        if child.is_empty() or child.name in VENDOR_ADDITIONS:
            continue
        if known is None:
            findings.add(Tolerance.ELEMENT_UNKNOWN, child, what=child.name)
            continue
        if child.name in seen and not known.many:
            findings.add(Tolerance.ELEMENT_REPEATED, child, what=child.name)
        seen.add(child.name)
        _note_oddities(child, known, findings)


def _status(message: Node, values: Values) -> StatusReport:
    sender = organization(_required(message, "From"))
    if not sender.organ_id:
        raise refusal(Defect.ELEMENT_MISSING, f"{message.path}/From", what="OrganId")
    about = message.all("ResponseFor")
    named = response_for(_required(message, "ResponseFor"), values)
    if not named.organ_id:
        raise refusal(Defect.ELEMENT_MISSING, about[0].path, what="OrganId")
    if not named.code and not named.document_id:
        raise refusal(Defect.ELEMENT_MISSING, about[0].path, what="Code or DocumentId")
    timestamp = message.value("Timestamp")
    if not timestamp:
        values.findings.add(Tolerance.ELEMENT_ABSENT, message, what="Timestamp")
    elif not is_strict_time(timestamp):
        values.findings.add(Tolerance.DATE_FORMAT, message, "Timestamp", found=timestamp)
    return StatusReport(
        sender=sender,
        response_for=named,
        status_code=_status_code(message, values.findings),
        timestamp=timestamp,
        description=message.value("Description"),
        staff_info=staff_info(message.first("StaffInfo")),
    )


def _status_code(message: Node, findings: Findings) -> str:
    """Two digits at least; others store a number, so `3` means `03`."""
    written = message.value("StatusCode")
    if not written:
        raise refusal(Defect.ELEMENT_MISSING, message.path, what="StatusCode")
    if not (written.isascii() and written.isdigit()) or len(written) > _STATUS_LIMIT:
        raise refusal(Defect.STATUS_CODE_INVALID, f"{message.path}/StatusCode", found=written)
    if len(written) != _STATUS_DIGITS:
        findings.add(Tolerance.STATUS_CODE_SHORT, message, "StatusCode", found=written)
    return str(int(written)).zfill(_STATUS_DIGITS)


def _document(header: Node, message: Node, limits: Limits, values: Values) -> Document:
    sender = organization(_required(message, "From"))
    if not sender.organ_id:
        raise refusal(Defect.ELEMENT_MISSING, f"{message.path}/From", what="OrganId")
    business_type, business = read_business(find_business(header, values.findings), values)
    promulgation = message.first("PromulgationInfo")
    code = message.first("Code")
    steering = message.first("SteeringType")
    document = Document(
        sender=sender,
        to=values.recipients(message, limits.recipients),
        document_id=message.value("DocumentId"),
        code_number=code.value("CodeNumber") if code else "",
        code_notation=code.value("CodeNotation") if code else "",
        promulgation_place=promulgation.value("Place") if promulgation else "",
        promulgation_date=values.date(promulgation, "PromulgationDate"),
        subject=message.value("Subject"),
        document_type=_document_type(message.first("DocumentType"), values),
        business_type=business_type,
        content=message.value("Content"),
        signer_info=_signer_info(message.first("SignerInfo")),
        due_date=values.date(message, "DueDate"),
        to_places=_texts(message.first("ToPlaces"), "Place"),
        other_info=_other_info(message.first("OtherInfo"), values),
        response_for=tuple(response_for(node, values) for node in message.all("ResponseFor")),
        steering_type=None if steering is None else values.number(message, "SteeringType", default=None),
        business=business,
        trace=_trace(header.first("TraceHeaderList"), values.findings),
    )
    return _identified(document, message, values.findings)


def _identified(document: Document, message: Node, findings: Findings) -> Document:
    """A document needs a name of its own: DocumentId, or sender, date and code, of which one is made."""
    for name, value in (
        ("Code/CodeNumber", document.code_number),
        ("Code/CodeNotation", document.code_notation),
        ("PromulgationInfo/PromulgationDate", document.promulgation_date),
        ("Subject", document.subject),
    ):
        if not value:
            findings.add(Tolerance.ELEMENT_ABSENT, message, what=name)
    if document.document_id:
        return document
    if not document.code_number or document.promulgation_date is None:
        raise refusal(Defect.ELEMENT_MISSING, message.path, what="DocumentId (or Code and PromulgationDate)")
    made = compose_document_id(document.sender.organ_id, document.promulgation_date, document.code)
    findings.add(Tolerance.DOCUMENT_ID_DERIVED, message, made=made)
    return replace(document, document_id=made)


def _document_type(node: Node | None, values: Values) -> DocumentType:
    """Three practices meet here (edxml.md 2.1): class and number, a bare list number, or the name alone being right."""
    if node is None:
        return DocumentType()
    made = DocumentType(
        type=max(values.number(node, "Type", default=0) or 0, 0),
        type_detail=max(values.number(node, "TypeDetail", default=0) or 0, 0),
        type_name=node.value("TypeName"),
    )
    as_class, as_number = made.type, made.type_detail
    if made.type > TYPE_ADMINISTRATIVE:
        values.findings.add(Tolerance.TYPE_AS_LIST_NUMBER, node, "Type", found=made.type)
        as_class, as_number = TYPE_ADMINISTRATIVE, made.type
    listed = listed_name(as_class, as_number)
    if listed and made.type_name and listed.casefold() not in made.type_name.casefold():
        values.findings.add(Tolerance.TYPE_NAME_CONFLICT, node, name=made.type_name, listed=listed)
    return made


def _signer_info(node: Node | None) -> SignerInfo:
    if node is None:
        return SignerInfo()
    return SignerInfo(
        competence=node.value("Competence"), position=node.value("Position"), full_name=node.value("FullName")
    )


def _other_info(node: Node | None, values: Values) -> OtherInfo:
    if node is None:
        return OtherInfo()
    priority = values.number(node, "Priority", default=Priority.NORMAL) or Priority.NORMAL
    if priority not in PRIORITY_WORDS:
        values.findings.add(Tolerance.VALUE_UNKNOWN, node, "Priority", found=priority)
    return OtherInfo(
        priority=int(priority),
        sphere_of_promulgation=node.value("SphereOfPromulgation"),
        typer_notation=node.value("TyperNotation"),
        promulgation_amount=max(values.number(node, "PromulgationAmount", default=0) or 0, 0),
        page_amount=max(values.number(node, "PageAmount", default=0) or 0, 0),
        appendixes=_texts(node.first("Appendixes"), "Appendix"),
    )


def _trace(node: Node | None, findings: Findings) -> tuple[TraceHeader, ...]:
    hops: list[TraceHeader] = []
    for hop in node.all("TraceHeader") if node else ():
        organ_id = hop.value("OrganId")
        if organ_id in {"", "null"}:
            findings.add(Tolerance.TRACE_WITHOUT_ORGAN, hop)
            organ_id = ""
        hops.append(TraceHeader(organ_id=organ_id, timestamp=hop.value("Timestamp")))
    return tuple(hops)


def _texts(node: Node | None, name: str) -> tuple[str, ...]:
    found: Iterable[Node] = node.all(name) if node else ()
    return tuple(child.text for child in found)
