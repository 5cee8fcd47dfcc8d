"""The local directory: durability, what is left behind, what a full or broken disk does."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from gateway.blobs.content import LocalBlobs
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import ObjectKey
from gateway.domain.packet import StoredObject
from tests.fakes.clock import SettableClock
from tests.fakes.disks import small_disk


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def blobs(root) -> LocalBlobs:
    return LocalBlobs(root, clock=SettableClock())


async def store(blobs: LocalBlobs, content: bytes) -> StoredObject:
    async with blobs.writer(limit=10) as writer:
        await writer.write(content)
        return await writer.finish()


async def write_for_ever(blobs: LocalBlobs) -> None:
    async with blobs.writer(limit=1 << 40) as writer:
        while True:
            await writer.write(bytes(1024 * 1024))


def kill_when_written(script: str, root: Path) -> None:
    command = [sys.executable, "-c", script, str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"written\n"
        child.send_signal(signal.SIGKILL)


def wait_until_written(root: Path) -> None:
    deadline = time.monotonic() + 10
    while not files(root):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


async def test_finish_syncs_file_and_folders(blobs, root, monkeypatch):
    """Before finish returns, the file in its final place, its folder and the root were synced, in that order."""
    synced: list[Path] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    async with blobs.writer(limit=10) as writer:
        await writer.write(b"x")
        assert synced == []
        stored = await writer.finish()
        assert synced == [root / stored.key, root / "20260302", root]


async def test_sync_failure_is_no_success(blobs, root, monkeypatch):
    """If fsync fails, finish raises STORE_UNAVAILABLE and the object is gone."""

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(GatewayError) as refused:
        await store(blobs, b"x")
    assert refused.value.code is ErrorCode.STORE_UNAVAILABLE
    assert files(root) == []


async def test_unwritable_folder_is_store_unavailable(blobs, root):
    """A store that cannot be written to says STORE_UNAVAILABLE."""
    (root / "20260302").write_bytes(b"a file where the folder should be")
    with pytest.raises(GatewayError) as refused:
        await store(blobs, b"x")
    assert refused.value.code is ErrorCode.STORE_UNAVAILABLE


@pytest.mark.parametrize("size", [10, 5_000_000])
@pytest.mark.parametrize("way", ["return", "raise", "cancel"])
async def test_leaving_without_finish_removes_everything(blobs, root, size, way):
    """However a writer is left before finish, no file stays."""

    async def write_and_leave() -> None:
        async with blobs.writer(limit=size) as writer:
            await writer.write(bytes(size))
            if way == "raise":
                raise KeyError
            if way == "cancel":
                await asyncio.Event().wait()

    task = asyncio.create_task(write_and_leave())
    if way == "cancel":
        await asyncio.sleep(0)
        if size > 1024 * 1024:
            await asyncio.to_thread(wait_until_written, root)
        task.cancel()
    await asyncio.wait([task])
    assert files(root) == []


async def test_temporary_files_of_a_killed_process_are_swept(blobs, root):
    """What a writer killed by SIGKILL leaves is removed by sweep_temporary; finished objects stay."""
    kept = await store(blobs, b"kept")
    script = (
        "import asyncio, sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from gateway.blobs.content import LocalBlobs\n"
        "class Clock:\n    def now(self): return datetime(2026, 1, 15, tzinfo=UTC)\n"
        "async def main():\n"
        "    async with LocalBlobs(Path(sys.argv[1]), clock=Clock()).writer(limit=10**8) as writer:\n"
        "        await writer.write(bytes(5_000_000)); print('written', flush=True); await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    await asyncio.to_thread(kill_when_written, script, root)
    assert len(files(root)) == 2
    assert await blobs.sweep_temporary() == 1
    assert files(root) == [root / kept.key]
    assert await blobs.sweep_temporary() == 0


async def test_memory_is_bounded(blobs):
    """Writing and reading 64 MB raises the process's memory by less than 16 MB."""
    process = psutil.Process()
    chunk = bytes(256 * 1024)
    before = process.memory_info().rss
    highest = before
    async with blobs.writer(limit=256 * len(chunk)) as writer:
        for _ in range(256):
            await writer.write(chunk)
            highest = max(highest, process.memory_info().rss)
        stored = await writer.finish()
    async for _ in blobs.stream(stored):
        highest = max(highest, process.memory_info().rss)
    assert highest - before < 16 * 1024 * 1024


async def test_what_cannot_be_discarded_now_is_left_to_the_sweep(tmp_path):
    """Rubbish that the store will not remove is logged; whoever had it discarded goes on."""
    blobs = LocalBlobs(tmp_path, clock=SettableClock())
    (tmp_path / "20260101" / "stubborn" / "inside").mkdir(parents=True)
    with capture_logs() as logs:
        await blobs.discard([ObjectKey("20260101/stubborn")])
    assert [(line["event"], line["key"]) for line in logs] == [("blob.not_discarded", "20260101/stubborn")]


async def test_a_full_disk_is_storage_full(blobs, root, monkeypatch):
    """Where the disk says that it is full, so do we, and the object is gone."""

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(GatewayError) as refused:
        await store(blobs, b"x")
    assert refused.value.code is ErrorCode.STORAGE_FULL
    assert files(root) == []


async def test_what_does_not_fit_is_gone_at_once(tmp_path):
    """An object larger than the disk: STORAGE_FULL, and all the room is back before the caller has its answer."""
    with small_disk(tmp_path / "disk") as disk:
        if disk is None:
            pytest.skip("mounting is not permitted here")
        blobs = LocalBlobs(disk.folder / "blobs", clock=SettableClock())
        before = disk.free
        with pytest.raises(GatewayError) as refused:
            await write_for_ever(blobs)
        assert refused.value.code is ErrorCode.STORAGE_FULL
        assert files(disk.folder / "blobs") == []
        assert before - disk.free < 64 * 1024
        async with blobs.writer(limit=10) as writer:
            await writer.write(b"fits")
            assert (await writer.finish()).size == 4


async def test_what_others_put_beside_is_not_ours(blobs, root):
    """The sweep is shown only keys of our form."""
    stored = await store(blobs, b"ours")
    (root / "lost+found").mkdir()
    (root / "lost+found" / "theirs").write_bytes(b"x")
    later = datetime.now(UTC) + timedelta(days=1)
    assert [key async for batch in blobs.keys(older_than=later) for key in batch] == [stored.key]
