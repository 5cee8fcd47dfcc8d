"""Where attachments go while a packet is read: the blob store, or for the command line nowhere that lasts."""

import hashlib
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import Digest, ObjectKey
from gateway.domain.packet import StoredObject
from gateway.ports import BlobWriter

ZIP_MAGIC = b"PK\x03\x04"


class AttachmentObjects(Protocol):
    """The part of the Blobs port that reading needs; every Blobs is one."""

    @abstractmethod
    def writer(self, *, limit: int) -> AbstractAsyncContextManager[BlobWriter]:
        """A writer for one object of at most `limit` bytes."""

    @abstractmethod
    def local_path(self, stored: StoredObject) -> AbstractAsyncContextManager[Path]:
        """A readable file with the object's bytes."""

    @abstractmethod
    async def discard(self, keys: Iterable[ObjectKey]) -> None:
        """Remove objects."""


class ScratchObjects(AttachmentObjects):
    """Measures and digests objects; keeps only what looks like a ZIP, in a folder that its owner removes."""

    def __init__(self, *, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    @asynccontextmanager
    async def writer(self, *, limit: int) -> AsyncIterator[BlobWriter]:
        """A writer for one object of at most `limit` bytes."""
        self._count += 1
        writer = _ScratchWriter(self._folder / str(self._count), limit)
        try:
            yield writer
        finally:
            writer.close()

    @asynccontextmanager
    async def local_path(self, stored: StoredObject) -> AsyncIterator[Path]:
        """The file of an object that looked like a ZIP."""
        yield self._folder / stored.key

    async def discard(self, keys: Iterable[ObjectKey]) -> None:
        """Remove the files of these objects, where there are any."""
        for key in keys:
            (self._folder / key).unlink(missing_ok=True)


class _ScratchWriter(BlobWriter):
    """One object of ScratchObjects."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._head = b""
        self._size = 0
        self._hash = hashlib.sha256()
        self._file: BinaryIO | None = None

    async def write(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._limit:
            raise GatewayError(ErrorCode.ATTACHMENT_TOO_LARGE, limit=self._limit)
        self._hash.update(chunk)
        if self._file is not None:
            self._file.write(chunk)
        elif len(self._head) < len(ZIP_MAGIC):
            self._head += chunk
            if self._head.startswith(ZIP_MAGIC):
                self._file = self._path.open("wb")
                self._file.write(self._head)

    async def finish(self) -> StoredObject:
        self.close()
        digest = Digest(self._hash.hexdigest())
        return StoredObject(digest=digest, size=self._size, key=ObjectKey(self._path.name))

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()
