"""What a packet in a file is, as one JSON value: the command `packet inspect`."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, assert_never

from gateway.domain.document import Attachment, Document, Organization, ResponseFor
from gateway.domain.packet import PacketDefect, PacketWarning, Unpacked, UnpackedDocument, UnpackedStatus
from gateway.domain.status import StatusReport
from gateway.translate.edxml.codes import BUSINESS_WORDS, PRIORITY_WORDS
from gateway.translate.edxml.contents.objects import MeasuringObjects
from gateway.translate.edxml.reading.reader import read_packet
from gateway.xmlsafe import Limits

Inspection = Unpacked | PacketDefect

_CHUNK = 128 * 1024


async def inspect(path: Path, limits: Limits) -> Inspection:
    """Read the packet in a file; attachments are measured and digested, nothing of them is kept. Raises OSError."""
    return await read_packet(packet_chunks(path), objects=MeasuringObjects(), limits=limits, said=None)


def as_json(inspection: Inspection) -> dict[str, Any]:
    """The JSON value; every key always present, "" or [] for what the packet does not say or does not have."""
    match inspection:
        case PacketDefect():
            return {"error": _finding(inspection)}
        case UnpackedDocument(document=document, warnings=warnings):
            return _document(document) | {"warnings": [_finding(one) for one in warnings]}
        case UnpackedStatus(report=report, warnings=warnings):
            return _status(report) | {"warnings": [_finding(one) for one in warnings]}
        case _:
            assert_never(inspection)


def _document(document: Document) -> dict[str, Any]:
    priority = document.other_info.priority
    return {
        "kind": "document",
        "business_type": BUSINESS_WORDS.get(document.business_type, str(document.business_type)),
        "from": _body(document.sender),
        "to": [_body(body) for body in document.to],
        "document_id": document.document_id,
        "code_number": document.code_number,
        "code_notation": document.code_notation,
        "promulgation_date": document.promulgation_date.isoformat() if document.promulgation_date else "",
        "subject": document.subject,
        "priority": PRIORITY_WORDS.get(priority, str(priority)),
        "status_code": "",
        "response_for": [_response_for(named) for named in document.response_for],
        "attachments": [_attachment(attachment) for attachment in document.attachments],
    }


def _status(report: StatusReport) -> dict[str, Any]:
    return {
        "kind": "status",
        "business_type": "",
        "from": _body(report.sender),
        "to": [],
        "document_id": "",
        "code_number": "",
        "code_notation": "",
        "promulgation_date": "",
        "subject": "",
        "priority": "",
        "status_code": report.status_code,
        "response_for": [_response_for(report.response_for)],
        "attachments": [],
    }


def _body(body: Organization) -> dict[str, str]:
    return {"code": body.organ_id, "name": body.organ_name}


def _response_for(named: ResponseFor) -> dict[str, str]:
    return {
        "code": named.organ_id,
        "document_code": named.code,
        "promulgation_date": named.promulgation_date.isoformat() if named.promulgation_date else "",
        "document_id": named.document_id,
    }


def _attachment(attachment: Attachment) -> dict[str, str | int]:
    return {
        "name": attachment.name,
        "media_type": attachment.media_type,
        "size": attachment.size,
        "sha256": attachment.sha256,
    }


def _finding(finding: PacketWarning | PacketDefect) -> dict[str, str]:
    return {"code": str(finding.code), "path": finding.path, "message": finding.message}


async def packet_chunks(path: Path) -> AsyncIterator[bytes]:
    """The bytes of the packet in a file. Raises OSError."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
