"""The small decisions of reading: base64, dates, kinds of file, wrappers, links."""

import base64
import io
import struct
import zipfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.packet import PacketKind, StoredObject, UnpackedDocument, UnpackedStatus
from gateway.translate.edxml.attachments import content_id, kind_of
from gateway.translate.edxml.base64text import Base64Decoder, Base64Error
from gateway.translate.edxml.dates import is_strict_date, is_strict_time, read_date
from gateway.translate.edxml.findings import SENTENCES, Defect, Deviation, Findings, Tolerance
from gateway.translate.edxml.objects import ScratchObjects
from gateway.translate.edxml.unwrap import UnreadableZipError, inflate, judge, single_entry
from tests.fakes.blobs import MemoryBlobs
from tests.unit.translate.edxml.sample import DOCUMENT, STATUS, draft, packet, read, translator

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def archive(path: Path, *names: str, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as made:
        for name in names:
            made.writestr(name, b"content" * 100)
    return path


@given(st.binary(max_size=300), st.lists(st.integers(1, 50)), st.sampled_from(["", "\r\n", " \t"]))
def test_base64_in_any_pieces(data, cuts, space):
    """Text cut anywhere, with white space anywhere between the pieces, decodes to the same bytes."""
    text = base64.b64encode(data).decode()
    decoder = Base64Decoder()
    found = b""
    for size in cuts:
        found += decoder.feed(text[:size] + space)
        text = text[size:]
    found += decoder.feed(text)
    decoder.finish()
    assert found == data


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    "text", ["QQ", "QQ=", "Q", "QQ==QQ==", "QQ==x", "Q*==", "QQ-_", "QQQé", "====", "=QQQ", "QQ=Q"]
)
def test_what_is_no_base64(text, size):
    """Wrong alphabet, wrong length, padding in the middle: refused, whatever the pieces."""
    decoder = Base64Decoder()

    def run() -> None:
        for at in range(0, len(text), size):
            decoder.feed(text[at : at + size])
        decoder.finish()

    with pytest.raises(Base64Error):
        run()


@pytest.mark.parametrize(
    ("text", "day", "oddity"),
    [
        ("2026/01/15", date(2026, 1, 15), None),
        ("2026-01-15", date(2026, 1, 15), Tolerance.DATE_FORMAT),
        ("2026/1/5", date(2026, 1, 5), Tolerance.DATE_FORMAT),
        ("05/02/2026", date(2026, 2, 5), Tolerance.DATE_FORMAT),
        ("31/12/2026 23:59", date(2026, 12, 31), Tolerance.DATE_FORMAT),
        ("2026-01-15T00:00:00", date(2026, 1, 15), Tolerance.DATE_FORMAT),
        ("2026/01/15 10:00:00", date(2026, 1, 15), Tolerance.DATE_TIME),
        ("12/31/2026", None, Tolerance.DATE_IMPOSSIBLE),
        ("2026/02/30", None, Tolerance.DATE_IMPOSSIBLE),
        ("0000/01/01", None, Tolerance.DATE_IMPOSSIBLE),
        ("2026/01-15", None, Tolerance.DATE_UNREADABLE),
        ("15.01.2026", None, Tolerance.DATE_UNREADABLE),
        ("\u0662\u0660\u0662\u0666/\u0660\u0661/\u0661\u0665", None, Tolerance.DATE_UNREADABLE),
        ("null", None, Tolerance.DATE_UNREADABLE),
    ],
)
def test_dates(text, day, oddity):
    """One form is right, the tolerated ones say so, month-first is never read, the impossible is absent."""
    assert read_date(text) == (day, oddity)
    assert is_strict_date(text) is (day is not None and oddity is None)


@pytest.mark.parametrize(
    ("text", "strict"),
    [("2026/01/15 08:30:00", True), ("2026/02/30 08:30:00", False), ("2026/01/15 24:00:00", False), ("", False)],
)
def test_times(text, strict):
    """Only `yyyy/MM/dd HH:mm:ss` on an existing day."""
    assert is_strict_time(text) is strict


