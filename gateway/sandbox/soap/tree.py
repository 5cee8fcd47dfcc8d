"""XML as a small tree of local names; the text of attachments goes to disk while the file is read."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BufferedWriter
from pathlib import Path
from typing import Self

from gateway.sandbox.packet import NS102
from gateway.sandbox.soap.scratch import Content, Scratch
from gateway.sandbox.spool import CHUNK, MAX_PACKET
from gateway.xmlsafe import Bulk, End, Event, Limits, PacketParser, Start, Text, XmlFault, XmlRefusedError, escape

MESSAGES = "http://www.e-doc.vn/Schema/"
"""Namespace of the messages; the packet file keeps NS102."""

_MAX_CONTENTS = 300
_LIMITS = Limits(packet=MAX_PACKET, elements=50_000)


class _ContentNames(Collection[str]):
    """Local names of elements that may hold an attachment, in any namespace."""

    _NAMES = frozenset({"AttachmentContent", "ContentTransferEncoded", "AttachmentData"})

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.rpartition("}")[2] in self._NAMES

    def __iter__(self) -> Iterator[str]:
        return iter(self._NAMES)

    def __len__(self) -> int:
        return len(self._NAMES)


_CONTENT_NAMES = _ContentNames()


@dataclass(slots=True)
class Node:
    """One element."""

    name: str
    # local
    namespace: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    # without namespace declarations; names as typed
    text: str = ""
    children: list["Node"] = field(default_factory=list)
    content: Content | None = None

    def all(self, name: str) -> list["Node"]:
        """The children of this name."""
        return [child for child in self.children if child.name == name]

    def first(self, *path: str) -> "Node | None":
        """The first element down this path of names."""
        node: Node | None = self
        for name in path:
            node = next((child for child in node.children if child.name == name), None) if node is not None else None
        return node

    def value(self, *path: str) -> str:
        """The trimmed text there, empty for none."""
        node = self.first(*path)
        return "" if node is None else node.text.strip()

    def below(self) -> Iterator["Node"]:
        """All elements below this one, in document order."""
        for child in self.children:
            yield child
            yield from child.below()

    def find(self, *names: str) -> "Node | None":
        """The first element below that has one of these names."""
        return next((node for node in self.below() if node.name in names), None)

    def attribute(self, local: str) -> str:
        """The value of an attribute, whatever its prefix."""
        return next((value for name, value in self.attributes.items() if name.rpartition(":")[2] == local), "")


def leaf(name: str, text: str) -> Node:
    """An element with text."""
    return Node(name, text=text)


def branch(name: str, *children: Node) -> Node:
    """An element with elements."""
    return Node(name, children=[*children])


def recast(node: Node, names: Mapping[str, str]) -> Node:
    """A copy in the messages' own namespace with other names for some elements."""
    children = [recast(child, names) for child in node.children]
    return Node(names.get(node.name, node.name), "", node.attributes, node.text, children)


def read_tree(path: Path, scratch: Scratch) -> Node:
    """Read an XML file. Raises XmlRefusedError."""
    parser = PacketParser(_LIMITS, bulk=_CONTENT_NAMES)
    with _Builder(scratch) as builder, path.open("rb") as file:
        while chunk := file.read(CHUNK):
            for event in parser.feed(chunk):
                builder.take(event)
        for event in parser.finish():
            builder.take(event)
        return builder.root.children[0]


def render(node: Node) -> str:
    """The element as XML text: prefix edXML, but for elements of a foreign namespace, which declare their own.

    Prefixed attributes are left out: they are of the transport (SOAP, XLink).
    """
    foreign = node.namespace not in {"", NS102, MESSAGES}
    name = node.name if foreign else f"edXML:{node.name}"
    attributes = {key: value for key, value in node.attributes.items() if ":" not in key}
    if foreign:
        attributes["xmlns"] = node.namespace
    start = "".join((name, *(f' {key}="{escape(value)}"' for key, value in attributes.items())))
    inside = "".join(map(render, node.children)) if node.children else escape(node.text)
    return f"<{start}>{inside}</{name}>" if inside else f"<{start}/>"


class _Builder:
    """Grows the tree event by event."""

    def __init__(self, scratch: Scratch) -> None:
        self.root = Node("")
        self._scratch = scratch
        self._open = [self.root]
        self._texts: list[list[str]] = [[]]
        self._files: dict[int, tuple[Path, BufferedWriter]] = {}
        self._contents = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_facts: object) -> None:
        self._stack.close()

    def take(self, event: Event) -> None:
        match event:
            case Start():
                namespace, _, local = event.name.rpartition("}")
                kept = {key: value for key, value in event.attributes.items() if not key.startswith("xmlns")}
                node = Node(local, namespace[1:], kept)
                self._open[-1].children.append(node)
                self._open.append(node)
                self._texts.append([])
            case Text():
                self._texts[-1].append(event.text)
            case Bulk():
                self._write(event.data)
            case End():
                self._end()

    def _write(self, data: bytes) -> None:
        at = len(self._open)
        if at not in self._files:
            self._contents += 1
            if self._contents > _MAX_CONTENTS:
                raise XmlRefusedError(XmlFault.TOO_MANY_ELEMENTS, f"more than {_MAX_CONTENTS} attachments")
            path = self._scratch.new_path()
            self._files[at] = path, self._stack.enter_context(path.open("wb"))
        self._files[at][1].write(data)

    def _end(self) -> None:
        at = len(self._open)
        node, pieces = self._open.pop(), self._texts.pop()
        node.text = "".join(pieces)
        if at not in self._files:
            if node.name in _CONTENT_NAMES and not node.children:
                node.content = Content(path=None, is_text=True)
            return
        path, file = self._files.pop(at)
        file.close()
        node.content = Content(path=path, is_text=True)
