"""Reads a JSON body in which one member is a packet as base64, while it arrives; nothing holds the whole text."""

import binascii
import json
import re
from enum import Enum, auto

MEMBER_LIMIT = 4096
"""Bytes of any text but the packet's."""
MEMBERS_LIMIT = 16

_BLANK = b" \t\r\n"
_TEXT = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\.)*+"', re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:u00([0-9a-fA-F]{2})|(.?))", re.DOTALL)
_ESCAPED = {b"/": b"/", b"n": b"", b"r": b"", b"t": b""}
_LONGEST_ESCAPE = 6


class _Next(Enum):
    OBJECT = auto()
    NAME_OR_END = auto()
    NAME = auto()
    COLON = auto()
    VALUE = auto()
    PACKET = auto()
    COMMA_OR_END = auto()
    END = auto()


_MARKS = {
    (_Next.OBJECT, b"{"): _Next.NAME_OR_END,
    (_Next.NAME_OR_END, b"}"): _Next.END,
    (_Next.COLON, b":"): _Next.VALUE,
    (_Next.COMMA_OR_END, b","): _Next.NAME,
    (_Next.COMMA_OR_END, b"}"): _Next.END,
}


class BadUploadError(Exception):
    """The body is no flat JSON object of texts with a packet in base64."""


class UploadReader:
    """A push parser for one flat JSON object of texts. `feed` and `finish` raise BadUploadError on anything else."""

    def __init__(self, packet: str) -> None:
        """`packet` names the member whose text is base64 and comes out decoded."""
        self.texts: dict[str, str] = {}
        """The other members; complete after `finish`."""
        self.found = False
        """Whether the packet's member has begun."""
        self._packet = packet
        self._name = ""
        self._members = 0
        self._next = _Next.OBJECT
        self._held = b""
        self._base64 = b""
        self._ended = False

    def feed(self, chunk: bytes) -> bytes:
        """Take the next piece of the body; gives what it holds of the packet."""
        self._held += chunk
        decoded = bytearray()
        while self._step(decoded):
            pass
        if len(self._held) > MEMBER_LIMIT:
            raise BadUploadError("a member is too long")
        return bytes(decoded)

    def finish(self) -> None:
        """The body ended."""
        if self._next is not _Next.END or self._held or self._base64:
            raise BadUploadError("the body is cut")

    def _step(self, decoded: bytearray) -> bool:
        """Take one token; False while the rest of it is still to come."""
        if self._next is _Next.PACKET:
            return self._take_packet(decoded)
        self._held = self._held.lstrip(_BLANK)
        if not self._held:
            return False
        mark = self._held[:1]
        if after := _MARKS.get((self._next, mark)):
            self._next, self._held = after, self._held[1:]
            return True
        if mark != b'"' or self._next not in {_Next.NAME, _Next.NAME_OR_END, _Next.VALUE}:
            raise BadUploadError("no flat object of texts")
        if self._next is _Next.VALUE and self._name == self._packet:
            if self.found:
                raise BadUploadError("the packet is there twice")
            self._next, self._held, self.found = _Next.PACKET, self._held[1:], True
            return True
        return self._take_text()

    def _take_text(self) -> bool:
        found = _TEXT.match(self._held[: MEMBER_LIMIT + 1])
        if found is None:
            return False
        try:
            text = str(json.loads(found[0]))
        except ValueError as error:
            raise BadUploadError("no text") from error
        self._held = self._held[found.end() :]
        if self._next is _Next.VALUE:
            self.texts[self._name] = text
            self._next = _Next.COMMA_OR_END
            self._members += 1
            if self._members > MEMBERS_LIMIT:
                raise BadUploadError("too many members")
        else:
            self._name, self._next = text, _Next.COLON
        return True

    def _take_packet(self, decoded: bytearray) -> bool:
        end = self._held.find(b'"')
        if end >= 0:
            self._decode(self._held[:end], decoded)
            self._next, self._held = _Next.COMMA_OR_END, self._held[end + 1 :]
            return True
        escape = self._held.rfind(b"\\")
        cut = escape if 0 <= len(self._held) - escape < _LONGEST_ESCAPE and escape >= 0 else len(self._held)
        piece, self._held = self._held[:cut], self._held[cut:]
        self._decode(piece, decoded)
        return False

    def _decode(self, piece: bytes, decoded: bytearray) -> None:
        if b"\\" in piece:
            piece = _ESCAPE.sub(_unescape, piece)
        text = self._base64 + piece.translate(None, _BLANK)
        whole = len(text) - len(text) % 4
        self._base64 = text[whole:]
        if not text:
            return
        if self._ended:
            raise BadUploadError("base64 goes on after its end")
        try:
            decoded += binascii.a2b_base64(text[:whole], strict_mode=True)
        except binascii.Error as error:
            raise BadUploadError("no base64") from error
        self._ended = text[:whole].endswith(b"=")


def _unescape(escape: re.Match[bytes]) -> bytes:
    code, letter = escape.groups()
    if code is not None:
        return bytes([int(code, 16)])
    if letter not in _ESCAPED:
        raise BadUploadError("no base64")
    return _ESCAPED[letter]
