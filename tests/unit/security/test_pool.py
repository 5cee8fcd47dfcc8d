"""Judging in other processes: limits, deaths, and a parent that notices nothing of the load."""

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager
from datetime import timedelta

import psutil
import pytest

from gateway.domain.verdict import Verdict
from gateway.sandbox.pdf import make_pdf, sign_pdf
from gateway.security.policy import SignatureRules
from gateway.security.pool import JudgePool
from tests.make import NOW


@asynccontextmanager
async def running_pool(anchors, *, workers=1, seconds=20.0, **options):
    pool = JudgePool(
        workers=workers, time_limit=timedelta(seconds=seconds), anchors=anchors, rules=SignatureRules(), **options
    )
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop()


def workers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


async def test_verdict_comes_back(file, anchors, signed):
    """A worker's verdict is the one judged here would get; after stop no worker is left."""
    file.write_bytes(signed)
    async with running_pool(anchors, workers=2) as pool:
        verdicts = await asyncio.gather(*(pool.judge(file, at=NOW) for _ in range(5)))
        assert {verdict.verdict for verdict in verdicts} == {Verdict.TRUSTED}
        assert len(workers()) == 2
    assert workers() == []


async def test_missing_file_is_an_error(file, anchors):
    """A file that is not there raises as it does in this process."""
    async with running_pool(anchors) as pool:
        with pytest.raises(FileNotFoundError):
            await pool.judge(file, at=NOW)


async def test_overdue_worker_is_killed(tmp_path, anchors, signed):
    """A file that takes too long is invalid with the reason, its worker is replaced, the next file is judged."""
    fifo = tmp_path / "never.pdf"
    os.mkfifo(fifo)
    whole = tmp_path / "whole.pdf"
    await asyncio.to_thread(whole.write_bytes, signed)
    async with running_pool(anchors, seconds=2) as pool:
        (first,) = workers()
        verdict = await pool.judge(fifo, at=NOW)
        assert (verdict.verdict, verdict.reason) == (Verdict.INVALID, "the check took longer than 2 s")
        assert not first.is_running()
        assert (await pool.judge(whole, at=NOW)).verdict is Verdict.TRUSTED


async def test_dead_worker_is_replaced(tmp_path, anchors, signed):
    """A worker that dies costs one verdict, not the pool."""
    fifo = tmp_path / "never.pdf"
    os.mkfifo(fifo)
    whole = tmp_path / "whole.pdf"
    await asyncio.to_thread(whole.write_bytes, signed)
    async with running_pool(anchors) as pool:
        task = asyncio.create_task(pool.judge(fifo, at=NOW))
        await asyncio.to_thread(open_and_kill, fifo)
        verdict = await task
        assert (verdict.verdict, verdict.reason) == (Verdict.INVALID, "the checking process died")
        assert (await pool.judge(whole, at=NOW)).verdict is Verdict.TRUSTED


def open_and_kill(fifo) -> None:
    """Wait until the worker has the file open, then kill it."""
    (worker,) = workers()
    with fifo.open("wb"):
        worker.send_signal(signal.SIGKILL)


async def test_memory_limit(file, anchors):
    """A file that takes more memory than a worker may have is invalid; with more memory the same file is judged."""
    await asyncio.to_thread(write_greedy, file)
    async with running_pool(anchors, memory_limit=200 * 1024**2) as pool:
        verdict = await pool.judge(file, at=NOW)
        assert (verdict.verdict, verdict.reason) == (Verdict.INVALID, "the PDF cannot be read (MemoryError)")
    async with running_pool(anchors, memory_limit=1024**3) as pool:
        assert (await pool.judge(file, at=NOW)).verdict is Verdict.UNSIGNED


def write_greedy(path) -> None:
    """A sparse PDF whose form is one object of 200 MB."""
    head = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog /AcroForm 2 0 R >>\nendobj\n"
    with path.open("wb") as file:
        file.write(head + b"2 0 obj\n<< /Length 200000000 >>\nstream\n")
        file.seek(200_000_000, os.SEEK_CUR)
        file.write(b"\nendstream\nendobj\n")
        table = file.tell()
        file.write(b"xref\n0 3\n0000000000 65535 f \n0000000009 00000 n \n%010d 00000 n \n" % len(head))
        file.write(b"trailer\n<< /Size 3 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % table)


async def test_cancelled_caller_frees_the_worker(tmp_path, anchors, signed):
    """When a caller gives up, its worker is replaced at once and the next file is judged."""
    fifo = tmp_path / "never.pdf"
    os.mkfifo(fifo)
    whole = tmp_path / "whole.pdf"
    await asyncio.to_thread(whole.write_bytes, signed)
    async with running_pool(anchors, seconds=60) as pool:
        task = asyncio.create_task(pool.judge(fifo, at=NOW))
        with await asyncio.to_thread(fifo.open, "wb"):
            task.cancel()
            await asyncio.wait([task])
        async with asyncio.timeout(30):
            assert (await pool.judge(whole, at=NOW)).verdict is Verdict.TRUSTED


async def test_interrupt_is_left_to_the_parent(file, anchors, signed):
    """Ctrl-C, which reaches the whole group, ends no worker."""
    file.write_bytes(signed)
    async with running_pool(anchors) as pool:
        (worker,) = workers()
        worker.send_signal(signal.SIGINT)
        assert (await pool.judge(file, at=NOW)).verdict is Verdict.TRUSTED
        assert worker.is_running()


async def test_loop_runs_on_and_parent_stays_small(file, anchors, pki):
    """While 64 MB are judged the event loop turns; the parent grows by less than 4 MB, the worker by less than 64."""
    content = await asyncio.to_thread(make_big, pki)
    file.write_bytes(content)
    del content
    async with running_pool(anchors) as pool:
        (worker,) = workers()
        me = psutil.Process()
        parent, child = me.memory_info().rss, worker.memory_info().rss
        task = asyncio.create_task(pool.judge(file, at=NOW))
        longest, peaks = 0.0, [0, 0]
        while not task.done():
            began = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - began)
            peaks = [max(peaks[0], me.memory_info().rss - parent), max(peaks[1], worker.memory_info().rss - child)]
        assert (await task).verdict is Verdict.TRUSTED
    assert longest < 1
    assert peaks[0] < 4 * 1024**2
    assert peaks[1] < 64 * 1024**2


def make_big(pki) -> bytes:
    return sign_pdf(make_pdf(size=64 * 1024**2, title="Big"), signer=pki.signer, signed_at=NOW)
