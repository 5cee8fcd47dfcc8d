"""Attachments as they are carried: unpacked or kept, guarded, linked, and where their text stands."""

import base64
import random
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.blobs.content import LocalBlobs
from gateway.domain.packet import ContentSpan, EncodedPart, PacketDefect
from gateway.translate.edxml.contents.attachments import Made, content_id, kind_of
from gateway.translate.edxml.contents.base64text import encoded_length
from gateway.translate.edxml.contents.content import open_content
from gateway.translate.edxml.contents.objects import MeasuringObjects
from gateway.translate.edxml.contents.ziprecords import zip_frame
from gateway.translate.edxml.findings import RefusedError
from gateway.translate.edxml.tree import Node
from gateway.translate.edxml.writing.packet import encoded
from gateway.xmlsafe import MIB, Limits
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.clock import SettableClock
from tests.unit.translate.edxml.delivery import UUID, Delivery, archive, leaf

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
DATA = b"content" * 100
NOISE = random.Random(1).randbytes(3 * MIB)


async def deliver(name: str, data: bytes, *, limits: Limits | None = None, net: bool = False, cut: int = 4096):
    """One attachment: what became of it, the bytes kept, and what was said."""
    blobs = MemoryBlobs()
    delivery = Delivery(blobs, limits)
    await delivery.bring(name, data, net=net, cut=cut)
    made = await delivery.link()
    if isinstance(made, PacketDefect):
        assert not blobs.objects
        assert made.path == "edXML/AttachmentEncoded/Attachment"
        return made.code, b"", delivery.codes
    assert set(blobs.objects) == {made[0].stored.key}
    return made[0], blobs.objects[made[0].stored.key], delivery.codes


