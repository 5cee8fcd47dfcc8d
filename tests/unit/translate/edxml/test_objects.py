"""Where the command line's attachments go."""

import hashlib

import pytest

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.translate.edxml.contents.objects import MeasuringObjects


async def test_measuring_keeps_nothing():
    """An object is digested and counted, and has a key of its own."""
    objects = MeasuringObjects()
    made = []
    for pieces in (b"P", b"K\x03\x04"), (b"%PDF", b"-1.4"):
        async with objects.writer(limit=100) as writer:
            for piece in pieces:
                await writer.write(piece)
            made.append(await writer.finish())
    assert [(one.size, one.digest) for one in made] == [
        (len(data), hashlib.sha256(data).hexdigest()) for data in (b"PK\x03\x04", b"%PDF-1.4")
    ]
    assert made[0].key != made[1].key
    await objects.discard([made[0].key, made[0].key])


async def test_measuring_has_its_limit():
    """One byte too many is refused as the blob store refuses it."""
    async with MeasuringObjects().writer(limit=3) as writer:
        await writer.write(b"abc")
        with pytest.raises(GatewayError) as caught:
            await writer.write(b"d")
    assert caught.value.code is ErrorCode.ATTACHMENT_TOO_LARGE
