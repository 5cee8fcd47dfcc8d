"""Mutations of a description in JSON: members dropped, doubled, renamed, refilled with what does not belong there."""

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

_VALUES: tuple[Any, ...] = (
    None,
    True,
    "",
    "null",
    "x" * 5000,
    "Ủy ban\u0301 𠀋",
    "\x00",
    "\ud800",
    "\r\n\t ",
    "2026-02-30",
    "0001-01-01",
    "99999999999-01-01",
    -1,
    1.5,
    1e308,
    2**31,
    2**63,
    10**4000,
    "BUSINESS_TYPE_RECALL",
    "9",
    [],
    {},
    [[]],
    [None],
    {"a": {}},
    "cGF0aA==",
    "=",
    "../../etc/passwd",
)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


def change(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    try:
        whole = json.loads(data)
        places = list(_places(whole))
    except (ValueError, RecursionError):
        return data + draw.choice((b"}", b"]", b'"', b"NaN", b"[" * 100_000))
    if not places:
        return data
    container, key = draw.choice(places)
    match draw.randrange(4):
        case 0:
            container[key] = draw.choice(_VALUES)
        case 1:
            del container[key]
        case 2 if isinstance(container, dict):
            container[draw.choice(("x", "", "name", "path", "content", "attachments", "sender", str(key).upper()))] = (
                container.pop(key)
            )
        case _:
            other, place = draw.choice(places)
            other[place] = json.loads(json.dumps(container[key]))
    return json.dumps(whole).encode()


MUTATIONS = (change, change, change, change, change, change, change, change)
