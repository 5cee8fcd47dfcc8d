"""A packet of ours as what SOAP says of it: header entries, references, and where in its bytes the contents stand.

The parts that we wrote are read again instead of carrying the same facts along a second way; contents are left out.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lxml import etree

from gateway.adapters.answers import header_safe
from gateway.adapters.soap.names import (
    CID,
    CONTENT,
    EDOC,
    NS102,
    SPACE,
    child,
    children,
    content_id,
    local,
    soap_name,
    words,
)
from gateway.domain.packet import Draft, EncodedPart, LiteralPart
from gateway.xmlsafe import MIB, Bulk, End, Event, Limits, PacketParser, Start, Text, XmlRefusedError

_LIMITS = Limits(header=64 * MIB, packet=1 << 62, elements=1_000_000, attachments=1 << 20, recipients=1 << 20)
"""Our own packets: what bounds them was asked before they were written."""
_PLACEHOLDER = b"AAAA"
_PLAIN_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._@-]{0,99}")
_MEDIA_TYPE = re.compile(r"[!-~]+/[ -~]+")
_KEPT = ("Description", "FieldName", "MimeType", "Format")
UNKNOWN_TYPE = "application/octet-stream"


class UnreadablePacketError(Exception):
    """The packet is none that this dialect can carry. Raised and caught within this package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Where an attachment's base64 stands in the packet."""

    offset: int
    length: int
    """Characters, white space included."""
    decoded: int
    """Bytes that it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedFile:
    """One attachment on its way into a message."""

    content_id: str
    """Without `cid:`; unlike any other of the packet."""
    media_type: str
    """Fit for a header."""
    leaves: tuple[tuple[str, str], ...]
    """Children of its Reference: element and text, AttachmentName first."""
    content: Content | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A packet in SOAP's words."""

    headers: tuple[etree._Element, ...]
    """Children of edXMLHeader in the namespace of the messages, SOAP's spelling."""
    files: tuple[CarriedFile, ...] = ()

    @property
    def contents(self) -> tuple[tuple[CarriedFile, Content], ...]:
        """Files and what they hold, in the order in which the packet has it; those without content are left out."""
        held = [(file, file.content) for file in self.files if file.content is not None]
        return tuple(sorted(held, key=lambda each: each[1].offset))

    def header(self, *names: str) -> etree._Element | None:
        """The first header entry of one of these names."""
        return next((entry for entry in self.headers if local(entry) in names), None)

    @property
    def document_id(self) -> str:
        """DocumentId of the MessageHeader; "" if it has none."""
        return words(child(self.header("MessageHeader"), "DocumentId"))


def read_draft(draft: Draft) -> Message:
    """The draft as a message. Raises UnreadablePacketError."""
    condensed, places = _condense(draft)
    reading = _Reading()
    parser = PacketParser(_LIMITS, bulk=frozenset({f"{{{NS102}}}{CONTENT}"}))
    try:
        for event in _events(parser, condensed):
            reading.take(event)
    except XmlRefusedError as error:
        raise UnreadablePacketError(error.sentence) from None
    envelope = child(reading.root, "edXMLEnvelope")
    header = child(envelope, "edXMLHeader")
    if header is None:
        raise UnreadablePacketError("the packet has no edXMLHeader")
    manifest = child(child(envelope, "edXMLBody"), "edXMLManifest", "Manifest")
    spans = {node: places.content(start, text) for node, (start, text) in reading.contents.items()}
    return Message(
        headers=tuple(children(header)),
        files=tuple(
            _files(tuple(children(manifest)), tuple(children(child(reading.root, "AttachmentEncoded"))), spans)
        ),
    )


