"""Domain values to packet parts: standard order and literal prefixes, as the national side demands (edxml.md 1.2, 1.7).

Empty values are not written. The same values always give the same bytes.
"""

import uuid
from collections.abc import Sequence

from gateway.domain.document import (
    Attachment,
    AttachmentRole,
    Business,
    BusinessType,
    Document,
    Organization,
    ResponseFor,
    StaffInfo,
    TraceHeader,
)
from gateway.domain.ids import Digest
from gateway.domain.packet import Draft, EncodedPart, LiteralPart, PacketKind, StoredObject
from gateway.domain.status import StatusReport
from gateway.domain.vntime import edxml_date
from gateway.translate.edxml.codes import NS102, RAW_EXTENSIONS, TYPE_ADMINISTRATIVE, ZIP_TYPE, extension
from gateway.xmlsafe import LiteralXml

_PREFIX = "edXML:"


def write_document(
    document: Document,
    objects: Sequence[StoredObject],
    *,
    recipients: Sequence[Organization],
    hop: TraceHeader,
) -> Draft:
    """The packet of a document; `objects` are its attachments' bytes, same order. The MAIN file is written first.

    Raises UnwritableTextError for text that XML cannot carry: the domain's rules refuse it before.
    """
    pairs = sorted(
        zip(document.attachments, objects, strict=True), key=lambda pair: pair[0].role is not AttachmentRole.MAIN
    )
    xml = _Writer()
    xml.begin()
    _document_header(xml, document, recipients)
    _trace(xml, document, hop)
    xml.close("edXMLHeader")
    xml.open("edXMLBody")
    xml.open("edXMLManifest", version="1.0")
    for number, (attachment, _) in enumerate(pairs, 1):
        xml.open("Reference")
        _attachment_words(xml, attachment, number, _REFERENCE_ORDER)
        xml.close("Reference")
    xml.close("edXMLManifest", "edXMLBody", "edXMLEnvelope")
    parts = _attachments(xml, pairs)
    return Draft(
        kind=PacketKind.DOCUMENT,
        parts=parts,
        sender=document.sender.organ_id,
        recipients=tuple(recipient.organ_id for recipient in recipients),
    )


def write_status(report: StatusReport) -> Draft:
    """The packet of a status. Raises UnwritableTextError for text that XML cannot carry."""
    xml = _Writer()
    xml.begin()
    xml.open("MessageHeader")
    _organization(xml, "From", report.sender)
    _response_for(xml, report.response_for)
    _staff_info(xml, report.staff_info)
    xml.leaf("StatusCode", report.status_code)
    xml.leaf("Description", report.description)
    xml.leaf("Timestamp", report.timestamp)
    xml.close("MessageHeader", "edXMLHeader", "edXMLEnvelope")
    xml.end()
    return Draft(
        kind=PacketKind.STATUS,
        parts=(LiteralPart(data=xml.cut()),),
        sender=report.sender.organ_id,
        recipients=(report.response_for.organ_id,),
    )


def is_wrapped(name: str) -> bool:
    """True if a file of this name travels alone in a ZIP (the ZIP rule, edxml.md 4)."""
    return extension(name) not in RAW_EXTENSIONS


def entry_name(name: str, digest: Digest) -> str:
    """The entry's name in its ZIP: a UUID made from the content, so that a retry writes the same bytes."""
    suffix = extension(name)
    stem = uuid.UUID(hex=digest[:32], version=4)
    return f"{stem}.{suffix}" if suffix else str(stem)


class _Writer:
    """Literal XML with the format's two habits: prefix inside the envelope, nothing for empty text."""

    def __init__(self) -> None:
        self._xml = LiteralXml()

    def begin(self) -> None:
        """Root, envelope and header."""
        self._xml.open("edXML", xmlns=NS102)
        self._xml.open(f"{_PREFIX}edXMLEnvelope", xmlns_edXML=NS102)
        self.open("edXMLHeader")

    def end(self) -> None:
        """The root's end."""
        self._xml.close()

    def open(self, name: str, **attributes: str) -> None:
        self._xml.open(f"{_PREFIX}{name}", **attributes)

    def close(self, *names: str) -> None:
        """Close elements, innermost first; the names are for the reader's eye."""
        for _ in names:
            self._xml.close()

    def leaf(self, name: str, value: str) -> None:
        if value:
            self._xml.leaf(f"{_PREFIX}{name}", value)

    def number(self, name: str, value: int) -> None:
        """A count; 0 is absent."""
        if value > 0:
            self._xml.leaf(f"{_PREFIX}{name}", str(value))

    def group(self, name: str, *leaves: tuple[str, str]) -> None:
        """A group of texts; left out if all are empty."""
        if any(value for _, value in leaves):
            self.open(name)
            for leaf, value in leaves:
                self.leaf(leaf, value)
            self.close(name)

    def texts(self, name: str, leaf: str, values: Sequence[str]) -> None:
        """A list of texts; left out if there are none."""
        self.group(name, *((leaf, value) for value in values))

    def bare(self) -> LiteralXml:
        """The unprefixed outside of the envelope."""
        return self._xml

    def cut(self) -> bytes:
        return self._xml.cut()


