"""Every packet of tests/cases/edxml against the one answer expected for it."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.view import whole_json
from gateway.domain.packet import PacketDefect, PacketKind, UnpackedDocument
from gateway.translate.edxml.workbench.inspection import inspect
from gateway.translate.edxml.workbench.strict import check
from gateway.xmlsafe import Limits
from tests.fakes.blobs import MemoryBlobs
from tests.unit.translate.edxml.sample import read

CASES = sorted((Path(__file__).parents[3] / "cases" / "edxml").iterdir())
KEYS = {
    *("kind", "business_type", "from", "to", "document_id", "code_number", "code_notation", "promulgation_date"),
    *("subject", "priority", "status_code", "response_for", "attachments", "warnings"),
}


def by_name(case: Path) -> str:
    return case.name


def brief(value: dict[str, Any]) -> dict[str, Any]:
    """The answer without the sentences, which may be reworded."""
    if "error" in value:
        assert value["error"]["message"]
        return {"error": {key: value["error"][key] for key in ("code", "path")}}
    assert set(value) == KEYS | {value["kind"]}
    assert all(warning["message"] for warning in value["warnings"])
    return value | {"warnings": [{key: warning[key] for key in ("code", "path")} for warning in value["warnings"]]}


@pytest.mark.parametrize("case", CASES, ids=by_name)
async def test_a_packet_reads_as_expected(case):
    """The JSON of `packet inspect` is exactly the expected one, every field, code and element path included."""
    inspection = await inspect(case / "packet.edxml", Limits())
    assert brief(whole_json(inspection)) == json.loads((case / "expected.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=by_name)
async def test_the_strict_check_lists_every_deviation(case):
    """`packet check` finds exactly the expected deviations, or the defect that `packet inspect` finds."""
    expected = json.loads((case / "expected.json").read_text())
    report = await check(case / "packet.edxml", Limits())
    if isinstance(report, PacketDefect):
        assert report.code == expected["error"]["code"]
    else:
        found = [{"code": str(one.code), "path": one.path} for one in report]
        assert found == json.loads((case / "strict.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=by_name)
@pytest.mark.parametrize("size", [1, 7, 100])
async def test_chunks_do_not_matter(case, size):
    """However a packet is cut, the service reads what the command line reads, and keeps one object an attachment."""
    expected = json.loads((case / "expected.json").read_text())
    blobs = MemoryBlobs(chunk=size)
    kind = PacketKind.STATUS if expected.get("kind") == "status" else PacketKind.DOCUMENT
    result = await read(blobs, (case / "packet.edxml").read_bytes(), kind=kind)
    assert brief(whole_json(result)) == expected
    kept = len(result.objects) if isinstance(result, UnpackedDocument) else 0
    assert len(blobs.objects) == kept + 1
