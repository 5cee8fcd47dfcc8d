"""From the header's tree to a Document or StatusReport, tolerant where deployed systems differ (edxml.md 1.3-1.6)."""

from collections.abc import Iterable
from dataclasses import replace

from gateway.domain.agency import CodeForm, form_of
from gateway.domain.dialect import NATIONAL, Dialect
from gateway.domain.document import (
    Document,
    DocumentType,
    OtherInfo,
    Priority,
    ResponseFor,
    SignerInfo,
    SteeringType,
    TraceHeader,
)
from gateway.domain.ids import OrganId
from gateway.domain.rules import compose_document_id
from gateway.domain.status import KNOWN, StatusReport
from gateway.translate.edxml.codes import TYPE_ADMINISTRATIVE, conflicting_name
from gateway.translate.edxml.findings import Defect, Findings, Tolerance, refusal
from gateway.translate.edxml.reading.business import read_business
from gateway.translate.edxml.reading.groups import Values, organization, response_for, staff_info, texts
from gateway.translate.edxml.reading.oddities import note_oddities
from gateway.translate.edxml.tree import Node
from gateway.xmlsafe import Limits

Header = Document | StatusReport
"""What a header says; a document without its attachments."""

_STATUS_DIGITS = 2
_STATUS_LIMIT = 3
_BKAV_NORMAL = 5
"""Priority "Thường" in Bkav's table (edxml.md 2.2)."""


def read_header(root: Node, limits: Limits, findings: Findings, dialect: Dialect = NATIONAL) -> Header:
    """Read the header of a whole packet; `dialect` is that of the peer it came from.

    Raises RefusedError if what routing needs is missing.
    """
    header = _required(_required(root, "edXMLEnvelope"), "edXMLHeader")
    message = header.first("MessageHeader")
    container = header.first("Status")
    if message is None and container is not None:
        findings.add(Tolerance.STATUS_CONTAINER, container)
        message = container
    if message is None:
        raise refusal(Defect.ELEMENT_MISSING, header.path, what="MessageHeader")
    values = Values(findings, dialect)
    status = message is container or message.first("StatusCode") is not None
    note_oddities(root, findings, status=status)
    return _status(message, values) if status else _document(header, message, limits, values)


def _required(node: Node, name: str) -> Node:
    found = node.first(name)
    if found is None:
        raise refusal(Defect.ELEMENT_MISSING, node.path, what=name)
    return found


def _status(message: Node, values: Values) -> StatusReport:
    sender = organization(_required(message, "From"))
    if not sender.organ_id:
        raise refusal(Defect.ELEMENT_MISSING, f"{message.path}/From", what="OrganId")
    about = _required(message, "ResponseFor")
    named = _unswapped(response_for(about, values), message, values.findings)
    if not named.organ_id:
        raise refusal(Defect.ELEMENT_MISSING, about.path, what="OrganId")
    if not named.code and not named.document_id:
        raise refusal(Defect.ELEMENT_MISSING, about.path, what="Code or DocumentId")
    return StatusReport(
        sender=sender,
        response_for=named,
        status_code=_status_code(message, values.findings),
        timestamp=values.timestamp(message),
        description=message.value("Description"),
        staff_info=staff_info(message.first("StaffInfo")),
    )


def _unswapped(named: ResponseFor, message: Node, findings: Findings) -> ResponseFor:
    """One .NET client puts the notation into OrganId and the organisation into Code (edxml.md 6.4)."""
    if "/" not in named.organ_id or not named.code or form_of(OrganId(named.code)) is CodeForm.OTHER:
        return named
    findings.add(Tolerance.RESPONSE_FOR_SWAPPED, message, "ResponseFor")
    return replace(named, organ_id=OrganId(named.code), code=named.organ_id)


def _status_code(message: Node, findings: Findings) -> str:
    """Two digits at least; others store a number, so `3` means `03`."""
    written = message.value("StatusCode")
    if not written:
        raise refusal(Defect.ELEMENT_MISSING, message.path, what="StatusCode")
    if not (written.isascii() and written.isdigit()) or len(written) > _STATUS_LIMIT:
        raise refusal(Defect.STATUS_CODE_INVALID, f"{message.path}/StatusCode", found=written)
    if len(written) != _STATUS_DIGITS:
        findings.add(Tolerance.STATUS_CODE_SHORT, message, "StatusCode", found=written)
    code = str(int(written)).zfill(_STATUS_DIGITS)
    if code not in KNOWN:
        findings.add(Tolerance.VALUE_UNKNOWN, message, "StatusCode", found=written)
    return code


