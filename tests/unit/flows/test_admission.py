"""Admission control over a disk and a count that a test decides."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.flows.admission import StorageAdmission
from gateway.observability.metrics import Metrics
from gateway.ports import BlobWriter
from gateway.sandbox.demo.processes import until
from tests.fakes.admission import RESERVE, Disk, make_admission
from tests.fakes.blobs import MemoryBlobs

MIB = 1024 * 1024


class Index:
    """Knows how many bytes are kept; asking takes as long as a test wants."""

    def __init__(self) -> None:
        self.kept = 0
        self.go = asyncio.Event()
        self.go.set()

    async def kept_bytes(self) -> int:
        kept = self.kept
        await self.go.wait()
        return kept


@pytest.fixture
def index() -> Index:
    return Index()


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


@pytest.fixture
def admission(disk: Disk, index: Any, metrics: Metrics) -> StorageAdmission:
    return make_admission(disk, blob_index=index, metrics=metrics, quota=100 * MIB)


async def is_full(admission: StorageAdmission, announced: int) -> bool:
    try:
        async with admission.admitted(announced):
            return False
    except GatewayError as error:
        if error.code is not ErrorCode.STORAGE_FULL:
            raise
        return True


async def write_on(writer: BlobWriter, written: list[int]) -> None:
    for _ in range(64):
        await writer.write(bytes(MIB))
        written.append(MIB)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


async def test_what_is_under_way_is_set_aside(admission, disk):
    """Two uploads that fit alone but not together: the second is put off until the first has ended badly."""
    disk.free = RESERVE + 150
    async with admission.admitted(100):
        assert await is_full(admission, 51)
        assert not await is_full(admission, 50)
    assert not await is_full(admission, 150)
    with pytest.raises(KeyError):
        async with admission.admitted(100):
            raise KeyError
    assert not await is_full(admission, 150)


async def test_many_at_once_do_not_share_the_same_room(admission, disk):
    """Of ten uploads at the same instant only as many are admitted as fit."""
    disk.free = RESERVE + 350
    leave = asyncio.Event()

    async def upload() -> bool:
        try:
            async with admission.admitted(100):
                await leave.wait()
        except GatewayError:
            return False
        return True

    uploads = [asyncio.create_task(upload()) for _ in range(10)]
    while sum(task.done() for task in uploads) < 7:
        await asyncio.sleep(0)
        await asyncio.wait(uploads, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
    leave.set()
    assert sum(await asyncio.gather(*uploads)) == 3


async def test_what_is_kept_counts_before_the_next_count(admission, index):
    """Bytes stored since the last count count; bytes that failed to be stored do not."""
    index.kept = 40 * MIB
    await admission.count()
    async with admission.admitted(50 * MIB):
        pass
    assert await is_full(admission, 11 * MIB)
    with pytest.raises(KeyError):
        async with admission.admitted(10 * MIB):
            raise KeyError
    assert not await is_full(admission, 10 * MIB)


async def test_a_count_does_not_forget_what_came_meanwhile(admission, index):
    """What is stored while the count runs is still counted afterwards, and removals make room."""
    index.go.clear()
    counting = asyncio.create_task(admission.count())
    await asyncio.sleep(0)
    async with admission.admitted(90 * MIB):
        pass
    index.go.set()
    await counting
    assert await is_full(admission, 11 * MIB)
    index.kept = 20 * MIB
    await admission.count()
    assert not await is_full(admission, 80 * MIB)


async def test_unannounced_bytes_stop_when_room_ends(admission, disk):
    """A guarded writer passes bytes on and stops within 8 MiB of the moment at which the reserve is touched."""
    blobs = MemoryBlobs()
    async with blobs.writer(limit=64 * MIB) as plain:
        writer = admission.guarded(plain)
        for _ in range(10):
            await writer.write(bytes(MIB))
        disk.fill()
        written = []
        with pytest.raises(GatewayError) as caught:
            await write_on(writer, written)
        assert caught.value.code is ErrorCode.STORAGE_FULL
        assert len(written) <= 8


async def test_a_guarded_writer_counts(admission, index):
    """What came unannounced is kept too."""
    blobs = MemoryBlobs()
    async with blobs.writer(limit=64 * MIB) as plain:
        writer = admission.guarded(plain)
        await writer.write(bytes(60 * MIB))
        stored = await writer.finish()
    assert len(blobs.objects[stored.key]) == 60 * MIB
    assert await is_full(admission, 41 * MIB)


async def test_the_end_of_room_is_told_once(admission, disk, metrics):
    """One line when room ends and one when it returns, however often is looked; the gauges always say how it is."""
    with capture_logs() as logs:
        for free in (True, False, False, False, True, True):
            (disk.clear if free else disk.fill)()
            await admission.look()
            assert value(metrics, "lgsp_storage_full") == float(not free)
            assert value(metrics, "lgsp_storage_free_bytes", place="blobs") == disk.free
            assert await admission.has_room() == free
    assert [line["event"] for line in logs] == ["storage.full", "storage.room_again"]


async def test_refusals_are_counted_by_reason(admission, disk, index, metrics):
    """A refused call is counted under what there was too little of."""
    index.kept = 100 * MIB
    await admission.count()
    assert await is_full(admission, 1)
    disk.fill()
    assert await is_full(admission, 1)
    assert value(metrics, "lgsp_storage_refused_total", shortage="quota") == 1
    assert value(metrics, "lgsp_storage_refused_total", shortage="disk") == 1
    assert value(metrics, "lgsp_storage_kept_bytes") == 100 * MIB


async def test_a_disk_that_cannot_be_asked_is_an_outage(index, metrics):
    """Where the folder is gone, nothing is admitted, as STORE_UNAVAILABLE."""
    gone: Any = SimpleNamespace(look=lambda: (_ for _ in ()).throw(FileNotFoundError()))
    admission = make_admission(gone, blob_index=index, metrics=metrics)
    with pytest.raises(GatewayError) as caught:
        await admission.has_room()
    assert caught.value.code is ErrorCode.STORE_UNAVAILABLE


async def test_it_looks_and_counts_until_it_is_stopped(admission, disk, index, metrics):
    """Running, it sets the gauges at once; told to stop, it ends."""
    index.kept = 7
    disk.fill()
    running = asyncio.create_task(admission.run())

    async def seen() -> bool:
        return value(metrics, "lgsp_storage_kept_bytes") == 7 and value(metrics, "lgsp_storage_full") == 1

    await until(seen, within=5, what="the gauges are set")
    admission.stop()
    await asyncio.wait_for(running, 5)
