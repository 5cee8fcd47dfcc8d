"""What the verify command prints."""

import json

from gateway.domain.verdict import Verdict
from gateway.sandbox.pki import write_pki
from gateway.security.report import as_json, verify_file
from tests.make import NOW


def test_trusted_file_as_json(tmp_path, file, pki, signed):
    """The object has exactly the promised keys; times are ISO 8601."""
    write_pki(pki, tmp_path / "pki")
    file.write_bytes(signed)
    verdict = verify_file(file, tmp_path / "pki" / "trust", NOW)
    assert verdict.verdict is Verdict.TRUSTED
    assert json.loads(json.dumps(as_json(verdict))) == {
        "verdict": "trusted",
        "signatures": [
            {
                "signer": "Common Name: Signer X",
                "intact": True,
                "valid": True,
                "trusted": True,
                "signed_at": "2026-03-02T02:30:00+00:00",
                "reason": "revocation not checked",
            }
        ],
    }


def test_unsigned_file_as_json(tmp_path, file, pki, unsigned):
    """An unsigned file has an empty list of signatures."""
    write_pki(pki, tmp_path / "pki")
    file.write_bytes(unsigned)
    assert as_json(verify_file(file, tmp_path / "pki" / "trust", NOW)) == {"verdict": "unsigned", "signatures": []}


def test_unknown_time_is_null(tmp_path, file, pki, signed):
    """A signature whose time cannot be read has null."""
    write_pki(pki, tmp_path / "pki")
    file.write_bytes(signed[:-20])
    report = as_json(verify_file(file, tmp_path / "pki" / "trust", NOW))
    assert report["verdict"] == "altered"
    assert report["signatures"][0]["signed_at"] is None