@pytest.mark.parametrize(
    ("name", "head", "declared", "kind"),
    [
        ("a.pdf", b"%PDF-1.7", "application/pdf", "application/pdf"),
        ("a.txt", b"junk\n%PDF-1.7", "text/plain", "application/pdf"),
        ("a.docx", b"PK\x03\x04", "application/docx", DOCX),
        ("a.bin", b"PK\x03\x04", "application/pdf", "application/zip"),
        ("a.doc", OLE, "application/doc", "application/msword"),
        ("a.bin", OLE, "application/x-thing", "application/x-thing"),
        ("a.pdf", b"no", "application/pdf", "application/octet-stream"),
        ("a.txt", b"text", "application/zip", "text/plain"),
        ("a.txt", b"text", "", "text/plain"),
        ("a", b"text", "", "application/octet-stream"),
        ("a.txt", b"text", "text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("a.pdf", b"", "application/pdf", "application/pdf"),
    ],
)
def test_kinds_of_file(name, head, declared, kind):
    """Bytes first, then what was declared, then the name."""
    assert kind_of(name, head, declared) == kind


@pytest.mark.parametrize(("text", "bare"), [("cid:a", "a"), ("cid:cid:a", "a"), ("CID:a", "a"), ("a", "a"), ("", "")])
def test_content_ids(text, bare):
    """`cid:` is stripped however often it stands there."""
    assert content_id(text) == bare


@pytest.mark.parametrize(
    ("entries", "name", "unwrap", "by_uuid"),
    [
        ((f"{UUID}.xlsx",), "a.xlsx", True, True),
        ((UUID.replace("-", ""),), "a.docx", True, True),
        ((f"folder/{UUID}.pdf",), "a.pdf", True, True),
        ((f"{UUID}.pdf",), "a.ZIP", False, False),
        (("a.txt",), "a.txt", True, False),
        (("mimetype",), "a.odt", False, False),
        (("a.txt", "b.txt"), "a.txt", False, False),
        (("folder/",), "a.txt", False, False),
        ((), "a.txt", False, False),
    ],
)
def test_wrappers(tmp_path, entries, name, unwrap, by_uuid):
    """The rule of edxml.md 4, in its order."""
    wrapping = judge(name, single_entry(archive(tmp_path / "a.zip", *entries)))
    assert (wrapping.unwrap, wrapping.by_uuid) == (unwrap, by_uuid)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_inflating(tmp_path, method):
    """Both methods give the entry's bytes."""
    path = archive(tmp_path / "a.zip", f"{UUID}.txt", method=method)
    entry = single_entry(path)
    assert entry
    assert b"".join(inflate(path, entry)) == b"content" * 100


def test_a_streamed_archive(tmp_path):
    """Java writes the sizes behind the data; the central directory has them all the same."""

    class Unseekable(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, piece) -> int:
            self.data += bytes(piece)
            return len(piece)

    sink = Unseekable()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(f"{UUID}.txt", b"streamed")
    path = tmp_path / "a.zip"
    path.write_bytes(sink.data)
    entry = single_entry(path)
    assert entry
    assert b"".join(inflate(path, entry)) == b"streamed"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_any_damage_to_an_archive_is_seen(tmp_path, method):
    """One byte changed anywhere: no entry, the right bytes, or an error; never other bytes, never a crash."""
    whole = archive(tmp_path / "a.zip", f"{UUID}.txt", method=method).read_bytes()
    path = tmp_path / "b.zip"
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        entry = single_entry(path)
        if entry is None:
            continue
        try:
            assert b"".join(inflate(path, entry)) == b"content" * 100
        except UnreadableZipError:
            continue


async def test_an_archive_that_lies_about_its_size_stays_wrapped():
    """An entry that inflates to more than the archive says is kept as it came, with a warning."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as one:
        one.writestr(f"{UUID}.txt", bytes(5 * 1024 * 1024))
    raw = bytearray(made.getvalue())
    struct.pack_into("<I", raw, raw.rindex(b"PK\x01\x02") + 24, 100)
    case = Path(__file__).parents[3] / "cases" / "edxml" / "zip-bomb" / "packet.edxml"
    before, _, rest = case.read_bytes().partition(b"ContentTransferEncoded xmlns:edXML=")
    namespace, _, tail = rest.partition(b">")
    text = b"ContentTransferEncoded xmlns:edXML=" + namespace + b">" + base64.b64encode(raw)
    blobs = MemoryBlobs()
    result = await read(blobs, before + text + tail[tail.index(b"<") :])
    assert isinstance(result, UnpackedDocument)
    assert [one.code for one in result.warnings] == ["ZIP_UNREADABLE"]
    assert blobs.objects[result.objects[0].key] == bytes(raw)
    assert len(blobs.objects) == 2


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


async def test_scratch_objects_keep_only_zips(tmp_path):
    """The command line digests everything and writes to disk only what may have to be unwrapped."""
    scratch = ScratchObjects(folder=tmp_path)
    for data in (b"P", b"K\x03\x04"), (b"%PDF", b"-1.4"):
        async with scratch.writer(limit=100) as writer:
            for piece in data:
                await writer.write(piece)
            stored = await writer.finish()
        assert stored.size == len(b"".join(data))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"PK\x03\x04"]


def test_every_code_has_a_sentence():
    """A code without a sentence could not be said, and no two codes are spelt alike."""
    assert set(SENTENCES) == {*Defect, *Tolerance, *Deviation}
    assert len(SENTENCES) == len(Defect) + len(Tolerance) + len(Deviation)


def test_warnings_are_bounded():
    """A packet full of oddities gives a bounded list whose last line says that there was more."""
    findings = Findings()
    for _ in range(1000):
        findings.add(Tolerance.ATTACHMENT_EMPTY, "edXML")
    assert len(findings.all()) == 201
    assert findings.all()[-1].code == "MORE_WARNINGS"
