"""Copies an embedded store beside the gateway that uses it: the database as of one moment, then all its objects."""

import asyncio
import importlib.metadata
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from gateway.blobs.disks import sync
from gateway.blobs.holding import holding
from gateway.bootstrap.copying import Copied, copy_object, digest_of
from gateway.bootstrap.manifest import (
    DATABASE,
    FORMAT,
    OBJECTS,
    Counts,
    Manifest,
    counts_of,
    is_backup,
    write_manifest,
)
from gateway.bootstrap.parts import exclusive
from gateway.domain.ids import Digest
from gateway.domain.packet import StoredObject
from gateway.ports import Clock
from gateway.settings import Settings, SettingsError, database_of
from gateway.store import backup as copies
from gateway.store.store import Store, open_beside

_NAME = re.compile(r"\d{8}T\d{12}Z")
_FORM = "%Y%m%dT%H%M%S%fZ"
NAMED = 100
"""Most documents named where objects are missing."""
_DIGESTS = 1000
"""Most digests kept to name them by."""


class Reason(StrEnum):
    """Why something was not done."""

    NOT_EMBEDDED = "NOT_EMBEDDED"
    """The settings name PostgreSQL or a bucket, which are copied by their own means."""
    BUSY = "BUSY"
    """Another backup, or a gateway, is at work there."""
    DATABASE_DAMAGED = "DATABASE_DAMAGED"
    OBJECTS_MISSING = "OBJECTS_MISSING"
    """The database refers to objects that are missing or have other bytes than were stored."""
    NOT_A_BACKUP = "NOT_A_BACKUP"
    NOT_EMPTY = "NOT_EMPTY"
    """There is something already where the store would go."""
    NOTHING_THERE = "NOTHING_THERE"
    """There is no store that could be adopted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Nothing was done, and why."""

    reason: Reason
    path: str
    """The file or folder it is about."""
    message: str
    concerned: tuple[str, ...] = ()
    """Documents, receptions and axis items that lack an object; the first NAMED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A backup that is whole and verified."""

    folder: Path
    counts: Counts
    objects: int
    object_bytes: int
    database_bytes: int
    copied: int
    """Objects that no earlier backup had brought to the same target."""
    copied_bytes: int


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the objects so far."""

    copied: int = 0
    copied_bytes: int = 0
    lost: int = 0
    digests: list[Digest] = field(default_factory=list)
    """Of the first lost ones."""
    folders: set[Path] = field(default_factory=set)
    """Where files were made."""

    def lose(self, stored: StoredObject) -> None:
        """Count an object that is missing or damaged."""
        self.lost += 1
        if len(self.digests) < _DIGESTS:
            self.digests.append(stored.digest)


async def backup(settings: Settings, target: Path, *, clock: Clock) -> Made | Refused:
    """Make a backup in a new folder of `target`, which shares the objects of earlier ones there.

    A running gateway goes on, except that it removes no object meanwhile. Whatever ends this early leaves a folder
    without a manifest, which is none, and earlier backups as they were. Raises GatewayError STORE_UNAVAILABLE where
    there is no usable store, OSError where `target` cannot be written.
    """
    database = database_of(settings.store)
    if not isinstance(database, Path) or settings.blobs.bucket:
        message = "only an SQLite file with a blob directory is copied by this command; see docs/backup.md"
        return Refused(reason=Reason.NOT_EMBEDDED, path="", message=message)
    await (await open_beside(database)).close()
    await asyncio.to_thread(target.mkdir, mode=0o700, parents=True, exist_ok=True)
    try:
        with exclusive(target / "backup"), holding(settings.blobs.path) as held:
            if not held:
                return _busy(settings.blobs.path)
            _remove_unfinished(target)
            return await _make(database, settings.blobs.path, target, clock)
    except SettingsError:
        return _busy(target)


async def copy_all(store: Store, source: Path, target: Path) -> Tally:
    """Bring every object that the database refers to from one directory to another, judged and synced."""
    tally = Tally(folders={target})
    async for batch in copies.referenced(store.database):
        await asyncio.to_thread(_copy_batch, batch, source, target, tally)
    await asyncio.to_thread(sync, tally.folders)
    return tally


async def missing(store: Store, tally: Tally, place: Path | str) -> Refused:
    """The refusal that names what lacks its objects."""
    names = await copies.concerned(store.database, tally.digests)
    message = f"{tally.lost} objects are missing or damaged"
    return Refused(reason=Reason.OBJECTS_MISSING, path=str(place), message=message, concerned=names[:NAMED])


async def _make(database: Path, blobs: Path, target: Path, clock: Clock) -> Made | Refused:
    taken_at = clock.now()
    folder = target / taken_at.strftime(_FORM)
    folder.mkdir(mode=0o700)
    whole = False
    try:
        made = await _fill(database, blobs, folder, taken_at)
        whole = isinstance(made, Made)
        return made
    finally:
        if not whole:
            shutil.rmtree(folder, ignore_errors=True)


async def _fill(database: Path, blobs: Path, folder: Path, taken_at: datetime) -> Made | Refused:
    copy, objects = folder / DATABASE, folder.parent / OBJECTS
    copy.touch(mode=0o600)
    await asyncio.to_thread(copies.copy_database, database, copy)
    problems = await asyncio.to_thread(copies.problems_of, copy)
    if problems:
        return Refused(reason=Reason.DATABASE_DAMAGED, path=str(database), message="; ".join(problems))
    objects.mkdir(mode=0o700, exist_ok=True)
    store = await open_beside(copy)
    try:
        await copies.forget_unreferenced(store.database)
        found = await copies.inventory(store.database)
        tally = await copy_all(store, blobs, objects)
        if tally.lost:
            return await missing(store, tally, blobs)
    finally:
        await store.close()
    await asyncio.to_thread(copies.as_one_file, copy)
    await asyncio.to_thread(sync, [copy, folder, folder.parent])
    manifest = Manifest(
        format=FORMAT,
        gateway=importlib.metadata.version("lgsp-gateway"),
        schema=found.revision,
        epoch=found.epoch,
        taken_at=taken_at,
        counts=counts_of(found),
        objects=found.objects,
        object_bytes=found.object_bytes,
        database_bytes=copy.stat().st_size,
        database_sha256=await asyncio.to_thread(digest_of, copy),
    )
    await asyncio.to_thread(write_manifest, folder, manifest)
    return Made(
        folder=folder,
        counts=manifest.counts,
        objects=manifest.objects,
        object_bytes=manifest.object_bytes,
        database_bytes=manifest.database_bytes,
        copied=tally.copied,
        copied_bytes=tally.copied_bytes,
    )


def _copy_batch(batch: Sequence[StoredObject], source: Path, target: Path, tally: Tally) -> None:
    for stored in batch:
        match copy_object(stored, source, target):
            case Copied.COPIED:
                tally.copied += 1
                tally.copied_bytes += stored.size
                tally.folders.add((target / stored.key).parent)
            case Copied.MISSING | Copied.DAMAGED:
                tally.lose(stored)
            case Copied.KEPT:
                pass


def _remove_unfinished(target: Path) -> None:
    """Take away what a killed backup left; nobody else is at work here."""
    for folder in target.iterdir():
        if _NAME.fullmatch(folder.name) and folder.is_dir() and not is_backup(folder):
            shutil.rmtree(folder)


def _busy(path: Path) -> Refused:
    return Refused(reason=Reason.BUSY, path=str(path), message="another backup is running")
