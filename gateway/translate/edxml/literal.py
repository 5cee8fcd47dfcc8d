"""A packet's names exactly as typed, for the strict check: the light tree again, with the prefixes kept beside it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gateway.translate.edxml.tree import Node
from gateway.xmlsafe import End, Start, Text, literal_events

_CHUNK = 256 * 1024
_CONTENT = "ContentTransferEncoded"
_SPACE = frozenset(" \t\r\n")


@dataclass(slots=True)
class LiteralPacket:
    """What the strict check looks at."""

    opening: bytes
    """The file's first bytes."""
    root: Node
    typed: dict[int, str] = field(default_factory=dict)
    """Names as typed, by the id of their node; the nodes live as long as `root`."""
    spaced: set[int] = field(default_factory=set)
    """Ids of content nodes whose base64 has white space in it."""
    filled: set[int] = field(default_factory=set)
    """Ids of content nodes with anything in them."""

    def name(self, node: Node) -> str:
        """The name as typed."""
        return self.typed[id(node)]


def read_literal(path: Path) -> LiteralPacket:
    """Read a packet that the tolerant reader has read before. Raises OSError, XmlRefusedError."""
    chunks = _chunks(path)
    opening = next(chunks)
    packet = LiteralPacket(opening=opening[:64], root=Node("", None))
    current = packet.root
    for event in literal_events(_joined(opening, chunks)):
        match event:
            case Start(name, attributes):
                current = Node(name.rpartition(":")[2], current)
                current.attributes = dict(attributes)
                packet.typed[id(current)] = name
            case Text(text) if current.name == _CONTENT:
                _content(packet, current, text)
            case Text(text):
                current.append(text)
            case End():
                current = current.parent or packet.root
    packet.root = packet.root.children[0]
    packet.root.parent = None
    return packet


def _content(packet: LiteralPacket, node: Node, text: str) -> None:
    packet.filled.add(id(node))
    if not _SPACE.isdisjoint(text):
        packet.spaced.add(id(node))


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
