"""What the reader says of where contents stand, put to use: the packet without its contents, and back."""

import base64
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.ids import AccountName, AxisDocId
from gateway.domain.packet import AxisItem, PacketDefect, PacketKind, Received, UnpackedDocument
from gateway.xmlsafe import Limits
from tests.fakes.blobs import MemoryBlobs
from tests.unit.translate.edxml.delivery import UUID, archive
from tests.unit.translate.edxml.sample import DOCUMENT, attach, draft, packet, read, translator

CASES = sorted((Path(__file__).parents[3] / "cases" / "edxml").iterdir())
PLAIN = (Path(__file__).parents[3] / "cases" / "edxml" / "document-plain" / "packet.edxml").read_bytes()
CONTENT = b"JVBERi0xLjQKJSBkdW1teQolJUVPRgo="
ATTACHMENT = PLAIN[PLAIN.index(b"<Attachment>") : PLAIN.index(b"</AttachmentEncoded>")]


async def read_and_split(blobs: MemoryBlobs, raw: bytes):
    """What was read, the packet's parts, and the packet that they give."""
    item = AxisItem(axis_doc_id=AxisDocId("1"), kind=PacketKind.DOCUMENT, recipients=())
    received = Received(account=AccountName("axis"), item=item, raw=blobs.put(raw))
    part = translator(blobs)
    unpacked = await part.read(received)
    assert isinstance(unpacked, UnpackedDocument)
    parts = await part.split(received, unpacked.spans)
    again = None if parts is None else b"".join([chunk async for chunk in part.join(parts)])
    return unpacked, parts, again


@settings(deadline=None, max_examples=50)
@given(
    files=st.lists(
        st.tuples(st.sampled_from(["a.pdf", "b.xlsx", "c"]), st.just("application/pdf"), st.binary(min_size=1)),
        min_size=1,
        max_size=4,
    ),
    chunk=st.integers(1, 500) | st.just(100_000),
)
async def test_what_we_write_can_be_split(files, chunk):
    """Every attachment of a packet of our own, raw or wrapped, has its span, and the parts are the packet."""
    sender = MemoryBlobs()
    document, stored = attach(DOCUMENT, sender, *files)
    raw = await packet(sender, draft(sender, document, stored))
    unpacked, parts, again = await read_and_split(MemoryBlobs(chunk=chunk), raw)
    assert [span.part.stored for span in unpacked.spans] == list(unpacked.objects)
    assert parts is not None
    assert again == raw


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_every_case_that_is_split_comes_back(case):
    """A strange packet may have no spans, but never wrong ones."""
    raw = (case / "packet.edxml").read_bytes()
    if not isinstance(await read(MemoryBlobs(), raw), UnpackedDocument):
        return
    unpacked, parts, again = await read_and_split(MemoryBlobs(), raw)
    assert (parts is None) is (not unpacked.spans)
    assert again in {None, raw}


async def test_one_foreign_wrapper_does_not_spoil_the_others():
    """A wrapper that we would write otherwise stays in the skeleton, the plain file beside it is taken out."""
    wrapper = base64.b64encode(archive((f"{UUID}.pdf", b"%PDF-1.7")))
    raw = PLAIN.replace(ATTACHMENT, ATTACHMENT + ATTACHMENT.replace(CONTENT, wrapper))
    unpacked, parts, again = await read_and_split(MemoryBlobs(), raw)
    assert [span.part.stored for span in unpacked.spans] == [unpacked.objects[0]]
    assert parts is not None
    assert again == raw


@pytest.mark.parametrize("odd", [f"&#{CONTENT[8]};".encode(), b"<!-- -->" + CONTENT[8:9]])
async def test_text_in_an_unusual_form_has_no_span(odd):
    """Character references and comments inside give the same file, but are not claimed."""
    plain, parts, _ = await read_and_split(MemoryBlobs(), PLAIN)
    assert parts is not None
    unpacked, parts, _ = await read_and_split(MemoryBlobs(), PLAIN.replace(CONTENT, CONTENT[:8] + odd + CONTENT[9:]))
    assert unpacked.document.attachments == plain.document.attachments
    assert (unpacked.spans, parts) == ((), None)


async def test_the_sum_over_a_packet():
    """The reader adds up what the contents of one packet inflate to."""
    wrapper = base64.b64encode(archive((f"{UUID}.pdf", bytes(10_000))))
    one = ATTACHMENT.replace(CONTENT, wrapper)
    for number, code in ((1, None), (2, "ZIP_TOO_LARGE")):
        blobs = MemoryBlobs()
        result = await read(blobs, PLAIN.replace(ATTACHMENT, one * number), limits=Limits(inflated=15_000))
        assert (result.code if isinstance(result, PacketDefect) else None) == code
        assert len(blobs.objects) == (1 if code else 2)
