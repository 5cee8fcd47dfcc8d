"""A message's bytes out of a packet's: literal pieces, and contents cut out of the stream as it passes."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import pybase64

from gateway.adapters.soap.outgoing import Content
from gateway.domain.errors import ErrorCode, GatewayError

_SPACES = b" \t\r\n"


async def cut_out(
    packet: AsyncIterator[bytes], pieces: Sequence[bytes | Content], *, length: int, decode: bool
) -> AsyncIterator[bytes]:
    """The pieces in order; contents stand in the order of their offsets.

    Args:
        packet: The packet's bytes.
        pieces: What is written.
        length: Bytes that the packet must have.
        decode: True: contents as the bytes that they say.

    Raises GatewayError SIZE_MISMATCH if the packet has another length, and what it raises.
    """
    source = _Source(packet)
    try:
        for piece in pieces:
            if isinstance(piece, bytes):
                yield piece
                continue
            await source.skip(piece.offset)
            texts = source.take(piece.length)
            async for chunk in _decoded(texts) if decode else texts:
                yield chunk
        await source.skip(length + 1)
    finally:
        if isinstance(packet, AsyncGenerator):
            await packet.aclose()
    if source.passed != length:
        raise GatewayError(ErrorCode.SIZE_MISMATCH, declared=length, received=source.passed)


class _Source:
    """Reads a stream forward."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self.passed = 0
        """Bytes read or skipped."""
        self._chunks = chunks
        self._rest = b""

    async def skip(self, offset: int) -> None:
        """Up to this byte, or to the end."""
        async for _ in self.take(offset - self.passed):
            continue

    async def take(self, count: int) -> AsyncIterator[bytes]:
        """The next `count` bytes; fewer if the stream ends."""
        while count > 0:
            try:
                chunk = self._rest or await anext(self._chunks)
            except StopAsyncIteration:
                return
            piece, self._rest = chunk[:count], chunk[count:]
            self.passed += len(piece)
            count -= len(piece)
            yield piece


async def _decoded(texts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Base64 that we wrote ourselves, decoded."""
    rest = b""
    async for chunk in texts:
        text = rest + chunk.translate(None, _SPACES)
        whole = len(text) - len(text) % 4
        rest = text[whole:]
        if whole:
            yield pybase64.b64decode(text[:whole])
