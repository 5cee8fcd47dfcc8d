"""Implements Blobs over obstore; what differs between stores (durability, a local file) is left to one class each.

Objects are written once, under keys that say nothing about their content; nothing is ever renamed or overwritten.
"""

import asyncio
import hashlib
import re
import uuid
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import obstore
import structlog
from obstore.store import LocalStore, ObjectStore

from gateway.blobs.disks import sync
from gateway.blobs.faults import FAILURES, read_errors, write_errors
from gateway.blobs.holding import held
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import Digest, ObjectKey
from gateway.domain.packet import StoredObject
from gateway.ports.content import Blobs, BlobWriter, Clock

_log = structlog.get_logger()

CHUNK = 256 * 1024
"""Largest chunk that `stream` yields, bytes."""

_MIB = 1024 * 1024
_WRITES_AT_ONCE = 2
_LIST_BATCH = 1000
_CLEANING_UP = timedelta(seconds=2)
"""Longest removal of an unfinished object: its writer's caller waits for an answer."""
_FAILURES_BORNE = 3
"""Removals that may fail before the rest is left to the sweep: a store that is down must not be asked 500 times."""
_KEY = re.compile(r"[0-9]{8}/[0-9a-f]{32}")
"""The form of our keys: whatever else lies in the store is not ours to sweep."""

_TEMPORARY = re.compile(r".+#\d+")
# obstore writes to `NAME#NUMBER` beside the final name and renames at the end.


