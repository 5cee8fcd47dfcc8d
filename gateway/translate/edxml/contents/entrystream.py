"""The first entry of a ZIP while the ZIP is still arriving: what it holds, read without the directory at the end."""

import zlib
from collections.abc import Iterator

from gateway.translate.edxml.contents.ziprecords import (
    DEFLATED,
    ENCRYPTED,
    LOCAL,
    LOCAL_MAGIC,
    SIZES_BEHIND,
    STORED,
)

_CHUNK = 256 * 1024


class EntryStream:
    """Takes an archive in pieces and gives the bytes of the entry it begins with."""

    def __init__(self) -> None:
        self.header = b""
        """The local header with its name and extra field, as far as it has come."""
        self.size = 0
        """Bytes given."""
        self.packed = 0
        """Bytes of the archive that they were made of."""
        self.crc = 0
        """Of the bytes given."""
        self.ended = False
        """True if the entry's data has come to its own end."""
        self.broken = False
        """True if it cannot be read on: encrypted, an unknown method, damaged, or stored without saying how long."""
        self._header_size = LOCAL.size
        self._waiting = True
        self._method = STORED
        self._stored_left = 0
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The entry's bytes that this piece of the archive gives, in chunks of at most 256 KiB, none empty.

        A caller that has enough stops asking; the stream is of no further use then.
        """
        if self._waiting:
            data = self._head(data)
        if not data or self.ended or self.broken:
            return
        for chunk in self._stored(data) if self._method == STORED else self._inflate(data):
            self.size += len(chunk)
            self.crc = zlib.crc32(chunk, self.crc)
            yield chunk

    def _head(self, data: bytes) -> bytes:
        """Read the local header; what of the piece lies behind it."""
        while self._waiting and data:
            wanted = self._header_size - len(self.header)
            self.header += data[:wanted]
            data = data[wanted:]
            if len(self.header) < self._header_size:
                return b""
            *_, name_size, extra_size = LOCAL.unpack_from(self.header)
            self._header_size = LOCAL.size + name_size + extra_size
            if len(self.header) == self._header_size:
                self._waiting = False
                self._begin()
        return data

    def _begin(self) -> None:
        magic, _, flags, self._method, _, _, _, packed, *_ = LOCAL.unpack_from(self.header)
        if magic != LOCAL_MAGIC or flags & ENCRYPTED or self._method not in {STORED, DEFLATED}:
            self.broken = True
        elif self._method == STORED:
            self._stored_left = packed
            self.ended = not packed
            self.broken = bool(flags & SIZES_BEHIND)

    def _stored(self, data: bytes) -> Iterator[bytes]:
        mine = data[: self._stored_left]
        self._stored_left -= len(mine)
        self.packed += len(mine)
        self.ended = not self._stored_left
        for at in range(0, len(mine), _CHUNK):
            yield mine[at : at + _CHUNK]

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        """Inflate; a full chunk may mean that there is more to give, with or without input left."""
        inflater = self._inflater
        more = True
        while more:
            try:
                chunk = inflater.decompress(data, _CHUNK)
            except zlib.error:
                self.broken = True
                return
            self.ended = inflater.eof
            rest = inflater.unused_data if self.ended else inflater.unconsumed_tail
            self.packed += len(data) - len(rest)
            more = not self.ended and (bool(rest) or len(chunk) == _CHUNK)
            data = rest
            if chunk:
                yield chunk
