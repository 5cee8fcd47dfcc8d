"""Domain values to packet parts: standard order and literal prefixes, as the national side demands (edxml.md 1.2, 1.7).

Empty values are not written. The same values always give the same bytes.
"""

from collections.abc import Collection, Sequence

from gateway.domain.agency import same_code
from gateway.domain.dialect import NATIONAL, Dialect
from gateway.domain.document import AttachmentRole, Document, Organization, TraceHeader
from gateway.domain.packet import Draft, LiteralPart, PacketDefect, PacketKind, StoredObject
from gateway.domain.status import StatusReport
from gateway.translate.edxml.findings import Defect, refusal
from gateway.translate.edxml.writing.files import carried_files, write_attachments, write_reference
from gateway.translate.edxml.writing.habits import document_for, status_for
from gateway.translate.edxml.writing.header import write_message, write_status_message
from gateway.translate.edxml.writing.packetxml import PacketXml
from gateway.translate.edxml.writing.trace import write_trace

_TRACE = "edXML/edXMLEnvelope/edXMLHeader/TraceHeaderList/TraceHeader"


def write_document(
    document: Document,
    objects: Sequence[StoredObject],
    *,
    recipients: Sequence[Organization],
    hop: TraceHeader | None,
    dialect: Dialect = NATIONAL,
    wrap: Collection[int] = (),
) -> Draft | PacketDefect:
    """The packet of a document; `objects` are its attachments' bytes, same order. The MAIN file is written first.

    `wrap` has the places of attachments that travel in a ZIP whatever they are called, see contents.mistakable.

    `hop` is appended to the trace, None leaves the trace as it is; a hop that the trace names already is a loop, which
    gives the defect TRACE_LOOP. Raises UnwritableTextError for text that XML cannot carry: the domain's rules refuse it
    before.
    """
    if hop is not None and any(same_code(passed.organ_id, hop.organ_id) for passed in document.trace):
        return refusal(Defect.TRACE_LOOP, _TRACE, found=hop.organ_id).defect
    hops = document.trace if hop is None else (*document.trace, hop)
    said = document_for(document, dialect)
    placed = [
        (one, stored, place in wrap) for place, (one, stored) in enumerate(zip(said.attachments, objects, strict=True))
    ]
    files = carried_files(sorted(placed, key=lambda each: each[0].role is not AttachmentRole.MAIN), dialect)
    xml = PacketXml(dialect.shape)
    write_message(xml, said, recipients, dialect.type_practice)
    write_trace(xml, said, hops, recipients, dialect.shape)
    xml.close("edXMLHeader")
    xml.open("edXMLBody")
    xml.open("edXMLManifest", version="1.0")
    for file in files:
        write_reference(xml, file, dialect.shape)
    xml.close("edXMLManifest", "edXMLBody", "edXMLEnvelope")
    parts = write_attachments(xml, files, dialect.shape)
    xml.end()
    return Draft(
        kind=PacketKind.DOCUMENT,
        parts=(*parts, LiteralPart(data=xml.cut())),
        sender=document.sender.organ_id,
        recipients=tuple(recipient.organ_id for recipient in recipients),
    )


def write_status(report: StatusReport, *, dialect: Dialect = NATIONAL) -> Draft:
    """The packet of a status. Raises UnwritableTextError for text that XML cannot carry."""
    xml = PacketXml(dialect.shape)
    write_status_message(xml, status_for(report, dialect), dialect.status_container)
    xml.close("edXMLHeader", "edXMLEnvelope")
    xml.end()
    return Draft(
        kind=PacketKind.STATUS,
        parts=(LiteralPart(data=xml.cut()),),
        sender=report.sender.organ_id,
        recipients=(report.response_for.organ_id,),
    )
