"""The table of the format: one source of lengths, and what is the SDK's own."""

from collections.abc import Iterator

from gateway.domain.lengths import LENGTHS
from gateway.translate.edxml.elements import (
    ATTACHMENT,
    BUSINESS,
    DOCUMENT_HEADER,
    REFERENCE,
    STATUS_HEADER,
    TRACE_LIST,
    Element,
    Form,
)


def leaves(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from leaves(child)


def test_lengths_have_one_source():
    """Every limited field of the contract is an element of the table with the same limit, and no other limit exists."""
    groups = (DOCUMENT_HEADER, STATUS_HEADER, TRACE_LIST, BUSINESS, REFERENCE, ATTACHMENT)
    table = {(leaf.name, leaf.technical) for group in groups for leaf in leaves(group) if leaf.technical}
    inside = {"ReplyFors": "ReplyFor", "ReferenceCodes": "ReferenceCode"}
    fields = {(inside.get(length.element, length.element), length.technical) for length in LENGTHS.values()}
    assert table == fields


def test_identifier_codes_have_no_legal_limit():
    """The amendment's 35 characters replaced the decree's 13."""
    found = [leaf for group in (DOCUMENT_HEADER, TRACE_LIST) for leaf in leaves(group) if leaf.form is Form.ORGAN_ID]
    assert {(leaf.technical, leaf.legal) for leaf in found} == {(35, 0)}


def test_additions_are_additions_throughout():
    """What stands in an addition is one too, so that the strict check calls every one of its elements by that name."""
    for group in (DOCUMENT_HEADER, STATUS_HEADER, TRACE_LIST, ATTACHMENT):
        for leaf in leaves(group):
            assert all(child.addition for child in leaf.children) or not leaf.addition
