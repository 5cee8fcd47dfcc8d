"""Reads an axis's JSON answers as they arrive: the small members are kept, one member is handed on in pieces.

So a packet of any size as base64 and a directory of 100,000 rows pass with bounded memory, whatever else of any size
stands beside the packet. Limits: 64 KiB for one member or one row, 64 members, the caller's cap for the whole.
"""

import binascii
import codecs
import json
import re
from collections.abc import Callable, Mapping
from enum import Enum, auto

import pybase64

MEMBER_LIMIT = 64 * 1024
"""Characters of one member or one row."""
MEMBERS_LIMIT = 64

_BLANK = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"[-0-9NI]")
_NUMBER_END = re.compile(r"[,\]}\s]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.?))", re.DOTALL)
_CUT_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{0,3})?$")
_ESCAPED = {"/": "/", "n": "", "r": "", "t": ""}


class Malformed(Exception):  # noqa: N818 - a finding about the peer's answer, caught within this package
    """The answer is no JSON envelope within the limits. Raised and caught within this package."""


class Base64Decoder:
    """Decodes the base64 text of a JSON member, with or without line ends; what is decoded waits to be taken."""

    def __init__(self) -> None:
        self._rest = ""
        self._padded = False
        self._decoded = bytearray()

    def feed(self, piece: str) -> None:
        """Take a piece still escaped as in JSON, not cut within an escape. Raises Malformed on all but base64."""
        if "\\" in piece:
            piece = _ESCAPE.sub(_unescape, piece)
        whole = self._rest + "".join(piece.split())
        end = len(whole) - len(whole) % 4
        self._rest = whole[end:]
        if end and self._padded:
            raise Malformed("base64 goes on after its end")
        try:
            self._decoded += pybase64.b64decode(whole[:end], validate=True)
        except (binascii.Error, ValueError) as error:
            raise Malformed("data is not base64") from error
        self._padded = self._padded or whole[:end].endswith("=")

    def take(self) -> bytes:
        """What was decoded since the last call."""
        taken = bytes(self._decoded)
        self._decoded.clear()
        return taken

    def finish(self) -> None:
        """Raises Malformed if the text stopped within a group of four."""
        if self._rest:
            raise Malformed("base64 is cut")


class _State(Enum):
    START = auto()
    NAME_OR_END = auto()
    NAME = auto()
    COLON = auto()
    VALUE = auto()
    ROWS = auto()
    TEXT_OR_VALUE = auto()
    TEXT = auto()
    ROW_OR_END = auto()
    ROW = auto()
    AFTER_ROW = auto()
    OBJECT_OR_VALUE = auto()
    PASSED_OR_VALUE = auto()
    PASSED = auto()
    AFTER_VALUE = auto()
    END = auto()


_MARKS: Mapping[tuple[_State, str], _State] = {
    (_State.START, "{"): _State.NAME_OR_END,
    (_State.NAME_OR_END, "}"): _State.END,
    (_State.COLON, ":"): _State.VALUE,
    (_State.ROWS, "["): _State.ROW_OR_END,
    (_State.OBJECT_OR_VALUE, "{"): _State.NAME_OR_END,
    (_State.TEXT_OR_VALUE, '"'): _State.TEXT,
    (_State.ROW_OR_END, "]"): _State.AFTER_VALUE,
    (_State.AFTER_ROW, ","): _State.ROW,
    (_State.AFTER_ROW, "]"): _State.AFTER_VALUE,
    (_State.AFTER_VALUE, ","): _State.NAME,
    (_State.AFTER_VALUE, "}"): _State.END,
}
_STREAMED = frozenset({_State.ROW_OR_END, _State.TEXT})
_VALUES = frozenset({_State.VALUE, _State.ROWS, _State.TEXT_OR_VALUE, _State.OBJECT_OR_VALUE, _State.PASSED_OR_VALUE})
_BRACKET = re.compile(r'["{}\[\]]')
_QUOTE = re.compile(r'"|\\(.?)', re.DOTALL)


class _PassedOver:
    """Passes over one list, object or text of any length and depth; brackets are only counted."""

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = False

    def feed(self, text: str, at: int) -> tuple[int, bool]:
        """Where reading goes on, and True if the value ended there."""
        while found := (_QUOTE if self._quoted else _BRACKET).search(text, at):
            mark, at = found[0], found.end()
            if mark == "\\":
                return found.start(), False  # what it escapes has still to come
            if mark == '"':
                self._quoted = not self._quoted
            elif not self._quoted:
                self._depth += 1 if mark in "{[" else -1
            if not self._quoted and self._depth <= 0:
                return at, True
        return len(text), False


