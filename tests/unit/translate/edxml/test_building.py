"""Packets built by hand: what is left behind when building does not come to its end."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.domain import rules
from gateway.domain.dialect import NATIONAL
from gateway.domain.document import Attachment, AttachmentRole
from gateway.domain.ids import Digest
from gateway.translate.edxml.workbench.building import Built, Terms, Wanted, build
from gateway.translate.edxml.workbench.extracting import Extracted, extract
from gateway.xmlsafe import Limits
from tests.unit.translate.edxml.sample import DOCUMENT

TERMS = Terms(limits=Limits(), counts=rules.Limits(), dialect=NATIONAL, now=datetime(2026, 3, 2, 17, 30, tzinfo=UTC))
SIZE = 20 * 1024 * 1024


def wanted(*sources: Path | bytes) -> Wanted:
    files = tuple(
        Attachment(name=f"f{i}.pdf", media_type="", size=-1, sha256=Digest(""), role=AttachmentRole.ANNEX)
        for i, _ in enumerate(sources)
    )
    document = replace(DOCUMENT, attachments=files)
    return Wanted(document=document, sources=sources, roles=(None,) * len(files), hop="")


def large(folder: Path) -> Path:
    file = folder / "large"
    with file.open("wb") as sparse:
        sparse.truncate(SIZE)
    return file


def _grown(folder: Path) -> bool:
    return any(each.stat().st_size > SIZE // 4 for each in folder.glob(".lgsp-*"))


async def once_there_is_output(folder: Path, task: asyncio.Task[object], act: Callable[[], object]) -> None:
    """Act as soon as the packet's temporary file has grown."""
    async with asyncio.timeout(20):
        while not _grown(folder):
            assert not task.done()
            await asyncio.sleep(0)
    act()


async def test_the_first_hop_is_the_senders_in_vietnam_time(tmp_path: Path) -> None:
    """Without any trace the sender's hop is written, at the present time in Vietnam."""
    built = await build(wanted(b"%PDF-1.4"), tmp_path / "out.edxml", TERMS)
    assert isinstance(built, Built)
    packet = (tmp_path / "out.edxml").read_bytes()
    assert len(packet) == built.length
    assert packet.count(b"<edXML:TraceHeader>") == 1
    assert b"<edXML:Timestamp>2026/03/03 00:30:00</edXML:Timestamp>" in packet


async def test_a_file_that_changes_while_it_is_read_refuses_the_packet(tmp_path: Path) -> None:
    """Digest and bytes cannot differ: the packet is refused, and what was there before stays."""
    file, out = large(tmp_path), tmp_path / "out" / "out.edxml"
    out.parent.mkdir()
    out.write_bytes(b"earlier")
    task = asyncio.create_task(build(wanted(file), out, TERMS))
    await once_there_is_output(out.parent, task, lambda: os.truncate(file, SIZE + 1))
    refused = await task
    assert isinstance(refused, tuple)
    assert [reason.code for reason in refused] == ["FILE_CHANGED"]
    assert [each.read_bytes() for each in out.parent.iterdir()] == [b"earlier"]


async def test_an_interrupted_build_leaves_nothing(tmp_path: Path) -> None:
    """Cancelled in the middle, neither the packet nor its temporary file stays."""
    file, out = large(tmp_path), tmp_path / "out" / "out.edxml"
    out.parent.mkdir()
    task = asyncio.create_task(build(wanted(file), out, TERMS))
    await once_there_is_output(out.parent, task, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(out.parent.iterdir()) == []


async def test_an_interrupted_extraction_leaves_nothing(tmp_path: Path) -> None:
    """Cancelled in the middle, no file stays, nor the folder that was made for them."""
    out, folder = tmp_path / "out.edxml", tmp_path / "a" / "b"
    assert isinstance(await build(wanted(b"first", large(tmp_path)), out, TERMS), Built)
    task: asyncio.Task[object] = asyncio.create_task(extract(out, folder, Limits()))
    await once_there_is_output(folder, task, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not (tmp_path / "a").exists()
    assert isinstance(await extract(out, folder, Limits()), Extracted)
    assert sorted(each.name for each in folder.iterdir()) == ["f0.pdf", "f1.pdf"]
