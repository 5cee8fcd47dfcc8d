"""The written pages say what the code does, and lead somewhere."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree

from gateway.settings import load
from tests.fakes.terminal import run

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def test_reference_pages_are_what_the_code_prints():
    """docs/edxml.md, docs/reference and docs/schemas are generated; a stale one is named."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    """Every relative link names something that exists."""
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


def test_readme_names_files_that_exist():
    """Paths in back-quotes that look like files of this project are files of this project."""
    for page in PAGES:
        named = re.findall(r"`((?:gateway|docs|proto|deploy|tests)/[\w./-]+)`", page.read_text(encoding="utf-8"))
        assert [name for name in named if not (ROOT / name).exists()] == [], page.name


def test_trial_configuration_is_accepted(tmp_path):
    """check-config finds nothing wrong with the example, once its data folder exists as the page says."""
    (tmp_path / "lgsp-trial" / "trust").mkdir(parents=True)
    done = run("check-config", ROOT / "docs" / "examples" / "trial.toml", folder=tmp_path, environment={})
    assert (done.returncode, done.stderr) == (0, "")


def test_operators_examples_are_accepted(tmp_path):
    """The examples of routes and of the door on the operators' page are one good configuration, files aside."""
    (tmp_path / "file").write_text("dummy\n", encoding="utf-8")
    page = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    head = f'[server]\nplaintext_loopback_vendor = "office-a"\n[signatures]\ntrust_dir = "{tmp_path}"\n'
    text = head + "".join(block for block in blocks if "[[routes]]" in block or "[door]" in block)
    file = tmp_path / "gateway.toml"
    file.write_text(re.sub(r'"/(?:run|etc)/[^"]*"', f'"{tmp_path}/file"', text), encoding="utf-8")
    settings = load(file)
    assert [route.via for route in settings.routes] == [("neighbour", "national"), ("national",)]
    assert settings.door.listen
    assert settings.vendors[0].door_system_id


def test_example_document_becomes_a_strict_packet(tmp_path):
    """The vendors' commands work as the page gives them: build, a check without deviations, the strict schema."""
    shutil.copy(ROOT / "docs" / "examples" / "document.json", tmp_path)
    (tmp_path / "main.pdf").write_bytes(b"%PDF-1.4\n% dummy\n%%EOF\n")
    for arguments in (["build", "document.json", "-o", "test.edxml", "--hop", "H98.02"], ["check", "test.edxml"]):
        done = run("packet", *arguments, folder=tmp_path, environment={})
        assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "0 deviations\n"
    etree.XMLSchema(file=ROOT / "docs" / "schemas" / "edxml-strict.xsd").assertValid(
        etree.parse(tmp_path / "test.edxml")
    )
