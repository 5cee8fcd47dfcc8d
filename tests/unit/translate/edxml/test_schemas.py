"""The two XSDs of docs/schemas against the cases and against what the writer writes."""

import json
from dataclasses import fields, is_dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.domain.dialect import Dialect, StatusContainer, TypePractice
from gateway.domain.document import Document, Organization, ResponseFor
from gateway.domain.lengths import LENGTHS
from gateway.domain.status import KNOWN, StatusReport
from gateway.translate.edxml.codes import NS102
from tests.fakes.blobs import MemoryBlobs
from tests.unit.translate.edxml.sample import attach, draft, packet, translator
from tests.unit.translate.edxml.test_round_trip import DIALECT, DOCUMENT, FILES, STATUS, values

ROOT = Path(__file__).parents[4]
CASES = sorted((ROOT / "tests" / "cases" / "edxml").iterdir())
READ = [case for case in CASES if "error" not in json.loads((case / "expected.json").read_text())]
STRICT = etree.XMLSchema(etree.parse(ROOT / "docs" / "schemas" / "edxml-strict.xsd"))
TOLERANT = etree.XMLSchema(etree.parse(ROOT / "docs" / "schemas" / "edxml-tolerant.xsd"))
SAID_BY_BOTH = {
    *("ORDER", "UNKNOWN", "REPEATED", "MISSING", "EMPTY", "TECHNICAL_LENGTH", "TIMESTAMP", "NUMBER", "ORGAN_ID"),
    *("SPELLING", "LINK"),
}
"""Deviations of the strict check that an XSD can find."""
BEYOND_XSD = ("edXMLHeader/TraceHeaderList", "edXMLHeader/Status")
"""But not at these places: a status has no trace, and its container may be Bkav's."""


def by_name(case):
    return case.name


def faults(schema: etree.XMLSchema, raw: bytes) -> list[str]:
    """What the schema says of a packet; empty = valid. Packets are UTF-8, whatever their declaration says."""
    schema.validate(etree.fromstring(raw, etree.XMLParser(encoding="utf-8")))
    return [str(entry) for entry in schema.error_log]


def deviations(case: Path) -> list[dict[str, str]]:
    return json.loads((case / "strict.json").read_text())


def should_fail(case: Path) -> bool:
    return any(one["code"] in SAID_BY_BOTH and not one["path"].endswith(BEYOND_XSD) for one in deviations(case))


@pytest.mark.parametrize("case", READ, ids=by_name)
def test_what_is_read_is_valid_in_the_tolerant_form(case):
    """No packet that the reader takes is refused by the tolerant schema."""
    assert faults(TOLERANT, (case / "packet.edxml").read_bytes()) == []


@pytest.mark.parametrize("case", [case for case in READ if not deviations(case)], ids=by_name)
def test_what_the_check_accepts_is_valid_in_the_strict_form(case):
    """A packet without deviations is valid."""
    assert faults(STRICT, (case / "packet.edxml").read_bytes()) == []


@pytest.mark.parametrize("case", [case for case in READ if should_fail(case)], ids=by_name)
def test_what_the_check_finds_the_strict_form_refuses(case):
    """A packet with a deviation of a kind that an XSD can express is not valid."""
    assert faults(STRICT, (case / "packet.edxml").read_bytes()) != []


def test_enough_cases_are_judged():
    """The lists above are not empty by mistake."""
    assert sum(map(should_fail, READ)) > 20
    assert sum(not deviations(case) for case in READ) > 8


@pytest.mark.parametrize("name", ["refused-capital-root", "refused-envelope-root", "refused-govn", "refused-2803-soap"])
def test_relatives_of_the_format_are_not_valid_at_all(name):
    """A foreign root is refused by both schemas."""
    raw = (ROOT / "tests" / "cases" / "edxml" / name / "packet.edxml").read_bytes()
    assert faults(TOLERANT, raw)
    assert faults(STRICT, raw)


def test_a_status_has_a_code_of_digits():
    """The tolerant form refuses the one text that the reader cannot take."""
    raw = (ROOT / "tests" / "cases" / "edxml" / "status-code-word" / "packet.edxml").read_bytes()
    assert faults(TOLERANT, raw)


def test_dates_are_written_with_slashes():
    """The strict form knows one way of writing a day."""
    raw = (ROOT / "tests" / "cases" / "edxml" / "document-plain" / "packet.edxml").read_bytes()
    assert faults(STRICT, raw) == []
    assert faults(STRICT, raw.replace(b"2026/01/15</edXML:PromulgationDate>", b"2026-01-15</edXML:PromulgationDate>"))
    assert faults(STRICT, raw.replace(b"2026/01/15</edXML:PromulgationDate>", b"2026/13/15</edXML:PromulgationDate>"))


