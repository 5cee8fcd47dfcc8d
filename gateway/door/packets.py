"""getEdoc, downloadEdoc, updateStatus: single items of the lists, as packets and until they are settled."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

import structlog
from aiohttp import web

from gateway.domain.document import StaffInfo
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import Digest, ReceptionId, VendorId
from gateway.domain.packet import SplitPacket
from gateway.door.answers import DoorCode, Refusal, rendered
from gateway.door.calls import Answer, Call
from gateway.ports import (
    Blobs,
    Directory,
    InboundItems,
    Inbox,
    Original,
    ReceivedEntry,
    Receptions,
    Source,
    StatusFeed,
    Translator,
)

_log = structlog.get_logger()

_FAILED = "Hệ thống nhận báo lỗi khi tải gói tin (updateStatus fail) / the receiving system could not take the packet"
"""Reason of a refusal that comes without one; the law demands one (QĐ 28/2018, art. 5.4)."""
_STATUS = "status-"


class BrokenStreamError(Exception):
    """An answer that had begun cannot be ended as announced; the connection must be cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packet:
    """A packet to be handed out."""

    size: int
    """Bytes."""
    digest: Digest | None
    """None for one that is written now."""
    chunks: AsyncIterator[bytes]
    first: bytes
    """The first chunk, read before anything is promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packets:
    """Hands packets out and settles what was taken over."""

    receptions: Receptions
    feed: StatusFeed
    inbox: Inbox
    items: InboundItems
    directory: Directory
    translator: Translator
    blobs: Blobs
    idle: timedelta
    """Longest wait for a client to read."""

    async def get(self, call: Call) -> Answer:
        """The packet as base64 inside the envelope. Raises GatewayError DOCUMENT_UNKNOWN, BrokenStreamError."""
        packet = await self._find(call.vendor, call.get("docId"))
        head, tail = rendered("getEdoc", {"data": "\0"}).split(b"\\u0000")
        length = len(head) + 4 * -(-packet.size // 3) + len(tail)
        chunks = _framed(head, _base64(_checked(packet)), tail)
        return await self._stream(call.request, "application/json; charset=utf-8", length, chunks)

    async def download(self, call: Call) -> Answer:
        """The packet as it came. Raises as `get`."""
        packet = await self._find(call.vendor, call.get("docId"))
        return await self._stream(call.request, "application/octet-stream", packet.size, _checked(packet))

    async def update_status(self, call: Call) -> Answer:
        """Settle an item: done acknowledges, fail refuses, processing changes nothing here. Repeating is harmless.

        Raises GatewayError DOCUMENT_UNKNOWN, ALREADY_REFUSED, ALREADY_ACKNOWLEDGED.
        """
        item, status = call.get("docId"), call.get("status").lower()
        if status not in {"done", "fail", "processing"}:
            return Refusal(code=DoorCode.PROCESSING, sentence="status phải là done, fail hoặc processing")
        if item.startswith(_STATUS):
            if status == "processing":
                known = await self.feed.get(call.vendor, item) is not None
            else:
                known = await self.feed.take(call.vendor, item)
            if not known:
                raise _unknown(item)
            return {}
        if status == "done":
            await self.inbox.acknowledge(call.vendor, ReceptionId(item), None)
        elif status == "fail":
            await self.inbox.refuse(call.vendor, ReceptionId(item), None, reason=_FAILED, staff=StaffInfo())
        else:
            await self._own(call.vendor, item)
        return {}

    async def _find(self, vendor: VendorId, item: str) -> _Packet:
        try:
            size, digest, chunks = await self._open(vendor, item)
            return _Packet(size=size, digest=digest, chunks=chunks, first=await anext(chunks, b""))
        except FileNotFoundError:
            _log.error("door.packet_missing", item=item)
            raise _unknown(item) from None

    async def _open(self, vendor: VendorId, item: str) -> tuple[int, Digest | None, AsyncIterator[bytes]]:
        if item.startswith(_STATUS):
            status = await self.feed.get(vendor, item)
            if status is None:
                raise _unknown(item)
            draft = self.translator.draft_status(status.report)
            return self.translator.length(draft), None, self.translator.stream(draft)
        entry = await self._own(vendor, item)
        source = await self.receptions.source(entry.id)
        original = None if source is None else await self.items.original(source.account, source.axis_doc_id)
        if source is None or original is None:  # taken away since the entry was read
            raise _unknown(item)
        return original.size, original.digest, self._original(source, original)

    async def _original(self, source: Source, original: Original) -> AsyncIterator[bytes]:
        """The packet as it came. One that is split while it is read, once at most, goes on from its parts."""
        at = 0
        try:
            async for chunk in self._kept(original):
                yield chunk
                at += len(chunk)
        except FileNotFoundError:
            moved = await self.items.original(source.account, source.axis_doc_id)
            if moved is None or moved.kept == original.kept:
                raise
            async for chunk in _after(self._kept(moved), at):
                yield chunk

    def _kept(self, original: Original) -> AsyncIterator[bytes]:
        kept = original.kept
        return self.translator.join(kept) if isinstance(kept, SplitPacket) else self.blobs.stream(kept)

    async def _own(self, vendor: VendorId, item: str) -> ReceivedEntry:
        entry = await self.receptions.get(ReceptionId(item))
        if entry is None or not await self.directory.serves(vendor, entry.recipient.id):
            raise _unknown(item)
        return entry

    async def _stream(
        self, request: web.BaseRequest, content_type: str, length: int, chunks: AsyncIterator[bytes]
    ) -> web.StreamResponse:
        """Send what has this length.

        Raises BrokenStreamError if the bytes kept are not those that came, or the client does not read.
        """
        response = web.StreamResponse(headers={"Content-Type": content_type, "Content-Length": str(length)})
        await response.prepare(request)
        try:
            async with aclosing(chunks):  # type: ignore[type-var] # all of them are generators
                async for chunk in chunks:
                    async with asyncio.timeout(self.idle.total_seconds()):
                        await response.write(chunk)
            await response.write_eof()
        except (TimeoutError, FileNotFoundError, _DamagedError, GatewayError) as error:
            _log.error("door.stream_broken", reason=type(error).__name__, length=length)
            raise BrokenStreamError from error
        return response


class _DamagedError(Exception):
    """The bytes kept are no longer those that came in."""


async def _after(chunks: AsyncIterator[bytes], offset: int) -> AsyncIterator[bytes]:
    """What follows the first `offset` bytes."""
    async for chunk in chunks:
        if offset < len(chunk):
            yield chunk[offset:]
        offset = max(0, offset - len(chunk))


async def _checked(packet: _Packet) -> AsyncIterator[bytes]:
    """The packet's bytes; the last chunk only once the digest of all is right."""
    digest, held = hashlib.sha256(packet.first), packet.first
    async for chunk in packet.chunks:
        yield held
        digest.update(chunk)
        held = chunk
    if packet.digest is not None and digest.hexdigest() != packet.digest:
        raise _DamagedError
    yield held


async def _base64(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        data = rest + chunk
        whole = len(data) - len(data) % 3
        rest = data[whole:]
        yield base64.b64encode(data[:whole])
    yield base64.b64encode(rest)


async def _framed(head: bytes, chunks: AsyncIterator[bytes], tail: bytes) -> AsyncIterator[bytes]:
    yield head
    async for chunk in chunks:
        yield chunk
    yield tail


def _unknown(item: str) -> GatewayError:
    return GatewayError(ErrorCode.DOCUMENT_UNKNOWN, name=item[:64])
