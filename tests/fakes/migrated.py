"""A new store without the time that making its tables takes: a copy of one that was made before."""

import tempfile
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path

from gateway.store import Store, open_store
from tests.fakes.loops import carried_out

Filling = Callable[[Store], Awaitable[None]]


async def leave_empty(_store: Store) -> None:
    """Nothing is in it but what comes with its tables."""


def new_store(path: Path, *, filled: Filling = leave_empty) -> Path:
    """The file of a store of this release's schema, filled so; one that is there already is left as it is."""
    if not path.exists():
        path.write_bytes(_content(filled))
    return path


@cache
def _content(filled: Filling) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "store.db"
        carried_out(_make(made, filled))
        return made.read_bytes()


async def _make(path: Path, filled: Filling) -> None:
    store = await open_store(path)
    await filled(store)
    await store.close()
