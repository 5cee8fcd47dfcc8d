import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.framing import base64_length, framed, framed_as_base64
from gateway.domain.errors import ErrorCode, GatewayError

CHUNKS = st.lists(st.binary(max_size=20), max_size=8)


def source(chunks, closed=None):
    async def packet():
        try:
            for chunk in chunks:
                yield chunk
        finally:
            if closed is not None:
                closed.append(True)

    return packet


async def whole(stream):
    return b"".join([chunk async for chunk in stream])


@given(CHUNKS)
async def test_as_base64(chunks):
    """However the packet is cut, its base64 is that of the whole, as long as foretold."""
    packet = b"".join(chunks)
    body = await whole(framed_as_base64(b"<", source(chunks), len(packet)))
    assert body == b"<" + base64.b64encode(packet)
    assert len(body) == 1 + base64_length(len(packet))


@given(CHUNKS)
async def test_as_it_is(chunks):
    """The packet follows the head byte for byte."""
    packet = b"".join(chunks)
    assert await whole(framed(b"<", source(chunks), len(packet))) == b"<" + packet


@pytest.mark.parametrize("frame", [framed, framed_as_base64])
@pytest.mark.parametrize("declared", [4, 6])
async def test_another_length(frame, declared):
    """A packet that is not as long as declared is an error, also where its base64 would be."""
    with pytest.raises(GatewayError) as caught:
        await whole(frame(b"", source([b"ab", b"cde"]), declared))
    assert caught.value.code is ErrorCode.SIZE_MISMATCH


@pytest.mark.parametrize("frame", [framed, framed_as_base64])
async def test_the_source_is_let_go_of(frame):
    """A body given up half-way closes what the packet comes from."""
    closed = []
    stream = frame(b"", source([b"abc", b"def"], closed), 6)
    assert await anext(stream) == b""
    await anext(stream)
    await stream.aclose()
    assert closed == [True]