class ObjectBlobs(Blobs):
    """Blobs in an obstore store. A writer holds at most about three parts, a reader one range, whatever the size."""

    part = _MIB
    """Bytes that are written together."""
    read_range = _MIB
    """Bytes that are read together; ranges of a MiB cost a sixth of obstore's own stream, whose pieces are small."""

    def __init__(self, store: ObjectStore, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @asynccontextmanager
    async def writer(self, *, limit: int) -> AsyncIterator[BlobWriter]:
        """A writer for one object of at most `limit` bytes.

        Raises GatewayError ATTACHMENT_TOO_LARGE from `write`, STORAGE_FULL (no room) and STORE_UNAVAILABLE from `write`
        and `finish`.
        """
        writer = _Writer(self, self._new_key(), limit=limit)
        try:
            yield writer
        finally:
            await writer.abandon_unfinished()

    async def stream(self, stored: StoredObject, *, offset: int = 0) -> AsyncIterator[bytes]:
        """The object's bytes from `offset` on; nothing when `offset` is at or past the end.

        Raises GatewayError STORE_UNAVAILABLE, FileNotFoundError for an object that is not there.
        """
        for start in range(offset, stored.size, self.read_range):
            end = min(start + self.read_range, stored.size)
            with read_errors():
                piece = memoryview(await obstore.get_range_async(self._store, stored.key, start=start, end=end))
            for at in range(0, len(piece), CHUNK):
                yield bytes(piece[at : at + CHUNK])

    async def discard(self, keys: Iterable[ObjectKey]) -> None:
        """Remove objects that no row refers to; unknown keys are ignored.

        What the store cannot remove now is rubbish, not a failure of whoever had it discarded: the sweep comes again.
        """
        failures = 0
        for key in keys:
            try:
                await obstore.delete_async(self._store, key)
            except FileNotFoundError:
                continue
            except FAILURES as error:
                _log.warning("blob.not_discarded", key=key, reason=type(error).__name__)
                failures += 1
                if failures == _FAILURES_BORNE:
                    break

    async def size_of(self, key: ObjectKey) -> int | None:
        """Bytes of an object; None if it is not there. Raises GatewayError STORE_UNAVAILABLE."""
        with read_errors():
            try:
                return int((await obstore.head_async(self._store, key))["size"])
            except FileNotFoundError:
                return None

    async def keys(self, *, older_than: datetime) -> AsyncIterator[Sequence[ObjectKey]]:
        """Keys of objects last modified before an instant by the store's own clock, at most 1000 a batch.

        Raises GatewayError STORE_UNAVAILABLE.
        """
        with read_errors():
            async for batch in obstore.list(self._store, chunk_size=_LIST_BATCH):
                old = [meta["path"] for meta in batch if meta["last_modified"] < older_than]
                ours = [ObjectKey(path) for path in old if _KEY.fullmatch(path)]
                if ours:
                    yield ours

    @abstractmethod
    async def make_durable(self, key: ObjectKey) -> None:
        """Return once a completely written object survives a power cut."""

    @abstractmethod
    async def sweep_temporary(self) -> int:
        """Remove what crashed processes left on local disks; how many files."""

    def open_sink(self, key: ObjectKey) -> "obstore.AsyncWritableFile":
        """Where the bytes of a new object go; invisible until closed, removed when left by an exception."""
        return obstore.open_writer_async(self._store, key, buffer_size=self.part, max_concurrency=_WRITES_AT_ONCE)

    def _new_key(self) -> ObjectKey:
        # A folder a day keeps folders small and lets a backup skip the days it has.
        return ObjectKey(f"{self._clock.now():%Y%m%d}/{uuid.uuid4().hex}")


class LocalBlobs(ObjectBlobs):
    """Blobs below `root`, which is made if missing; one process at a time may use it."""

    def __init__(self, root: Path, *, clock: Clock) -> None:
        root.mkdir(parents=True, exist_ok=True)
        sync([root.parent])
        super().__init__(LocalStore(root), clock=clock)
        self._root = root

    @asynccontextmanager
    async def local_path(self, stored: StoredObject) -> AsyncIterator[Path]:
        """The object's own file; to be read only."""
        yield self._root / stored.key

    async def make_durable(self, key: ObjectKey) -> None:
        """Sync the file, its folder and the root, which the folder may be new in; obstore renames without fsync."""
        path = self._root / key
        await asyncio.to_thread(sync, [path, path.parent, self._root])

    async def discard(self, keys: Iterable[ObjectKey]) -> None:
        """See ObjectBlobs; while a backup copies, nothing is removed: the sweep comes again."""
        wanted = tuple(keys)
        if wanted and not await asyncio.to_thread(held, self._root):
            await super().discard(wanted)

    async def sweep_temporary(self) -> int:
        """Remove what writers of a crashed process left; how many files. Only before the first writer is opened."""
        return await asyncio.to_thread(self._remove_temporary)

    def _remove_temporary(self) -> int:
        leftovers = [path for path in self._root.glob("*/*#*") if _TEMPORARY.fullmatch(path.name)]
        for path in leftovers:
            path.unlink()
        return len(leftovers)


class _Writer(BlobWriter):
    def __init__(self, blobs: ObjectBlobs, key: ObjectKey, *, limit: int) -> None:
        self._blobs = blobs
        self._key = key
        self._limit = limit
        self._sink = blobs.open_sink(key)
        self._closed = False
        self._finished = False
        self._size = 0
        self._digest = hashlib.sha256()

    async def write(self, chunk: bytes) -> None:
        if self._size + len(chunk) > self._limit:
            raise GatewayError(ErrorCode.ATTACHMENT_TOO_LARGE, limit=self._limit)
        self._size += len(chunk)
        self._digest.update(chunk)
        with write_errors():
            await self._sink.write(chunk)

    async def finish(self) -> StoredObject:
        with write_errors():
            await self._sink.close()
            self._closed = True
            await self._blobs.make_durable(self._key)
        self._finished = True
        return StoredObject(digest=Digest(self._digest.hexdigest()), size=self._size, key=self._key)

    async def abandon_unfinished(self) -> None:
        """Remove whatever was written, unless `finish` succeeded."""
        if self._finished:
            return
        # A failing store must not hide why the writer was left; the sweep finds what cannot be removed now.
        with suppress(*FAILURES):
            async with asyncio.timeout(_CLEANING_UP.total_seconds()):
                if not self._closed:
                    # The sink knows no "abort"; being left by an exception is how it is told.
                    await self._sink.__aexit__(GatewayError, None, None)
                await self._blobs.discard([self._key])
