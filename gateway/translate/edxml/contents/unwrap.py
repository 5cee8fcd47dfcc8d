"""ZIP as a wrapper around one attachment: is it one, and what is inside (edxml.md 4, "Zip rule").

Judges the central directory, which stands at an archive's end, so only the last bytes of an archive are ever held: only
an archive with exactly one plain entry matters, nothing here grows with what an archive claims to hold, and the entry's
name is never used as a path.
"""

import re
from dataclasses import dataclass

from gateway.translate.edxml.codes import ZIP_FAMILY, extension
from gateway.translate.edxml.contents.ziprecords import (
    CENTRAL,
    CENTRAL_MAGIC,
    DEFLATED,
    ENCRYPTED,
    END,
    END_MAGIC,
    FIELD_LIMIT,
    STORED,
    UTF8,
)
from gateway.xmlsafe import Limits

_ZIP64 = 0xFFFFFFFF
_NAME_KEPT = 255

TAIL = CENTRAL.size + 3 * FIELD_LIMIT + END.size + FIELD_LIMIT
"""The longest directory of one entry and the longest end record, bytes."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")


class Tail:
    """The last bytes of what was fed: at least TAIL, if there were so many, and at most twice that."""

    def __init__(self, *, skipped: int = 0) -> None:
        """`skipped` bytes stood before the first that is fed."""
        self.size = skipped
        """Bytes fed and skipped."""
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> None:
        """The next bytes."""
        self.size += len(chunk)
        self._kept += chunk[-TAIL:]
        if len(self._kept) > 2 * TAIL:
            del self._kept[:-TAIL]

    def endswith(self, ending: bytes) -> bool:
        """True if these are the last bytes; at most TAIL of them."""
        return self._kept.endswith(ending)

    def single_entry(self) -> "Entry | None":
        """The archive's entry if it holds exactly one, a plain file stored or deflated; None otherwise."""
        start = self.size - len(self._kept)
        at = self._kept.rfind(END_MAGIC, max(0, len(self._kept) - END.size - FIELD_LIMIT))
        if at < 0 or len(self._kept) - at < END.size:
            return None
        _, disk, first_disk, here, total, size, offset, _ = END.unpack_from(self._kept, at)
        if (disk, first_disk, here, total) != (0, 0, 1, 1) or not start <= offset <= start + at - size:
            return None
        return _central_entry(bytes(self._kept[offset - start : offset - start + size]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The only entry of an archive, as the central directory describes it."""

    name: str
    """Empty if longer than 255 characters: such a name is of no use."""
    by_uuid: bool
    """True if it is named by a UUID, as the national SDK does."""
    packed: int
    """Bytes inside the archive."""
    size: int
    """Bytes inflated."""
    crc: int
    offset: int
    """Of the local header."""


def _central_entry(record: bytes) -> Entry | None:
    if len(record) < CENTRAL.size:
        return None
    magic, _, _, flags, method, _, _, crc, packed, size, name_size, _, _, _, _, _, offset = CENTRAL.unpack_from(record)
    raw = record[CENTRAL.size : CENTRAL.size + name_size]
    readable = magic == CENTRAL_MAGIC and not flags & ENCRYPTED and method in {STORED, DEFLATED}
    if not readable or _ZIP64 in {packed, size, offset} or raw.endswith(b"/"):
        return None
    name = raw.decode("utf-8" if flags & UTF8 else "cp437", "replace")
    stem = name.replace("\\", "/").rpartition("/")[2].partition(".")[0]
    return Entry(
        name=name if len(name) <= _NAME_KEPT else "",
        by_uuid=_UUID.fullmatch(stem) is not None,
        packed=packed,
        size=size,
        crc=crc,
        offset=offset,
    )


def is_wrapper(attachment_name: str, entry: Entry | None) -> bool:
    """Apply the rule to an archive's only entry, in its order (edxml.md 4).

    A name ending zip stays; a UUID entry is unwrapped, whatever the name; another single entry is unwrapped unless the
    name is of a format that is itself a ZIP.
    """
    kind = extension(attachment_name)
    if kind == "zip" or entry is None:
        return False
    return entry.by_uuid or kind not in ZIP_FAMILY


def inflates(size: int, packed: int, limits: Limits) -> bool:
    """True if so many bytes out of so few are more than a ZIP entry may give."""
    return size > limits.ratio_from and size > limits.ratio * packed
