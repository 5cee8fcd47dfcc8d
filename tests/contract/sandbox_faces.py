"""What the tests of the sandbox's faces share: a running axis, its control endpoint, one in a process."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from gateway.sandbox.serve import Address, Running, SandboxOptions, running
from tests.unit.sandbox.calls import Client

ANY = Address(host="127.0.0.1", port=0)
A = ("00.99.W00", "dummy-secret")
B = ("00.98.W00", "dummy-secret-98")


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """A running sandbox."""

    at: Running
    session: aiohttp.ClientSession

    def vxp(self, system: tuple[str, str]) -> Client:
        return Client(session=self.session, url=self.at.axis.url, system_id=system[0], secret=system[1])

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        async with self.session.request(method, f"{self.at.control.url}{path}", json=body) as answer:
            return await answer.json()

    async def records(self, event: str) -> list[dict[str, Any]]:
        return [each for each in await self.control("GET", "/records") if each["event"] == event]


@dataclass(frozen=True, kw_only=True)
class Faces(Sandbox):
    """A running sandbox with its provincial REST faces."""

    @property
    def langson(self) -> str:
        assert self.at.langson is not None
        return f"{self.at.langson.url}/test/path"

    @property
    def quangnam(self) -> str:
        assert self.at.quangnam is not None
        return f"{self.at.quangnam.url}/any"


@asynccontextmanager
async def faces_running(**changes: Any) -> AsyncIterator[Faces]:
    """The sandbox in this process."""
    options = SandboxOptions(langson=ANY, quangnam=ANY, **changes)
    async with running(options) as at, aiohttp.ClientSession() as session:
        yield Faces(at=at, session=session)


@asynccontextmanager
async def sandbox_in_a_process(*arguments: str) -> AsyncIterator[tuple[Running, int]]:
    """The sandbox as the command starts it, with the process's id; ended by SIGTERM."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "sandbox", "--listen", "127.0.0.1:0", *arguments),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "."},
    )
    try:
        assert server.stdout is not None
        line = json.loads(await asyncio.wait_for(server.stdout.readline(), 60))
        places = {name: urlsplit(url) for name, url in line.items()}
        addresses = {name: Address(host=str(at.hostname), port=int(at.port or 0)) for name, at in places.items()}
        yield Running(**addresses), server.pid
        server.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(server.wait(), 10) == 0
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()


@asynccontextmanager
async def faces_in_a_process(data: Path) -> AsyncIterator[tuple[Faces, int]]:
    """The same with its provincial REST faces."""
    words = ("--langson", "127.0.0.1:0", "--quangnam", "127.0.0.1:0", "--data", str(data))
    async with sandbox_in_a_process(*words) as (at, pid), aiohttp.ClientSession() as session:
        yield Faces(at=at, session=session), pid


def read_peak(pid: int) -> int:
    """The largest resident memory a process ever had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


async def exchange(address: Address | None, request: bytes) -> bytes:
    """Write raw bytes, read until the axis closes; nothing when it cuts."""
    assert address is not None
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), timeout=10)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
