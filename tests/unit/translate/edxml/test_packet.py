"""Parts to bytes."""

import base64
import hashlib
import io
import re
import zipfile

import pytest

from gateway.domain.dialect import Dialect
from gateway.domain.packet import EncodedPart
from gateway.translate.edxml.workbench.strict import check
from gateway.xmlsafe import Limits
from tests.fakes.blobs import MemoryBlobs
from tests.unit.translate.edxml.sample import DOCUMENT, attach, draft, packet, translator

PDF = b"%PDF-1.4 dummy"


@pytest.mark.parametrize("chunk", [1, 2, 3, 1000])
async def test_the_seal_is_what_is_sent(chunk):
    """Length and digest of the seal are those of the streamed bytes, however the store cuts its objects.

    The length is known without reading anything, whatever the file's size leaves over in base64.
    """
    blobs = MemoryBlobs(chunk=chunk)
    document, stored = attach(
        DOCUMENT,
        blobs,
        ("a.pdf", "application/pdf", PDF),
        ("b.xlsx", "", b"\x00" * 500),
        ("c", "", b""),
        ("d.txt", "", b"12"),
    )
    made = draft(blobs, document, stored)
    sealed = await translator(blobs).seal(made)
    raw = await packet(blobs, made)
    assert (sealed.length, sealed.sha256) == (len(raw), hashlib.sha256(raw).hexdigest())
    assert translator(blobs).length(made) == len(raw)
    assert sealed.draft is made


async def test_a_retry_sends_the_same_bytes():
    """Drafting the same document anew, from another store, gives the same packet."""
    packets = []
    for chunk in (5, 50_000):
        blobs = MemoryBlobs(chunk=chunk)
        document, stored = attach(DOCUMENT, blobs, ("a.xlsx", "", b"rows" * 1000), ("a.pdf", "application/pdf", PDF))
        packets.append(await packet(blobs, draft(blobs, document, stored)))
    assert packets[0] == packets[1]


async def test_wrapped_files_are_ordinary_zips():
    """What is not written raw is a ZIP that zipfile opens, with one entry named by a UUID and the file's extension."""
    blobs = MemoryBlobs(chunk=100)
    content = bytes(range(256)) * 40
    document, stored = attach(DOCUMENT, blobs, ("a table.xlsx", "", content))
    raw = await packet(blobs, draft(blobs, document, stored))
    found = re.search(rb"ContentTransferEncoded[^>]*>([^<]*)<", raw)
    assert found
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(found.group(1), validate=True))) as archive:
        (entry,) = archive.infolist()
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.xlsx", entry.filename)
        assert archive.testzip() is None
        assert archive.read(entry) == content
    assert b"<ContentType>application/zip</ContentType>" in raw
    assert b"<AttachmentName>a table.xlsx</AttachmentName>" in raw


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        *((name, True) for name in ("a.pdf", "A.PDF", "a.doc", "a.docx", "a.zip", "a.xsl", "a.xslx")),
        *((name, False) for name in ("a.xlsx", "a.xls", "a.txt", "a", "a.pdf.exe")),
    ],
)
def test_the_zip_rule(name, raw):
    """Only the extensions of the rule travel as they are (edxml.md 4)."""
    blobs = MemoryBlobs()
    document, stored = attach(DOCUMENT, blobs, (name, "application/x", b"content"))
    (part,) = [part for part in draft(blobs, document, stored).parts if isinstance(part, EncodedPart)]
    assert (part.zip_entry is None) is raw


async def test_without_the_zip_rule_files_travel_as_they_are():
    """A dialect without the rule writes every file raw, under its own type."""
    blobs = MemoryBlobs()
    document, stored = attach(DOCUMENT, blobs, ("a.xlsx", "application/vnd.ms-excel", b"rows"))
    raw = await packet(blobs, draft(blobs, document, stored, Dialect(zip_rule=False)))
    assert b">" + base64.b64encode(b"rows") + b"<" in raw
    assert raw.count(b"ContentType>application/vnd.ms-excel<") == 2
    assert b"application/zip" not in raw


async def test_what_is_written_passes_the_strict_check(tmp_path):
    """The writer's order, prefixes and links are those the strict check demands."""
    blobs = MemoryBlobs()
    document, stored = attach(
        DOCUMENT, blobs, ("a.pdf", "application/pdf", PDF), ("b.xlsx", "", b"1"), ("c.zip", "application/zip", b"2")
    )
    path = tmp_path / "packet.edxml"
    path.write_bytes(await packet(blobs, draft(blobs, document, stored)))
    report = await check(path, Limits())
    assert [one.code for one in report] == ["CONTENT_TYPE_WRONG"]  # c.zip is none, and the check says so
