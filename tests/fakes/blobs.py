"""Blobs in memory, for parts that need the port and no disk."""

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import Digest, ObjectKey
from gateway.domain.packet import StoredObject
from gateway.ports import Blobs, BlobWriter

CHUNK = 256 * 1024


class MemoryBlobs(Blobs):
    """Keeps finished objects in `objects`; unfinished ones never show."""

    def __init__(self, *, chunk: int = CHUNK) -> None:
        self.objects: dict[ObjectKey, bytes] = {}
        self._chunk = chunk
        self._count = 0

    def put(self, data: bytes) -> StoredObject:
        """Store bytes at once."""
        self._count += 1
        key = ObjectKey(f"object-{self._count}")
        self.objects[key] = data
        return StoredObject(digest=Digest(hashlib.sha256(data).hexdigest()), size=len(data), key=key)

    @asynccontextmanager
    async def writer(self, *, limit: int) -> AsyncIterator[BlobWriter]:
        yield _MemoryWriter(self, limit)

    async def stream(self, stored: StoredObject, *, offset: int = 0) -> AsyncIterator[bytes]:
        data = self.objects[stored.key]
        for start in range(offset, len(data), self._chunk):
            yield data[start : start + self._chunk]

    @asynccontextmanager
    async def local_path(self, stored: StoredObject) -> AsyncIterator[Path]:
        with TemporaryDirectory() as folder:
            path = Path(folder) / stored.key
            path.write_bytes(self.objects[stored.key])
            yield path

    async def discard(self, keys: Iterable[ObjectKey]) -> None:
        for key in keys:
            self.objects.pop(key, None)

    async def keys(self, *, older_than: datetime) -> AsyncIterator[Sequence[ObjectKey]]:
        yield tuple(self.objects)


class _MemoryWriter(BlobWriter):
    def __init__(self, blobs: MemoryBlobs, limit: int) -> None:
        self._blobs = blobs
        self._limit = limit
        self._data = bytearray()

    async def write(self, chunk: bytes) -> None:
        if len(self._data) + len(chunk) > self._limit:
            raise GatewayError(ErrorCode.ATTACHMENT_TOO_LARGE, limit=self._limit)
        self._data += chunk

    async def finish(self) -> StoredObject:
        return self._blobs.put(bytes(self._data))
