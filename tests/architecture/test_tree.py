"""The files of the project as a whole."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.architecture.source import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def files() -> Iterator[tuple[str, str]]:
    """Every text file that git would take, with its content."""
    patterns = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    skipped = {".git", *(pattern.strip("/") for pattern in patterns)}
    waiting = [ROOT]
    while waiting:
        for path in waiting.pop().iterdir():
            if any(path.match(pattern) for pattern in skipped):
                continue
            if path.is_dir():
                waiting.append(path)
            elif (text := readable(path)) is not None:
                yield path.relative_to(ROOT).as_posix(), text


def readable(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


FOREIGN = re.compile(
    r"(?<![\w.\]])/(wor[k]|roo[t]|Users|home/\w+)/"  # somebody's machine
    r"|pypi\.or[g]|pythonhoste[d]|npmjs\.or[g]|(?<!no-emit)--(extra-)?inde[x]-url|(?<!emit)-find-link[s]"
)


def test_no_machine_and_no_package_index_is_named() -> None:
    """Nothing depends on where it was written: no path of a machine, no address of a package index."""
    named = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in files()
        for number, line in enumerate(text.splitlines(), start=1)
        if FOREIGN.search(line)
    ]
    assert named == []


def requirements(group: str) -> list[Requirement]:
    project = PYPROJECT["project"]["dependencies"]
    lists = {
        "requirements.lock": project,
        "requirements-dev.lock": [*project, *PYPROJECT["dependency-groups"]["dev"]],
        "requirements-build.lock": PYPROJECT["build-system"]["requires"],
    }
    return [Requirement(line) for line in lists[group]]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"])
def test_locks_are_current(lock: str) -> None:
    """Each lock pins, with hashes, a version that pyproject.toml admits of everything it names (`make lock`)."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([a-z0-9.\-]+)==([^ ;\\]+)", text, re.MULTILINE))
    for wanted in requirements(lock):
        assert wanted.name.lower() in pins, f"{wanted.name} is not locked: make lock"
        assert wanted.specifier.contains(pins[wanted.name.lower()], prereleases=True), wanted
    assert "@ " not in text
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
    assert all("--hash=sha256:" in entry for entry in entries if entry.strip())


def test_the_locks_agree() -> None:
    """What runs in production is what was tested: no package has another version in another lock."""
    found: dict[str, set[str]] = {}
    for lock in ("requirements.lock", "requirements-dev.lock", "requirements-build.lock"):
        text = (ROOT / lock).read_text(encoding="utf-8")
        for name, version in re.findall(r"^([a-z0-9.\-]+)==([^ ;\\]+)", text, re.MULTILINE):
            found.setdefault(name, set()).add(version)
    assert {name: versions for name, versions in found.items() if len(versions) > 1} == {}


def test_make_help_lists_every_target() -> None:
    """Each target of the Makefile carries the line that `make help` prints of it."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert re.findall(r"^([a-z-]+):.* ## \S", text, re.MULTILINE) == phony.split()


def test_ci_runs_what_developers_run() -> None:
    """.ci/run is executable and is made of targets of the Makefile, the README's test command among them."""
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    ran = re.findall(r"^make ([a-z-]+)$", script.read_text(encoding="utf-8"), re.MULTILINE)
    assert ran == ["lint", "verify", "test"]
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")