def fitting(value: Any) -> Any:
    """The value with every text cut to the length of its field."""
    if not is_dataclass(value):
        return tuple(map(fitting, value)) if isinstance(value, tuple) else value
    changes = {}
    for field in fields(value):
        found = getattr(value, field.name)
        length = LENGTHS.get(f"{type(value).__name__}.{field.name}")
        if length is None:
            changes[field.name] = fitting(found)
        elif isinstance(found, str):
            changes[field.name] = found[: length.technical]
        else:
            changes[field.name] = tuple(text[: length.technical] for text in found)
    return replace(value, **changes)


def body(organization: Organization) -> Organization:
    return replace(organization, organ_name=organization.organ_name or "Body")


def named(other: ResponseFor) -> ResponseFor:
    return replace(
        other,
        code=other.code or "1/A",
        promulgation_date=other.promulgation_date or date(2026, 1, 15),
        document_id=other.document_id or "1",
    )


def complete(document: Document) -> Document:
    """The document with what the strict form demands, and inside its code lists."""
    other, business = document.other_info, document.business
    receivers = tuple(replace(one, receiver_type=one.receiver_type % 2) for one in business.receivers)
    return replace(
        document,
        business=replace(business, receivers=receivers),
        steering_type=None if document.steering_type is None else document.steering_type % 3,
        sender=body(document.sender),
        to=tuple(map(body, document.to)),
        promulgation_place=document.promulgation_place or "Town",
        document_type=replace(document.document_type, type_name=document.document_type.type_name or "Công văn"),
        business_type=document.business_type % 4,
        signer_info=replace(document.signer_info, full_name=document.signer_info.full_name or "Signer X"),
        other_info=replace(other, priority=other.priority % 5),
        response_for=tuple(map(named, document.response_for)),
        trace=tuple(
            replace(hop, organ_id=f"H98.{place}", timestamp="2026/01/15 08:30:00")
            for place, hop in enumerate(document.trace)
        ),
    )


NATIONAL_SHAPE = values(
    Dialect,
    status_container=st.sampled_from(StatusContainer),
    type_practice=st.sampled_from(TypePractice),
    additions=st.booleans(),
    receiver_added=st.integers(0, 1),
)


@settings(max_examples=30, deadline=None)
@given(DOCUMENT.map(fitting).map(complete), FILES, NATIONAL_SHAPE)
async def test_every_document_written_is_valid_in_the_strict_form(document, files, dialect):
    """Whatever the document says and whichever habits the peer has, in the national shape the packet is valid."""
    blobs = MemoryBlobs()
    filled = [(name[-100:], media_type, content or b"x") for name, media_type, content in files]
    document, stored = attach(document, blobs, ("main.pdf", "application/pdf", b"%PDF-1.7 main"), *filled)
    raw = await packet(blobs, draft(blobs, document, stored, dialect))
    assert faults(STRICT, raw) == []
    assert faults(TOLERANT, raw) == []


@settings(max_examples=30, deadline=None)
@given(STATUS.map(fitting), st.sampled_from(sorted(KNOWN)), NATIONAL_SHAPE)
async def test_every_status_written_is_valid_in_the_strict_form(report: StatusReport, code, dialect):
    """So is a status, in either container."""
    blobs = MemoryBlobs()
    report = replace(
        report,
        sender=body(report.sender),
        response_for=named(report.response_for),
        status_code=code,
        timestamp="2026/01/15 08:30:00",
    )
    raw = await packet(blobs, translator(blobs, dialect=dialect).draft_status(report))
    assert faults(STRICT, raw) == []
    assert faults(TOLERANT, raw) == []


@settings(max_examples=30, deadline=None)
@given(DOCUMENT.map(lambda document: replace(document, trace=())), FILES, DIALECT)
async def test_every_document_written_is_valid_in_the_tolerant_form(document, files, dialect):
    """Incomplete ones too, and in every shape."""
    blobs = MemoryBlobs()
    document, stored = attach(document, blobs, *files)
    raw = await packet(blobs, draft(blobs, document, stored, dialect))
    assert faults(TOLERANT, raw) == []


async def test_what_exceeds_a_length_is_refused_to_the_character():
    """A subject of 500 characters is valid, one more is not, whatever their width in UTF-8."""
    raw = (ROOT / "tests" / "cases" / "edxml" / "document-plain" / "packet.edxml").read_bytes()
    root = etree.fromstring(raw)
    (subject,) = root.iter(f"{{{NS102}}}Subject")
    for length, valid in ((500, True), (501, False)):
        subject.text = "ữ𠀋"[length % 2] * length
        assert STRICT.validate(root) is valid
