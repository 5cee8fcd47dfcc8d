"""The files of a packet on disk as members of a JSON answer, written while the packet is read again."""

import json
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from gateway.sandbox.spool import CHUNK

_FILE = ["edXML", "AttachmentEncoded", "Attachment"]
_MAX_NAME = 8192


def render_attachments(path: Path) -> Iterator[bytes]:
    """The elements of `attachments`: {fileContent, fileName} each, the base64 exactly as in the packet.

    The packet was checked when it arrived. A ZIP around a single file stays around it: what the real axis does
    with it is not known.
    """
    reader = _Reader()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield reader.feed(chunk)


class _Reader:
    def __init__(self) -> None:
        self._path: list[str] = []
        self._out: list[bytes] = []
        self._name = ""
        self._files = 0
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.buffer_size = CHUNK
        self._parser.StartElementHandler = self._on_start
        self._parser.EndElementHandler = self._on_end
        self._parser.CharacterDataHandler = self._on_text

    def feed(self, chunk: bytes) -> bytes:
        self._parser.Parse(chunk, False)  # noqa: FBT003 - expat's signature
        out, self._out = b"".join(self._out), []
        return out

    def _on_start(self, name: str, _attributes: dict[str, str]) -> None:
        self._path.append(name.rpartition(":")[2])
        if self._path == _FILE:
            self._name = ""
            self._out.append(b'%s{"fileContent": "' % (b", " if self._files else b""))
            self._files += 1

    def _on_end(self, _name: str) -> None:
        if self._path == _FILE:
            self._out.append(b'", "fileName": %s}' % json.dumps(self._name.strip()).encode())
        self._path.pop()

    def _on_text(self, text: str) -> None:
        if self._path == [*_FILE, "ContentTransferEncoded"]:
            plain = "".join(text.split())
            self._out.append(json.dumps(plain).encode()[1:-1])
        elif self._path == [*_FILE, "AttachmentName"] and len(self._name) < _MAX_NAME:
            self._name += text
