"""proto/generate.py: the rewriting of imports, and that the committed code is what the protos give."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

SCRIPT = Path(__file__).parents[3] / "proto" / "generate.py"


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rewrites_imports_and_nothing_else():
    """Sibling imports move below gateway.pb; names of services and files, and other imports, stay."""
    source = (
        "from google.protobuf import timestamp_pb2 as t\n"
        "from lgsp.gateway.v1 import document_pb2 as d\n"
        "path = '/lgsp.gateway.v1.InboxService/PullDocuments'\n"
        "note = 'from lgsp.gateway.v1 import nothing'\n"
    )
    assert _script().rewrite(source) == source.replace(
        "\nfrom lgsp.gateway.v1 import document", "\nfrom gateway.pb.lgsp.gateway.v1 import document"
    )


def test_differences_names_what_changed_is_missing_or_too_much(tmp_path):
    """A changed, a missing and a surplus file are each named; equal ones and caches are not."""
    wanted, found = tmp_path / "wanted", tmp_path / "found"
    for folder, files in (
        (wanted, {"same.py": "1", "changed.py": "1", "missing.pyi": "1"}),
        (found, {"same.py": "1", "changed.py": "2", "surplus.py": "1", "cache.pyc": "1"}),
    ):
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
    assert _script().differences(wanted, found) == ["changed.py", "missing.pyi", "surplus.py"]


def test_committed_code_is_up_to_date():
    """Generating anew gives the committed bytes."""
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
