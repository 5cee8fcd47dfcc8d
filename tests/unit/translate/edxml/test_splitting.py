"""Packets without their contents, and back byte for byte."""

import base64
from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.packet import ContentSpan, EncodedPart, LiteralPart
from gateway.translate.edxml.splitting import join, split
from gateway.translate.edxml.writing.packet import encoded
from tests.fakes.blobs import MemoryBlobs
from tests.unit.translate.edxml.sample import DOCUMENT, attach, draft

FILES = st.lists(
    st.tuples(
        st.sampled_from(["a.pdf", "b.xlsx", "Tờ trình.docx", "c"]),
        st.sampled_from(["application/pdf", "application/octet-stream", ""]),
        st.binary(max_size=300),
    ),
    min_size=1,
    max_size=4,
)


async def text_of(chunks):
    return b"".join([chunk async for chunk in chunks])


async def wrote(blobs, *files):
    """The raw packet our writer makes of these files, stored, and where it put their contents."""
    document, stored = attach(DOCUMENT, blobs, *files)
    parts = draft(blobs, document, stored).parts
    pieces = [p.data if isinstance(p, LiteralPart) else await text_of(encoded(p, blobs)) for p in parts]
    places = accumulate(map(len, pieces), initial=0)
    spans = [
        ContentSpan(offset=place, length=len(piece), part=part)
        for place, piece, part in zip(places, pieces, parts, strict=False)
        if isinstance(part, EncodedPart)
    ]
    return blobs.put(b"".join(pieces)), spans


@settings(max_examples=60, deadline=None)
@given(FILES, st.integers(1, 70) | st.just(100_000))
async def test_a_split_packet_is_put_together_again(files, chunk):
    """Whatever is attached, raw or in a ZIP, and however the store cuts its objects: the parts give the same bytes."""
    blobs = MemoryBlobs(chunk=chunk)
    raw, spans = await wrote(blobs, *files)
    packet, before = blobs.objects[raw.key], set(blobs.objects)
    parts = await split(raw, spans, blobs)
    assert parts is not None
    assert set(blobs.objects) - before == {parts.skeleton.key}
    assert parts.skeleton.size == raw.size - sum(span.length for span in spans)
    del blobs.objects[raw.key]
    assert await text_of(join(parts, blobs)) == packet


@settings(max_examples=60, deadline=None)
@given(st.data())
async def test_any_cuts_of_any_bytes_are_put_together_again(data):
    """Contents may begin and end anywhere: at the packet's ends, side by side, empty."""
    contents = data.draw(st.lists(st.binary(max_size=9), min_size=1, max_size=4))
    between = data.draw(st.lists(st.binary(max_size=9), min_size=len(contents) + 1, max_size=len(contents) + 1))
    blobs = MemoryBlobs(chunk=data.draw(st.integers(1, 12)))
    packet, spans = between[0], []
    for content, after in zip(contents, between[1:], strict=True):
        text = base64.b64encode(content)
        part = EncodedPart(stored=blobs.put(content), zip_entry=None)
        spans.append(ContentSpan(offset=len(packet), length=len(text), part=part))
        packet += text + after
    parts = await split(blobs.put(packet), spans, blobs)
    assert parts is not None
    assert blobs.objects[parts.skeleton.key] == b"".join(between)
    assert await text_of(join(parts, blobs)) == packet


def changed(span, **changes):
    return replace(span, part=replace(span.part, **changes))


LIES = {
    "one byte later": lambda a, b: [replace(a, offset=a.offset + 1), b],
    "one byte earlier": lambda a, b: [replace(a, offset=a.offset - 1), b],
    "before the packet": lambda a, b: [replace(a, offset=-1), b],
    "one byte longer": lambda a, b: [replace(a, length=a.length + 1), b],
    "one byte shorter": lambda a, b: [a, replace(b, length=b.length - 1)],
    "negative length": lambda a, b: [replace(a, length=-a.length), b],
    "past the end": lambda a, b: [a, replace(b, length=10**9)],
    "nothing but past the end": lambda a, b: [a, b, replace(b, offset=10**9)],
    "wrong order": lambda a, b: [b, a],
    "twice": lambda a, b: [a, a, b],
    "overlapping": lambda a, b: [a, replace(a, offset=a.offset + 4), b],
    "each other's content": lambda a, b: [replace(a, part=b.part), replace(b, part=a.part)],
    "in a ZIP": lambda a, b: [changed(a, zip_entry="a.pdf"), b],
    "in no ZIP": lambda a, b: [a, changed(b, zip_entry=None)],
    "another entry": lambda a, b: [a, changed(b, zip_entry="00000000-0000-0000-0000-000000000000.xlsx")],
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("chunk", [7, 100_000])
async def test_spans_that_lie_split_nothing(lie, chunk):
    """Where the parts would not give the packet's digest it stays whole, and nothing new is left in the store."""
    blobs = MemoryBlobs(chunk=chunk)
    raw, (first, second) = await wrote(blobs, ("a.pdf", "application/pdf", b"%PDF-1" * 20), ("b.xlsx", "", b"x" * 50))
    before = dict(blobs.objects)
    assert await split(raw, lie(first, second), blobs) is None
    assert blobs.objects == before
    assert await split(raw, [first, second], blobs) is not None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 2000), st.integers(-5, 400)), min_size=1, max_size=3))
async def test_random_spans_never_give_other_bytes(places):
    """Whatever is claimed of the packet: it is split into parts that give it, or not split and nothing is left."""
    blobs = MemoryBlobs(chunk=100)
    raw, (true,) = await wrote(blobs, ("a.pdf", "application/pdf", b"%PDF-1.4"))
    before = dict(blobs.objects)
    parts = await split(raw, [replace(true, offset=offset, length=length) for offset, length in places], blobs)
    if parts is None:
        assert blobs.objects == before
    else:
        assert await text_of(join(parts, blobs)) == before[raw.key]


async def test_without_contents_there_is_nothing_to_split():
    """A packet that carries nothing is its own skeleton: it is not copied."""
    blobs = MemoryBlobs()
    raw, spans = await wrote(blobs)
    assert spans == []
    assert await split(raw, spans, blobs) is None
    assert set(blobs.objects) == {raw.key}


async def test_a_content_that_cannot_be_read_leaves_nothing_behind():
    """A store that fails while the parts are tried is the caller's to hear of; the skeleton is gone all the same."""
    blobs = MemoryBlobs()
    raw, (span,) = await wrote(blobs, ("a.pdf", "application/pdf", b"%PDF-1.4"))
    del blobs.objects[span.part.stored.key]
    with pytest.raises(KeyError):
        await split(raw, [span], blobs)
    assert set(blobs.objects) == {raw.key}
