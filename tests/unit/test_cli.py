import json
import os
import re
import socket
from pathlib import Path

import pytest

from gateway.sandbox.pdf import make_pdf
from tests.fakes.terminal import run, run_anew

CASES = Path(__file__).parents[1] / "cases" / "edxml"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("unknown",),
        ("packet",),
        ("packet", "inspect"),
        ("verify", "a.pdf"),
        ("verify", "a.pdf", "--trust", ".", "--at", "yesterday"),
        ("demo", "--size", "1"),
        ("sandbox", "--listen", "nowhere"),
        ("sandbox", "--control", "70000"),
        ("sandbox", "--fault", "unknown"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    """What the command line does not allow ends with 64 and a sentence on standard error, never a stack."""
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert re.match(r"lgsp-gateway( sandbox)?: .", done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [("packet", "inspect"), ("packet", "check"), ("verify",)])
@pytest.mark.parametrize("name", ["missing", "."])
def test_unreadable_file_with_json(tmp_path: Path, command: tuple[str, ...], name: str) -> None:
    """A file that cannot be opened is refused with one JSON value on standard output and nothing beside it."""
    options = ("--trust", tmp_path, "--json") if command == ("verify",) else ("--json",)
    done = run(*command, tmp_path / name, *options)
    assert (done.returncode, done.stderr) == (2, "")
    assert json.loads(done.stdout)["error"]["code"] == "FILE_UNREADABLE"


def test_json_is_utf_8_under_any_locale(tmp_path: Path) -> None:
    """Vietnamese text is printed as UTF-8 also where the terminal is said to know ASCII only."""
    packet = tmp_path / "a.edxml"
    plain = (CASES / "document-plain" / "packet.edxml").read_text(encoding="utf-8")
    packet.write_text(re.sub("<edXML:Subject>[^<]*", "<edXML:Subject>Về việc", plain), encoding="utf-8")
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = run_anew("packet", "inspect", packet, "--json", environment=ascii_only)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["subject"] == "Về việc"
    assert "Về việc" in done.stdout


def test_verify_says_why_a_file_cannot_be_judged(tmp_path: Path) -> None:
    """For what is no PDF the verdict stands on standard output and the reason on standard error."""
    file = tmp_path / "a.pdf"
    file.write_bytes(b"PK a docx")
    done = run("verify", file, "--trust", tmp_path, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout) == {"verdict": "invalid", "signatures": []}
    assert done.stderr == f"{file}: the file is no PDF\n"


def test_verify_exits_2_for_unsigned(tmp_path: Path) -> None:
    """Any verdict but trusted is a refusal, also when nothing is wrong with the file."""
    file = tmp_path / "a.pdf"
    file.write_bytes(make_pdf(size=2_000, title="Draft"))
    done = run("verify", file, "--trust", tmp_path, "--json")
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (2, {"verdict": "unsigned", "signatures": []}, "")


def test_sandbox_on_a_port_in_use() -> None:
    """A port that is taken is an ordinary failure: exit 1 and one sentence that names it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("sandbox", "--listen", f"127.0.0.1:{port}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("lgsp-gateway sandbox: ")
    assert str(port) in done.stderr
    assert done.stderr.count("\n") == 1


def test_demo_refuses_a_used_directory(tmp_path: Path) -> None:
    """The demo works on what it made itself: a directory with content is refused before anything starts."""
    (tmp_path / "kept").touch()
    done = run("demo", "--data", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"lgsp-gateway demo: {tmp_path} is not an empty directory\n"


def test_demo_that_cannot_run_ends_with_its_json_line(tmp_path: Path) -> None:
    """Whatever stops the demo, the last line says that it is not ok, the reason stands before it, the exit is 1."""
    (tmp_path / "file").touch()
    done = run("demo", "--data", tmp_path / "file" / "below")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["ok"] is False
    assert "NotADirectoryError" in done.stderr