@pytest.mark.parametrize(
    ("name", "head", "declared", "kind"),
    [
        ("a.pdf", b"%PDF-1.7", "application/pdf", "application/pdf"),
        ("a.txt", b"junk\n%PDF-1.7", "text/plain", "application/pdf"),
        ("a.docx", b"PK\x03\x04", "application/docx", DOCX),
        ("a.bin", b"PK\x03\x04", "application/pdf", "application/zip"),
        ("a.bin", b"PK\x05\x06", "application/zip", "application/zip"),
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


@pytest.mark.parametrize("net", [False, True])
@pytest.mark.parametrize(
    ("name", "entries", "unwrapped", "said"),
    [
        ("a.xlsx", (f"{UUID}.xlsx",), True, []),
        ("a.docx", (UUID,), True, []),
        ("a.txt", ("b.txt",), True, ["ZIP_ENTRY_NAME"]),
        ("a.zip", (f"{UUID}.txt",), False, []),
        ("a.odt", ("mimetype",), False, []),
        ("a.txt", ("a.txt", "b.txt"), False, ["ZIP_KEPT"]),
        ("a.txt", (), False, ["ZIP_KEPT"]),
    ],
)
async def test_wrappers_are_taken_off(name, entries, unwrapped, said, net):
    """Unpacked or kept by the rule, with the name before the content or behind it, and one object is left."""
    data = archive(*((entry, DATA) for entry in entries))
    made, found, codes = await deliver(name, data, net=net)
    assert found == (DATA if unwrapped else data)
    assert (made.attachment.size, made.attachment.sha256) == (len(found), made.stored.digest)
    assert codes == said


@pytest.mark.parametrize("net", [False, True])
@given(
    data=st.binary(max_size=500),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    behind=st.booleans(),
    cut=st.integers(1, 400),
)
async def test_wrappers_in_any_pieces(net, data, method, behind, cut):
    """Cut anywhere, a wrapper gives its entry; stored with the sizes behind, it stays as it came, with a warning."""
    whole = archive((f"{UUID}.bin", data), method=method, behind=behind)
    kept = method == zipfile.ZIP_STORED and behind
    made, found, codes = await deliver("a.bin", whole, net=net, cut=cut)
    assert isinstance(made, Made)
    assert found == (whole if kept else data)
    assert codes == (["ZIP_UNREADABLE"] if kept else [] if data else ["ATTACHMENT_EMPTY"])


@given(noise=st.binary(min_size=1, max_size=60), place=st.integers(0, 200), net=st.booleans())
async def test_any_mutation_of_a_wrapper(noise, place, net):
    """Noise over a wrapper: kept as it came, unpacked to the right bytes, or refused by a code; nothing else."""
    whole = bytearray(archive((f"{UUID}.txt", DATA)))
    whole[place : place + len(noise)] = noise
    made, found, _ = await deliver("a.txt", bytes(whole), net=net)
    assert (made in {"ZIP_RATIO", "ZIP_NESTED"}) if isinstance(made, str) else found in {DATA, bytes(whole)}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
async def test_every_damaged_byte_is_seen(method):
    """One byte changed anywhere: the right bytes, or the archive as it came; never other bytes."""
    whole = archive((f"{UUID}.txt", DATA), method=method)
    for at in range(len(whole)):
        damaged = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        _, found, _ = await deliver("a.txt", damaged)
        assert found in {DATA, damaged}


@pytest.mark.parametrize(
    ("before", "behind", "comment", "unwrapped"),
    [(b"junk", b"", b"", False), (b"", b"junk", b"", True), (b"", b"", b"a comment", True)],
)
async def test_junk_around_a_wrapper(before, behind, comment, unwrapped):
    """Junk in front makes it no ZIP by its bytes; junk or a comment behind does no harm."""
    whole = before + archive((f"{UUID}.txt", DATA), comment=comment) + behind
    _, found, codes = await deliver("a.txt", whole)
    assert (found, codes) == (DATA if unwrapped else whole, [])


async def test_another_entry_in_front_of_the_only_one():
    """A directory that names one entry which the archive does not begin with: kept as it came."""
    second = archive((f"{UUID}.txt", DATA))
    at = second.rindex(b"PK\x05\x06")
    start = struct.unpack_from("<I", second, at + 16)[0]
    hidden = archive(("hidden.txt", b"hidden"))
    moved = bytearray(hidden + second)
    struct.pack_into("<I", moved, len(hidden) + at + 16, len(hidden) + start)
    struct.pack_into("<I", moved, len(hidden) + start + 42, len(hidden))
    _, found, codes = await deliver("a.txt", bytes(moved))
    assert (found, codes) == (bytes(moved), ["ZIP_UNREADABLE"])


@pytest.mark.parametrize("net", [False, True])
@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(attachment=10_000), "ATTACHMENT_TOO_LARGE"),
        (Limits(inflated=10_000), "ZIP_TOO_LARGE"),
        (Limits(ratio_from=10_000), "ZIP_RATIO"),
    ],
)
async def test_a_guard_refuses_wrappers_and_leaves_archives_alone(limits, code, net):
    """The same bytes are refused where they must be unpacked, and kept unopened where they must not."""
    data = archive((f"{UUID}.txt", bytes(50_000)))
    assert (await deliver("a.txt", data, limits=limits, net=net))[0] == code
    _, found, codes = await deliver("a.zip", data, limits=limits, net=net)
    assert found == data
    assert codes == (["ARCHIVE_INFLATES"] if code == "ZIP_RATIO" else [])


async def test_an_archive_of_many_entries_trips_no_guard():
    """Its first entry alone would be a bomb; it is no wrapper, so nobody minds."""
    data = archive((f"{UUID}.txt", bytes(50_000)), ("b.txt", b""))
    _, found, codes = await deliver("a.txt", data, limits=Limits(attachment=1000, inflated=1000, ratio_from=1000))
    assert (found, codes) == (data, ["ZIP_KEPT"])


async def test_the_sum_of_a_packet():
    """Two entries that fit one by one are too much together."""
    blobs = MemoryBlobs()
    delivery = Delivery(blobs, Limits(inflated=15_000))
    for _ in range(2):
        await delivery.bring("a.txt", archive((f"{UUID}.txt", bytes(10_000))))
    made = await delivery.link()
    assert isinstance(made, PacketDefect)
    assert (made.code, made.path) == ("ZIP_TOO_LARGE", "edXML/AttachmentEncoded/Attachment[2]")
    assert not blobs.objects


