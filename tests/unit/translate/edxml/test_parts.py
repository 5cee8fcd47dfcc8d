"""The small decisions of reading: dates, what the transport says, what is said of a packet."""

from datetime import date
from pathlib import Path

import pytest

from gateway.domain.packet import PacketKind, StoredObject, UnpackedDocument, UnpackedStatus
from gateway.translate.edxml.dates import is_strict_date, is_strict_time, read_date
from gateway.translate.edxml.findings import SENTENCES, Defect, Deviation, Findings, Tolerance
from tests.fakes.blobs import MemoryBlobs
from tests.unit.translate.edxml.sample import DOCUMENT, STATUS, draft, packet, read, translator


@pytest.mark.parametrize(
    ("text", "day", "oddities"),
    [
        ("2026/01/15", date(2026, 1, 15), ()),
        ("2026-01-15", date(2026, 1, 15), (Tolerance.DATE_FORMAT,)),
        ("2026/1/5", date(2026, 1, 5), (Tolerance.DATE_FORMAT,)),
        ("05/02/2026", date(2026, 2, 5), (Tolerance.DATE_FORMAT,)),
        ("31/12/2026 23:59", date(2026, 12, 31), (Tolerance.DATE_FORMAT, Tolerance.DATE_TIME)),
        ("2026-01-15T00:00:00", date(2026, 1, 15), (Tolerance.DATE_FORMAT, Tolerance.DATE_TIME)),
        ("2026/01/15 10:00:00", date(2026, 1, 15), (Tolerance.DATE_TIME,)),
        ("12/31/2026", None, (Tolerance.DATE_IMPOSSIBLE,)),
        ("2026/02/30", None, (Tolerance.DATE_IMPOSSIBLE,)),
        ("0000/01/01", None, (Tolerance.DATE_IMPOSSIBLE,)),
        ("2026/01-15", None, (Tolerance.DATE_UNREADABLE,)),
        ("15.01.2026", None, (Tolerance.DATE_UNREADABLE,)),
        ("\u0662\u0660\u0662\u0666/\u0660\u0661/\u0661\u0665", None, (Tolerance.DATE_UNREADABLE,)),
        ("null", None, (Tolerance.DATE_UNREADABLE,)),
    ],
)
def test_dates(text, day, oddities):
    """One form is right, the tolerated ones say so, month-first is never read, the impossible is absent."""
    assert read_date(text) == (day, oddities)
    assert is_strict_date(text) is (day is not None and not oddities)


@pytest.mark.parametrize(
    ("text", "strict"),
    [("2026/01/15 08:30:00", True), ("2026/02/30 08:30:00", False), ("2026/01/15 24:00:00", False), ("", False)],
)
def test_times(text, strict):
    """Only `yyyy/MM/dd HH:mm:ss` on an existing day."""
    assert is_strict_time(text) is strict


async def test_the_transport_may_call_it_otherwise():
    """A status listed as a document is read as what it is, and the other way round, with a warning."""
    blobs = MemoryBlobs()
    status = await read(blobs, await packet(blobs, translator(blobs).draft_status(STATUS)))
    assert isinstance(status, UnpackedStatus)
    assert [one.code for one in status.warnings] == ["KIND_DIFFERS"]
    document = await read(blobs, await packet(blobs, draft(blobs, DOCUMENT)), kind=PacketKind.STATUS)
    assert isinstance(document, UnpackedDocument)
    assert [one.code for one in document.warnings] == ["KIND_DIFFERS"]


async def test_a_failing_store_leaves_nothing_behind():
    """What was written before the store failed is discarded, and the failure goes on to the caller."""

    class Failing(MemoryBlobs):
        async def stream(self, stored: StoredObject, *, offset: int = 0):
            async for chunk in super().stream(stored, offset=offset):
                yield chunk
            raise OSError("disk gone")

    case = Path(__file__).parents[3] / "cases" / "edxml" / "document-plain" / "packet.edxml"
    blobs = Failing()
    with pytest.raises(OSError, match="disk gone"):
        await read(blobs, case.read_bytes())
    assert len(blobs.objects) == 1


def test_every_code_has_a_sentence():
    """A code without a sentence could not be said; only the reader and the strict check may share a word."""
    assert set(SENTENCES) == {*Defect, *Tolerance, *Deviation}
    assert set(Tolerance) & set(Deviation) == {"PREFIX", "DECLARATION"}
    assert not set(Defect) & {*Tolerance, *Deviation}


def test_warnings_are_bounded():
    """A packet full of oddities gives a bounded list whose last line says that there was more."""
    findings = Findings()
    for _ in range(1000):
        findings.add(Tolerance.ATTACHMENT_EMPTY, "edXML")
    assert len(findings.all()) == 201
    assert findings.all()[-1].code == "MORE_WARNINGS"