def _document(header: Node, message: Node, limits: Limits, values: Values) -> Document:
    sender = organization(_required(message, "From"))
    if not sender.organ_id:
        raise refusal(Defect.ELEMENT_MISSING, f"{message.path}/From", what="OrganId")
    traces = header.first("TraceHeaderList")
    business_type, business = read_business(header, traces, values)
    promulgation = message.first("PromulgationInfo")
    code = message.first("Code")
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
        response_for=_named(message, values),
        steering_type=_steering(message, values),
        application_type=message.value("ApplicationType"),
        task_codes=tuple(code for node in message.all("ResponseForTask") for code in _texts(node, "TaskCode")),
        business=business,
        trace=_trace(traces, values),
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
        type=values.number(node, "Type") or 0,
        type_detail=values.number(node, "TypeDetail") or 0,
        type_name=node.value("TypeName"),
    )
    as_class, as_number = made.type or TYPE_ADMINISTRATIVE, made.type_detail
    if made.type > TYPE_ADMINISTRATIVE:
        values.findings.add(Tolerance.TYPE_AS_LIST_NUMBER, node, "Type", found=made.type)
        as_class, as_number = TYPE_ADMINISTRATIVE, made.type
    listed = conflicting_name(as_class, as_number, made.type_name)
    if listed:
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
    return OtherInfo(
        priority=_priority(node, values),
        sphere_of_promulgation=node.value("SphereOfPromulgation"),
        typer_notation=node.value("TyperNotation"),
        promulgation_amount=values.number(node, "PromulgationAmount") or 0,
        page_amount=values.number(node, "PageAmount") or 0,
        appendixes=_texts(node.first("Appendixes"), "Appendix"),
        direction=values.flag(node, "Direction", no="false", yes="true"),
        reply_fors=tuple(texts(node.all("ReplyFors"))),
        reference_codes=tuple(texts(node.all("ReferenceCodes"))),
    )


def _priority(node: Node, values: Values) -> int:
    """The national numbers; Bkav's 5 is 0, if the peer is known to count so."""
    priority = values.number(node, "Priority") or int(Priority.NORMAL)
    if priority == _BKAV_NORMAL and values.dialect.priority_five_is_normal:
        values.findings.add(Tolerance.PRIORITY_FIVE, node, "Priority")
        return int(Priority.NORMAL)
    if priority not in list(Priority):
        values.findings.add(Tolerance.VALUE_UNKNOWN, node, "Priority", found=priority)
    return priority


def _steering(message: Node, values: Values) -> int | None:
    steering = values.number(message, "SteeringType")
    if steering is not None and steering not in list(SteeringType):
        values.findings.add(Tolerance.VALUE_UNKNOWN, message, "SteeringType", found=steering)
    return steering


def _named(message: Node, values: Values) -> tuple[ResponseFor, ...]:
    """The documents named; a group of nothing but unknown elements names none."""
    found = (response_for(node, values) for node in message.all("ResponseFor"))
    return tuple(one for one in found if one != ResponseFor(organ_id=OrganId("")))


def _trace(node: Node | None, values: Values) -> tuple[TraceHeader, ...]:
    hops: list[TraceHeader] = []
    for hop in node.all("TraceHeader") if node else ():
        organ_id = hop.value("OrganId")
        if organ_id in {"", "null"}:
            values.findings.add(Tolerance.TRACE_WITHOUT_ORGAN, hop)
            organ_id = ""
        made = TraceHeader(organ_id=organ_id, timestamp=values.timestamp(hop))
        if made.organ_id or made.timestamp:
            hops.append(made)
    return tuple(hops)


def _texts(node: Node | None, name: str) -> tuple[str, ...]:
    found: Iterable[Node] = node.all(name) if node else ()
    return tuple(text for child in found if (text := child.text))
