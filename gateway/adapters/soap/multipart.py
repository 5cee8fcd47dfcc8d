"""Reads multipart/related as it arrives, whatever the peer does: a push parser with limits, memory stays flat.

Tolerated, since deployed stacks do it: bare LF line ends, space behind a delimiter, text before the first one, no line
end behind the last one. Limits: 16 KiB for the headers of a part, MAX_PARTS parts.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.utils import collapse_rfc2231_value
from enum import Enum, auto

MAX_PARTS = 1000
_HEADERS_LIMIT = 16 * 1024
_PADDING_LIMIT = 256
"""Bytes of white space between a delimiter and its line end."""
_BOUNDARY = re.compile(r"[\x20-\x7e]{1,200}")
_HEADERS_END = re.compile(rb"\A\r?\n|\r?\n\r?\n")
_OPENS = re.compile(rb"[ \t]*\r?\n")
_MAY_OPEN = re.compile(rb"-?|[ \t]*\r?")


class MalformedMultipartError(Exception):
    """The body is no multipart within the limits. Raised and caught within this package."""


@dataclass(frozen=True, slots=True)
class PartStart:
    """A part begins."""

    headers: Mapping[str, str]
    """Names in lower case; the first of each name counts."""


@dataclass(frozen=True, slots=True)
class PartData:
    """A piece of its content."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is whole."""


Event = PartStart | PartData | PartEnd


class _State(Enum):
    PREAMBLE = auto()
    HEADERS = auto()
    CONTENT = auto()
    END = auto()


class _Mark(Enum):
    """What stands where the bytes of a delimiter were found."""

    OPENS = auto()
    CLOSES = auto()
    UNFINISHED = auto()
    NONE = auto()


class MultipartReader:
    """Feed chunks, then `finish`; both raise MalformedMultipartError."""

    def __init__(self, boundary: str) -> None:
        """Raises MalformedMultipartError for a boundary that can be none."""
        if not _BOUNDARY.fullmatch(boundary):
            raise MalformedMultipartError("the answer names no boundary")
        self._mark = b"\n--" + boundary.encode("ascii")
        self._buffer = b"\n"
        self._lead = 1
        """Bytes at the buffer's beginning that are ours: a delimiter may stand where no line ended before it."""
        self._state = _State.PREAMBLE
        self._parts = 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Take the next chunk and give what can be said by now."""
        self._buffer += chunk
        while True:
            match self._state:
                case _State.HEADERS:
                    events = self._headers()
                case _State.PREAMBLE | _State.CONTENT:
                    events = self._content()
                case _State.END:
                    self._buffer = b""
                    return
            if events is None:
                return
            yield from events

    def finish(self) -> None:
        """The body ended. Raises MalformedMultipartError if its last delimiter did not come."""
        if self._state is not _State.END:
            raise MalformedMultipartError("the multipart answer is cut")

    def _headers(self) -> list[Event] | None:
        """The headers of a part; None if more must arrive first."""
        end = _HEADERS_END.search(self._buffer, 0, _HEADERS_LIMIT)
        if end is None:
            if len(self._buffer) >= _HEADERS_LIMIT:
                raise MalformedMultipartError("the headers of a part are longer than allowed")
            return None
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise MalformedMultipartError(f"the answer has more than {MAX_PARTS} parts")
        headers = _read_headers(self._buffer[: end.start()])
        self._buffer, self._lead = b"\n" + self._buffer[end.end() :], 1
        self._state = _State.CONTENT
        return [PartStart(headers)]

    def _content(self) -> list[Event] | None:
        """Content up to the next delimiter, as far as it is there; None if nothing can be said before more arrives."""
        at, mark = self._find()
        if mark is _Mark.NONE or mark is _Mark.UNFINISHED:
            # Held back: what may become a delimiter, and the carriage return of the line end before it.
            kept = max(at - 1, self._lead)
            if kept <= self._lead:
                return None
            data, self._buffer, self._lead = self._buffer[self._lead : kept], self._buffer[kept:], 0
            return [PartData(data)] if self._state is _State.CONTENT else []
        data = self._buffer[self._lead : at].removesuffix(b"\r") if at > self._lead else b""
        behind = at + len(self._mark)
        opened = _OPENS.match(self._buffer, behind)
        self._buffer, self._lead = self._buffer[opened.end() if opened else behind :], 0
        was, self._state = self._state, _State.HEADERS if mark is _Mark.OPENS else _State.END
        if was is _State.PREAMBLE:
            return []
        return [PartData(data), PartEnd()] if data else [PartEnd()]

    def _find(self) -> tuple[int, _Mark]:
        """Where the next delimiter stands and what it is; NONE with the place up to which there is certainly none."""
        at = self._buffer.find(self._mark)
        while at >= 0:
            mark = self._judge(at + len(self._mark))
            if mark is not _Mark.NONE:
                return at, mark
            at = self._buffer.find(self._mark, at + len(self._mark))
        return max(len(self._buffer) - len(self._mark) + 1, 0), _Mark.NONE

    def _judge(self, behind: int) -> _Mark:
        if self._buffer.startswith(b"--", behind):
            return _Mark.CLOSES
        if _OPENS.match(self._buffer, behind):
            return _Mark.OPENS
        may = len(self._buffer) - behind <= _PADDING_LIMIT and _MAY_OPEN.fullmatch(self._buffer, behind)
        return _Mark.UNFINISHED if may else _Mark.NONE


def read_media_type(value: str) -> tuple[str, Mapping[str, str]]:
    """A Content-Type as media type and parameters, names in lower case; ("", {}) for what is none."""
    message = Message()
    try:
        message["Content-Type"] = " ".join(value.split())
        found = message.get_params(failobj=[], unquote=True)
    except (ValueError, LookupError, TypeError):
        return "", {}
    (name, _), *parameters = found or [("", "")]
    return name.lower(), {key.lower(): collapse_rfc2231_value(each) for key, each in parameters}


def _read_headers(block: bytes) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    unfolded = re.sub(r"\r?\n[ \t]+", " ", block.decode("utf-8", "replace"))
    for line in unfolded.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    return headers
