"""What a ZIP holds, unpacked while the ZIP itself arrives: whether that is wanted is only known at its end."""

import asyncio

from gateway.ports import BlobWriter
from gateway.translate.edxml.contents.attachments import HEAD, Inner
from gateway.translate.edxml.contents.entrystream import EntryStream
from gateway.translate.edxml.contents.unwrap import Entry, Tail, inflates
from gateway.translate.edxml.contents.ziprecords import LOCAL_MAGIC, zip_frame
from gateway.translate.edxml.findings import Defect
from gateway.xmlsafe import MIB, Limits

_BLANK = 16 * MIB
"""What a file may begin with at any ratio before its entry is given up: scans have white margins."""


class Unpacking:
    """Reads the first entry of an archive that comes in pieces; stops for good once a guard trips."""

    def __init__(self, writer: BlobWriter, *, limits: Limits, left: int) -> None:
        """`left` is what the packet may still inflate to, bytes."""
        self._writer = writer
        self._limits = limits
        self._left = left
        self._entry = EntryStream()
        self._head = b""
        self._tail = Tail()
        self._fault: Defect | None = None

    @property
    def inflated(self) -> int:
        """Bytes inflated so far."""
        return self._entry.size

    async def feed(self, data: bytes) -> None:
        """The next bytes of the archive."""
        if self._fault is not None:
            return
        for chunk in self._entry.feed(data):
            self._fault = self._guard(_BLANK)
            if self._fault is not None:
                return
            self._head += chunk[: HEAD - len(self._head)]
            if LOCAL_MAGIC.startswith(self._head[: len(LOCAL_MAGIC)]):
                self._tail.feed(chunk)
            await self._writer.write(chunk)
            await asyncio.sleep(0)  # as in the reader: other tasks get their turn

    async def finish(self, entry: Entry, archive: Tail) -> Inner | Defect | None:
        """The entry, durable, if it is what the directory of the `archive` describes; why not to unpack it; or None."""
        read = self._entry
        fault = self._fault or self._guard(0)
        if fault is not None:
            return fault
        found = (read.size, read.packed, read.crc, 0)
        if not read.ended or read.broken or found != (entry.size, entry.packed, entry.crc, entry.offset):
            return None
        return Inner(
            stored=await self._writer.finish(),
            head=self._head,
            nested=self._tail.single_entry() if self._head.startswith(LOCAL_MAGIC) else None,
            zip_entry=entry.name if self._is_ours(entry, archive) else None,
        )

    def _guard(self, blank: int) -> Defect | None:
        size = self._entry.size
        if size > self._limits.attachment:
            return Defect.ATTACHMENT_TOO_LARGE
        if size > self._left:
            return Defect.ZIP_TOO_LARGE
        return Defect.ZIP_RATIO if inflates(size - blank, self._entry.packed, self._limits) else None

    def _is_ours(self, entry: Entry, archive: Tail) -> bool:
        if not entry.name or not entry.name.isascii():
            return False
        before, behind = zip_frame(entry.name, size=entry.size, crc=entry.crc)
        whole = archive.size == len(before) + entry.size + len(behind)
        return whole and self._entry.header == before and archive.endswith(behind)
