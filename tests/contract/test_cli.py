"""The command line as a process: exit codes, one JSON value, nothing else on standard output."""

import json
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from gateway.sandbox.pdf import make_pdf, sign_pdf
from gateway.sandbox.pki import Pki, make_pki, write_pki
from tests.fakes.terminal import run, run_anew

NS102 = "http://www.mic.gov.vn/TBT/QCVN_102_2016"

STATUS = f"""<?xml version="1.0" encoding="UTF-8"?>
<edXML xmlns="{NS102}"><edXML:edXMLEnvelope xmlns:edXML="{NS102}"><edXML:edXMLHeader><edXML:MessageHeader>
<edXML:From><edXML:OrganId>H98.02</edXML:OrganId><edXML:OrganName>Body B</edXML:OrganName></edXML:From>
<edXML:ResponseFor><edXML:OrganId>H99.01</edXML:OrganId><edXML:Code>12/ABC-XYZ</edXML:Code>
<edXML:PromulgationDate>2026/01/15</edXML:PromulgationDate>
<edXML:DocumentId>H99.01,2026/01/15,12/ABC-XYZ</edXML:DocumentId></edXML:ResponseFor>
<edXML:StatusCode>03</edXML:StatusCode><edXML:Timestamp>2026/01/15 09:00:00</edXML:Timestamp>
</edXML:MessageHeader></edXML:edXMLHeader></edXML:edXMLEnvelope></edXML>"""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pki, Path]:
    folder = tmp_path_factory.mktemp("pki")
    made = make_pki(now=datetime.now(tz=UTC))
    write_pki(made, folder)
    return made, folder


def flip(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


@pytest.mark.parametrize(
    ("case", "code", "verdict"),
    [
        ("signed", 0, "trusted"),
        ("one byte changed", 2, "altered"),
        ("unsigned", 2, "unsigned"),
        ("unknown authority", 2, "untrusted"),
    ],
)
def test_verify_tells_four_cases_apart(
    case: str, code: int, verdict: str, pki: tuple[Pki, Path], tmp_path: Path
) -> None:
    """A signed PDF, the same with one byte changed, an unsigned one and a stranger's have four verdicts."""
    made, folder = pki
    now = datetime.now(tz=UTC)
    plain = make_pdf(size=8_000, title="16")
    signed = sign_pdf(plain, signer=made.signer, signed_at=now)
    files = {
        "signed": signed,
        "one byte changed": flip(signed, 4_000),
        "unsigned": plain,
        "unknown authority": sign_pdf(plain, signer=made.unknown_signer, signed_at=now),
    }
    file = tmp_path / "file.pdf"
    file.write_bytes(files[case])
    done = run("verify", file, "--trust", folder / "trust", "--json")
    said: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == code, done.stderr
    assert said["verdict"] == verdict
    keys = {"signer", "intact", "valid", "trusted", "signed_at", "reason"}
    assert all(set(signature) == keys for signature in said["signatures"])


def test_inspect_prints_the_promised_keys(tmp_path: Path) -> None:
    """A status packet is one JSON object with every promised key."""
    file = tmp_path / "status.edxml"
    file.write_text(STATUS, encoding="utf-8")
    done = run("packet", "inspect", file, "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert said["kind"] == "status"
    assert said["status_code"] == "03"
    assert said["from"] == {"code": "H98.02", "name": "Body B"}
    assert said["response_for"] == [
        {
            "code": "H99.01",
            "document_code": "12/ABC-XYZ",
            "promulgation_date": "2026-01-15",
            "document_id": "H99.01,2026/01/15,12/ABC-XYZ",
        }
    ]
    assert set(said) == {
        "kind",
        "business_type",
        "from",
        "to",
        "document_id",
        "code_number",
        "code_notation",
        "promulgation_date",
        "subject",
        "priority",
        "status_code",
        "response_for",
        "attachments",
        "warnings",
        "status",
    }


def test_a_refused_packet_is_one_json_error(tmp_path: Path) -> None:
    """What is no packet gives exit 2 and an error object with code, path and message."""
    file = tmp_path / "bad.edxml"
    file.write_text("<!DOCTYPE edXML [<!ENTITY a 'b'>]><edXML>&a;</edXML>", encoding="utf-8")
    done = run("packet", "inspect", file, "--json")
    assert done.returncode == 2
    assert set(json.loads(done.stdout)["error"]) == {"code", "path", "message"}


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that cannot be opened is input refused, in JSON too, in an interpreter of its own."""
    done = run_anew("packet", "inspect", tmp_path / "none.edxml", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "FILE_UNREADABLE"


def test_check_lists_deviations(tmp_path: Path) -> None:
    """A packet without its literal prefixes has at least that deviation, and exit 2 says so."""
    file = tmp_path / "status.edxml"
    file.write_text(STATUS.replace("edXML:Code>", "Code>"), encoding="utf-8")
    done = run("packet", "check", file, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["deviations"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("verify", "x.pdf"),
        ("serve",),
        ("packet", "inspect", "--bad", "x"),
        ("sandbox", "--fault", "x"),
    ],
)
def test_wrong_usage_is_64(arguments: tuple[str, ...]) -> None:
    """A call with the wrong words ends with 64 and a sentence on standard error."""
    done = run(*arguments)
    assert done.returncode == 64, done.stderr
    assert done.stderr
    assert done.stdout == ""


def test_check_config_names_what_is_wrong(tmp_path: Path) -> None:
    """A configuration with a wrong key is refused with 2 and the key's name."""
    file = tmp_path / "gateway.toml"
    file.write_text('[server]\nlisten = "nowhere"\n', encoding="utf-8")
    done = run("check-config", file)
    assert done.returncode == 2
    assert "server.listen" in done.stderr


def test_version_is_the_distributions() -> None:
    """`--version` prints the version of the installed distribution and exits 0, in an interpreter of its own."""
    done = run_anew("--version")
    assert done.returncode == 0
    assert done.stdout == f"lgsp-gateway {metadata.version('lgsp-gateway')}\n"
