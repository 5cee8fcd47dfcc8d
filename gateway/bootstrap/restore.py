"""Makes an earlier state the store: from a backup, or one that was brought back by other means."""

import asyncio
import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gateway.blobs.content import ObjectBlobs
from gateway.blobs.disks import sync
from gateway.bootstrap.backup import Reason, Refused, Tally, copy_all, missing
from gateway.bootstrap.copying import copy_synced
from gateway.bootstrap.manifest import DATABASE, OBJECTS, Counts, Manifest, counts_of, read_manifest
from gateway.bootstrap.parts import exclusive, open_blobs
from gateway.domain.packet import StoredObject
from gateway.ports import Clock
from gateway.settings import Settings, database_of
from gateway.store import backup as copies
from gateway.store import restored
from gateway.store.clock import database_clock
from gateway.store.store import Store, open_store

_BESIDE = ("-wal", "-shm", "-journal")
_LEAVING = timedelta(seconds=5)
"""How long connections of a gateway that has just been stopped may take to go."""
_LOOK = timedelta(milliseconds=250)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a restored store begins."""

    ask_first_for: timedelta
    """How long new documents are asked for at the axis before they are first sent; zero = not at all."""
    as_of: datetime | None = None
    """No later than the state restored; None = the backup, or the store's youngest row, tells."""
    deep: bool = False
    """Read every object and compare its digest, not only its size."""
    accept_missing: bool = False
    """Go on without objects that are lost for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The store that begins."""

    adopted: restored.Adopted
    counts: Counts
    """Before adopting."""
    objects: int
    object_bytes: int
    lost: int
    """Objects that are missing or damaged; 0 unless that was accepted."""
    concerned: tuple[str, ...]
    """Whose they are; the first NAMED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a store goes."""

    database: Path
    blobs: Path

    @property
    def unfinished(self) -> Path:
        """The database until everything else is there."""
        return self.database.with_name(self.database.name + ".restoring")


async def restore(settings: Settings, source: Path, terms: Terms, *, clock: Clock) -> Restored | Refused:
    """Put a backup into the empty place that the settings name, every byte judged, and adopt it.

    The database gets its name last: what ends this early leaves no store, and the same command again goes on. Raises
    SettingsError where a gateway runs, GatewayError STORE_UNAVAILABLE, OSError where the place cannot be written.
    """
    database = database_of(settings.store)
    if not isinstance(database, Path) or settings.blobs.bucket:
        message = "a backup is restored into an SQLite file and a blob directory only; see docs/backup.md"
        return Refused(reason=Reason.NOT_EMBEDDED, path="", message=message)
    manifest = read_manifest(source)
    if manifest is None:
        message = "no backup that this release can read: no valid manifest.json"
        return Refused(reason=Reason.NOT_A_BACKUP, path=str(source), message=message)
    place = _Place(database=database, blobs=settings.blobs.path)
    await asyncio.to_thread(database.parent.mkdir, parents=True, exist_ok=True)
    with exclusive(database):
        taken = await asyncio.to_thread(_taken, place)
        if taken is not None:
            message = "there is something already; move it away first"
            return Refused(reason=Reason.NOT_EMPTY, path=str(taken), message=message)
        return await _put(manifest, source, place, terms, clock)


