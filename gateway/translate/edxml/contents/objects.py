"""Where attachments go while a packet is read: the blob store, or for the command line nowhere at all."""

import hashlib
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import Digest, ObjectKey
from gateway.domain.packet import StoredObject
from gateway.ports import BlobWriter


class AttachmentObjects(Protocol):
    """The part of the Blobs port that reading needs; every Blobs is one."""

    @abstractmethod
    def writer(self, *, limit: int) -> AbstractAsyncContextManager[BlobWriter]:
        """A writer for one object of at most `limit` bytes; leaving the context without `finish` removes everything."""

    @abstractmethod
    async def discard(self, keys: Iterable[ObjectKey]) -> None:
        """Remove objects."""


class ObjectSource(Protocol):
    """Where the bytes of stored objects come from; every Blobs is one."""

    @abstractmethod
    def stream(self, stored: StoredObject, *, offset: int = 0) -> AsyncIterator[bytes]:
        """The object's bytes from `offset` on."""


class MeasuringObjects(AttachmentObjects):
    """Measures and digests objects and keeps nothing of them."""

    def __init__(self) -> None:
        self._count = 0

    @asynccontextmanager
    async def writer(self, *, limit: int) -> AsyncIterator[BlobWriter]:
        """A writer that counts and digests at most `limit` bytes."""
        self._count += 1
        yield MeasuringWriter(ObjectKey(str(self._count)), limit)

    async def discard(self, keys: Iterable[ObjectKey]) -> None:
        """There is nothing to remove."""


class MeasuringWriter(BlobWriter):
    """Counts and digests one object; a writer that keeps it as well builds on this one."""

    def __init__(self, key: ObjectKey, limit: int) -> None:
        self._key = key
        self._limit = limit
        self._size = 0
        self._hash = hashlib.sha256()

    async def write(self, chunk: bytes) -> None:
        """Take bytes. Raises GatewayError ATTACHMENT_TOO_LARGE past the limit."""
        self._size += len(chunk)
        if self._size > self._limit:
            raise GatewayError(ErrorCode.ATTACHMENT_TOO_LARGE, limit=self._limit)
        self._hash.update(chunk)

    async def finish(self) -> StoredObject:
        """The object."""
        return StoredObject(digest=Digest(self._hash.hexdigest()), size=self._size, key=self._key)
