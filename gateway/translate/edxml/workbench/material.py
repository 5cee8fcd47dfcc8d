"""Attachments of a packet that is built by hand: files of the user, or bytes at hand."""

import asyncio
import hashlib
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.domain.ids import Digest, ObjectKey
from gateway.domain.packet import PacketDefect, StoredObject
from gateway.translate.edxml.contents.attachments import HEAD
from gateway.translate.edxml.contents.objects import ObjectSource

_CHUNK = 256 * 1024


class _NotRegularError(Exception):
    """A folder, pipe or device."""


class ChangedError(Exception):
    """A file is no longer the one that was examined; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """Bytes that can become an attachment."""

    stored: StoredObject
    head: bytes
    """The first bytes, at most HEAD."""


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What tells that a file is still the same."""

    device: int
    inode: int
    size: int
    changed: int


class Material(ObjectSource):
    """Examined once for digest and kind, then streamed; only what was examined can be streamed."""

    def __init__(self, sources: Sequence[Path | bytes]) -> None:
        self._sources = sources
        self._stamps: dict[int, _Stamp] = {}

    async def examine(self, number: int, *, path: str, limit: int) -> Examined | PacketDefect:
        """Size, digest and first bytes of a source of at most `limit` bytes; `path` is its place in the document."""
        source = self._sources[number]
        try:
            size = len(source) if isinstance(source, bytes) else self._look(number, source)
            if size > limit:
                message = f"{size} bytes; an attachment may have {limit}"
                return PacketDefect(code="ATTACHMENT_TOO_LARGE", path=path, message=message)
            digest = hashlib.sha256()
            head = b""
            for chunk in self._chunks(number, 0):
                head += chunk[: HEAD - len(head)]
                digest.update(chunk)
                await asyncio.sleep(0)  # so that a signal to end is heard
        except OSError as error:
            return PacketDefect(code="FILE_UNREADABLE", path=path, message=f"{source!s}: {error.strerror}")
        except _NotRegularError:
            return PacketDefect(code="FILE_UNREADABLE", path=path, message=f"{source!s}: no regular file")
        except ValueError as error:  # a path that no file system can have
            return PacketDefect(code="FILE_UNREADABLE", path=path, message=f"{source!s}: {error}")
        except ChangedError as error:
            return PacketDefect(code="FILE_CHANGED", path=path, message=str(error))
        stored = StoredObject(digest=Digest(digest.hexdigest()), size=size, key=ObjectKey(str(number)))
        return Examined(stored=stored, head=head)

    async def stream(self, stored: StoredObject, *, offset: int = 0) -> AsyncIterator[bytes]:
        """The bytes of an examined source. Raises ChangedError, OSError."""
        for chunk in self._chunks(int(stored.key), offset):
            yield chunk
            await asyncio.sleep(0)  # as above

    def _look(self, number: int, file: Path) -> int:
        if not stat.S_ISREG(file.stat().st_mode):  # before it is opened: opening a pipe waits for a writer
            raise _NotRegularError
        self._stamps[number] = stamp = _stamp(file)
        return stamp.size

    def _chunks(self, number: int, offset: int) -> Iterator[bytes]:
        source = self._sources[number]
        if isinstance(source, bytes):
            yield from (source[at : at + _CHUNK] for at in range(offset, len(source), _CHUNK))
            return
        with source.open("rb", buffering=0) as file:
            file.seek(offset)
            while chunk := file.read(_CHUNK):
                yield chunk
        if _stamp(source) != self._stamps[number]:
            raise ChangedError(f"{source}: changed while it was read")


def _stamp(file: Path) -> _Stamp:
    found = file.stat()
    return _Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
