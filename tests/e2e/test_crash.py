"""The crash laboratory in small: it finds nothing where nothing is wrong, and finds what the axis itself does wrong."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.crash import page
from tests.crash.run import main

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

SMALL = ("--store", "sqlite", "--seed", "504")
"""This seed's small run has kills of both gateways, a reset, lost answers, a forgotten lease, reports, signed files."""


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the object of the last line, and all that was printed."""
    code = main([*SMALL, *arguments])
    printed = capsys.readouterr().out
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return code, found, printed


def kept_folder(printed: str) -> Path:
    found = re.search(r"logs and data: (\S+)", printed)
    assert found
    return Path(found[1])


def test_a_small_run_loses_and_doubles_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Two SIGKILLs and two faults of the axis under 24 documents: all arrive once, and the page says so."""
    target = tmp_path / "page.md"
    shutil.copy(page.PAGE, target)
    code, found, printed = run(capsys, "--kills", "2", "--documents", "24", "--page", str(target))
    assert code == 0, printed
    assert found["seconds"] > 0
    assert found["recovered_s_max"] > 0
    assert found | {"seconds": 0, "recovered_s_max": 0, "redelivered": 0} == {
        "store": "sqlite",
        "kills": 2,
        "accepted": 24,
        "arrived": 24,
        "lost": 0,
        "duplicated_vendor": 0,
        "duplicated_axis": 0,
        "redelivered": 0,
        "recovered_s_max": 0,
        "seconds": 0,
    }
    assert "| documents accepted | 24 |" in target.read_text(encoding="utf-8")
    assert not Path(re.search(r"events; (\S+)", printed)[1]).exists()  # type: ignore[index]


@pytest.mark.parametrize(("sabotage", "figure"), [("lose", "lost"), ("double", "duplicated_axis")])
def test_sabotage_is_counted(capsys: pytest.CaptureFixture[str], sabotage: str, figure: str) -> None:
    """Of two documents the axis itself loses or doubles one: it is counted, it is named, the run fails with code 2."""
    code, found, printed = run(
        capsys, "--kills", "0", "--documents", "2", "--sabotage", sabotage, "--drain-seconds", "1"
    )
    shutil.rmtree(kept_folder(printed))
    assert code == 2
    counted = {name: found[name] for name in ("lost", "duplicated_vendor", "duplicated_axis")}
    assert counted == {"lost": 0, "duplicated_vendor": 0, "duplicated_axis": 0} | {figure: 1}
    assert (found["accepted"], found["arrived"]) == (2, 2 - found["lost"])
    assert len(re.findall(r"^(lost|taken 2 times by the axis): H9", printed, re.MULTILINE)) == 1
