"""SendDocument on the wire: the envelope with its references, the parts, the exact length (axis.md 9.3)."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree

from gateway.adapters.http import PacketBody
from gateway.adapters.soap.config import INLINE_LIMIT, Attachments
from gateway.adapters.soap.envelopes import Envelopes
from gateway.adapters.soap.names import CONTENT, EDOC, XOP
from gateway.adapters.soap.outgoing import CarriedFile, Content, Message, href
from gateway.adapters.soap.slicing import cut_out
from gateway.domain.packet import Sealed
from gateway.ports import PacketBytes

XML = "text/xml; charset=UTF-8"
_ROOT = "<root>"
_XOP_TYPE = "application/xop+xml"
_EMPTY_LINE = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request with its body."""

    content_type: str
    body: PacketBody


def too_large(message: Message, attachments: Attachments) -> bool:
    """True if the contents do not fit the way in which they would travel."""
    total = sum(content.decoded for _, content in message.contents)
    return attachments is Attachments.INLINE and total > INLINE_LIMIT


async def make_request(
    message: Message, sealed: Sealed, packet: PacketBytes, *, envelopes: Envelopes, attachments: Attachments
) -> Outgoing:
    """The request; inline contents are read here, others when the body is. Raises what `packet` raises."""
    if attachments is Attachments.INLINE:
        texts = await _inline_texts(message, sealed, packet)
    else:
        texts = {}
    references = [_reference(file, attachments, texts.get(file.content_id, "")) for file in message.files]
    envelope = envelopes.with_document(message.headers, references)
    if not message.contents or attachments is Attachments.INLINE:
        return Outgoing(content_type=XML, body=_plain(envelope))
    # Made from the packet, so that a repetition sends the same bytes; base64 text has no hyphens in it at all.
    boundary = f"edoc-{sealed.sha256[:40]}"
    pieces: list[bytes | Content] = [_part_head(boundary, _root_headers(attachments), first=True), envelope]
    for file, content in message.contents:
        pieces += [_part_head(boundary, _part_headers(file, attachments)), content]
    return Outgoing(
        content_type=_content_type(boundary, attachments),
        body=_multipart(pieces, boundary, sealed, packet, decode=attachments is Attachments.MTOM),
    )


def _reference(file: CarriedFile, attachments: Attachments, text: str) -> Mapping[str, Any]:
    """A Reference as zeep takes it."""
    elements = []
    for name, said in file.leaves:
        leaf = etree.Element(f"{{{EDOC}}}{name}", nsmap={"edXML": EDOC})
        leaf.text = said
        elements.append(leaf)
    if file.content is None or attachments is Attachments.SWA:
        return {"_value_1": elements, "href": href(file)}
    content = etree.Element(f"{{{EDOC}}}{CONTENT}", nsmap={"edXML": EDOC})
    if attachments is Attachments.MTOM:
        etree.SubElement(content, f"{{{XOP}}}Include", nsmap={"xop": XOP}, href=href(file))
    else:
        content.text = text
        if not any(name == "ContentType" for name, _ in file.leaves):
            kind = etree.Element(f"{{{EDOC}}}ContentType", nsmap={"edXML": EDOC})
            kind.text = file.media_type
            elements.append(kind)
    return {"_value_1": [*elements, content], "href": href(file)}


async def _inline_texts(message: Message, sealed: Sealed, packet: PacketBytes) -> dict[str, str]:
    """The base64 of every content, INLINE_LIMIT bytes decoded at the most, by content id."""
    texts: dict[str, list[bytes]] = {}
    pieces: list[bytes | Content] = []
    for _, content in message.contents:
        pieces += [b"", content]
    found: list[bytes] = []
    names = iter([file.content_id for file, _ in message.contents])
    async for chunk in cut_out(packet(), pieces, length=sealed.length, decode=False):
        if not chunk:  # the empty piece before each content
            found = texts.setdefault(next(names), [])
        found.append(chunk)
    return {name: b"".join(each).decode("ascii", "replace") for name, each in texts.items()}


def _plain(envelope: bytes) -> PacketBody:
    """An envelope alone; its last byte is what a body keeps back until the peer was seen to be still there."""

    async def chunks() -> AsyncIterator[bytes]:
        yield envelope[:-1]

    return PacketBody(chunks=chunks, length=len(envelope) - 1, trailer=envelope[-1:], looks_back=True)


def _multipart(
    pieces: list[bytes | Content], boundary: str, sealed: Sealed, packet: PacketBytes, *, decode: bool
) -> PacketBody:
    def size(piece: bytes | Content) -> int:
        if isinstance(piece, bytes):
            return len(piece)
        return piece.decoded if decode else piece.length

    return PacketBody(
        chunks=lambda: cut_out(packet(), pieces, length=sealed.length, decode=decode),
        length=sum(map(size, pieces)),
        trailer=f"\r\n--{boundary}--\r\n".encode(),
        looks_back=True,
    )


def _content_type(boundary: str, attachments: Attachments) -> str:
    if attachments is Attachments.MTOM:
        kind = f'type="{_XOP_TYPE}"; start="{_ROOT}"; start-info="text/xml"'
    else:
        kind = f'type="text/xml"; start="{_ROOT}"'
    return f"multipart/related; {kind}; boundary={boundary}"


def _root_headers(attachments: Attachments) -> list[str]:
    kind = f'{_XOP_TYPE}; charset=UTF-8; type="text/xml"' if attachments is Attachments.MTOM else XML
    return [f"Content-Type: {kind}", f"Content-ID: {_ROOT}"]


def _part_headers(file: CarriedFile, attachments: Attachments) -> list[str]:
    headers = [f"Content-Type: {file.media_type}", f"Content-ID: <{file.content_id}>"]
    return [*headers, "Content-Transfer-Encoding: binary"] if attachments is Attachments.MTOM else headers


def _part_head(boundary: str, headers: list[str], *, first: bool = False) -> bytes:
    lines = [f"--{boundary}", *headers]
    return (b"" if first else b"\r\n") + "\r\n".join(lines).encode("ascii") + _EMPTY_LINE
