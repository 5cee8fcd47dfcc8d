"""The command `demo`: the main job through real processes, for everybody to see."""

import asyncio
import json
import sys
from pathlib import Path

import grpc
import psutil
import pytest

from gateway.pb.lgsp.gateway.v1 import agency_service_pb2, agency_service_pb2_grpc
from gateway.sandbox.demo.processes import Child, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


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


async def start(folder: Path, *options: str) -> tuple[Child, asyncio.StreamReader]:
    """The command, and its lines; the axis and the gateways are executed by it as anywhere."""
    child = await Child.start("demo", ["demo", *options, "--data", str(folder)], log=folder.with_suffix(".log"))
    assert child._process.stdout is not None
    return child, child._process.stdout


async def test_kept_demo_says_how_to_connect(tmp_path: Path) -> None:
    """With the files that --keep names a client of one's own gets an answer; SIGTERM ends it well and all it runs."""
    folder = tmp_path / "demo"
    child, lines = await start(folder, "--keep")
    told: dict[str, str] = {}
    while not (line := (await lines.readline()).decode()).startswith("{"):
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
    assert await running_below(folder) >= AXIS_AND_GATEWAYS
    assert await child.stop(within=60) == 0
    assert await running_below(folder) == 0


async def test_terminated_demo_leaves_no_process(tmp_path: Path) -> None:
    """SIGTERM in the middle of a start stops the axis and both gateways too, and the exit code is 1."""
    folder = tmp_path / "demo"
    child, lines = await start(folder)
    assert b"answers at" in await lines.readline()

    async def all_started() -> bool:
        return await running_below(folder) == AXIS_AND_GATEWAYS

    await until(all_started, within=60, what="the axis and two gateways run", child=child)
    assert await child.stop(within=60) == 1
    assert await running_below(folder) == 0


AXIS_AND_GATEWAYS = 3


async def running_below(folder: Path) -> int:
    """How many running processes have a path below the folder among their arguments."""

    def count() -> int:
        found = [each.info["cmdline"] or () for each in psutil.process_iter(["cmdline"])]
        return sum(any(str(folder) in argument for argument in arguments) for arguments in found)

    return await asyncio.to_thread(count)
