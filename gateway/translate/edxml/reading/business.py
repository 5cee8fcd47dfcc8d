"""The Bussiness block: what the packet asks of its receiver, in either spelling (edxml.md 1.4)."""

from collections.abc import Iterable

from gateway.domain.document import Business, BusinessType, ReceiverChange, ReplacementInfo
from gateway.domain.ids import OrganId
from gateway.translate.edxml.elements import CORRECTED_SPELLINGS
from gateway.translate.edxml.findings import Defect, Findings, Tolerance, refusal
from gateway.translate.edxml.reading.groups import Values, is_number, staff_info
from gateway.translate.edxml.tree import Node

_USUAL_TO_CORRECT = {usual: correct for correct, usual in CORRECTED_SPELLINGS.items()}


class _Either:
    """Looks elements up in both spellings and notes the unusual one."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def first(self, parent: Node, usual: str) -> Node | None:
        found = parent.first(usual, _USUAL_TO_CORRECT[usual])
        if found is not None and found.name != usual:
            self._findings.add(Tolerance.BUSINESS_SPELLING, found, found=found.name, usual=usual)
        return found


def read_business(header: Node, traces: Node | None, values: Values) -> tuple[int, Business]:
    """Type and content of the block in the trace list; both may be missing, which means a new document.

    Raises RefusedError for a type that is no number.
    """
    either = _Either(values.findings)
    block = either.first(traces, "Bussiness") if traces else None
    if block is None:
        values.findings.add(Tolerance.BUSINESS_MISSING, traces or header)
    old_paper = values.flag(traces, "Paper") if traces else False
    if block is None:
        return int(BusinessType.NEW), Business(paper=old_paper)
    kind = _type(block, either, values.findings)
    updated = block.value("DocumentId")
    if updated and kind == BusinessType.NEW:
        values.findings.add(Tolerance.BUSINESS_ID_NOISE, block, "DocumentId", found=updated)
    reason = either.first(block, "BussinessDocReason")
    info = either.first(block, "BussinessDocumentInfo")
    replaced = block.first("ReplacementInfoList")
    return kind, Business(
        reason=reason.text if reason else "",
        document_id=updated,
        document_info_changed=values.flag(info, "DocumentInfo") if info else False,
        document_receiver_changed=values.flag(info, "DocumentReceiver") if info else False,
        receivers=_receivers(info, values),
        staff_info=staff_info(block.first("StaffInfo")),
        paper=values.flag(block, "Paper") or old_paper,
        replacements=_replacements(replaced, values),
    )


def _type(block: Node, either: _Either, findings: Findings) -> int:
    """What is asked; a number outside the code list stays what it is, for nobody may take it for a new document."""
    written = either.first(block, "BussinessDocType")
    if written is None:
        findings.add(Tolerance.ELEMENT_ABSENT, block, what="BussinessDocType")
        return int(BusinessType.NEW)
    if not is_number(written.text):
        raise refusal(Defect.BUSINESS_TYPE_UNKNOWN, written.path, found=written.text)
    kind = int(written.text)
    if kind not in list(BusinessType):
        findings.add(Tolerance.VALUE_UNKNOWN, written, found=kind)
    return kind


def _receivers(info: Node | None, values: Values) -> tuple[ReceiverChange, ...]:
    listed = info.first("ReceiverList") if info else None
    changes: list[ReceiverChange] = []
    for node in listed.all("Receiver") if listed else ():
        organ_id = node.value("OrganId")
        if not organ_id:
            values.findings.add(Tolerance.ELEMENT_ABSENT, node, what="OrganId")
        changes.append(ReceiverChange(receiver_type=_change(node, values), organ_id=OrganId(organ_id)))
    return tuple(changes)


def _change(node: Node, values: Values) -> int:
    """1 = added, 0 = removed, whichever of them the peer writes for "added" (edxml.md 1.4, a guess)."""
    kind = values.number(node, "ReceiverType")
    if kind is None:
        values.findings.add(Tolerance.ELEMENT_ABSENT, node, what="ReceiverType")
        return 0
    if kind not in {0, 1}:
        values.findings.add(Tolerance.VALUE_UNKNOWN, node, "ReceiverType", found=kind)
        return kind
    return int(kind == values.dialect.receiver_added)


def _replacements(listed: Node | None, values: Values) -> tuple[ReplacementInfo, ...]:
    found = (_replacement(node, values) for node in (listed.all("ReplacementInfo") if listed else ()))
    return tuple(one for one in found if one.document_id or one.organ_ids)


def _replacement(node: Node, values: Values) -> ReplacementInfo:
    if not node.value("DocumentId"):
        values.findings.add(Tolerance.ELEMENT_ABSENT, node, what="DocumentId")
    concerned = node.first("OrganIdList")
    codes: Iterable[Node] = concerned.all("OrganId") if concerned else ()
    return ReplacementInfo(
        document_id=node.value("DocumentId"),
        organ_ids=tuple(OrganId(text) for code in codes if (text := code.text)),
    )
