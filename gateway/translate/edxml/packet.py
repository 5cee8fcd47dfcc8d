"""Parts to bytes: base64 and one-entry ZIPs made on the fly, nothing held; length and digest in one pass."""

import asyncio
import hashlib
import struct
import zlib
from collections.abc import AsyncIterator

import pybase64

from gateway.domain.ids import Digest
from gateway.domain.packet import Draft, EncodedPart, LiteralPart, Sealed, StoredObject
from gateway.ports import Blobs

_TRIPLE = 3

# A stored entry with its checksum in front reads everywhere; deflate with a trailing descriptor would depend on the
# zlib at hand, so that a retry after an upgrade might send other bytes.
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_VERSION = 20
_STORED = 0
_DOS_DATE = (2000 - 1980) << 9 | 1 << 5 | 1
"""1 January 2000: the archive says nothing about when it was made."""


async def packet_bytes(draft: Draft, blobs: Blobs) -> AsyncIterator[bytes]:
    """The packet, the same bytes at every call."""
    for part in draft.parts:
        match part:
            case LiteralPart(data=data):
                yield data
            case EncodedPart(stored=stored, zip_entry=None):
                async for text in _base64(blobs.stream(stored)):
                    yield text
            case EncodedPart(stored=stored, zip_entry=str(entry)):
                async for text in _base64(_zip(stored, entry, blobs)):
                    yield text


async def seal(draft: Draft, blobs: Blobs) -> Sealed:
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


async def _zip(stored: StoredObject, entry: str, blobs: Blobs) -> AsyncIterator[bytes]:
    crc = 0
    async for chunk in blobs.stream(stored):
        crc = zlib.crc32(chunk, crc)
    name = entry.encode("ascii")
    about = (_STORED, 0, _DOS_DATE, crc, stored.size, stored.size, len(name), 0)
    local = _LOCAL.pack(b"PK\x03\x04", _VERSION, 0, *about) + name
    yield local
    async for chunk in blobs.stream(stored):
        yield chunk
    central = _CENTRAL.pack(b"PK\x01\x02", _VERSION, _VERSION, 0, *about, 0, 0, 0, 0, 0) + name
    yield central
    yield _END.pack(b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local) + stored.size, 0)
