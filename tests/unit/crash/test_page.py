"""docs/reliability.md."""

import re
import shutil
from pathlib import Path

import pytest

from tests.crash import page


def test_the_page_has_a_section_for_each_run() -> None:
    """Each section stands once between its two markers; figures are the machine's and not compared."""
    text = page.PAGE.read_text(encoding="utf-8")
    assert re.findall(r"<!-- run: (\w+) -->", text) == ["sqlite", "postgres", "lose", "double"]
    assert re.findall(r"<!-- end: (\w+) -->", text) == ["sqlite", "postgres", "lose", "double"]


def test_a_run_replaces_its_own_section_alone(tmp_path: Path) -> None:
    """Writing twice leaves the last block; the other sections stay; an unknown section is refused."""
    target = tmp_path / "page.md"
    shutil.copy(page.PAGE, target)
    before = target.read_text(encoding="utf-8")
    for block in ("first \\1", "second"):
        page.write(block, section="postgres", page=target)
    after = target.read_text(encoding="utf-8")
    assert "<!-- run: postgres -->\nsecond\n<!-- end: postgres -->" in after
    assert after.split("<!-- run: postgres -->")[0] == before.split("<!-- run: postgres -->")[0]
    assert after.split("<!-- end: postgres -->")[1] == before.split("<!-- end: postgres -->")[1]
    with pytest.raises(ValueError, match="no section mysql"):
        page.write("x", section="mysql", page=target)