class _Counting(MemoryBlobs):
    """Counts what is written, finished or not."""

    written = 0

    def writer(self, *, limit):
        outer = self
        inner = super().writer(limit=limit)

        class Context:
            async def __aenter__(self):
                writer = await inner.__aenter__()
                write = writer.write

                async def counted(chunk):
                    outer.written += len(chunk)
                    await write(chunk)

                writer.write = counted
                return writer

            async def __aexit__(self, *error):
                return await inner.__aexit__(*error)

        return Context()


@pytest.mark.parametrize("name", ["bomb.txt", "bomb.zip"])
async def test_a_bomb_is_put_out_early(name):
    """64 MiB of nothing: given up after what a blank beginning may have, and never begun under a ZIP's name."""
    data = archive((f"{UUID}.txt", bytes(64 * MIB)))
    blobs = _Counting()
    delivery = Delivery(blobs)
    await delivery.bring(name, data)
    made = await delivery.link()
    if name == "bomb.txt":
        assert isinstance(made, PacketDefect)
        assert made.code == "ZIP_RATIO"
        assert len(data) < blobs.written < len(data) + 20 * MIB
    else:
        assert blobs.written == len(data)
        assert delivery.codes == ["ARCHIVE_INFLATES"]


async def test_a_blank_beginning_is_no_bomb():
    """A scan may begin with megabytes of white; the ratio of the whole counts."""
    data = bytes(10 * MIB) + NOISE
    _, found, codes = await deliver("scan.bmp", archive((f"{UUID}.bmp", data)), cut=1 << 18)
    assert (found == data, codes) == (True, [])


async def test_a_lie_about_the_size():
    """An entry that inflates to more, or less, than the directory says is kept as it came; a lying bomb is refused."""
    for claimed in (100, 100_000):
        raw = bytearray(archive((f"{UUID}.txt", NOISE[:5000])))
        struct.pack_into("<I", raw, raw.rindex(b"PK\x01\x02") + 24, claimed)
        _, found, codes = await deliver("a.txt", bytes(raw))
        assert (found, codes) == (bytes(raw), ["ZIP_UNREADABLE"])
    raw = bytearray(archive((f"{UUID}.txt", bytes(5 * MIB))))
    struct.pack_into("<I", raw, raw.rindex(b"PK\x01\x02") + 24, 100)
    assert (await deliver("a.txt", bytes(raw)))[0] == "ZIP_RATIO"


@pytest.mark.parametrize("net", [False, True])
async def test_wrappers_in_wrappers(net):
    """One wrapper is taken off, what it held is what was sent; an inner one that inflates like a bomb is refused."""
    bomb = archive((f"{UUID}.txt", bytes(5 * MIB)))
    assert (await deliver("a.txt", archive((f"{UUID}.zip", bomb)), net=net))[0] == "ZIP_NESTED"
    inner = archive((f"{UUID}.txt", DATA))
    _, found, codes = await deliver("a.txt", archive((f"{UUID}.zip", inner)), net=net)
    assert (found, codes) == (inner, ["ZIP_KEPT"])
    office = archive(("[Content_Types].xml", DATA), ("word/document.xml", DATA))
    for name, data in (("a.docx", office), ("a.txt", office), ("a.odt", archive(("mimetype", DATA)))):
        _, found, codes = await deliver(name, archive((f"{UUID}.bin", data)), net=net)
        assert (found, codes) == (data, [])


async def test_a_store_that_fails_at_the_second_object_keeps_neither():
    """The entry is finished, then the archive cannot be: nothing of either stays."""

    class Failing(MemoryBlobs):
        def put(self, data):
            if self.objects:
                raise OSError("disk full")
            return super().put(data)

    blobs = Failing()
    with pytest.raises(OSError, match="disk full"):
        await Delivery(blobs).bring("a.txt", archive((f"{UUID}.txt", DATA)), net=True)
    assert not blobs.objects


