"""`packet inspect`: one packet for a program, or for somebody who just received a strange one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from gateway.cli.printing import REFUSED, visible
from gateway.domain.document import AttachmentRole, Document, Organization, ResponseFor, StaffInfo, SteeringType
from gateway.domain.packet import PacketDefect, PacketWarning, UnpackedDocument, UnpackedStatus
from gateway.domain.status import StatusReport
from gateway.translate.edxml.codes import BUSINESS_WORDS, PRIORITY_WORDS
from gateway.translate.edxml.workbench import inspection

_RECIPIENTS_SHOWN = 20
_CHANGES = {0: "removed", 1: "added"}

Rows = Iterator[tuple[str, str]]


def whole_json(found: inspection.Inspection) -> dict[str, Any]:
    """The value of --json: the short keys, and the contract's message under `document` or `status`."""
    from gateway.rpc.convert import jsonform  # noqa: PLC0415 - see the package's docstring

    value = inspection.as_json(found)
    match found:
        case UnpackedDocument(document=document):
            return value | {"document": jsonform.document_json(document)}
        case UnpackedStatus(report=report):
            return value | {"status": jsonform.status_json(report)}
        case _:
            return value


def show(file: Path, found: inspection.Inspection) -> None:
    """For the terminal; ends the command with 2 where the packet is refused."""
    console = Console(highlight=False, soft_wrap=True)
    match found:
        case PacketDefect():
            console.print(f"[bold red]refused[/]  {escape(visible(str(file)))}")
            _print_rows(console, iter([("code", found.code), ("path", found.path), ("why", found.message)]))
            raise typer.Exit(REFUSED)
        case UnpackedDocument(document=document, warnings=warnings):
            kind = BUSINESS_WORDS.get(document.business_type, f"business type {document.business_type}")
            console.print(f"[bold]document[/] ({kind})  {escape(visible(str(file)))}")
            _print_rows(console, _document_rows(document))
            _print_attachments(console, document)
            _print_warnings(console, warnings)
        case UnpackedStatus(report=report, warnings=warnings):
            console.print(f"[bold]status {escape(report.status_code)}[/]  {escape(visible(str(file)))}")
            _print_rows(console, _status_rows(report))
            _print_warnings(console, warnings)


def _document_rows(document: Document) -> Rows:
    other, kind, signer, business = document.other_info, document.document_type, document.signer_info, document.business
    yield "from", _body(document.sender)
    for number, body in enumerate(document.to[:_RECIPIENTS_SHOWN]):
        yield "to" if not number else "", _body(body)
    if len(document.to) > _RECIPIENTS_SHOWN:
        yield "", f"and {len(document.to) - _RECIPIENTS_SHOWN} more"
    yield "number", document.code if document.code_number or document.code_notation else ""
    yield "issued", _joined(", ", document.promulgation_place, _day(document.promulgation_date))
    numbers = f"({kind.type or '-'}/{kind.type_detail or '-'})" if kind.type or kind.type_detail else ""
    yield "type", _joined(" ", kind.type_name, numbers)
    yield "subject", document.subject
    yield "content", "" if document.content == document.subject else document.content
    yield "signer", _joined(", ", signer.full_name, signer.position, signer.competence)
    yield "priority", PRIORITY_WORDS.get(other.priority, str(other.priority))
    yield "due", _day(document.due_date)
    yield "scope", other.sphere_of_promulgation
    yield "pages", str(other.page_amount or "")
    yield "copies", str(other.promulgation_amount or "")
    yield "steering", "" if document.steering_type is None else _steering(document.steering_type)
    yield "printed for", _joined("; ", *document.to_places)
    yield "appendixes", _joined("; ", *other.appendixes)
    for named in document.response_for:
        yield "response for", _named(named)
    yield "reason", business.reason
    yield "updates", business.document_id
    for change in business.receivers:
        word = _CHANGES.get(change.receiver_type, f"changed ({change.receiver_type})")
        yield "recipient", f"{word}: {change.organ_id}"
    for replaced in business.replacements:
        yield "replaces", _joined(" for ", replaced.document_id, ", ".join(replaced.organ_ids))
    yield "clerk", _staff(business.staff_info)
    yield "paper copy", "follows by post" if business.paper else ""
    yield "document id", document.document_id
    yield "way", _joined(" > ", *(_joined(" ", one.organ_id or "?", one.timestamp) for one in document.trace))


def _status_rows(report: StatusReport) -> Rows:
    yield "from", _body(report.sender)
    yield "about", _named(report.response_for)
    yield "remark", report.description
    yield "clerk", _staff(report.staff_info)
    yield "time", report.timestamp


def _body(body: Organization) -> str:
    return _joined("  ", body.organ_id or "(no code)", body.organ_name)


def _named(named: ResponseFor) -> str:
    issued = f"of {_day(named.promulgation_date)}" if named.promulgation_date else ""
    identity = f"[{named.document_id}]" if named.document_id else ""
    return _joined(" ", named.code, issued, f"by {named.organ_id}" if named.organ_id else "", identity)


def _staff(staff: StaffInfo) -> str:
    return _joined(", ", staff.staff, staff.department, staff.mobile, staff.email)


def _steering(value: int) -> str:
    return SteeringType(value).name.lower() if value in list(SteeringType) else str(value)


def _day(day: object) -> str:
    return "" if day is None else str(day)


def _joined(between: str, *parts: str) -> str:
    return between.join(part for part in parts if part)


def _print_rows(console: Console, rows: Rows) -> None:
    for label, text in rows:
        if text:
            console.print(f"  [bold]{label:<14}[/] {escape(visible(text))}")


def _print_attachments(console: Console, document: Document) -> None:
    if not document.attachments:
        console.print("\nno attachments")
        return
    console.print(f"\n[bold]{len(document.attachments)} attachments[/]")
    for one in document.attachments:
        part = "main" if one.role is AttachmentRole.MAIN else "annex"
        name = escape(visible(one.name)) or "(no name)"
        console.print(f"  {name}  [dim]{part}, {escape(visible(one.media_type))}, {one.size:,} bytes[/]")
        console.print(f"    [dim]sha256 {one.sha256}[/]")


def _print_warnings(console: Console, warnings: Sequence[PacketWarning]) -> None:
    console.print(f"\n[bold]{len(warnings)} warnings[/]" if warnings else "\nno warnings")
    for one in warnings:
        console.print(f"  [yellow]{escape(one.code)}[/]  {escape(visible(one.message))}")
        console.print(f"    [dim]{escape(visible(one.path))}[/]")
