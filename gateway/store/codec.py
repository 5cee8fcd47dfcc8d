"""Frozen dataclasses to JSON text and back, by their type hints.

Unknown keys are ignored and missing ones take the field's default, so that two releases can share one database.
"""

import json
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NewType, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_json(value: object) -> str:
    """Compact JSON of a value made of dataclasses, tuples, words, numbers, dates and instants."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def from_json(kind: type[T], text: str) -> T:
    """The value of a given type written by `to_json`."""
    return cast("T", _typed(kind, json.loads(text)))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    return value


def _typed(kind: Any, plain: Any) -> Any:
    kind = _bare(kind)
    if get_origin(kind) is tuple:
        return tuple(_typed(get_args(kind)[0], each) for each in plain)
    if plain is None:
        return None
    if is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        given = {f.name: plain[f.name] for f in fields(kind) if f.name in plain or _required(f)}
        return kind(**{name: _typed(hints[name], each) for name, each in given.items()})
    if issubclass(kind, (datetime, date)):
        return kind.fromisoformat(plain)
    return kind(plain)


def _required(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _bare(kind: Any) -> Any:
    """The class behind NewType and `| None`."""
    if isinstance(kind, NewType):
        return _bare(kind.__supertype__)
    if get_origin(kind) in (Union, UnionType):
        return _bare(next(each for each in get_args(kind) if each is not NoneType))
    return kind


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
