"""Packets on disk."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.sandbox import spool as module
from gateway.sandbox.codes import AxisCode, Refusal
from gateway.sandbox.spool import Arrived, Spool, rewrite
from tests.unit.sandbox.calls import make_document

NOW = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)


async def pieces(content: bytes, size: int = 7) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def take(spool: Spool, content: bytes) -> Arrived:
    arrived = await spool.take(pieces(content), strip_crlf=True)
    assert isinstance(arrived, Arrived)
    return arrived


async def test_kept_packets_stay_and_leftovers_go(tmp_path: Path) -> None:
    """A kept packet is found again by its name; files of calls that never ended go at the next start."""
    spool = Spool(tmp_path)
    kept, forgotten = await take(spool, b"one\r\n"), await take(spool, b"two")
    spool.keep(kept)
    again = Spool(tmp_path)
    assert again.path_of(kept.kept_name).read_bytes() == b"one"
    assert (kept.size, not forgotten.path.exists()) == (3, True)


async def test_too_long_bodies_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body over the limit is a bad file and leaves nothing on disk."""
    monkeypatch.setattr(module, "MAX_PACKET", 100)
    spool = Spool(tmp_path)
    refusal = await spool.take(pieces(b"x" * 101), strip_crlf=True)
    assert isinstance(refusal, Refusal)
    assert refusal.code is AxisCode.BAD_FILE
    assert list((tmp_path / "packets").iterdir()) == []
    assert (await take(spool, b"x" * 100)).size == 100


@pytest.mark.parametrize("chunk", [16, 25, 26, 1000, 100_000])
async def test_rewriting_does_not_depend_on_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """The end tag of the list is found wherever chunks cut it, and only the first list gets an entry."""
    monkeypatch.setattr(module, "CHUNK", chunk)
    packet, end = make_document(attachment="QUJD" * 50), b"</edXML:TraceHeaderList>"
    path = tmp_path / "packet.edxml"
    path.write_bytes(packet + end)
    await rewrite(path, organ_id="00.00.W00", now=NOW)
    entry = (
        b"<edXML:TraceHeader><edXML:OrganId>00.00.W00</edXML:OrganId>"
        b"<edXML:Timestamp>2026/03/02 09:30:00</edXML:Timestamp></edXML:TraceHeader>"
    )
    assert path.read_bytes() == (packet + end).replace(end, entry + end, 1)
    assert not path.with_suffix(".rewritten.part").exists()
