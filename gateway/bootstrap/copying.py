"""Files copied so that a name never stands for half of one: judged while they are copied, synced, then named."""

import hashlib
import os
from contextlib import suppress
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from gateway.blobs.disks import sync
from gateway.domain.ids import Digest
from gateway.domain.packet import StoredObject

_CHUNK = 1024 * 1024
_UNFINISHED = ".partial"


class Copied(StrEnum):
    """What became of one object."""

    COPIED = "copied"
    KEPT = "kept"
    """The target has it already, whole."""
    MISSING = "missing"
    DAMAGED = "damaged"
    """The source has other bytes than were stored."""


def copy_object(stored: StoredObject, source: Path, target: Path) -> Copied:
    """Copy an object between two directories of objects; blocks. The file is synced, its folder is not.

    A key that leads out of the directory, in a database that somebody made up, has no object. Raises OSError where the
    target cannot be written.
    """
    parts = PurePosixPath(stored.key).parts
    if not parts or ".." in parts or parts[0] == "/":
        return Copied.MISSING
    written = target / stored.key
    if _is_whole(written, stored):
        return Copied.KEPT
    written.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = written.with_name(written.name + _UNFINISHED)
    try:
        digest, size = copy_synced(source / stored.key, unfinished)
    except FileNotFoundError:
        return Copied.MISSING
    if (digest, size) != (stored.digest, stored.size):
        unfinished.unlink()
        return Copied.DAMAGED
    unfinished.replace(written)
    return Copied.COPIED


def copy_synced(source: Path, target: Path) -> tuple[Digest, int]:
    """Copy a file and sync it; SHA-256 and size of what was read. What could not be written whole is removed again.

    Raises FileNotFoundError for a source that is not there, OSError where the target cannot be written.
    """
    digest, size = hashlib.sha256(), 0
    with source.open("rb", buffering=0) as read:
        try:
            with _private(target) as write:
                while chunk := read.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    write.write(chunk)
                write.flush()
                os.fsync(write.fileno())
        except OSError:
            target.unlink(missing_ok=True)
            raise
    return Digest(digest.hexdigest()), size


def digest_of(path: Path) -> Digest:
    """SHA-256 of a file; blocks."""
    with path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").hexdigest())


def write_synced(path: Path, content: bytes) -> None:
    """Write a small file whole or not at all, and its folder's entry; blocks."""
    unfinished = path.with_name(path.name + _UNFINISHED)
    try:
        with _private(unfinished) as write:
            write.write(content)
            write.flush()
            os.fsync(write.fileno())
        unfinished.replace(path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
        raise
    sync([path.parent])


def _private(path: Path) -> BinaryIO:
    """A file, empty, for its owner's eyes alone: what is kept here are official documents."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _is_whole(path: Path, stored: StoredObject) -> bool:
    try:
        return path.stat().st_size == stored.size and digest_of(path) == stored.digest
    except FileNotFoundError:
        return False
