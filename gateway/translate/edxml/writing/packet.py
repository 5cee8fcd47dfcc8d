"""Parts to bytes: base64 and one-entry ZIPs made on the fly, nothing held; length and digest in one pass."""

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator

import pybase64

from gateway.domain.ids import Digest
from gateway.domain.packet import Draft, EncodedPart, LiteralPart, Sealed, StoredObject
from gateway.translate.edxml.contents.objects import ObjectSource
from gateway.translate.edxml.contents.ziprecords import zip_frame

_TRIPLE = 3
"""Bytes that give whole digits of base64."""


async def packet_bytes(draft: Draft, blobs: ObjectSource) -> AsyncIterator[bytes]:
    """The packet, the same bytes at every call."""
    for part in draft.parts:
        match part:
            case LiteralPart(data=data):
                yield data
            case EncodedPart():
                async for text in encoded(part, blobs):
                    yield text


async def encoded(part: EncodedPart, blobs: ObjectSource) -> AsyncIterator[bytes]:
    """One content's base64."""
    raw = blobs.stream(part.stored) if part.zip_entry is None else _zip(part.stored, part.zip_entry, blobs)
    async for text in _base64(raw):
        yield text


def packet_length(draft: Draft) -> int:
    """Exact bytes of the packet, from sizes alone."""
    return sum(len(part.data) if isinstance(part, LiteralPart) else part.length for part in draft.parts)


async def seal(draft: Draft, blobs: ObjectSource) -> Sealed:
    """Exact length and digest of the packet."""
    length = 0
    digest = hashlib.sha256()
    async for chunk in packet_bytes(draft, blobs):
        length += len(chunk)
        digest.update(chunk)
        await asyncio.sleep(0)  # a store that answers from memory must not make this one long turn
    return Sealed(draft=draft, length=length, sha256=Digest(digest.hexdigest()))


async def _base64(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        data = rest + chunk
        whole = len(data) - len(data) % _TRIPLE
        rest = data[whole:]
        if whole:
            yield pybase64.b64encode(data[:whole])
    if rest:
        yield pybase64.b64encode(rest)


async def _zip(stored: StoredObject, entry: str, blobs: ObjectSource) -> AsyncIterator[bytes]:
    crc = 0
    async for chunk in blobs.stream(stored):
        crc = zlib.crc32(chunk, crc)
    before, behind = zip_frame(entry, size=stored.size, crc=crc)
    yield before
    async for chunk in blobs.stream(stored):
        yield chunk
    yield behind
