"""The main job through real processes, small and large."""

import asyncio
import json
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import grpc
import psutil
import pytest

from gateway.pb.lgsp.gateway.v1 import agency_service_pb2, agency_service_pb2_grpc
from gateway.sandbox.demo.stage import Stage, set_up
from gateway.sandbox.demo.story import play
from tests.fakes.vendor_calls import resident_bytes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

MIB = 1024 * 1024


async def test_demo_ends_with_one_true_json_line(tmp_path: Path) -> None:
    """The command's last line is the promised object, nothing follows it on either stream, and it exits 0."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        "demo",
        "--data",
        str(tmp_path / "demo"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    last = json.loads(output.decode().splitlines()[-1])
    assert process.returncode == 0, output.decode()
    assert last["ok"] is True
    assert last["sent"] == 2
    assert last["received"] == 2
    assert sorted(last["statuses"]) == ["01", "01", "03", "05", "06"]
    assert last["retries"] >= 1
    assert last["duplicates_suppressed"] == 1
    assert last["refused"] == 1


def content_of(path: str) -> bytes:
    """The bytes of a file."""
    return Path(path).read_bytes()


async def test_kept_demo_says_how_to_connect(tmp_path: Path) -> None:
    """Every file that --keep names exists, and with them a client of one's own gets an answer from the gateway."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        "demo",
        "--keep",
        "--data",
        str(tmp_path / "demo"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    told: dict[str, str] = {}
    while not (line := (await process.stdout.readline()).decode()).startswith("{"):
        assert line, "the demo ended before its last line"
        label, _, value = line.strip().partition("  ")
        told.setdefault(label, value.strip())
    ca, certificate, key = (
        content_of(told[label]) for label in ("CA of both servers", "client certificate", "its key")
    )
    credentials = grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=certificate)
    async with grpc.aio.secure_channel(told["province A"].partition(",")[0], credentials) as channel:
        stub = agency_service_pb2_grpc.AgencyServiceStub(channel)
        answer = await stub.ResolveAgency(agency_service_pb2.ResolveAgencyRequest(code="H99"), timeout=20)
    assert answer.agency.served_here
    assert content_of(told["signed PDF to send"]).startswith(b"%PDF")
    process.terminate()
    await process.communicate()
    assert process.returncode == 0


async def test_terminated_demo_leaves_no_process(tmp_path: Path) -> None:
    """SIGTERM in the middle stops the axis and both gateways too, and the exit code is 1."""
    folder = tmp_path / "demo"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "demo", "--data", str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert b"answers at" in await process.stdout.readline()
    assert b"province A at" in await process.stdout.readline()
    started = processes_below(folder)
    assert len(started) == 4, "the demo, the axis, two gateways"
    process.terminate()
    await process.communicate()
    assert process.returncode == 1
    assert processes_below(folder) == []


def processes_below(folder: Path) -> list[str]:
    """Command lines of the running processes that name a path below the folder, or the folder."""
    lines = [" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(folder) in line]


class MemoryWatch:
    """Highest resident memory of both gateways while the context lasts."""

    def __init__(self, stage: Stage) -> None:
        self._pids = {p.spec.gateway: p.child.pid for p in (stage.province_a, stage.province_b)}
        self.start = {name: resident_bytes(pid) for name, pid in self._pids.items()}
        self.peak = dict(self.start)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    def growth(self) -> dict[str, int]:
        return {name: self.peak[name] - self.start[name] for name in self.peak}

    async def _look(self) -> None:
        while True:
            for name, pid in self._pids.items():
                self.peak[name] = max(self.peak[name], resident_bytes(pid))
            await asyncio.sleep(0.02)


async def test_64_mib_attachment_crosses_with_flat_memory(tmp_path: Path) -> None:
    """A 64 MiB signed PDF goes the whole way while neither gateway grows by 48 MiB."""
    now = datetime.now(tz=UTC)
    async with set_up(tmp_path, now=now) as stage:
        await asyncio.gather(stage.province_a.start(), stage.province_b.start())
        async with MemoryWatch(stage) as memory:
            result = await play(stage, tell=lambda _who, _what: None, now=now, size=64 * MIB)
    assert result.ok, result
    assert max(memory.growth().values()) < 48 * MIB, memory.growth()