async def adopt(settings: Settings, terms: Terms, *, clock: Clock) -> Restored | Refused:
    """Adopt a store that was brought back by other means, once every object it refers to is found.

    Raises SettingsError where a gateway runs here, GatewayError STORE_UNAVAILABLE.
    """
    database = database_of(settings.store)
    if isinstance(database, Path) and not database.is_file():
        message = "there is no database here; look at store.path, and at what is mounted"
        return Refused(reason=Reason.NOTHING_THERE, path=str(database), message=message)
    with ExitStack() as stack:
        if isinstance(database, Path):
            stack.enter_context(exclusive(database))
        elif not settings.blobs.bucket:
            stack.enter_context(exclusive(settings.blobs.path))
        store = await open_store(database)
        try:
            if await _others(store, until=clock.now() + _LEAVING, clock=clock):
                message = "gateways are connected to the database; stop them first"
                return Refused(reason=Reason.BUSY, path="", message=message)
            if not isinstance(database, Path):
                clock = await database_clock(store.database)  # due times are compared with it
            found = await copies.inventory(store.database)
            tally = await _judge(store, open_blobs(settings, clock=clock), terms)
            refusal = await missing(store, tally, settings.blobs.bucket or settings.blobs.path)
            if tally.lost and not terms.accept_missing:
                return refusal
            return Restored(
                adopted=await _adopt(store, "recovered by other means", terms, terms.as_of, clock),
                counts=counts_of(found),
                objects=found.objects,
                object_bytes=found.object_bytes,
                lost=tally.lost,
                concerned=refusal.concerned,
            )
        finally:
            await store.close()


async def _put(manifest: Manifest, source: Path, place: _Place, terms: Terms, clock: Clock) -> Restored | Refused:
    if not await asyncio.to_thread(_bring_database, manifest, source, place):
        message = "the database is not the one that the manifest tells of"
        return Refused(reason=Reason.DATABASE_DAMAGED, path=str(source / DATABASE), message=message)
    store = await open_store(place.unfinished)
    try:
        tally = await copy_all(store, source.parent / OBJECTS, place.blobs)
        refusal = await missing(store, tally, source.parent / OBJECTS)
        if tally.lost and not terms.accept_missing:
            return refusal
        adopted = await _adopt(store, str(source), terms, manifest.taken_at, clock)
    finally:
        await store.close()
    await asyncio.to_thread(_give_name, place)
    return Restored(
        adopted=adopted,
        counts=manifest.counts,
        objects=manifest.objects,
        object_bytes=manifest.object_bytes,
        lost=tally.lost,
        concerned=refusal.concerned,
    )


def _bring_database(manifest: Manifest, source: Path, place: _Place) -> bool:
    """Copy the database under its unfinished name; False if it is not what was backed up."""
    for beside in _BESIDE:
        place.unfinished.with_name(place.unfinished.name + beside).unlink(missing_ok=True)
    digest, _ = copy_synced(source / DATABASE, place.unfinished)
    if digest != manifest.database_sha256:
        place.unfinished.unlink()
        return False
    place.blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
    return True


def _give_name(place: _Place) -> None:
    """From here on there is a store."""
    copies.as_one_file(place.unfinished)
    sync([place.unfinished, place.blobs.parent])
    place.unfinished.replace(place.database)
    sync([place.database.parent])


async def _adopt(store: Store, source: str, terms: Terms, as_of: datetime | None, clock: Clock) -> restored.Adopted:
    now = clock.now()
    restoration = restored.Restoration(at=now, source=source, as_of=as_of, ask_first_until=now + terms.ask_first_for)
    return await restored.adopt(store.database, restoration)


async def _judge(store: Store, blobs: ObjectBlobs, terms: Terms) -> Tally:
    tally = Tally()
    async for batch in copies.referenced(store.database):
        for stored in batch:
            if await blobs.size_of(stored.key) != stored.size or (terms.deep and not await _is_whole(blobs, stored)):
                tally.lose(stored)
    return tally


async def _is_whole(blobs: ObjectBlobs, stored: StoredObject) -> bool:
    digest = hashlib.sha256()
    async for chunk in blobs.stream(stored):
        digest.update(chunk)
    return digest.hexdigest() == stored.digest


async def _others(store: Store, *, until: datetime, clock: Clock) -> bool:
    while await restored.others_connected(store.database):
        if clock.now() >= until:
            return True
        await asyncio.sleep(_LOOK.total_seconds())
    return False


def _taken(place: _Place) -> Path | None:
    """What a store would overwrite; objects of a restore that was cut short are only gone on with."""
    if place.database.exists():
        return place.database
    if not place.unfinished.exists() and any(path.is_file() for path in place.blobs.rglob("*")):
        return place.blobs
    return None
