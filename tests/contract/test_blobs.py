"""The Blobs port, as every implementation must keep it: a local directory, a bucket of a real S3 server."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from gateway.blobs.content import LocalBlobs, ObjectBlobs
from gateway.blobs.s3 import S3Blobs
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import ObjectKey
from gateway.domain.packet import StoredObject
from gateway.ports import Blobs
from tests.fakes.clock import SettableClock
from tests.fakes.s3 import S3Server, running_s3

LARGE = 20 * 1024 * 1024


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with running_s3() as server:
        yield server


@pytest.fixture(params=["directory", "bucket"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectBlobs:
    if request.param == "directory":
        return LocalBlobs(tmp_path / "blobs", clock=SettableClock())
    server: S3Server = request.getfixturevalue("s3")
    return S3Blobs(server.create(), scratch=tmp_path / "blobs", clock=SettableClock())


async def store(blobs: Blobs, content: bytes, *, chunk: int = 100_000, limit: int = LARGE) -> StoredObject:
    async with blobs.writer(limit=limit) as writer:
        for start in range(0, len(content), chunk):
            await writer.write(content[start : start + chunk])
        return await writer.finish()


async def load(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def all_keys(blobs: Blobs) -> list[ObjectKey]:
    later = datetime.now(UTC) + timedelta(days=1)
    return [key async for batch in blobs.keys(older_than=later) for key in batch]


@pytest.mark.parametrize("size", [0, 1, 262_144, 262_145, 3_500_000, 5_242_880, 5_242_881, LARGE])
async def test_bytes_come_back(blobs, size):
    """What was written comes back whole, named by its SHA-256 and size, whatever its size."""
    content = random.Random(size).randbytes(size)
    stored = await store(blobs, content)
    assert (stored.digest, stored.size) == (hashlib.sha256(content).hexdigest(), size)
    assert await load(blobs.stream(stored)) == content


async def test_chunks_are_bounded(blobs):
    """No chunk is larger than 256 KiB and none is empty."""
    stored = await store(blobs, bytes(3_000_000))
    sizes = [len(chunk) async for chunk in blobs.stream(stored)]
    assert 0 < min(sizes) <= max(sizes) <= 256 * 1024


@pytest.mark.parametrize("offset", [1, 1_000_000, 1_999_999, 2_000_000, 2_000_001])
async def test_stream_from_offset(blobs, offset):
    """A stream from an offset is the rest of the bytes, nothing at or past the end."""
    content = random.Random(1).randbytes(2_000_000)
    stored = await store(blobs, content)
    assert await load(blobs.stream(stored, offset=offset)) == content[offset:]


async def test_same_bytes_are_two_objects(blobs):
    """Two writers of the same bytes get two keys; discarding one leaves the other."""
    first, second = await store(blobs, b"same"), await store(blobs, b"same")
    assert first.digest == second.digest
    assert first.key != second.key
    await blobs.discard([first.key])
    assert await load(blobs.stream(second)) == b"same"
    assert await all_keys(blobs) == [second.key]


async def test_limit_is_enforced(blobs):
    """A byte past the limit is refused and nothing stays behind; exactly the limit is fine."""
    with pytest.raises(GatewayError) as refused:
        await store(blobs, bytes(2_000_001), limit=2_000_000)
    assert refused.value.code is ErrorCode.ATTACHMENT_TOO_LARGE
    assert refused.value.facts == {"limit": "2000000"}
    assert await all_keys(blobs) == []
    assert (await store(blobs, bytes(2_000_000), limit=2_000_000)).size == 2_000_000


async def test_nothing_is_seen_before_finish(blobs):
    """An object is listed only once it is finished."""
    async with blobs.writer(limit=3_000_000) as writer:
        await writer.write(bytes(3_000_000))
        assert await all_keys(blobs) == []
        stored = await writer.finish()
    assert await all_keys(blobs) == [stored.key]


async def test_keys_by_age(blobs):
    """The sweep sees only objects last modified before its instant."""
    before = datetime.now(UTC) - timedelta(minutes=1)
    await store(blobs, b"x")
    assert [batch async for batch in blobs.keys(older_than=before)] == []
    assert len(await all_keys(blobs)) == 1


async def test_keys_come_in_batches(blobs):
    """Every key is listed exactly once, however many batches it takes."""
    stored = {(await store(blobs, b"%d" % number)).key for number in range(30)}
    listed = await all_keys(blobs)
    assert len(listed) == len(stored)
    assert set(listed) == stored


async def test_discard_ignores_unknown_keys(blobs):
    """Unknown keys do not keep the others from being removed, and removing twice is fine."""
    stored = await store(blobs, b"x")
    await blobs.discard([ObjectKey("20260101/none"), stored.key, stored.key])
    assert await all_keys(blobs) == []


async def test_local_path(blobs):
    """The local file holds the object's bytes."""
    content = random.Random(2).randbytes(300_000)
    stored = await store(blobs, content)
    async with blobs.local_path(stored) as path:
        assert await asyncio.to_thread(path.read_bytes) == content


async def test_nothing_stays_of_a_local_path(blobs, tmp_path):
    """What was made for a reader of files is removed with the context, also when it is left by an error."""
    stored = await store(blobs, b"content")
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    with pytest.raises(KeyError):
        async with blobs.local_path(stored):
            raise KeyError
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == before


@pytest.mark.parametrize("size", [10, 8_000_000])
@pytest.mark.parametrize("way", ["return", "raise"])
async def test_leaving_without_finish_removes_everything(blobs, size, way):
    """However large, what is written and not finished is never an object."""
    with pytest.raises(KeyError) if way == "raise" else pytest.MonkeyPatch.context():
        async with blobs.writer(limit=size) as writer:
            await writer.write(bytes(size))
            if way == "raise":
                raise KeyError
    assert await all_keys(blobs) == []


async def test_writers_do_not_disturb_each_other(blobs):
    """Twelve writers at the same time, one of them abandoned: eleven objects, each whole."""
    contents = [random.Random(number).randbytes(400_000 + number) for number in range(11)]

    async def abandon() -> None:
        async with blobs.writer(limit=1_000_000) as writer:
            await writer.write(bytes(1_000_000))

    *stored, _ = await asyncio.gather(*(store(blobs, content, chunk=7_000) for content in contents), abandon())
    assert [await load(blobs.stream(each)) for each in stored] == contents
    assert len(await all_keys(blobs)) == len(contents)


async def test_what_is_gone_is_not_found(blobs):
    """An object that is not there is told from a store that cannot be asked."""
    stored = await store(blobs, b"x")
    await blobs.discard([stored.key])
    with pytest.raises(FileNotFoundError):
        await load(blobs.stream(stored))
    with pytest.raises(FileNotFoundError):
        async with blobs.local_path(stored) as path:
            await asyncio.to_thread(path.read_bytes)


async def test_memory_is_bounded(blobs):
    """Writing and reading 64 MiB raises the process's memory by less than 32 MiB."""
    process, chunk = psutil.Process(), bytes(256 * 1024)
    await store(blobs, bytes(8_000_000))  # what a first use costs once
    before = highest = process.memory_info().rss
    async with blobs.writer(limit=256 * len(chunk)) as writer:
        for _ in range(256):
            await writer.write(chunk)
            highest = max(highest, process.memory_info().rss)
        stored = await writer.finish()
    async for _ in blobs.stream(stored):
        highest = max(highest, process.memory_info().rss)
    assert highest - before < 32 * 1024 * 1024
