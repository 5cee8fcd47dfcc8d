"""`make fuzz`: inputs for a number of seconds. Exit 0: no failure; 1: one, saved so that it can be repeated.

A child process works and a parent watches, so that a crash, a hang inside a C library and an exhausted memory are found
too. The same seed gives the same inputs in the same order; how many there are depends on the machine.
"""

import argparse
import faulthandler
import json
import mmap
import os
import resource
import secrets
import select
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import psutil
from hypothesis import given, settings

from tests.fuzz.plans import JSON_MUTATIONS, MUTATIONS, PLANS, SIZE_LIMIT, Plan, build, corpus, descriptions
from tests.fuzz.targets import JSON_TARGETS, LOOSE, TARGETS, TIGHT, Case, Target, case_of

MIB = 1024 * 1024
FAILURES = Path(__file__).parent / "failures"

SECONDS = 2.0
"""Processor time one execution may take."""
WALL = 60.0
"""Seconds one execution may take on a busy machine."""
MEMORY = 150 * MIB
"""Resident bytes the process may gain."""
_ADDRESSES = 1024 * MIB
"""Address space it may gain, so that an allocation without bounds ends as an exception."""
_BATCH = 16
"""Executions a drawn plan: its brothers differ in the choices inside its mutations."""
_DRAWN = 160
"""Random bytes a plan is drawn from."""

_HEAD = struct.Struct("<QQB")


class _Slate:
    """Memory both processes see: the number of the running execution, what it is about, its input."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _HEAD.size + 4096 + SIZE_LIMIT)

    def write(self, number: int, about: Mapping[str, Any], data: bytes) -> None:
        words = json.dumps(about | {"length": len(data)}).encode()
        start = _HEAD.size
        self._memory[start : start + len(words)] = words
        self._memory[start + 4096 : start + 4096 + len(data)] = data
        self._memory[:start] = _HEAD.pack(number, len(words), 1)

    def rest(self) -> None:
        """The execution is over; making the next input is not what is watched."""
        self._memory[_HEAD.size - 1] = 0

    @property
    def number(self) -> int:
        number, _, _ = _HEAD.unpack(self._memory[: _HEAD.size])
        return int(number)

    @property
    def busy(self) -> bool:
        return bool(self._memory[_HEAD.size - 1])

    def read(self) -> tuple[dict[str, Any], bytes]:
        _, size, _ = _HEAD.unpack(self._memory[: _HEAD.size])
        about = json.loads(self._memory[_HEAD.size : _HEAD.size + size])
        start = _HEAD.size + 4096
        return about, self._memory[start : start + about.pop("length")]


class _Worker:
    """The child: executes until the time is over or something fails."""

    def __init__(self, slate: _Slate, targets: Mapping[str, Target], seed: int) -> None:
        self._slate = slate
        self._targets = targets
        self._seed = seed
        self._number = 0
        self._endings: Counter[str] = Counter()
        self._slowest = 0.0
        self._memory_before = 0

    def work(self, seconds: float) -> dict[str, Any]:
        """What there is to report. Raises whatever a target raises."""
        end = time.monotonic() + seconds
        self._memory_before = _resident()
        names, random = list(self._targets), Random(self._seed)
        inputs = {
            name: (descriptions(), JSON_MUTATIONS) if name in JSON_TARGETS else (corpus(), MUTATIONS) for name in names
        }
        for name, (packets, _) in inputs.items():
            for data in packets[:: len(names)]:
                self._execute(name, Case(data=data))
        drawn: list[Plan] = []

        @settings(database=None, deadline=None)
        @given(PLANS)
        def draw(plan: Plan) -> None:
            drawn.append(plan)

        while time.monotonic() < end:
            drawn.clear()
            draw.hypothesis.fuzz_one_input(random.randbytes(_DRAWN))  # type: ignore[attr-defined]  # set by given
            for plan in drawn:
                for salt in range(_BATCH):
                    name = names[(plan.target + salt) % len(names)]
                    packets, mutations = inputs[name]
                    data = build(plan, packets, salt=salt, mutations=mutations)
                    self._execute(name, case_of(plan, data))
        return self.report()

    def report(self) -> dict[str, Any]:
        """Numbers so far."""
        return {
            "executions": self._number,
            "endings": dict(self._endings.most_common()),
            "slowest": self._slowest,
            "memory": _resident() - self._memory_before,
        }

    def _execute(self, target: str, case: Case) -> None:
        self._number += 1
        about = {"target": target, "chunk": case.chunk, "tight": case.limits is TIGHT}
        self._slate.write(self._number, about, case.data)
        start = time.process_time()
        self._endings[self._targets[target](case)] += 1
        spent = time.process_time() - start
        self._slate.rest()
        self._slowest = max(self._slowest, spent)
        assert spent < SECONDS, f"took {spent:.1f} seconds"
        grown = _resident() - self._memory_before
        assert grown < MEMORY, f"memory has grown by {grown / MIB:.0f} MiB"


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fuzz(*, seconds: float, seed: int, targets: Mapping[str, Target] = TARGETS, failures: Path = FAILURES) -> int:
    """Fuzz for a time and print how it ended; the exit code. A failure's input goes to the folder `failures`."""
    slate = _Slate()
    started = time.monotonic()
    out, into = os.pipe()
    child = os.fork()
    if not child:
        os.close(out)
        _be_child(slate, targets, seed, seconds, into)
    os.close(into)
    why = _watch(child, slate, out)
    with os.fdopen(out, "rb") as pipe:
        said = json.loads(pipe.read() or b"{}")
    _, status = os.waitpid(child, 0)
    if why is None and "failure" not in said and status:
        why = f"the process ended with {os.waitstatus_to_exitcode(status)}"
    why = why or said.get("failure")
    if why is not None:
        _save(slate, failures, seed, why)
    _tell(said, slate, time.monotonic() - started, seed)
    return 1 if why else 0


