"""Packets made to hurt: each is refused by name, quickly, in little memory; a process of its own measures each."""

import base64
import io
import zipfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.packet import PacketDefect
from gateway.translate.edxml.codes import NS102
from gateway.translate.edxml.reading.reader import read_packet
from gateway.xmlsafe import MIB, Limits
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.terminal import PACKETS, run
from tests.unit.translate.edxml.sample import read

PLAIN = (Path(__file__).parents[3] / "cases" / "edxml" / "document-plain" / "packet.edxml").read_bytes()
ROOT = f'<edXML xmlns="{NS102}">'.encode()
CONTENT = b"JVBERi0xLjQKJSBkdW1teQolJUVPRgo="
MEMORY = 100 * MIB
SECONDS = 8.0
"""Processor time, imports not included: ten times what the dearest takes, so that it holds on a slow machine too."""


def laughs() -> Iterable[bytes]:
    yield b'<!DOCTYPE edXML [<!ENTITY a0 "ha">'
    for level in range(1, 30):
        yield f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">'.encode()
    yield b"]><edXML>&a29;</edXML>"


def bomb() -> Iterable[bytes]:
    """A wrapper of 1:1000, itself inside the rules for wrappers."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0f8fad5b-d9cb-469f-a165-70867728950e.txt", bytes(200 * MIB))
    yield PLAIN.replace(CONTENT, base64.b64encode(packed.getvalue())).replace(b"a.pdf", b"a.txt")


HOSTILE = {
    "external-entity": (lambda: [b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>', ROOT], "XML_DOCTYPE"),
    "billion-laughs": (laughs, "XML_DOCTYPE"),
    "deep": (lambda: [ROOT, b"<a>" * 10_000], "XML_TOO_DEEP"),
    "wide": (lambda: [ROOT, b"<a/>" * 1_000_000], "XML_TOO_MANY_ELEMENTS"),
    "giant-attribute": (lambda: [ROOT, b'<a b="', *([b"x" * MIB] * 64)], "XML_TOKEN_TOO_LARGE"),
    "giant-comment": (lambda: [ROOT, b"<!--", *([b"x" * MIB] * 64)], "XML_TOKEN_TOO_LARGE"),
    "many-attributes": (lambda: [ROOT, *([b'<a b="' + b"x" * 900_000 + b'"/>'] * 64)], "XML_HEADER_TOO_LARGE"),
    "giant-name": (lambda: [ROOT, b"<", *([b"x" * MIB] * 64)], "XML_"),
    "giant-text": (lambda: [ROOT, *([b"x" * MIB] * 64)], "XML_HEADER_TOO_LARGE"),
    "hidden-content": (
        lambda: [ROOT, b"<ContentTransferEncoded>", *([b"x" * MIB] * 128), b"</ContentTransferEncoded></edXML>"],
        "ELEMENT_MISSING",
    ),
    "zip-bomb": (bomb, "ZIP_RATIO"),
    "giant-instruction": (lambda: [ROOT, b"<?a ", *([b"x" * MIB] * 64)], "XML_TOKEN_TOO_LARGE"),
    "giant-section": (lambda: [ROOT, b"<![CDATA[", *([b"x" * MIB] * 64)], "XML_HEADER_TOO_LARGE"),
    "giant-comment-in-content": (
        lambda: [PLAIN.partition(CONTENT)[0], b"<!--", *([b"x" * MIB] * 64)], "XML_TOKEN_TOO_LARGE"),
    "references-in-content": (
        lambda: [PLAIN.partition(CONTENT)[0], *([b"&#65;" * (MIB // 5)] * 64)], "XML_HEADER_TOO_LARGE"),
    "comments-in-content": (
        lambda: [PLAIN.partition(CONTENT)[0], *([b"<!---->" * (MIB // 7)] * 64)], "XML_HEADER_TOO_LARGE"),
    "space-before": (lambda: [b" " * 100, *([b" " * MIB] * 64)], "NOT_XML"),
    "utf-16": (lambda: ['<?xml version="1.0"?>'.encode("utf-16"), *([b"\x00 " * MIB] * 8)], "XML_NOT_UTF8"),
    "namespaces": (
        lambda: [ROOT, *(f'<a xmlns="relative{i}">'.encode() + b"</a>" for i in range(50_000))],
        "XML_MALFORMED",
    ),
    "recipients": (
        lambda: [PLAIN.replace(b"<edXML:To>", b"<edXML:To><edXML:OrganId>H1</edXML:OrganId></edXML:To>" * 6000
                               + b"<edXML:To>")],
        "RECIPIENTS_TOO_MANY",
    ),
    "attachments": (
        lambda: [PLAIN.replace(b"</AttachmentEncoded>", b"<Attachment><ContentTransferEncoded>QQ==</Content"
                               b"TransferEncoded></Attachment>" * 300 + b"</AttachmentEncoded>")],
        "ATTACHMENTS_TOO_MANY",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_packets_cost_little(name, tmp_path):
    """Refused with the expected code, in 8 seconds of processor time and 100 MiB at most: nothing grows without end."""
    make, code = HOSTILE[name]
    path = tmp_path / "packet.edxml"
    with path.open("wb") as file:
        file.writelines(make())
    done = run("packet", "inspect", "--json", path, having=PACKETS)
    assert done.answer["error"]["code"].startswith(code)
    assert done.processor < SECONDS
    assert done.memory < MEMORY


async def test_a_gigabyte_of_attributes_is_not_waited_for():
    """The element is refused when its tag has grown too long; the rest of the packet is never asked for."""
    taken = 0

    async def packet() -> AsyncIterator[bytes]:
        nonlocal taken
        yield ROOT + b"<a"
        for number in range(1024 * 16):
            block = b"".join(b" a%d_%d='x'" % (number, place) for place in range(5_000))
            taken += len(block)
            yield block

    result = await read_packet(packet(), objects=MemoryBlobs(), limits=Limits(), said=None)
    assert isinstance(result, PacketDefect)
    assert result.code == "XML_TOKEN_TOO_LARGE"
    assert taken < 2 * MIB


@pytest.mark.parametrize("end", range(0, len(PLAIN) - 10, 97))
async def test_a_packet_cut_anywhere_is_refused(end):
    """A truncated packet is a defect and leaves nothing behind."""
    blobs = MemoryBlobs()
    result = await read(blobs, PLAIN[:end])
    assert isinstance(result, PacketDefect)
    assert result.code in {"XML_MALFORMED", "NOT_XML", "ATTACHMENT_BASE64"}
    assert len(blobs.objects) == 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(PLAIN) - 1), st.binary(max_size=3)), min_size=1, max_size=4))
async def test_any_mutation_reads_or_is_refused(changes):
    """Bytes replaced or removed anywhere: never an exception, and a defect leaves nothing behind."""
    raw = bytearray(PLAIN)
    for at, put in changes:
        raw[at : at + 1] = put
    blobs = MemoryBlobs()
    result = await read(blobs, bytes(raw))
    if isinstance(result, PacketDefect):
        assert result.message
        assert len(blobs.objects) == 1


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(attachment=10), "ATTACHMENT_TOO_LARGE"),
        (Limits(packet=1000), "XML_PACKET_TOO_LARGE"),
        (Limits(attachments=0), "ATTACHMENTS_TOO_MANY"),
        (Limits(recipients=0), "RECIPIENTS_TOO_MANY"),
    ],
)
async def test_limits_are_settings(limits, code):
    """A packet inside the defaults is refused under tighter ones, by name."""
    blobs = MemoryBlobs()
    result = await read(blobs, PLAIN, limits=limits)
    assert isinstance(result, PacketDefect)
    assert result.code == code
    assert len(blobs.objects) == 1


@pytest.mark.parametrize(
    ("limits", "code"), [(Limits(attachment=3_000), "ATTACHMENT_TOO_LARGE"), (Limits(inflated=3_000), "ZIP_TOO_LARGE")]
)
async def test_what_a_wrapper_holds_is_limited_too(limits, code):
    """A wrapper within the limits whose entry is not is refused by what it claims, and nothing stays behind."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0f8fad5b-d9cb-469f-a165-70867728950e.txt", bytes(10_000))
    blobs = MemoryBlobs()
    raw = PLAIN.replace(CONTENT, base64.b64encode(made.getvalue())).replace(b"a.pdf", b"a.txt")
    result = await read(blobs, raw, limits=limits)
    assert isinstance(result, PacketDefect)
    assert result.code == code
    assert len(blobs.objects) == 1
