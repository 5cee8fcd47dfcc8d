"""Gateways and simulated axes forked by a process that has imported them once; `tests.fakes.terminal` says why.

Each has a session, an environment and standard streams of its own, is told SIGTERM and SIGKILL by its id, and tells its
exit code: a test cannot tell it from one that was executed. That such a one does the same is shown by `test_demo.py`,
which runs the command.
"""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from tests.fakes import terminal

_LAST_WORDS = 5
"""Seconds after the end in which standard output ends too: what the process started may have it still."""


class Output(asyncio.StreamReaderProtocol):
    """Standard output; `ended` once nobody can write to it any more."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__(reader)
        self.ended = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.ended.set()


class Forked:
    """A process as `gateway.sandbox.demo.processes` wants it."""

    def __init__(self, pid: int, told: socket.socket, stdout: asyncio.StreamReader, output: tuple) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._end = asyncio.create_task(self._hear(told, *output))

    def terminate(self) -> None:
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, signal.SIGTERM)

    async def wait(self) -> int:
        return await asyncio.shield(self._end)

    async def _hear(self, told: socket.socket, pipe: asyncio.BaseTransport, output: Output) -> int:
        try:
            with told:
                code: int = (await hear(told))["returncode"]
            self.returncode = code
            with suppress(TimeoutError):
                await asyncio.wait_for(output.ended.wait(), _LAST_WORDS)
        finally:
            pipe.close()
        return code


async def hear(told: socket.socket):
    said = await asyncio.get_running_loop().sock_recv(told, 4096)
    assert said, "the process that forks is gone"
    return json.loads(said)


async def fork(arguments: Sequence[str], errors: IO[bytes], environment: Mapping[str, str]) -> Forked:
    """Like `processes.spawn`, in little more than the time that the command itself takes."""
    told, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    told.settimeout(0)
    reading, writing = os.pipe()
    stdout = asyncio.StreamReader()
    with theirs, os.fdopen(writing, "wb"):
        descriptors = [theirs.fileno(), writing, errors.fileno()]
        terminal.order(terminal.EVERYTHING, arguments, descriptors, environment=environment, seeded=True)
    pid = await hear(told)
    output = await asyncio.get_running_loop().connect_read_pipe(lambda: Output(stdout), os.fdopen(reading, "rb"))
    return Forked(pid, told, stdout, output)
