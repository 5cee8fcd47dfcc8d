"""JSON of values and back."""

import json
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import get_type_hints

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.document import Document
from gateway.domain.packet import PacketWarning
from gateway.domain.status import DeliveryChange, StatusReport
from gateway.domain.verdict import SignatureVerdict
from gateway.store.codec import from_json, to_json
from tests.make import make_document, make_status

st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))


def whole(kind):
    """Values of a dataclass with every field drawn, defaults included; nested ones likewise."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: of(hints[field.name]) for field in fields(kind)})


def of(hint):
    arguments = getattr(hint, "__args__", ())
    if is_dataclass(hint):
        return whole(hint)
    if getattr(hint, "__origin__", None) is tuple:
        return st.lists(of(arguments[0]), max_size=2).map(tuple)
    if type(None) in arguments:
        return st.none() | of(arguments[0])
    return st.from_type(hint)


class Word(StrEnum):
    OLD = "old"


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    name: str
    word: Word
    gone: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    name: str
    word: Word
    days: tuple[date, ...] = (date(2026, 3, 2),)
    note: str | None = None


@settings(max_examples=60)
@given(st.one_of(*map(whole, (Document, StatusReport, SignatureVerdict, DeliveryChange))))
def test_values_come_back_equal(value):
    """Whatever a domain value holds, its JSON gives it back: optional parts, nested tuples, dates, instants, words."""
    assert from_json(type(value), to_json(value)) == value


@given(st.lists(whole(PacketWarning), max_size=3).map(tuple))
def test_tuples_come_back_equal(warnings):
    """A tuple of values may stand alone in a column."""
    assert from_json(tuple[PacketWarning, ...], to_json(warnings)) == warnings


def test_another_release_can_read_it():
    """Keys this release does not know are ignored, fields the writer did not know take their default."""
    text = to_json(Earlier(name="a", word=Word.OLD, gone=3))
    assert from_json(Later, text) == Later(name="a", word=Word.OLD)


def test_text_stays_readable():
    """Vietnamese is stored as it is, not as escapes, and dates in ISO form."""
    document = make_document(subject="V/v đường bộ")
    assert "V/v đường bộ" in to_json(document)
    stored = json.loads(to_json(make_status()))
    assert stored["response_for"]["promulgation_date"] == "2026-03-02"
