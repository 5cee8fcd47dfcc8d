"""The fuzzing harness: it finds what it is for, and a few seconds of it with a fixed seed belong to every test run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.fuzz.plans import JSON_MUTATIONS, MUTATIONS, PLANS, SIZE_LIMIT, Plan, build, corpus, descriptions
from tests.fuzz.targets import JSON_TARGETS, TARGETS, Case, case_of

ROOT = Path(__file__).parents[2]
SECONDS = 2

FUZZ = """
import io, json, sys
from contextlib import redirect_stdout
from pathlib import Path
from tests.fuzz import run
from tests.fuzz.test_fuzz import FOUND, PLANTED
usual = run.SECONDS
for bug, target in PLANTED.items():
    run.SECONDS = usual / 8 if FOUND[bug] == "hangs" else usual
    with redirect_stdout(io.StringIO()) as said:
        code = run.fuzz(seconds=20, seed=7, targets={"planted": target}, failures=Path(sys.argv[1], bug))
    print(json.dumps([bug, code, said.getvalue()]), flush=True)
"""
"""One bug after the other; each run of the harness works in a child process of its own. Hangs are found early."""


def _in_a_library(case: Case) -> str:
    """Hangs where no Python code runs, so that no signal handler of Python's would either."""
    return str(pow(7, (1 << 200_000) - 1, (1 << 200_000) + len(case.data)))


def _loops(_case: Case) -> str:
    while True:
        pass


def _eats(_case: Case) -> str:
    return str(len(bytearray(200 * 1024 * 1024)))


def _allocates(_case: Case) -> str:
    return str(len(bytearray(1 << 40)))


def _raises(case: Case) -> str:
    """Fails for a mutation only: every packet of the corpus ends well."""
    if not case.data.rstrip().endswith(b">"):
        raise KeyError("planted")
    return "document"


def _crashes(_case: Case) -> str:
    import os  # noqa: PLC0415 - nobody else needs it

    os.abort()


_KEPT: list[bytearray] = []


def _leaks(_case: Case) -> str:
    _KEPT.append(bytearray(b"x" * 1024 * 1024))
    return "document"


PLANTED = {
    "raises": _raises,
    "loops": _loops,
    "hangs in a library": _in_a_library,
    "eats": _eats,
    "allocates": _allocates,
    "leaks": _leaks,
    "crashes": _crashes,
}
FOUND = {
    "raises": "KeyError: 'planted'",
    "loops": "hangs",
    "hangs in a library": "hangs",
    "eats": "memory has grown",
    "allocates": "MemoryError",
    "leaks": "memory has grown",
    "crashes": "ended with -6",
}


@pytest.fixture(scope="module")
def hunted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[int, str]]]:
    """Where failures were saved, below a folder for each bug, and how the harness ended and what it said."""
    failures = tmp_path_factory.mktemp("failures")
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, str(failures)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return failures, {bug: (code, said) for bug, code, said in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("bug", PLANTED)
def test_the_harness_finds_planted_bugs(bug: str, hunted: tuple[Path, dict[str, tuple[int, str]]]) -> None:
    """An exception, a hang, memory without bounds and a crash each end it with 1; the input and the seed are given."""
    failures, ends = hunted
    code, said = ends[bug]
    assert code == 1, said
    assert FOUND[bug] in said
    assert "FAILED: seed 7, execution" in said
    (saved,) = (failures / bug).glob("planted-7-*.edxml")
    assert f"--repeat {saved}" in said


def test_a_few_seconds_of_fuzzing() -> None:
    """`make fuzz` with a fixed seed: no failure, and its last lines say how much was tried and how it ended."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.run", "--seconds", str(SECONDS), "--seed", "7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()}
    assert list(told) == ["executions", "read", "refused", "slowest", "memory", "seconds"]
    assert int(told["executions"]) > 100
    assert int(told["executions"]) == int(told["read"].rstrip(":")) + int(told["refused"].rstrip(":"))


def test_a_saved_input_can_be_repeated(tmp_path: Path) -> None:
    """`--repeat` runs the target that failed on the input that was saved, as it was read then."""
    path = tmp_path / "reads-7-1.edxml"
    path.write_bytes(b"<edXML")
    path.with_suffix(".json").write_text('{"target": "reads", "chunk": 3, "tight": true}', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.run", "--repeat", path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=True,
    )
    assert done.stdout.startswith("reads: XML_MALFORMED,")


@settings(max_examples=60)
@given(PLANS)
def test_any_plan_holds_for_every_target(plan: Plan) -> None:
    """What the harness claims of any input, by Hypothesis itself, which makes a failing plan small."""
    packet, description = build(plan, corpus()), build(plan, descriptions(), mutations=JSON_MUTATIONS)
    for name, target in TARGETS.items():
        data = description if name in JSON_TARGETS else packet
        assert target(case_of(plan, data))


def test_the_corpus_reads() -> None:
    """Every packet of the corpus itself is a good one, so that mutations begin close to what is accepted."""
    packets = {path.name: path.read_bytes() for path in (Path(__file__).parent / "corpus").glob("*.edxml")}
    endings = {name: TARGETS["agrees_with_another_reader"](Case(data=data)) for name, data in packets.items()}
    assert len(endings) >= 10
    assert set(endings.values()) == {"document", "status"}


@pytest.mark.parametrize("kind", range(len(MUTATIONS)))
def test_a_mutation_changes_packets_and_repeats(kind: int) -> None:
    """Each mutation changes most packets, gives the same result from the same seed, and stays within bounds."""
    packets = corpus()
    plans = [
        Plan(packet=number, target=0, mutations=((kind, number),), chunk=1, tight=False)
        for number in range(len(packets))
    ]
    made = [build(plan, packets) for plan in plans]
    assert made == [build(plan, packets) for plan in plans]
    assert sum(one != packet for one, packet in zip(made, packets, strict=True)) > len(packets) / 2
    assert max(map(len, made)) <= SIZE_LIMIT
