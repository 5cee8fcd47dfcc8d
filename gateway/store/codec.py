"""Frozen dataclasses to JSON text and back, by their type hints.

Unknown keys are ignored and missing ones take the field's default, so that two releases can share one database.
"""

import json
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NewType, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
Reader = Callable[[Any], Any]


def to_json(value: object) -> str:
    """Compact JSON of a value made of dataclasses, tuples, words, numbers, dates and instants."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def from_json(kind: type[T], text: str) -> T:
    """The value of a given type written by `to_json`."""
    return cast("T", _reader(cast("Any", kind))(json.loads(text)))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in _names(type(value))}
    return value


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


@cache
def _reader(kind: Any) -> Reader:
    """How values of a type are made; found once for each: a document may have thousands of parts."""
    kind = _bare(kind)
    if get_origin(kind) is tuple:
        each = _reader(get_args(kind)[0])
        return lambda plain: tuple(each(part) for part in plain)
    if is_dataclass(kind) and isinstance(kind, type):
        return _dataclass_reader(kind)
    make = kind.fromisoformat if issubclass(kind, (datetime, date)) else kind
    return lambda plain: None if plain is None else make(plain)


def _dataclass_reader(kind: type) -> Reader:
    hints = get_type_hints(kind)
    members = [(f.name, _reader(hints[f.name]), _required(f)) for f in fields(cast("Any", kind))]

    def read(plain: Any) -> Any:
        if plain is None:
            return None
        given = ((name, reader) for name, reader, required in members if name in plain or required)
        return kind(**{name: reader(plain[name]) for name, reader in given})

    return read


def _required(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _bare(kind: Any) -> Any:
    """The class behind NewType and `| None`."""
    if isinstance(kind, NewType):
        return _bare(kind.__supertype__)
    if get_origin(kind) in (Union, UnionType):
        return _bare(next(each for each in get_args(kind) if each is not NoneType))
    return kind
