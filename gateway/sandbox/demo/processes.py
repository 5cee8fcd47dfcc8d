"""Child processes of the demo and of the process tests: start, wait until they answer, stop, kill."""

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol, Self


class ChildFailedError(Exception):
    """A child process ended, or did not get ready in time; the message names its log."""


class Process(Protocol):
    """What a child needs of its process; `asyncio.subprocess.Process` has it."""

    @property
    def pid(self) -> int:
        """Process id."""

    @property
    def returncode(self) -> int | None:
        """Exit code; None while it runs."""

    @property
    def stdout(self) -> asyncio.StreamReader | None:
        """Standard output."""

    def terminate(self) -> None:
        """Send SIGTERM; ProcessLookupError if it has ended."""

    async def wait(self) -> int:
        """The exit code, once it has ended."""


async def spawn(arguments: Sequence[str], errors: IO[bytes], environment: Mapping[str, str]) -> Process:
    """Start `python -m gateway` with these arguments in a session of its own; standard error goes to `errors`."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
        start_new_session=True,
        env=environment,
    )


class Child:
    """One running `python -m gateway ...`; its log is a file, its standard output stays readable."""

    def __init__(self, name: str, process: Process, log: Path) -> None:
        """Take over a started process."""
        self.name = name
        self.log = log
        self._process = process

    @classmethod
    async def start(
        cls, name: str, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
    ) -> Self:
        """Start `python -m gateway` with these arguments in a session of its own; standard error goes to `log`.

        `environment` is added to this process's own.
        """
        with log.open("ab") as sink:
            process = await spawn(arguments, sink, {**os.environ, **(environment or {})})
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.returncode is None

    async def read_json_line(self, *, within: float) -> dict[str, str]:
        """The next line of standard output as a JSON object; `within` in seconds."""
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), within)
        except TimeoutError:
            raise ChildFailedError(f"{self.name} said nothing within {within} s; see {self.log}") from None
        if not line:
            raise ChildFailedError(f"{self.name} ended; see {self.log}")
        found: dict[str, str] = json.loads(line)
        return found

    async def stop(self, *, within: float = 30) -> int:
        """SIGTERM and wait; SIGKILL after `within` seconds. The exit code."""
        if self.running:
            with suppress(ProcessLookupError):
                self._process.terminate()
        try:
            return await asyncio.wait_for(self._process.wait(), within)
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """SIGKILL the process and everything it started; the exit code."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return await self._process.wait()


async def until(
    condition: Callable[[], Awaitable[bool]], *, within: float, what: str, child: Child | None = None
) -> None:
    """Wait for a condition, looking every 50 ms; ChildFailedError after `within` seconds or when `child` ended."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while not await condition():
        if child is not None and not child.running:
            raise ChildFailedError(f"{child.name} ended while waiting: {what}; see {child.log}")
        if loop.time() > deadline:
            raise ChildFailedError(f"not within {within:g} s: {what}")
        await asyncio.sleep(0.05)


def free_port() -> int:
    """A loopback port that nothing uses, and that this function gives nobody else while this process lives.

    It lies below the range from which systems take the ports of outgoing connections (RFC 6056: 49152 and above, Linux:
    32768 and above), so that it is still free when a gateway is started again. The UDP port of the same number is kept
    bound as the sign that it is taken.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, socket.socket(type=socket.SOCK_DGRAM) as sign, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            sign.bind(("127.0.0.1", port))
            sign.detach()  # open until the process ends
            return port
