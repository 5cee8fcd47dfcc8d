"""Commands as a terminal starts them, each a process of its own, without what a process costs.

To import the gateway takes many times longer than most commands do. Here one process imports it, once, and becomes each
command by forking (`warmed`): arguments, environment, folder, signals, locks, limits, exit code, memory and processor
time are the command's own. What only a new interpreter can show is asked of `run_anew`.
"""

import asyncio
import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
EVERYTHING = ("gateway.*", "sqlalchemy.dialects.sqlite.aiosqlite", "sqlalchemy.dialects.postgresql.asyncpg")
PACKETS = (
    *("gateway.cli.view", "gateway.rpc.convert.jsonform", "pydantic.type_adapter"),
    *("gateway.translate.edxml.workbench.inspection", "gateway.translate.edxml.workbench.strict"),
)
"""What `packet inspect` and `check` import and no more, for who measures memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended and what it cost; named as in `subprocess`."""

    returncode: int
    stdout: str
    stderr: str
    processor: float
    """Seconds of processor time, imports not included."""
    memory: int
    """Peak resident bytes, imports included."""

    @property
    def answer(self) -> Any:
        """Standard output as the one JSON value it is."""
        return json.loads(self.stdout)


class Command:
    """A command that was started."""

    def __init__(self, told: socket.socket, output: IO[bytes], errors: IO[bytes]) -> None:
        self._told = told
        self._output = output
        self._errors = errors
        self._ended: Ended | None = None
        self._id = self._hear(within=110)

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._ended is None and not select.select([self._told], [], [], 0)[0]

    def kill(self) -> None:
        """Send SIGKILL, unless it has ended."""
        if self.running():
            os.kill(self._id, signal.SIGKILL)

    def wait(self, *, within: float = 110) -> Ended:
        """How it ended; raises TimeoutError if it does not."""
        if self._ended is None:
            said = self._hear(within=within)
            self._ended = Ended(stdout=_all(self._output), stderr=_all(self._errors), **said)
        return self._ended

    def _hear(self, *, within: float) -> Any:
        self._told.settimeout(within)
        said = self._told.recv(4096)
        assert said, "the process that becomes commands is gone"
        return json.loads(said)


def run(*arguments: object, **how: Any) -> Ended:
    """Run `lgsp-gateway` with these arguments to its end; `how` as in `started`."""
    with started(*arguments, **how) as command:
        return command.wait()


async def run_beside(*arguments: object, **how: Any) -> Ended:
    """The same, while the test's own loop goes on."""
    return await asyncio.to_thread(partial(run, *arguments, **how))


def run_anew(
    *arguments: object, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The same in a new interpreter: `python -m gateway`."""
    variables = dict(os.environ if environment is None else environment) | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "gateway", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", timeout=110, check=False, cwd=folder, env=variables
    )


@contextmanager
def started(
    *arguments: object,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    largest_file: int | None = None,
    having: tuple[str, ...] = EVERYTHING,
) -> Iterator[Command]:
    """`lgsp-gateway` with these arguments in a folder and an environment (the caller's); killed if left while it runs.

    No file it writes may have more bytes than `largest_file`, as on a disk that is full. It has imported `having`.
    """
    wanted = [str(each) for each in arguments]
    variables = os.environ if environment is None else environment
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        with theirs:
            descriptors = [theirs.fileno(), output.fileno(), errors.fileno()]
            order(having, wanted, descriptors, folder=folder, environment=variables, largest_file=largest_file)
        command = Command(ours, output, errors)
        try:
            yield command
        finally:
            command.kill()
            command.wait()


def order(
    having: tuple[str, ...],
    arguments: Sequence[str],
    descriptors: Sequence[int],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str],
    largest_file: int | None = None,
    seeded: bool = False,
) -> None:
    """Let a process with these imports become a command; the descriptors are those that `warmed` takes."""
    said = {
        "arguments": arguments,
        "folder": str(folder or Path.cwd()),
        "environment": dict(environment),
        "largest_file": largest_file,
        "seeded": seeded,
    }
    socket.send_fds(_process(having), [json.dumps(said).encode()], descriptors)


@cache
def _process(having: tuple[str, ...]) -> socket.socket:
    """Where to order from a process with these imports; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.warmed", str(theirs.fileno()), *having],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},  # JSON is UTF-8 everywhere
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def end() -> None:
        ours.close()
        child.wait()

    atexit.register(end)
    return ours


def _all(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