async def test_many_undecided_archives():
    """200 archives whose names come late: in the end one object each, and the right one."""
    blobs = MemoryBlobs()
    delivery = Delivery(blobs)
    data = archive((f"{UUID}.txt", DATA))
    for number in range(200):
        await delivery.bring("a.zip" if number % 2 else "a.txt", data, net=True)
    made = await delivery.link()
    assert isinstance(made, list)
    assert [blobs.objects[one.stored.key] for one in made] == [DATA, data] * 100
    assert len(blobs.objects) == 200


async def span_of(name: str, data: bytes, *, text: bytes | None = None) -> tuple[Made, ContentSpan | None, MemoryBlobs]:
    blobs = MemoryBlobs()
    delivery = Delivery(blobs)
    await delivery.bring(name, data, text=text)
    made = await delivery.link()
    assert isinstance(made, list)
    return made[0], made[0].span, blobs


def wrapped(data: bytes, entry: str) -> bytes:
    made = archive((entry, data), method=zipfile.ZIP_STORED)
    crc = struct.unpack_from("<I", made, 14)[0]
    before, behind = zip_frame(entry, size=len(data), crc=crc)
    return before + data + behind


@pytest.mark.parametrize("net", [False, True])
@given(data=st.binary(min_size=1, max_size=100), ours=st.booleans(), cut=st.integers(1, 50))
async def test_a_span_gives_the_text_again(net, data, ours, cut):
    """Kept as it came, or unwrapped from a ZIP of our own form: the span's part is the very text."""
    blobs = MemoryBlobs()
    delivery = Delivery(blobs)
    whole = wrapped(data, f"{UUID}.txt") if ours else data
    await delivery.bring("a.txt", whole, net=net, cut=cut)
    made = await delivery.link()
    assert isinstance(made, list)
    span = made[0].span
    assert span is not None
    assert span.part == EncodedPart(stored=made[0].stored, zip_entry=f"{UUID}.txt" if ours else None)
    assert (span.offset, span.length) == (1000, encoded_length(len(whole)))
    assert b"".join([text async for text in encoded(span.part, blobs)]) == base64.b64encode(whole)


@pytest.mark.parametrize(
    "whole",
    [
        archive((f"{UUID}.txt", DATA)),
        archive((f"{UUID}.txt", DATA), method=zipfile.ZIP_STORED),
        wrapped(DATA, f"{UUID}.txt") + b"junk",
        wrapped(DATA, "a.txt").replace(b"a.txt", b"\x80.txt"),
        wrapped(DATA, f"{'long' * 70}/{UUID}.txt"),
    ],
    ids=["deflated", "other-date", "junk", "not-ascii", "long-name"],
)
async def test_a_foreign_wrapper_gives_no_span(whole):
    """What we would not write again byte for byte is not claimed."""
    made, span, blobs = await span_of("a.txt", whole)
    assert blobs.objects[made.stored.key] == DATA
    assert span is None


@pytest.mark.parametrize("text", [b" Zm9v", b"Zm9v\n", b"Z m9v", b""])
async def test_an_unusual_form_gives_no_span(text):
    """White space, or no text at all."""
    assert (await span_of("a.txt", b"", text=text))[1] is None


@pytest.mark.parametrize(("offsets", "start"), [((7, 11), 7), ((0, 4), None), ((0, 0), None), ((7, 12), None)])
async def test_only_text_in_one_piece_has_a_span(offsets, start):
    """Offsets not known, or not following one another, give none."""
    node = Node("ContentTransferEncoded", Node("Attachment", None))
    async with open_content(node, objects=MeasuringObjects(), limits=Limits()) as content:
        for offset in offsets:
            content.take(b"Zm9v", offset)
        assert ((await content.finish()).offset or None) == start


