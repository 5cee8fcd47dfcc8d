"""Raw packets without the contents that are stored anyway, and back again byte for byte."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence

from gateway.domain.packet import ContentSpan, SplitPacket, StoredObject
from gateway.ports import Blobs
from gateway.translate.edxml.writing.packet import encoded


async def split(raw: StoredObject, spans: Sequence[ContentSpan], blobs: Blobs) -> SplitPacket | None:
    """Store the packet's skeleton; None, with nothing left behind, where the parts do not give the packet's digest."""
    if not spans or not _in_order(spans, raw.size):
        return None
    async with blobs.writer(limit=raw.size) as writer:
        async for piece in _between(blobs.stream(raw), spans):
            await writer.write(piece)
        skeleton = await writer.finish()
    parts = SplitPacket(skeleton=skeleton, spans=tuple(spans))
    same = False
    try:
        same = await _digest(join(parts, blobs)) == raw.digest
    finally:
        if not same:
            await blobs.discard([skeleton.key])
    return parts if same else None


def _in_order(spans: Sequence[ContentSpan], size: int) -> bool:
    at = 0
    for span in spans:
        if span.offset < at or span.length < 0:
            return False
        at = span.offset + span.length
    return at <= size


async def _digest(chunks: AsyncIterator[bytes]) -> str:
    digest = hashlib.sha256()
    async for chunk in chunks:
        digest.update(chunk)
        await asyncio.sleep(0)  # as in sealing: a store that answers from memory must not make this one long turn
    return digest.hexdigest()


async def join(parts: SplitPacket, blobs: Blobs) -> AsyncIterator[bytes]:
    """The raw packet."""
    at = 0
    for span in parts.spans:
        async for chunk in _cut(parts.skeleton, at, span.offset, parts.spans, blobs):
            yield chunk
        async for chunk in encoded(span.part, blobs):
            yield chunk
        at = span.offset + span.length
    async for chunk in _cut(parts.skeleton, at, None, parts.spans, blobs):
        yield chunk


async def _cut(
    skeleton: StoredObject, start: int, end: int | None, spans: Sequence[ContentSpan], blobs: Blobs
) -> AsyncIterator[bytes]:
    """The skeleton's bytes for the packet's bytes `start` to `end`, between which there is no span."""
    gone = sum(span.length for span in spans if span.offset < start)
    left = None if end is None else end - start
    async for chunk in blobs.stream(skeleton, offset=start - gone):
        piece = chunk if left is None else chunk[:left]
        if piece:
            yield piece
        if left is not None:
            left -= len(piece)
            if not left:
                return


async def _between(chunks: AsyncIterator[bytes], spans: Sequence[ContentSpan]) -> AsyncIterator[bytes]:
    """What lies outside the spans, which are in order and do not overlap."""
    waiting = list(reversed(spans))
    at = 0
    async for chunk in chunks:
        begin, end = at, at + len(chunk)
        while waiting and waiting[-1].offset < end:
            span = waiting[-1]
            if span.offset > at:
                yield chunk[at - begin : span.offset - begin]
            at = max(at, min(end, span.offset + span.length))
            if span.offset + span.length > end:
                break
            waiting.pop()
        if at < end:
            yield chunk[at - begin :]
        at = end
