"""Where the text `edXML:` must stand literally and where it must not (edxml.md 1.2)."""

from collections.abc import Iterator
from typing import NamedTuple

from gateway.translate.edxml.codes import CONTENT, PREFIX
from gateway.translate.edxml.reading.shape import SIGNATURES
from gateway.translate.edxml.tree import Node


class Misprefixed(NamedTuple):
    """An element that is not typed as deployed systems expect."""

    node: Node
    wanted: str
    """How it should be typed."""


def misprefixed(root: Node) -> Iterator[Misprefixed]:
    """All such elements in document order: `edXML:` belongs inside the envelope, no prefix outside.

    The content element may be typed either way; signatures and what is in them are not judged.
    """
    return _below(root, inside=False)


def _below(node: Node, *, inside: bool) -> Iterator[Misprefixed]:
    if node.name in SIGNATURES:
        return
    inside = inside or node.name == "edXMLEnvelope"
    wanted = f"{PREFIX}{node.name}" if inside else node.name
    either = node.name == CONTENT and node.typed in {node.name, PREFIX + node.name}
    if node.typed != wanted and not either:
        yield Misprefixed(node, wanted)
    for child in node.children:
        yield from _below(child, inside=inside)
