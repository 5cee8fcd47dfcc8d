"""The bucket: what a store that is out of reach, broken or full does to callers, and what is left behind."""

import asyncio
import fcntl
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.blobs.s3 import S3Blobs
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.packet import StoredObject
from tests.fakes.clock import SettableClock
from tests.fakes.s3 import Door, S3Server, running_s3

LARGE = 12 * 1024 * 1024
"""Three parts."""
FEW_SECONDS = 6.0


@pytest.fixture(scope="module")
def shared() -> Iterator[S3Server]:
    with running_s3() as server:
        yield server


@pytest.fixture
def s3(shared: S3Server) -> Iterator[S3Server]:
    yield shared
    shared.set_door(Door.OPEN)


@pytest.fixture
def blobs(s3: S3Server, tmp_path: Path) -> S3Blobs:
    return S3Blobs(s3.create(), scratch=tmp_path, clock=SettableClock(), silence=timedelta(seconds=1))


async def store(blobs: S3Blobs, content: bytes) -> StoredObject:
    async with blobs.writer(limit=LARGE) as writer:
        for start in range(0, len(content), 1024 * 1024):
            await writer.write(content[start : start + 1024 * 1024])
        return await writer.finish()


async def read(blobs: S3Blobs, stored: StoredObject) -> bytes:
    return b"".join([chunk async for chunk in blobs.stream(stored)])


async def walk(blobs: S3Blobs) -> list[str]:
    return [key async for batch in blobs.keys(older_than=datetime.now(UTC) + timedelta(days=1)) for key in batch]


async def copy(blobs: S3Blobs, stored: StoredObject) -> bytes:
    async with blobs.local_path(stored) as path:
        return await asyncio.to_thread(path.read_bytes)


async def refused(call: Callable[[], Awaitable[object]]) -> tuple[GatewayError, float]:
    began = time.monotonic()
    with pytest.raises(GatewayError) as caught:
        await call()
    return caught.value, time.monotonic() - began


@pytest.mark.parametrize("door", [Door.REFUSING, Door.FAILING, Door.CUTTING, Door.HANGING])
async def test_an_outage_is_told_within_seconds(s3, blobs, tmp_path, door):
    """Writing small and large, reading, copying and listing: STORE_UNAVAILABLE with a delay, within seconds."""
    stored = await store(blobs, b"kept")
    s3.set_door(door)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: store(blobs, b"small"),
        lambda: store(blobs, bytes(LARGE)),
        lambda: read(blobs, stored),
        lambda: copy(blobs, stored),
        lambda: walk(blobs),
    ]
    for error, seconds in await asyncio.gather(*(refused(call) for call in calls)):
        assert error.code is ErrorCode.STORE_UNAVAILABLE
        assert error.retry_after is not None
        assert seconds < FEW_SECONDS
    assert list(tmp_path.iterdir()) == []
    s3.set_door(Door.OPEN)
    assert await read(blobs, stored) == b"kept"
    assert (await store(blobs, bytes(LARGE))).size == LARGE


@pytest.mark.parametrize("door", [Door.REFUSING, Door.HANGING])
async def test_removing_much_in_an_outage_takes_seconds(s3, blobs, door):
    """A store that is down is not asked once for each of 100 keys; the sweep comes again."""
    stored = [await store(blobs, b"%d" % number) for number in range(5)]
    s3.set_door(door)
    began = time.monotonic()
    await blobs.discard([each.key for each in stored] * 20)
    assert time.monotonic() - began < FEW_SECONDS
    s3.set_door(Door.OPEN)
    assert len(await walk(blobs)) == len(stored)


async def test_a_full_store_is_storage_full(s3, blobs):
    """Where the store says that it has no room, so do we, and nothing is kept."""
    s3.set_door(Door.FULL)
    error, _ = await refused(lambda: store(blobs, b"x"))
    assert error.code is ErrorCode.STORAGE_FULL
    s3.set_door(Door.OPEN)
    assert await walk(blobs) == []


async def test_a_missing_bucket_is_an_outage(s3, blobs, tmp_path):
    """A bucket that is not there is no missing object: reading and writing say STORE_UNAVAILABLE."""
    stored = await store(blobs, b"x")
    bucket = s3.create()
    other = S3Blobs(
        type(bucket)(
            name="no-such-bucket",
            endpoint=bucket.endpoint,
            region=bucket.region,
            access_key_id=bucket.access_key_id,
            secret=bucket.secret,
        ),
        scratch=tmp_path,
        clock=SettableClock(),
    )
    for call in (lambda: read(other, stored), lambda: store(other, b"x"), lambda: walk(other)):
        assert (await refused(call))[0].code is ErrorCode.STORE_UNAVAILABLE


async def test_an_unfinished_upload_in_parts_is_aborted(s3, tmp_path):
    """An upload that is left, by its caller or because of the limit, leaves no parts that cost space."""
    bucket = s3.create()
    blobs = S3Blobs(bucket, scratch=tmp_path, clock=SettableClock())
    async with blobs.writer(limit=LARGE) as writer:
        await writer.write(bytes(LARGE))
        assert await asyncio.to_thread(s3.unfinished_uploads, bucket) == 1
    assert await asyncio.to_thread(s3.unfinished_uploads, bucket) == 0
    with pytest.raises(GatewayError):
        await store(blobs, bytes(LARGE + 1))
    assert await asyncio.to_thread(s3.unfinished_uploads, bucket) == 0


async def test_what_others_put_into_the_bucket_is_not_ours(s3, tmp_path):
    """The sweep is shown only keys of our form: whatever else lies in the bucket is never removed."""
    bucket = s3.create()
    blobs = S3Blobs(bucket, scratch=tmp_path, clock=SettableClock())
    stored = await store(blobs, b"ours")
    await asyncio.to_thread(s3.put, bucket, "backups/2026.tar", b"theirs")
    assert await walk(blobs) == [stored.key]


async def test_copies_of_dead_processes_are_swept(blobs, tmp_path):
    """Of two copies for readers the one whose process is gone is removed; the one in use stays."""
    stored = await store(blobs, b"content")
    (tmp_path / "scratch-left").write_bytes(b"of a killed process")
    other = tmp_path / "scratch-inuse"
    descriptor = os.open(other, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    async with blobs.local_path(stored) as path:
        assert await blobs.sweep_temporary() == 1
        assert {each.name for each in tmp_path.iterdir()} == {other.name, path.name}
    os.close(descriptor)
    assert await blobs.sweep_temporary() == 1


def test_the_secret_is_not_shown(s3):
    """A bucket's description can be logged."""
    assert "sandbox-secret" not in repr(s3.create())
