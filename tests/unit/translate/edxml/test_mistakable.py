"""Archives of one entry under the name of a file that travels as it is."""

import io
import zipfile

import pytest

from gateway.domain.dialect import DIALECTS, NATIONAL, Dialect
from gateway.domain.packet import UnpackedDocument
from gateway.translate.edxml.contents.mistakable import mistakable
from tests.fakes.blobs import MemoryBlobs
from tests.unit.translate.edxml.sample import DOCUMENT, HOP, attach, read, translator


def archive(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name in names:
            made.writestr(name, b"dummy")
    return file.getvalue()


ONE = archive("b.txt")
UUID = archive("7d444840-9dc0-41d1-b245-5ffdce74fad2.txt")
FILES = (
    ("a.pdf", ONE, True),
    ("a.docx", UUID, True),
    ("a.docx", archive("[Content_Types].xml", "word/document.xml"), False),
    ("a.pdf", b"%PDF-1.4", False),
    ("a.pdf", b"", False),
    ("a.zip", ONE, False),
    ("a.txt", ONE, False),
    ("a.doc", b"PK\x03\x04 and noise", False),
)


@pytest.mark.parametrize(("name", "data", "wanted"), FILES)
async def test_what_would_be_opened(name, data, wanted):
    """Only a file that is written as it is, and would be opened as a wrapper, is told."""
    blobs = MemoryBlobs(chunk=7)
    document, stored = attach(DOCUMENT, blobs, (name, "application/octet-stream", data))
    assert await mistakable(document.attachments, stored, blobs, NATIONAL) == ({0} if wanted else frozenset())


async def test_where_nothing_is_wrapped_nothing_is():
    """A peer that takes no wrappers off gets none."""
    blobs = MemoryBlobs()
    document, stored = attach(DOCUMENT, blobs, ("a.pdf", "application/pdf", ONE))
    assert not await mistakable(document.attachments, stored, blobs, Dialect(zip_rule=False))


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
async def test_every_file_arrives_as_it_was_sent(dialect):
    """All of them in one packet, one content under two names among them: the same bytes at the other end."""
    blobs = MemoryBlobs()
    files = [(name, "application/octet-stream", data) for name, data, _ in FILES]
    document, stored = attach(DOCUMENT, blobs, *files)
    way = translator(blobs, dialect=dialect)
    wrap = await way.mistakable(document, stored)
    made = way.draft_document(document, stored, recipients=document.to, hop=HOP, wrap=wrap)
    raw = b"".join([chunk async for chunk in way.stream(made)])
    assert way.length(made) == len(raw)
    found = await read(blobs, raw, dialect=dialect)
    assert isinstance(found, UnpackedDocument)
    arrived = {
        (one.name, blobs.objects[kept.key]) for one, kept in zip(found.document.attachments, found.objects, strict=True)
    }
    assert arrived == {(name, data) for name, _, data in files}