def _be_child(slate: _Slate, targets: Mapping[str, Target], seed: int, seconds: float, into: int) -> NoReturn:
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)
    allowed = psutil.Process().memory_info().vms + _ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    code = 1
    worker = _Worker(slate, targets, seed)
    try:
        with tempfile.TemporaryDirectory(prefix="lgsp-fuzz-") as folder:
            tempfile.tempdir = folder
            try:
                said = worker.work(seconds)
                code = 0
            except BaseException:  # noqa: BLE001 - whatever an input led to is what is looked for
                said = worker.report() | {"failure": traceback.format_exc()[-20_000:]}
        with os.fdopen(into, "wb") as pipe:
            pipe.write(json.dumps(said).encode())
    finally:
        os._exit(code)


def _watch(child: int, slate: _Slate, out: int) -> str | None:
    """Wait for the child's report or its end; the reason, if it had to be killed."""
    process = psutil.Process(child)
    number, spent, seen = -1, 0.0, 0.0
    while not select.select([out], [], [], 0.25)[0]:
        used = process.cpu_times()
        now = used.user + used.system
        if slate.number != number or not slate.busy:
            number, spent, seen = slate.number, now, time.monotonic()
        elif now - spent > SECONDS + 0.5 or time.monotonic() - seen > WALL:
            os.kill(child, signal.SIGUSR1)  # its stack goes to standard error
            time.sleep(0.2)
            os.kill(child, signal.SIGKILL)
            return f"hangs: more than {SECONDS} seconds in one execution"
    return None


def _save(slate: _Slate, failures: Path, seed: int, why: str) -> None:
    about, data = slate.read()
    failures.mkdir(exist_ok=True)
    path = failures / f"{about['target']}-{seed}-{slate.number}.edxml"
    path.write_bytes(data)
    path.with_suffix(".json").write_text(json.dumps(about) + "\n", encoding="utf-8")
    sys.stdout.write(f"{why}\n\nFAILED: seed {seed}, execution {slate.number}, target {about['target']}\n")
    sys.stdout.write(f"the input: {path}\nagain:     make fuzz ARGS='--repeat {path}'\n")


def _tell(said: Mapping[str, Any], slate: _Slate, seconds: float, seed: int) -> None:
    executions = said.get("executions", slate.number)
    endings: Mapping[str, int] = said.get("endings", {})
    good = {word: count for word, count in endings.items() if word.islower()}
    refused = {word: count for word, count in endings.items() if not word.islower()}
    lines = (
        f"executions  {executions} ({executions / seconds:.0f} a second)",
        f"read        {sum(good.values())}: " + ", ".join(f"{word} {count}" for word, count in good.items()),
        f"refused     {sum(refused.values())}: " + ", ".join(f"{word} {count}" for word, count in refused.items()),
        f"slowest     {said.get('slowest', 0) * 1000:.0f} ms",
        f"memory      {said.get('memory', 0) / MIB:.0f} MiB more than at the start",
        f"seconds     {seconds:.1f} (seed {seed})",
    )
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def repeat(path: Path) -> int:
    """Execute a saved input once, in this process, so that a failure shows its whole traceback."""
    about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    case = Case(data=path.read_bytes(), chunk=about["chunk"], limits=TIGHT if about["tight"] else LOOSE)
    faulthandler.dump_traceback_later(WALL, exit=True)
    start = time.process_time()
    ending = TARGETS[about["target"]](case)
    sys.stdout.write(f"{about['target']}: {ending}, {time.process_time() - start:.3f} seconds\n")
    return 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="make fuzz", description="Mutated packets against reader, checker and writer."
    )
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=None, help="none = another one each time; it is printed")
    parser.add_argument("--repeat", type=Path, default=None, help="a saved input")
    chosen = parser.parse_args()
    if chosen.repeat is not None:
        return repeat(chosen.repeat)
    return fuzz(seconds=chosen.seconds, seed=secrets.randbits(32) if chosen.seed is None else chosen.seed)


if __name__ == "__main__":
    sys.exit(main())