async def test_white_space_in_base64_is_said_once():
    """The first content that has any is named; empty contents are no base64."""
    delivery = Delivery(MemoryBlobs())
    for text in (b"\n ", b"Zm9v", b"Zm\n9v", b" Zm9v"):
        await delivery.bring("a.txt", b"", text=text)
    await delivery.link()
    assert [item.spaced for item in delivery.carried] == [True, False, True, True]
    assert [item.filled for item in delivery.carried] == [False, True, True, True]
    [said] = [one for one in delivery.findings.all() if one.code == "BASE64_LAYOUT"]
    assert said.path == "edXML/AttachmentEncoded/Attachment[3]/ContentTransferEncoded"


async def test_a_missing_cid_is_said_once():
    """In References first, then in Attachments; without any id there is nothing to say."""
    delivery = Delivery(MemoryBlobs())
    for written in ("cid:a", "b", "c"):
        await delivery.bring("a.txt", DATA, fields=(("ContentId", written),))
    manifest = Node("edXMLManifest", None)
    references = [Node("Reference", manifest) for _ in range(3)]
    leaf(references[0], "AttachmentName", "a.txt")
    leaf(references[1], "ContentId", "CID:a")
    await delivery.link(references)
    [said] = [one for one in delivery.findings.all() if one.code == "CID_MISSING"]
    assert said.path == "edXML/AttachmentEncoded/Attachment[2]/ContentId"
    leaf(references[2], "ContentId", "b")
    again = Delivery(MemoryBlobs())
    await again.bring("a.txt", DATA, fields=(("ContentId", "b"),))
    await again.link(references)
    [said] = [one for one in again.findings.all() if one.code == "CID_MISSING"]
    assert said.path == "edXMLManifest/Reference[3]/ContentId"


async def test_the_national_additions_and_the_description():
    """FieldName, MimeType and Format are read as they stand; a description too, even one that only repeats the name."""
    delivery = Delivery(MemoryBlobs())
    additions = (("FieldName", "f"), ("MimeType", "text/x"), ("Format", "x"))
    await delivery.bring("a.txt", DATA, fields=(*additions, ("Description", "a.txt")))
    await delivery.bring("b.txt", DATA, fields=(("Description", "about"),))
    made = await delivery.link()
    assert isinstance(made, list)
    first, second = (one.attachment for one in made)
    assert (first.field_name, first.mime_type, first.format, first.description) == ("f", "text/x", "x", first.name)
    assert (second.field_name, second.mime_type, second.format, second.description) == ("", "", "", "about")


@pytest.mark.parametrize("net", [False, True])
async def test_a_real_store_keeps_one_object_each(net, tmp_path):
    """Wrapped, archived and plain, large and small: one file each in the blob store, no temporary file, no rest."""
    blobs = LocalBlobs(tmp_path / "blobs", clock=SettableClock())
    delivery = Delivery(blobs)
    data = NOISE * 2
    wrapper = archive((f"{UUID}.txt", data), behind=True)
    for name, content in (("a.txt", wrapper), ("a.zip", wrapper), ("b.txt", data), ("c.txt", archive())):
        await delivery.bring(name, content, net=net, cut=1 << 18)
    made = await delivery.link()
    assert isinstance(made, list)
    kept = [b"".join([chunk async for chunk in blobs.stream(one.stored)]) for one in made]
    assert kept == [data, wrapper, data, archive()]
    files = {str(path.relative_to(tmp_path / "blobs")) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {one.stored.key for one in made}
    await delivery.bring("d.txt", archive((f"{UUID}.zip", archive(("e.txt", bytes(5 * MIB))))), net=net)
    assert isinstance(await delivery.link(), PacketDefect)


async def test_an_unfinished_content_leaves_nothing(tmp_path):
    """Base64 that breaks off in the middle of a wrapper: neither the archive nor its entry is on disk."""
    delivery = Delivery(LocalBlobs(tmp_path / "blobs", clock=SettableClock()))
    text = base64.b64encode(archive((f"{UUID}.txt", NOISE)))
    with pytest.raises(RefusedError):
        await delivery.bring("a.txt", b"", text=text[:-1], cut=1 << 18)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
