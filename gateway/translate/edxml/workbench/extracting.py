"""Attachments of a packet as files in a folder: the command `packet extract`."""

import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gateway.domain.ids import Digest, ObjectKey
from gateway.domain.packet import PacketDefect, PacketKind, PacketWarning, StoredObject, UnpackedStatus
from gateway.ports import BlobWriter
from gateway.translate.edxml.contents.objects import AttachmentObjects, MeasuringWriter
from gateway.translate.edxml.reading.reader import read_packet
from gateway.translate.edxml.workbench.filenames import safe_names
from gateway.translate.edxml.workbench.inspection import packet_chunks
from gateway.xmlsafe import Limits

FILE_EXISTS = "FILE_EXISTS"
"""A file of that name is there already; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractedFile:
    """One attachment, unwrapped."""

    name: str
    """As the packet says it."""
    file: Path
    size: int
    """Bytes."""
    sha256: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """Everything that was in the packet."""

    kind: PacketKind
    files: tuple[ExtractedFile, ...]
    """Empty for a status."""
    warnings: tuple[PacketWarning, ...]


async def extract(packet: Path, folder: Path, limits: Limits) -> Extracted | PacketDefect:
    """Write the attachments into `folder`, which is created; either all of them or nothing. Raises OSError."""
    with _created(folder):
        objects = FolderObjects(folder)
        try:
            found = await read_packet(packet_chunks(packet), objects=objects, limits=limits, said=None)
            if isinstance(found, PacketDefect):
                return found
            if isinstance(found, UnpackedStatus):
                return Extracted(kind=PacketKind.STATUS, files=(), warnings=found.warnings)
            attachments = found.document.attachments
            names = safe_names([one.name for one in attachments])
            taken = _publish(folder, list(zip((one.key for one in found.objects), names, strict=True)))
        finally:
            objects.clear()
        if taken is not None:
            return PacketDefect(code=FILE_EXISTS, path=str(taken), message="there is such a file already")
        files = tuple(
            ExtractedFile(name=one.name, file=folder / name, size=one.size, sha256=one.sha256)
            for one, name in zip(attachments, names, strict=True)
        )
        return Extracted(kind=PacketKind.DOCUMENT, files=files, warnings=found.warnings)


class FolderObjects(AttachmentObjects):
    """Objects are files of a folder, under temporary names that are their keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: set[ObjectKey] = set()

    @asynccontextmanager
    async def writer(self, *, limit: int) -> AsyncIterator[BlobWriter]:
        """A writer for one object of at most `limit` bytes."""
        key = ObjectKey(f".lgsp-{secrets.token_hex(8)}.tmp")
        self._keys.add(key)
        with (self._folder / key).open("xb", buffering=0) as file:
            writer = _FileWriter(file, key, limit)
            yield writer
        if not writer.finished:
            await self.discard([key])

    async def discard(self, keys: Iterable[ObjectKey]) -> None:
        """Remove the files of these objects."""
        for key in keys:
            (self._folder / key).unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove everything that still has its temporary name."""
        for key in self._keys:
            (self._folder / key).unlink(missing_ok=True)


class _FileWriter(MeasuringWriter):
    """One object of FolderObjects."""

    def __init__(self, file: BinaryIO, key: ObjectKey, limit: int) -> None:
        super().__init__(key, limit)
        self._file = file
        self.finished = False

    async def write(self, chunk: bytes) -> None:
        """Append bytes."""
        await super().write(chunk)
        self._file.write(chunk)

    async def finish(self) -> StoredObject:
        """The object; the file is closed with its writer's context."""
        self.finished = True
        return await super().finish()


def _publish(folder: Path, moves: Sequence[tuple[ObjectKey, str]]) -> Path | None:
    """Give the objects their names; the first name that is taken, if any, and then none of them has got its own."""
    reserved: list[Path] = []
    try:
        for _, name in moves:
            file = folder / name
            file.open("xb").close()  # nobody else can take the name from here on
            reserved.append(file)
        for key, name in moves:
            (folder / key).replace(folder / name)
    except FileExistsError:
        _remove(reserved)
        return folder / moves[len(reserved)][1]
    except BaseException:
        _remove(reserved)
        raise
    return None


def _remove(files: Sequence[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


@contextmanager
def _created(folder: Path) -> Iterator[None]:
    """The folder and those above it; those that were made for this go again where nothing was put into them."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for each in made:
            if any(each.iterdir()):
                break
            each.rmdir()
