"""Statements compiled once for all tests of a process, as one gateway compiles them once in its life.

SQLAlchemy keeps compiled statements by engine; the engines of a test are new, and compiling for them took a fifth of
its time.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

_Key = tuple[Any, ...]


class _Statements(dict[Hashable, Any]):
    """Keys begin with the engine's dialect: here any of the same database and version will do."""

    def get(self, key: _Key, default: Any = None) -> Any:  # type: ignore[override]
        return super().get(_common(key), default)

    def __setitem__(self, key: _Key, compiled: Any) -> None:  # type: ignore[override]
        super().__setitem__(_common(key), compiled)


_STATEMENTS = _Statements()


@contextmanager
def compiled_once() -> Iterator[None]:
    """For every engine, whoever makes it."""
    sa.event.listen(sa.Engine, "engine_connect", _share)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "engine_connect", _share)


def _common(key: _Key) -> Hashable:
    dialect, *rest = key
    return (type(dialect), dialect.server_version_info, *rest)


def _share(connection: sa.Connection) -> None:
    connection.execution_options(compiled_cache=_STATEMENTS)
