"""Holds every change of state against the tables of the lifecycle."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

S = TypeVar("S", bound=StrEnum)


class IllegalMoveError(Exception):
    """A flow asked for a change of state that the lifecycle does not know: a bug, nothing was written."""


def check(moves: Mapping[S, frozenset[S]], before: S, after: S) -> None:
    """Raise IllegalMoveError unless the table allows the move."""
    if after not in moves[before]:
        raise IllegalMoveError(f"{type(after).__name__}: {before.value} to {after.value}")