@dataclass(slots=True)
class _Places:
    """Where parts of the packet went in its condensed form."""

    starts: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    parts: list[LiteralPart | EncodedPart] = field(default_factory=list)

    def content(self, start: int, text: bytes) -> Content:
        """The content that begins at `start` of the condensed packet and reads `text` there."""
        place = bisect_right(self.starts, start) - 1
        part, offset = self.parts[place], self.offsets[place] + start - self.starts[place]
        if isinstance(part, EncodedPart):
            return Content(offset=offset, length=part.length, decoded=part.decoded_length)
        digits = text.translate(None, b" \t\r\n")
        padding = len(digits) - len(digits.rstrip(b"="))
        return Content(offset=offset, length=len(text), decoded=len(digits) // 4 * 3 - padding)


def _condense(draft: Draft) -> tuple[bytes, _Places]:
    """The packet with a placeholder for every encoded part."""
    places, pieces, start, offset = _Places(), [], 0, 0
    for part in draft.parts:
        piece, length = (part.data, len(part.data)) if isinstance(part, LiteralPart) else (_PLACEHOLDER, part.length)
        places.starts.append(start)
        places.offsets.append(offset)
        places.parts.append(part)
        pieces.append(piece)
        start, offset = start + len(piece), offset + length
    return b"".join(pieces), places


def _events(parser: PacketParser, data: bytes) -> Iterator[Event]:
    yield from parser.feed(data)
    yield from parser.finish()


class _Reading:
    """Events to elements in the namespace of the messages; contents are noted and left out."""

    def __init__(self) -> None:
        self.root: etree._Element | None = None
        self.contents: dict[etree._Element, tuple[int, bytes]] = {}
        """The Attachment that a content belongs to: where it begins, and what stands there."""
        self._open: list[etree._Element] = []
        self._text: list[str] = []
        self._bulk: list[bytes] = []
        self._bulk_at = 0

    def take(self, event: Event) -> None:
        match event:
            case Start():
                self._start(event)
            case Text(text):
                self._text.append(text)
            case Bulk(data, offset):
                self._bulk_at = self._bulk_at or offset
                self._bulk.append(data)
            case End():
                self._end()

    def _start(self, event: Start) -> None:
        name = soap_name(event.name.rpartition("}")[2])
        attributes = {key: value for key, value in event.attributes.items() if not key.startswith("xml")}
        plain = {key.rpartition(":")[2]: value for key, value in attributes.items() if not key.startswith("xlink:")}
        if self._open:
            self._open.append(etree.SubElement(self._open[-1], f"{{{EDOC}}}{name}", plain))
        else:
            self.root = etree.Element(f"{{{EDOC}}}{name}", plain, nsmap={"edXML": EDOC})
            self._open.append(self.root)
        self._text.clear()

    def _end(self) -> None:
        element = self._open.pop()
        if len(element) == 0:
            element.text = "".join(self._text).strip(SPACE) or None
        self._text.clear()
        if self._bulk and local(element) == CONTENT:
            self.contents[self._open[-1]] = self._bulk_at, b"".join(self._bulk)
            element.text = None
        self._bulk.clear()
        self._bulk_at = 0


def _files(
    references: Sequence[etree._Element],
    attachments: Sequence[etree._Element],
    spans: dict[etree._Element, Content],
) -> Iterator[CarriedFile]:
    """References with their attachments, linked by content id; then attachments that no Reference names."""
    alone = list(attachments)
    pairs: list[tuple[etree._Element | None, etree._Element | None]] = []
    for reference in references:
        link = content_id(words(child(reference, "ContentId")))
        found = next((each for each in alone if content_id(words(child(each, "ContentId"))) == link), None)
        if found is not None:
            alone.remove(found)
        pairs.append((reference, found))
    pairs.extend((None, each) for each in alone)
    given = [content_id(words(child(wanted if wanted is not None else one, "ContentId"))) for wanted, one in pairs]
    for number, ((wanted, one), named) in enumerate(zip(pairs, given, strict=True), 1):
        plain = _PLAIN_ID.fullmatch(named) and given.count(named) == 1
        yield _file(wanted, one, named if plain else f"part-{number}", spans)


def _file(
    reference: etree._Element | None,
    attachment: etree._Element | None,
    named: str,
    spans: dict[etree._Element, Content],
) -> CarriedFile:
    def said(name: str) -> str:
        return words(child(attachment, name)) or words(child(reference, name))

    name, media_type = said("AttachmentName"), said("ContentType")
    fit = bool(_MEDIA_TYPE.fullmatch(media_type)) and header_safe(media_type)
    content = spans.get(attachment) if attachment is not None else None
    leaves = [("AttachmentName", name)]
    if content is None or not fit:
        leaves.append(("ContentType", media_type))
    leaves += [(each, said(each)) for each in _KEPT if (each, said(each)) != ("Description", name)]
    return CarriedFile(
        content_id=named,
        media_type=media_type if fit else UNKNOWN_TYPE,
        leaves=tuple((each, text) for each, text in leaves if text),
        content=content,
    )


def href(file: CarriedFile) -> str:
    """The reference to its part."""
    return f"{CID}{file.content_id}"
