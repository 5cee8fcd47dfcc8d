"""One command in a process of its own, and what it cost: time, memory, bytes written."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024

# A process's peak memory counts that of whoever started it until it is itself: a small launcher starts the command.
_LAUNCHER = """
import json, os, sys, time
start = time.perf_counter()
child = os.fork()
if not child:
    os.execv(sys.argv[2], sys.argv[2:])
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
seconds = time.perf_counter() - start
written = next(int(line.split()[1]) for line in open(f"/proc/{child}/io") if line.startswith("wchar"))
_, status, usage = os.wait4(child, 0)
cost = dict(code=os.waitstatus_to_exitcode(status), seconds=seconds, processor=usage.ru_utime + usage.ru_stime,
            memory=usage.ru_maxrss * 1024, written=written)
with open(sys.argv[1], "w") as out:
    json.dump(cost, out)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """How a command ended and what it cost."""

    code: int
    """Exit code."""
    output: str
    errors: str
    seconds: float
    """From start to end."""
    processor: float
    """Seconds of processor time."""
    memory: int
    """Peak resident bytes."""
    written: int
    """Bytes given to the system's `write`, standard output included."""

    @property
    def answer(self) -> Any:
        """Standard output as the one JSON value it is."""
        return json.loads(self.output)


def run(
    folder: Path, *arguments: str | Path, meanwhile: Callable[[Callable[[], bool]], None] = lambda _running: None
) -> Cost:
    """Run `lgsp-gateway` with these arguments and TMPDIR in `folder`; `meanwhile` is told whether it still runs."""
    return measure(folder, sys.executable, "-m", "gateway", *arguments, meanwhile=meanwhile)


def measure(
    folder: Path, *command: str | Path, meanwhile: Callable[[Callable[[], bool]], None] = lambda _running: None
) -> Cost:
    """Run any command (its first word an absolute path) with TMPDIR in `folder`, which must be empty afterwards."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    said = folder / "cost.json"
    with (folder / "output").open("wb") as output, (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-IS", "-c", _LAUNCHER, said, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"},
        )
    try:
        meanwhile(lambda: process.poll() is None)
        process.wait(timeout=110)
    finally:
        process.kill()
        process.wait()
    assert list(temporary.iterdir()) == [], "the command left files behind"
    cost = json.loads(said.read_text(encoding="utf-8"))
    told = {name: (folder / name).read_text(encoding="utf-8") for name in ("output", "errors")}
    return Cost(**told, **cost)