class EnvelopeReader:
    """A push parser for one JSON object. Feed chunks, then `finish`; both raise Malformed."""

    def __init__(
        self,
        *,
        limit: int,
        on_row: Callable[[object], None] | None = None,
        on_text: Callable[[str], None] | None = None,
        member: str = "data",
        inside: str = "",
        passed_over: frozenset[str] = frozenset(),
        bare: bool = False,
    ) -> None:
        """Read at most `limit` bytes.

        Args:
            limit: Bytes of the whole answer.
            on_row: Takes each element of `member`, if that is a list; else it is a member like any other.
            on_text: Takes `member` in pieces, escaped as in JSON, if it is a text; instead of `on_row`.
            member: Name of the member that is handed on.
            inside: Name of the member whose own member that is, if it is an object; "" = the answer's own.
            passed_over: Members beside it that are read by nobody, of any size.
            bare: With `on_row`: an answer that is nothing but the list is read as well.
        """
        self.members: dict[str, object] = {}
        """All members but those handed on or passed over, by name; complete after `finish`. `inside` is a dict."""
        self.handed_on = False
        """True once `member` has begun to be handed on."""
        self._on_row = on_row
        self._on_text = on_text
        self._member = member
        self._inside = inside
        self._passed_over = passed_over
        self._bare = bare
        self._left = limit
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder(strict=False)
        self._text = ""
        self._at = 0
        self._state = _State.START
        self._name = ""
        self._inner: dict[str, object] | None = None
        """Members of `inside` while it is being read."""
        self._only_rows = False
        self._passing = _PassedOver()

    def feed(self, chunk: bytes) -> None:
        """Read on. Chunks of some 64 KiB are best: an unfinished row is looked at again with each."""
        self._left -= len(chunk)
        if self._left < 0:
            raise Malformed("the answer is longer than allowed")
        try:
            self._text = self._text[self._at :] + self._utf8.decode(chunk)
        except UnicodeDecodeError as error:
            raise Malformed("the answer is not UTF-8") from error
        self._at = 0
        while self._step():
            pass
        if len(self._text) - self._at > MEMBER_LIMIT:
            raise Malformed("a member of the answer is longer than allowed")

    def finish(self) -> None:
        """The answer ended."""
        if self._state is not _State.END:
            raise Malformed("the answer is cut")

    def _step(self) -> bool:
        """Take one token; False if more must arrive first."""
        if self._state is _State.TEXT:
            return self._take_text()
        if self._state is _State.PASSED:
            return self._pass_over()
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at
        if self._at == len(self._text):
            return False
        return self._take_mark(self._text[self._at]) or self._take_something()

    def _take_mark(self, mark: str) -> bool:
        """Take a bracket, comma, colon or quote that alone says what follows."""
        after = _MARKS.get((self._state, mark))
        if after is None and self._state is _State.START and mark == "[" and self._bare:
            self._only_rows, after = True, _State.ROW_OR_END
        if after is not None:
            self._at += 1
            self._move(after)
        elif self._state is _State.PASSED_OR_VALUE and mark in '"{[':
            self._passing, self._state = _PassedOver(), _State.PASSED
        else:
            return False
        return True

    def _take_something(self) -> bool:
        if self._state in _VALUES:
            return self._take_value()
        match self._state:
            case _State.NAME | _State.NAME_OR_END:
                return self._take_name()
            case _State.ROW | _State.ROW_OR_END:
                return self._take_row()
            case _:
                raise Malformed("the answer is no JSON object")

    def _move(self, after: _State) -> None:
        if after is _State.VALUE:
            after = self._which_value()
        elif self._state is _State.OBJECT_OR_VALUE:
            self.members[self._inside] = self._inner = {}
        elif after is _State.END and self._inner is not None:
            self._inner, after = None, _State.AFTER_VALUE
        elif after is _State.AFTER_VALUE and self._only_rows:
            after = _State.END
        if after in _STREAMED:
            if self.handed_on:
                raise Malformed(f"{self._member} occurs twice")
            self.handed_on = True
        self._state = after

    def _which_value(self) -> _State:
        """What is done with the value of the member whose name was read."""
        if self._inside and self._inner is None:
            return _State.OBJECT_OR_VALUE if self._name == self._inside else _State.VALUE
        if self._name in self._passed_over:
            return _State.PASSED_OR_VALUE
        if self._name != self._member:
            return _State.VALUE
        return _State.ROWS if self._on_row else _State.TEXT_OR_VALUE if self._on_text else _State.VALUE

    def _take_name(self) -> bool:
        if self._text[self._at] != '"':
            raise Malformed("a member of the answer has no name")
        found = self._scan()
        if found:
            self._name = str(found[0])
            self._state = _State.COLON
        return bool(found)

    def _take_value(self) -> bool:
        found = self._scan()
        if found:
            members = self.members if self._inner is None else self._inner
            members[self._name] = found[0]
            self._state = _State.AFTER_VALUE
            if len(members) > MEMBERS_LIMIT:
                raise Malformed("the answer has too many members")
        return bool(found)

    def _take_row(self) -> bool:
        found = self._scan()
        if found:
            assert self._on_row
            self._on_row(found[0])
            self._state = _State.AFTER_ROW
        return bool(found)

    def _take_text(self) -> bool:
        end = self._text.find('"', self._at)
        ended = end >= 0
        if not ended:
            cut = _CUT_ESCAPE.search(self._text, max(self._at, len(self._text) - 5))
            end = cut.start() if cut else len(self._text)
        assert self._on_text
        self._on_text(self._text[self._at : end])
        self._at = end + 1 if ended else end
        self._state = _State.AFTER_VALUE if ended else _State.TEXT
        return ended

    def _pass_over(self) -> bool:
        self._at, ended = self._passing.feed(self._text, self._at)
        if ended:
            self._state = _State.AFTER_VALUE
        return ended

    def _scan(self) -> tuple[object] | None:
        """One JSON value, or None while it is not there whole; what can never be one runs into the limit."""
        try:
            value, end = self._json.raw_decode(self._text, self._at)
        except RecursionError as error:
            raise Malformed("the answer is nested too deeply") from error
        except json.JSONDecodeError:
            return None
        except ValueError as error:
            raise Malformed("the answer holds an endless number") from error
        if _NUMBER.match(self._text[self._at]) and not _NUMBER_END.match(self._text, end):
            return None
        if end - self._at > MEMBER_LIMIT:
            raise Malformed("a member of the answer is longer than allowed")
        self._at = end
        return (value,)


def _unescape(escape: re.Match[str]) -> str:
    code, letter = escape.groups()
    if code:
        return chr(int(code, 16))
    if letter not in _ESCAPED:
        raise Malformed("data is not base64")
    return _ESCAPED[letter]