def _document_header(xml: _Writer, document: Document, recipients: Sequence[Organization]) -> None:
    xml.open("MessageHeader")
    _organization(xml, "From", document.sender)
    for recipient in recipients:
        _organization(xml, "To", recipient)
    xml.group("Code", ("CodeNumber", document.code_number), ("CodeNotation", document.code_notation))
    issued = "" if document.promulgation_date is None else edxml_date(document.promulgation_date)
    xml.group("PromulgationInfo", ("Place", document.promulgation_place), ("PromulgationDate", issued))
    kind = document.document_type
    xml.open("DocumentType")
    xml.number("Type", kind.type or TYPE_ADMINISTRATIVE)
    xml.number("TypeDetail", kind.type_detail)
    xml.leaf("TypeName", kind.type_name)
    xml.close("DocumentType")
    xml.leaf("Subject", document.subject)
    xml.leaf("Content", document.content)
    signer = document.signer_info
    signed = ("Competence", signer.competence), ("Position", signer.position), ("FullName", signer.full_name)
    xml.group("SignerInfo", *signed)
    xml.leaf("DueDate", "" if document.due_date is None else edxml_date(document.due_date))
    xml.texts("ToPlaces", "Place", document.to_places)
    _other_info(xml, document)
    for named in document.response_for:
        _response_for(xml, named)
    xml.leaf("SteeringType", "" if document.steering_type is None else str(document.steering_type))
    xml.leaf("DocumentId", document.document_id)
    xml.close("MessageHeader")


def _organization(xml: _Writer, name: str, body: Organization) -> None:
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


def _other_info(xml: _Writer, document: Document) -> None:
    other = document.other_info
    xml.open("OtherInfo")
    xml.leaf("Priority", str(int(other.priority)))
    xml.leaf("SphereOfPromulgation", other.sphere_of_promulgation)
    xml.leaf("TyperNotation", other.typer_notation)
    xml.number("PromulgationAmount", other.promulgation_amount)
    xml.number("PageAmount", other.page_amount)
    xml.texts("Appendixes", "Appendix", other.appendixes)
    xml.close("OtherInfo")


def _response_for(xml: _Writer, named: ResponseFor) -> None:
    day = "" if named.promulgation_date is None else edxml_date(named.promulgation_date)
    xml.group(
        "ResponseFor",
        ("OrganId", named.organ_id),
        ("Code", named.code),
        ("PromulgationDate", day),
        ("DocumentId", named.document_id),
    )


def _staff_info(xml: _Writer, staff: StaffInfo) -> None:
    xml.group(
        "StaffInfo",
        ("Department", staff.department),
        ("Staff", staff.staff),
        ("Mobile", staff.mobile),
        ("Email", staff.email),
    )


def _trace(xml: _Writer, document: Document, hop: TraceHeader) -> None:
    xml.open("TraceHeaderList")
    for passed in (*document.trace, hop):
        xml.group("TraceHeader", ("OrganId", passed.organ_id), ("Timestamp", passed.timestamp))
    _business(xml, document.business_type, document.business)
    xml.close("TraceHeaderList")


def _business(xml: _Writer, kind: BusinessType, business: Business) -> None:
    xml.open("Bussiness")
    xml.leaf("BussinessDocType", str(int(kind)))
    xml.leaf("BussinessDocReason", business.reason)
    changed = business.document_info_changed or business.document_receiver_changed or business.receivers
    if kind is BusinessType.UPDATE or changed:
        xml.open("BussinessDocumentInfo")
        xml.leaf("DocumentInfo", str(int(business.document_info_changed)))
        xml.leaf("DocumentReceiver", str(int(business.document_receiver_changed)))
        if business.receivers:
            xml.open("ReceiverList")
            for one in business.receivers:
                xml.group("Receiver", ("ReceiverType", str(one.receiver_type)), ("OrganId", one.organ_id))
            xml.close("ReceiverList")
        xml.close("BussinessDocumentInfo")
    xml.leaf("DocumentId", "" if kind is BusinessType.NEW else business.document_id)
    _staff_info(xml, business.staff_info)
    xml.leaf("Paper", str(int(business.paper)))
    if business.replacements:
        xml.open("ReplacementInfoList")
        for replaced in business.replacements:
            xml.open("ReplacementInfo")
            xml.leaf("DocumentId", replaced.document_id)
            xml.texts("OrganIdList", "OrganId", replaced.organ_ids)
            xml.close("ReplacementInfo")
        xml.close("ReplacementInfoList")
    xml.close("Bussiness")


_REFERENCE_ORDER = ("ContentId", "ContentType", "Description", "AttachmentName")
_ATTACHMENT_ORDER = ("ContentId", "AttachmentName", "Description", "ContentType")


def _words(attachment: Attachment, number: int) -> dict[str, str]:
    return {
        "ContentId": f"cid:att-{number}",
        "ContentType": ZIP_TYPE if is_wrapped(attachment.name) else attachment.media_type,
        "Description": attachment.description or attachment.name,
        "AttachmentName": attachment.name,
    }


def _attachment_words(xml: _Writer, attachment: Attachment, number: int, order: Sequence[str]) -> None:
    words = _words(attachment, number)
    for name in order:
        xml.leaf(name, words[name])


def _attachments(
    xml: _Writer, pairs: Sequence[tuple[Attachment, StoredObject]]
) -> tuple[LiteralPart | EncodedPart, ...]:
    """The unprefixed sibling of the envelope; its content elements alone are prefixed, and declare the prefix anew."""
    parts: list[LiteralPart | EncodedPart] = []
    bare = xml.bare()
    bare.open("AttachmentEncoded")
    for number, (attachment, stored) in enumerate(pairs, 1):
        bare.open("Attachment")
        words = _words(attachment, number)
        for name in _ATTACHMENT_ORDER:
            bare.leaf(name, words[name])
        bare.begin(f"{_PREFIX}ContentTransferEncoded", xmlns_edXML=NS102)
        inside = entry_name(attachment.name, stored.digest) if is_wrapped(attachment.name) else None
        parts += [LiteralPart(data=bare.cut()), EncodedPart(stored=stored, zip_entry=inside)]
        bare.end()
        bare.close()
    bare.close()
    xml.end()
    parts.append(LiteralPart(data=xml.cut()))
    return tuple(parts)
