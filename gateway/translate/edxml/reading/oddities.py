"""What is odd about a packet's elements before anything is read from them: unknown, repeated, empty, out of order."""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.translate.edxml.codes import CONTENT
from gateway.translate.edxml.elements import (
    ATTACHMENT,
    CORRECTED_SPELLINGS,
    DOCUMENT_HEADER,
    REFERENCE,
    STATUS_HEADER,
    TRACE_LIST,
    Element,
    Form,
)
from gateway.translate.edxml.findings import Findings, Tolerance
from gateway.translate.edxml.tree import Node


def _outer(name: str, *children: Element, many: bool = False) -> Element:
    return Element(name=name, form=Form.GROUP, children=children, many=many)


_BODY = _outer("edXMLBody", _outer("edXMLManifest", REFERENCE))
_ENCODED = _outer("AttachmentEncoded", ATTACHMENT, many=True)
_DOCUMENT = _outer(
    "edXML", _outer("edXMLEnvelope", _outer("edXMLHeader", DOCUMENT_HEADER, TRACE_LIST), _BODY), _ENCODED
)
_STATUS = _outer("edXML", _outer("edXMLEnvelope", _outer("edXMLHeader", STATUS_HEADER)), _ENCODED)
"""Attachments of a status are the reader's to speak of."""

_MAY_BE_EMPTY = frozenset(
    {"edXMLBody", "edXMLManifest", "AttachmentEncoded", "Attachment", CONTENT},
)
"""Empty where there is no attachment (edxml.md 4); a content's text never enters the tree."""

_USUAL: Mapping[str, str] = MappingProxyType(
    {**CORRECTED_SPELLINGS, "Status": STATUS_HEADER.name, "Manifest": "edXMLManifest"},
)
"""Names of which the reader speaks where it meets them."""


def note_oddities(root: Node, findings: Findings, *, status: bool) -> None:
    """Look through a whole packet. What is unknown or repeated is passed over, the rest is read all the same."""
    _look(root, _STATUS if status else _DOCUMENT, findings)


def _look(node: Node, element: Element, findings: Findings) -> None:
    if element.form is Form.GROUP and not element.addition and node.text:
        findings.once(Tolerance.TEXT_STRAY, node, found=node.text)
    if not node.children:
        return
    places = {child.name: (place, child) for place, child in enumerate(element.children)}
    seen: set[str] = set()
    furthest, before = 0, ""
    for child in node.children:
        if child.is_empty():
            if child.name not in _MAY_BE_EMPTY:
                findings.once(Tolerance.ELEMENT_EMPTY, child, what=child.name)
            continue
        found = places.get(_USUAL.get(child.name, child.name))
        if found is None:
            _note_unknown(child, element, findings)
            continue
        place, known = found
        if known.name in seen and not known.many:
            findings.add(Tolerance.ELEMENT_REPEATED, child, what=child.name)
        seen.add(known.name)
        if place < furthest and not known.addition:
            findings.once(Tolerance.ELEMENT_ORDER, child, what=child.name, after=before)
        elif not known.addition:
            furthest, before = place, child.name
        _look(child, known, findings)


def _note_unknown(child: Node, element: Element, findings: Findings) -> None:
    if element.addition:
        return  # nobody knows their shape, so any is right
    if (element.name, child.name) == (TRACE_LIST.name, "Paper"):
        findings.add(Tolerance.PAPER_PLACE, child)
    elif child.name == _ENCODED.name:
        findings.add(Tolerance.ATTACHMENTS_PLACE, child)
    else:
        findings.add(Tolerance.ELEMENT_UNKNOWN, child, what=child.name)
