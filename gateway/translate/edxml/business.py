"""The Bussiness block: what the packet asks of its receiver, in either spelling (edxml.md 1.4)."""

from collections.abc import Iterable

from gateway.domain.document import Business, BusinessType, ReceiverChange, ReplacementInfo
from gateway.domain.ids import OrganId
from gateway.translate.edxml.elements import CORRECTED_SPELLINGS
from gateway.translate.edxml.findings import Defect, Findings, Tolerance, refusal
from gateway.translate.edxml.groups import Values, staff_info
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


def find_business(header: Node, findings: Findings) -> tuple[Node | None, Node | None]:
    """The trace list and the block in it; both may be missing, which means a new document."""
    traces = header.first("TraceHeaderList")
    block = _Either(findings).first(traces, "Bussiness") if traces else None
    if block is None:
        findings.add(Tolerance.BUSINESS_MISSING, traces or header)
    return traces, block


def read_business(found: tuple[Node | None, Node | None], values: Values) -> tuple[BusinessType, Business]:
    """The block's type and content. Raises RefusedError for a type outside the code list."""
    traces, block = found
    old_paper = values.flag(traces, "Paper") if traces else False
    if block is None:
        return BusinessType.NEW, Business(paper=old_paper)
    either = _Either(values.findings)
    kind = _type(block, either, values.findings)
    reason = either.first(block, "BussinessDocReason")
    info = either.first(block, "BussinessDocumentInfo")
    replaced = block.first("ReplacementInfoList")
    return kind, Business(
        reason=reason.text if reason else "",
        # SDK packets of type 0 carry one too: noise (edxml.md 2.2.4)
        document_id="" if kind is BusinessType.NEW else block.value("DocumentId"),
        document_info_changed=values.flag(info, "DocumentInfo") if info else False,
        document_receiver_changed=values.flag(info, "DocumentReceiver") if info else False,
        receivers=_receivers(info, values),
        staff_info=staff_info(block.first("StaffInfo")),
        paper=values.flag(block, "Paper") or old_paper,
        replacements=tuple(_replacement(node) for node in (replaced.all("ReplacementInfo") if replaced else ())),
    )


def _type(block: Node, either: _Either, findings: Findings) -> BusinessType:
    written = either.first(block, "BussinessDocType")
    if written is None:
        findings.add(Tolerance.ELEMENT_ABSENT, block, what="BussinessDocType")
        return BusinessType.NEW
    text = written.text
    if text not in {str(int(kind)) for kind in BusinessType}:
        raise refusal(Defect.BUSINESS_TYPE_UNKNOWN, written.path, found=text)
    return BusinessType(int(text))


def _receivers(info: Node | None, values: Values) -> tuple[ReceiverChange, ...]:
    listed = info.first("ReceiverList") if info else None
    changes: list[ReceiverChange] = []
    for node in listed.all("Receiver") if listed else ():
        kind = values.number(node, "ReceiverType", default=0) or 0
        if kind not in {0, 1}:
            values.findings.add(Tolerance.VALUE_UNKNOWN, node, "ReceiverType", found=kind)
        changes.append(ReceiverChange(receiver_type=kind, organ_id=OrganId(node.value("OrganId"))))
    return tuple(changes)


def _replacement(node: Node) -> ReplacementInfo:
    concerned = node.first("OrganIdList")
    codes: Iterable[Node] = concerned.all("OrganId") if concerned else ()
    return ReplacementInfo(document_id=node.value("DocumentId"), organ_ids=tuple(OrganId(code.text) for code in codes))
