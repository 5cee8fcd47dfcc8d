"""The TraceHeaderList: hops passed, and what the packet asks of its receiver (edxml.md 1.4)."""

import hashlib
from collections.abc import Sequence

from gateway.domain.dialect import Shape
from gateway.domain.document import Business, BusinessType, Document, Organization, TraceHeader
from gateway.translate.edxml.writing.header import write_staff
from gateway.translate.edxml.writing.packetxml import PacketXml

_ACTOR = "http://schemas.xmlsoap.org/soap/actor/next"
_ID_LENGTH = 8


def write_trace(
    xml: PacketXml,
    document: Document,
    hops: Sequence[TraceHeader],
    recipients: Sequence[Organization],
    shape: Shape,
) -> None:
    """The list with these hops, and the business block after them."""
    if shape is Shape.DOTNET:
        identity = _identity(document, recipients)
        xml.open("TraceHeaderList", id=identity, version="1.0", mustUnderstand="1", actor=_ACTOR)
    else:
        xml.open("TraceHeaderList")
    for hop in hops:
        xml.group("TraceHeader", ("OrganId", hop.organ_id), ("Timestamp", hop.timestamp))
    _business(xml, document.business_type, document.business)
    xml.close("TraceHeaderList")


def _identity(document: Document, recipients: Sequence[Organization]) -> str:
    """Made from the content, so that a retry writes the same bytes."""
    words = "\n".join((document.document_id, *(recipient.organ_id for recipient in recipients)))
    return hashlib.sha256(words.encode()).hexdigest()[:_ID_LENGTH]


def _business(xml: PacketXml, kind: int, business: Business) -> None:
    xml.open("Bussiness")
    xml.leaf("BussinessDocType", str(int(kind)))
    xml.leaf("BussinessDocReason", business.reason)
    changed = business.document_info_changed or business.document_receiver_changed or business.receivers
    if kind == BusinessType.UPDATE or changed:
        xml.open("BussinessDocumentInfo")
        xml.leaf("DocumentInfo", str(int(business.document_info_changed)))
        xml.leaf("DocumentReceiver", str(int(business.document_receiver_changed)))
        if business.receivers:
            xml.open("ReceiverList")
            for one in business.receivers:
                xml.group("Receiver", ("ReceiverType", str(one.receiver_type)), ("OrganId", one.organ_id))
            xml.close("ReceiverList")
        xml.close("BussinessDocumentInfo")
    xml.leaf("DocumentId", business.document_id)
    write_staff(xml, business.staff_info)
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
