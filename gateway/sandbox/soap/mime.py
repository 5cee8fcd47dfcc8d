"""Reads a multipart/related body in pieces (RFC 2046, 2387): nothing of a part is held but its headers.

Written here because deployed clients end lines as they like: LF alone is taken like CR LF.
"""

import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import collapse_rfc2231_value
from typing import NamedTuple, NoReturn

_MAX_HEADERS = 16 * 1024
_MAX_PARTS = 300
_MAX_BOUNDARY = 200
_LINE_END = re.compile(rb"\r?\n\r?\n")
_AFTER_DELIMITER = re.compile(rb"(--)?[ \t]*\r?\n")
_MAX_AFTER = 80
# white space a sender may put after a delimiter


class PartStart(NamedTuple):
    """A part begins."""

    headers: Message


class PartData(NamedTuple):
    """A piece of the part that began last."""

    data: bytes


MimeEvent = PartStart | PartData


class BadMimeError(Exception):
    """The body is no multipart message as its Content-Type says."""


class MimeReader:
    """Takes the body in pieces of any size and gives its parts' headers and data as they come."""

    def __init__(self, boundary: str) -> None:
        """Raises BadMimeError if the boundary cannot be one."""
        if not boundary or len(boundary) > _MAX_BOUNDARY or not boundary.isascii():
            _fail("no usable boundary")
        self._delimiter = b"\n--" + boundary.encode()
        self._held = b"\n"
        self._lent = True
        # the first byte held is a line end that was not sent: a delimiter may stand at the very start
        self._parts = 0
        self._in_headers = False
        self._done = False

    def feed(self, chunk: bytes) -> Iterator[MimeEvent]:
        """Read the next piece. Raises BadMimeError."""
        self._held += chunk
        while not self._done:
            if self._in_headers:
                start = self._take_headers()
                if start is None:
                    return
                yield start
            data, more = self._take_data()
            if data and self._parts:
                yield PartData(data)
            if not more:
                return
            self._parts += not self._done
            if self._parts > _MAX_PARTS:
                _fail("too many parts")

    def finish(self) -> Iterator[MimeEvent]:
        """End the body. Raises BadMimeError if it is cut off or empty."""
        yield from self.feed(b"\r\n")
        # the last delimiter may lack its line end
        if not self._done:
            _fail("the body ends before its last delimiter")
        if not self._parts:
            _fail("the body has no part")

    def _take_headers(self) -> PartStart | None:
        """The headers once they are whole."""
        if self._held.startswith((b"\n", b"\r\n")):
            text, rest = b"", self._held.partition(b"\n")[2]
        else:
            end = _LINE_END.search(self._held)
            if (len(self._held) if end is None else end.start()) > _MAX_HEADERS:
                _fail("the headers of a part are too long")
            if end is None:
                return None
            text, rest = self._held[: end.start()], self._held[end.end() :]
        self._held, self._lent, self._in_headers = b"\n" + rest, True, False
        return PartStart(BytesHeaderParser().parsebytes(text))

    def _take_data(self) -> tuple[bytes, bool]:
        """Data of the part, and whether it ended there at a delimiter."""
        at = self._held.find(self._delimiter)
        while at >= 0:
            after = at + len(self._delimiter)
            line = _AFTER_DELIMITER.match(self._held, after)
            if line is not None:
                data = self._cut(at)
                self._held = self._held[line.end() - at :]
                self._done, self._in_headers = line[1] is not None, True
                return data.removesuffix(b"\r"), True
            if len(self._held) - after < _MAX_AFTER and b"\n" not in self._held[after:]:
                return self._cut(at - 1), False
            at = self._held.find(self._delimiter, at + 1)
        return self._cut(len(self._held) - len(self._delimiter) - 1), False

    def _cut(self, size: int) -> bytes:
        """Take bytes off the front; the line end that was lent is not given."""
        if size <= 0:
            return b""
        data, self._held = self._held[:size], self._held[size:]
        lent, self._lent = self._lent, False
        return data[1:] if lent else data


def _fail(sentence: str) -> NoReturn:
    raise BadMimeError(sentence)


def read_parameters(content_type: str) -> tuple[str, dict[str, str]]:
    """The media type in lower case and its parameters, names in lower case."""
    message = Message()
    message["Content-Type"] = content_type.replace("\r", " ").replace("\n", " ")
    pairs = message.get_params(failobj=[])
    return message.get_content_type(), {name.lower(): collapse_rfc2231_value(value) for name, value in pairs[1:]}


def strip_id(text: str) -> str:
    """A content id without `cid:` (met even twice) and angle brackets."""
    bare = text.strip().removeprefix("<").removesuffix(">")
    while bare[:4].lower() == "cid:":
        bare = bare[4:]
    return bare
