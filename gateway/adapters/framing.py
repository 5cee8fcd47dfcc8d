"""A packet inside the body of a request: counted, framed, on request as base64, and never held whole."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pybase64

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.ports import PacketBytes


def base64_length(size: int) -> int:
    """Characters of `size` bytes as base64 without line ends."""
    return 4 * -(-size // 3)


async def framed(head: bytes, packet: PacketBytes, size: int) -> AsyncGenerator[bytes, None]:
    """`head` and the packet. Raises GatewayError SIZE_MISMATCH before the end if it is not `size` bytes long."""
    yield head
    async with _counted(packet, size) as chunks:
        async for chunk in chunks:
            yield chunk


async def framed_as_base64(head: bytes, packet: PacketBytes, size: int) -> AsyncGenerator[bytes, None]:
    """The same with the packet as base64."""
    yield head
    rest = b""
    async with _counted(packet, size) as chunks:
        async for chunk in chunks:
            whole = rest + chunk
            end = len(whole) - len(whole) % 3
            rest = whole[end:]
            if end:
                yield pybase64.b64encode(whole[:end])
    if rest:
        yield pybase64.b64encode(rest)


@asynccontextmanager
async def _counted(packet: PacketBytes, size: int) -> AsyncIterator[AsyncIterator[bytes]]:
    """The packet's bytes, whose source is let go of at the end."""
    source = packet()
    try:
        yield _count(source, size)
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()


async def _count(source: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    sent = 0
    async for chunk in source:
        sent += len(chunk)
        if sent > size:
            break
        yield chunk
    if sent != size:
        raise GatewayError(ErrorCode.SIZE_MISMATCH, declared=size, received=sent)
