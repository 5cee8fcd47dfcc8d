"""ZIP as a wrapper around one attachment: is it one, and what is inside (edxml.md 4, "Zip rule").

Reads the central directory itself: only an archive with exactly one plain entry matters, so nothing here grows with
what an archive claims to hold, and the entry's name is never used as a path.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gateway.translate.edxml.codes import ZIP_FAMILY, extension

_END = struct.Struct("<4sHHHHIIH")
_END_MAGIC = b"PK\x05\x06"
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_CENTRAL_MAGIC = b"PK\x01\x02"
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_LOCAL_MAGIC = b"PK\x03\x04"
_COMMENT_LIMIT = 65535
_ENCRYPTED = 0x0001
_UTF8 = 0x0800
_STORED = 0
_DEFLATED = 8
_ZIP64 = 0xFFFFFFFF
_CHUNK = 256 * 1024

_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")


class UnreadableZipError(ValueError):
    """The entry cannot be unpacked as its archive describes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The only entry of an archive, as the central directory describes it."""

    name: str
    method: int
    packed: int
    """Bytes inside the archive."""
    size: int
    """Bytes inflated."""
    crc: int
    offset: int
    """Of the local header."""


def single_entry(path: Path) -> Entry | None:
    """The archive's entry if it holds exactly one, a plain file this module can inflate; None otherwise."""
    with path.open("rb") as file:
        length = file.seek(0, 2)
        start = max(0, length - _END.size - _COMMENT_LIMIT)
        file.seek(start)
        tail = file.read()
        at = tail.rfind(_END_MAGIC)
        if at < 0 or len(tail) - at < _END.size:
            return None
        _, disk, first_disk, here, total, size, offset, _ = _END.unpack_from(tail, at)
        if (disk, first_disk, here, total) != (0, 0, 1, 1) or offset + size > start + at:
            return None
        file.seek(offset)
        return _central_entry(file.read(min(size, _CENTRAL.size + _COMMENT_LIMIT)))


def _central_entry(record: bytes) -> Entry | None:
    if len(record) < _CENTRAL.size:
        return None
    magic, _, _, flags, method, _, _, crc, packed, size, name_size, _, _, _, _, _, offset = _CENTRAL.unpack_from(record)
    raw = record[_CENTRAL.size : _CENTRAL.size + name_size]
    readable = magic == _CENTRAL_MAGIC and not flags & _ENCRYPTED and method in {_STORED, _DEFLATED}
    if not readable or _ZIP64 in {packed, size, offset} or raw.endswith(b"/"):
        return None
    name = raw.decode("utf-8" if flags & _UTF8 else "cp437", "replace")
    return Entry(name=name, method=method, packed=packed, size=size, crc=crc, offset=offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapping:
    """The verdict on a ZIP: unwrap it or not, and whether the entry's name was the expected UUID."""

    unwrap: bool
    by_uuid: bool = False


def judge(attachment_name: str, entry: Entry | None) -> Wrapping:
    """Apply the rule, in its order (edxml.md 4).

    A name ending zip stays; a UUID entry is unwrapped, whatever the name; another single entry is unwrapped unless the
    name is of a format that is itself a ZIP.
    """
    kind = extension(attachment_name)
    if kind == "zip" or entry is None:
        return Wrapping(unwrap=False)
    stem = entry.name.replace("\\", "/").rpartition("/")[2].partition(".")[0]
    if _UUID.fullmatch(stem):
        return Wrapping(unwrap=True, by_uuid=True)
    return Wrapping(unwrap=kind not in ZIP_FAMILY)


def inflate(path: Path, entry: Entry) -> Iterator[bytes]:
    """The entry's bytes in chunks of at most 256 KiB; size and checksum are checked at the end.

    Raises UnreadableZipError. The caller counts what it takes and stops when it is too much.
    """
    with path.open("rb") as file:
        file.seek(entry.offset)
        header = file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(_LOCAL_MAGIC):
            raise UnreadableZipError("no local header")
        *_, name_size, extra_size = _LOCAL.unpack(header)
        file.seek(name_size + extra_size, 1)
        crc = size = 0
        for chunk in _packed(file, entry) if entry.method == _STORED else _inflated(file, entry):
            crc = zlib.crc32(chunk, crc)
            size += len(chunk)
            yield chunk
        if (crc, size) != (entry.crc, entry.size):
            raise UnreadableZipError("size or checksum differs")


def _packed(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    left = entry.packed
    while left:
        piece = file.read(min(left, _CHUNK))
        if not piece:
            raise UnreadableZipError("the archive is cut short")
        left -= len(piece)
        yield piece


def _inflated(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in _packed(file, entry):
            waiting = piece
            while waiting and not inflater.eof:
                yield inflater.decompress(waiting, _CHUNK)
                waiting = inflater.unconsumed_tail
        while not inflater.eof:
            chunk = inflater.decompress(b"", _CHUNK)
            if not chunk:
                raise UnreadableZipError("the compressed data is cut short")
            yield chunk
    except zlib.error as error:
        raise UnreadableZipError(f"the compressed data is broken: {error}") from None
