"""What a backup says of itself; written last, so a folder with a manifest is a whole backup."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from gateway.bootstrap.copying import write_synced
from gateway.store.backup import Inventory

FORMAT: Literal[1] = 1
DATABASE = "gateway.db"
OBJECTS = "objects"
"""The folder of objects, beside the backups that share it."""
_NAME = "manifest.json"
_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Rows of the database copied."""

    documents: int
    inbound: int
    """Received documents."""
    deliveries: Mapping[str, int]
    """State -> how many; so are the next two."""
    receptions: Mapping[str, int]
    messages: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One backup."""

    format: Literal[1]
    gateway: str
    """Version that made it."""
    schema: str
    epoch: str
    taken_at: datetime
    """No later than the state it holds, UTC."""
    counts: Counts
    objects: int
    object_bytes: int
    database_bytes: int
    database_sha256: str


_manifest = TypeAdapter(Manifest)


def counts_of(found: Inventory) -> Counts:
    """The inventory's rows."""
    return Counts(
        documents=found.documents,
        inbound=found.inbound,
        deliveries=found.deliveries,
        receptions=found.receptions,
        messages=found.messages,
    )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make a folder a backup; blocks."""
    write_synced(folder / _NAME, _manifest.dump_json(manifest, indent=2) + b"\n")


def read_manifest(folder: Path) -> Manifest | None:
    """What a folder says of itself; None if it is no backup, or one of a format that this release does not know."""
    try:
        with (folder / _NAME).open("rb") as file:
            content = file.read(_LIMIT)
        return _manifest.validate_json(content)
    except (OSError, ValidationError):
        return None


def is_backup(folder: Path) -> bool:
    """True if a folder has a manifest, of whatever format."""
    return (folder / _NAME).is_file()
