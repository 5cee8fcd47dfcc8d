"""Groups that occur in several places of a packet, and plain values with what was odd about them."""

from datetime import date

from gateway.domain.document import Organization, ResponseFor, StaffInfo
from gateway.domain.ids import OrganId
from gateway.translate.edxml.dates import read_date
from gateway.translate.edxml.findings import Defect, Findings, Tolerance, refusal
from gateway.translate.edxml.tree import Node

_DIGITS = 9
"""Digits of the largest number read; everything the format counts is an unsigned short."""


class Values:
    """Reads dates, numbers and recipients, and notes what was odd."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def date(self, parent: Node | None, name: str) -> date | None:
        """A civil date; None if absent, impossible or unreadable."""
        found = parent.first(name) if parent else None
        if found is None:
            return None
        read = read_date(found.text)
        if read.oddity is not None:
            self.findings.add(read.oddity, found, found=found.text)
        return read.day

    def number(self, parent: Node, name: str, *, default: int | None) -> int | None:
        """A whole number; `default` if absent or unreadable."""
        found = parent.first(name)
        if found is None:
            return default
        text = found.text
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > _DIGITS:
            self.findings.add(Tolerance.NUMBER_UNREADABLE, found, found=text)
            return default
        return int(text)

    def flag(self, parent: Node, name: str) -> bool:
        """An element of the list 0/1; also reads true and false."""
        found = parent.first(name)
        if found is None:
            return False
        text = found.text.lower()
        if text not in {"0", "1", "true", "false"}:
            self.findings.add(Tolerance.VALUE_UNKNOWN, found, found=found.text)
        return text in {"1", "true"}

    def recipients(self, message: Node, limit: int) -> tuple[Organization, ...]:
        """The To groups. Raises RefusedError if none has a code, or there are too many."""
        nodes = message.all("To")
        if len(nodes) > limit:
            raise refusal(Defect.RECIPIENTS_TOO_MANY, message.path, limit=limit)
        found: dict[str, Organization] = {}
        for node in nodes:
            made = organization(node)
            if not made.organ_id:
                self.findings.add(Tolerance.ELEMENT_ABSENT, node, what="OrganId")
            elif made.organ_id in found:
                self.findings.add(Tolerance.RECIPIENT_REPEATED, node, found=made.organ_id)
            else:
                found[made.organ_id] = made
        if not found:
            raise refusal(Defect.ELEMENT_MISSING, message.path, what="To/OrganId")
        return tuple(found.values())


def organization(node: Node) -> Organization:
    """Groups From and To."""
    return Organization(
        organ_id=OrganId(node.value("OrganId")),
        organ_name=node.value("OrganName"),
        organization_in_charge=node.value("OrganizationInCharge"),
        organ_add=node.value("OrganAdd"),
        email=node.value("Email"),
        telephone=node.value("Telephone"),
        fax=node.value("Fax"),
        website=node.value("Website"),
    )


def response_for(node: Node, values: Values) -> ResponseFor:
    """Group ResponseFor; its Code is plain text."""
    return ResponseFor(
        organ_id=OrganId(node.value("OrganId")),
        code=node.value("Code"),
        promulgation_date=values.date(node, "PromulgationDate"),
        document_id=node.value("DocumentId"),
    )


def staff_info(node: Node | None) -> StaffInfo:
    """Group StaffInfo."""
    if node is None:
        return StaffInfo()
    return StaffInfo(
        department=node.value("Department"),
        staff=node.value("Staff"),
        mobile=node.value("Mobile"),
        email=node.value("Email"),
    )
