"""Groups that occur in several places of a packet, and plain values with what was odd about them."""

from collections.abc import Iterable, Iterator
from datetime import date

from gateway.domain.dialect import Dialect
from gateway.domain.document import Organization, ResponseFor, StaffInfo
from gateway.domain.ids import OrganId
from gateway.translate.edxml.dates import is_strict_time, read_date
from gateway.translate.edxml.findings import Defect, Findings, Tolerance, refusal
from gateway.translate.edxml.tree import Node

_DIGITS = 9
"""Digits of the largest number read; everything the format counts is an unsigned short."""


class Values:
    """Reads dates, numbers and recipients, and notes what was odd; `dialect` says what the peer means by some."""

    def __init__(self, findings: Findings, dialect: Dialect) -> None:
        self.findings = findings
        self.dialect = dialect

    def date(self, parent: Node | None, name: str) -> date | None:
        """A civil date; None if absent, impossible or unreadable."""
        found = parent.first(name) if parent else None
        if found is None:
            return None
        read = read_date(found.text)
        for oddity in read.oddities:
            self.findings.add(oddity, found, found=found.text)
        return read.day

    def timestamp(self, parent: Node) -> str:
        """The element Timestamp as written; empty if absent."""
        written = parent.value("Timestamp")
        if not written:
            self.findings.add(Tolerance.ELEMENT_ABSENT, parent, what="Timestamp")
        elif not is_strict_time(written):
            self.findings.add(Tolerance.TIME_FORMAT, parent, "Timestamp", found=written)
        return written

    def number(self, parent: Node, name: str) -> int | None:
        """A whole number; None if absent, unreadable or negative, which is the SDK's way to say absent."""
        found = parent.first(name)
        if found is None:
            return None
        digits = found.text.removeprefix("-")
        if not is_number(digits):
            self.findings.add(Tolerance.NUMBER_UNREADABLE, found, found=found.text)
            return None
        if int(found.text) < 0:
            self.findings.add(Tolerance.NUMBER_NEGATIVE, found, found=found.text)
            return None
        return int(digits)

    def flag(self, parent: Node, name: str, *, no: str = "0", yes: str = "1") -> bool:
        """One of two words, absent is `no`; reads 0, 1, true and false wherever they stand."""
        found = parent.first(name)
        if found is None:
            return False
        answer = found.text.lower() in {"1", "true"}
        meant = yes if answer else no
        if found.text != meant:
            self.findings.add(Tolerance.FLAG_FORM, found, found=found.text, no=no, yes=yes, meant=meant)
        return answer

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


def is_number(text: str) -> bool:
    """True for decimal digits, few enough for anything the format counts."""
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


def texts(nodes: Iterable[Node]) -> Iterator[str]:
    """Every text in these elements and below them, in document order, whatever the elements are called."""
    for node in nodes:
        if node.text:
            yield node.text
        yield from texts(node.children)


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
        department_id=node.value("DepartmentId"),
        staff_id=node.value("StaffId"),
    )
