"""The push parser: expat, with every guard that expat lacks.

No DOCTYPE and therefore no entities but the predefined five, no undeclared prefix, UTF-8 alone, limits on depth,
elements, header and total bytes, and on the length of a single token (expat holds an unfinished tag or comment whole).
"""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import NoReturn
from xml.parsers import expat

from gateway.xmlsafe.events import Bulk, End, Event, Start, Text
from gateway.xmlsafe.limits import Limits, XmlFault, XmlRefusedError

_SLICE = 128 * 1024
"""Bytes that expat gets at once."""
_PIECE = 16
"""Bytes of bulk text that should come for every piece expat gives; text in smaller crumbs counts as header."""
_BETWEEN = "\n"
"""Between namespace, local name and prefix in expat's names; expat refuses namespaces with this character in them."""
_UNBOUND = expat.errors.codes[expat.errors.XML_ERROR_UNBOUND_PREFIX]
_CARRIAGE_RETURN, _AMPERSAND = b"\r&"
_UTF16_STARTS = (b"\xfe", b"\xff", b"\x00")
_COMMENT, _INSTRUCTION, _CDATA = len("<!---->"), len("<??>"), len("<![CDATA[]]>")
_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class PacketParser:
    """Takes a packet in chunks of any size and gives its events; memory stays flat whatever the text nodes hold.

    `bulk` names the elements, as `{namespace}local`, whose text comes as Bulk and does not count as header. Chunks are
    gathered until `slice_size` bytes are there, so an unfinished token is scanned a few times and not at every chunk.
    """

    def __init__(self, limits: Limits, *, bulk: Collection[str], slice_size: int = _SLICE) -> None:
        self._limits = limits
        self._slice = slice_size
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._opening = b""
        self._fed = 0
        self._expat = expat.ParserCreate("utf-8", _BETWEEN)  # this encoding, whatever the declaration says
        self._expat.namespace_prefixes = True
        if hasattr(self._expat, "SetReparseDeferralEnabled"):  # expat 2.6 and later: our slices serve the same end
            self._expat.SetReparseDeferralEnabled(False)  # noqa: FBT003 - expat's own signature
        self._handlers = _Handlers(self._expat, limits, bulk)

    @property
    def declared(self) -> str | None:
        """The encoding that the XML declaration names, empty if it names none; None = no declaration (so far)."""
        return self._handlers.declared

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Take the next chunk and give what can be said by now. Raises XmlRefusedError at the first fault."""
        self._waiting.append(chunk)
        self._waiting_size += len(chunk)
        if self._waiting_size >= self._slice:
            yield from self._read()

    def finish(self) -> Iterator[Event]:
        """End the packet and give the last events. Raises XmlRefusedError if it is incomplete."""
        yield from self._read()
        yield from self._parse(b"", final=True)

    def _read(self) -> Iterator[Event]:
        """Everything that waits, through expat or past it."""
        data, self._waiting, self._waiting_size = b"".join(self._waiting), [], 0
        at = 0
        while at < len(data):
            end = min(at + self._slice, len(data))
            if self._position + end - at > self._limits.packet:
                self._handlers.refuse(
                    XmlFault.PACKET_TOO_LARGE, f"the packet has more than {self._limits.packet} bytes"
                )
            stop = self._plain_until(data, at, end)
            if stop > at:
                yield Bulk(_normalised(data[at:stop]), self._position)
                self._handlers.passed += stop - at
                at = stop
            else:
                yield from self._parse(data[at:end])
                at = end

    @property
    def _position(self) -> int:
        """Bytes of the packet that were read."""
        return self._fed + self._handlers.passed

    def _plain_until(self, data: bytes, at: int, end: int) -> int:
        """Where that part of data[at:end] ends which need not go through expat; `at` if there is none.

        In a bulk element, with no token half read (expat's index stands behind everything it got: the start of a
        reference, of a character, of `]]>` or of a line end would hold it back), ASCII without `<` and `&` can only be
        text. A carriage return at the end is left to expat, for it may be half a line end.
        """
        if not self._handlers.in_bulk or self._expat.CurrentByteIndex != self._fed:
            return at
        for mark in (b"<", b"&"):
            found = data.find(mark, at, end)
            end = found if found >= 0 else end
        while end > at and data[end - 1] == _CARRIAGE_RETURN:
            end -= 1
        return end if data[at:end].isascii() else at

    def _parse(self, piece: bytes, *, final: bool = False) -> Iterator[Event]:
        """Let expat work, then give what it found up to the first fault, then the fault."""
        if len(self._opening) < 2:  # noqa: PLR2004 - expat judges the encoding by two bytes, so they are judged before
            self._refuse_utf16(piece)
        fault: XmlRefusedError | None = None
        self._handlers.begin(piece, self._fed)
        try:
            self._expat.Parse(piece, final)
        except expat.ExpatError as error:
            fault = self._malformed(error)
        except XmlRefusedError as error:
            fault = error
        self._fed += len(piece)
        yield from self._handlers.take()
        if fault is not None:
            raise fault
        unread = self._fed - max(self._expat.CurrentByteIndex, 0)
        self._handlers.finish(len(piece), unread)
        if unread >= self._limits.silent:
            sentence = f"a tag, attribute or comment has more than {self._limits.silent} bytes"
            self._handlers.refuse(XmlFault.TOKEN_TOO_LARGE, sentence)

    def _refuse_utf16(self, piece: bytes) -> None:
        self._opening = (self._opening + piece)[:2]
        if self._opening.startswith(_UTF16_STARTS) or self._opening[1:] == b"\x00":
            self._handlers.refuse(XmlFault.NOT_UTF8, "the packet is not UTF-8; it looks like UTF-16 or UTF-32")

    def _malformed(self, error: expat.ExpatError) -> XmlRefusedError:
        where = f"byte {max(self._expat.ErrorByteIndex, 0) + self._handlers.passed}"
        if error.code == _UNBOUND:
            sentence = f"a namespace prefix is used and nowhere declared, at {where}"
            return XmlRefusedError(XmlFault.UNDECLARED_PREFIX, sentence, self._handlers.path)
        sentence = f"not well-formed XML: {expat.ErrorString(error.code)}, at {where}"
        return XmlRefusedError(XmlFault.MALFORMED, sentence, self._handlers.path)


class _Handlers:
    """What expat calls: collects events, counts what they cost."""

    def __init__(self, parser: expat.XMLParserType, limits: Limits, bulk: Collection[str]) -> None:
        self.declared: str | None = None
        self.passed = 0
        """Bytes of the packet that went past expat."""
        self._parser = parser
        self._limits = limits
        self._bulk = bulk
        self._events: list[Event] = []
        self._open: list[str] = []
        self._namespaces: dict[str, str] = {}
        self._elements = 0
        self._header = 0
        self._crumbs = 0
        self._cdata = False
        self._source = b""
        """What expat has got and not read."""
        self._index = 0
        """Expat's index of its first byte."""
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartNamespaceDeclHandler = self._namespace
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.CommentHandler = self._comment
        parser.ProcessingInstructionHandler = self._instruction
        parser.StartCdataSectionHandler = self._cdata_start
        parser.EndCdataSectionHandler = self._cdata_end

    @property
    def in_bulk(self) -> bool:
        """True if the innermost open element is a bulk element, and no CDATA section is open."""
        return not self._parser.buffer_text and not self._cdata

    @property
    def path(self) -> str:
        """The innermost open element, by local names."""
        return "/".join(name.rpartition("}")[2] for name in self._open)

    def take(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def begin(self, piece: bytes, index: int) -> None:
        """Expat is about to get a piece, whose first byte is expat's byte `index`."""
        self._source = self._source + piece if self._source else piece
        self._index = index + len(piece) - len(self._source)

    def finish(self, size: int, unread: int) -> None:
        """Expat has taken the piece of `size` bytes; at the end of all it got, `unread` bytes are an unfinished token.

        Bulk text is free, but not if it comes in crumbs: references or line ends, each of which costs a call.
        """
        self._source = self._source[-unread:] if unread else b""
        self._count_bytes(max(self._crumbs * _PIECE - size, 0))
        self._crumbs = 0

    def refuse(self, fault: XmlFault, sentence: str) -> NoReturn:
        """Raises XmlRefusedError with the path."""
        raise XmlRefusedError(fault, sentence, self.path)

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self.declared = encoding or ""

    def _doctype(self, *_facts: object) -> None:
        self.refuse(XmlFault.DOCTYPE, "a document type declaration (DOCTYPE) is not allowed")

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        self._namespaces[f"xmlns:{prefix}" if prefix else "xmlns"] = uri or ""

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        full, prefix = _full_name(name)
        self._open.append(full)
        self._elements += 1
        if len(self._open) > self._limits.depth:
            self.refuse(XmlFault.TOO_DEEP, f"elements are nested deeper than {self._limits.depth}")
        if self._elements > self._limits.elements:
            self.refuse(XmlFault.TOO_MANY_ELEMENTS, f"the packet has more than {self._limits.elements} elements")
        typed = _NO_ATTRIBUTES
        if attributes or self._namespaces:
            typed = self._namespaces | {_typed(key): value for key, value in attributes.items()}
            self._namespaces = {}
        self._count(prefix, full.rpartition("}")[2], *typed, *typed.values())
        self._parser.buffer_text = full not in self._bulk
        self._events.append(Start(full, typed, prefix))

    def _end(self, _name: str) -> None:
        self._events.append(End(self._open.pop()))
        self._parser.buffer_text = not self._open or self._open[-1] not in self._bulk

    def _text(self, text: str) -> None:
        if self._parser.buffer_text:
            self._count(text)
            self._events.append(Text(text))
        else:
            self._crumbs += 1
            at = self._parser.CurrentByteIndex
            referred = self._source[at - self._index] == _AMPERSAND and not self._cdata
            self._events.append(Bulk(text.encode(), 0 if referred else at + self.passed))

    def _comment(self, text: str) -> None:
        self._count_bytes(_COMMENT)
        self._count(text)

    def _instruction(self, target: str, data: str) -> None:
        self._count_bytes(_INSTRUCTION)
        self._count(target, data)

    def _cdata_start(self) -> None:
        self._cdata = True
        self._count_bytes(_CDATA)

    def _cdata_end(self) -> None:
        self._cdata = False

    def _count(self, *texts: str) -> None:
        self._count_bytes(sum(len(text) if text.isascii() else len(text.encode()) for text in texts))

    def _count_bytes(self, size: int) -> None:
        self._header += size
        if self._header > self._limits.header:
            limit = self._limits.header
            self.refuse(XmlFault.HEADER_TOO_LARGE, f"everything but attachments has more than {limit} bytes")


def _full_name(name: str) -> tuple[str, str]:
    """`{namespace}local` and the prefix of one of expat's names."""
    namespace, inside, rest = name.partition(_BETWEEN)
    if not inside:
        return name, ""
    local, _, prefix = rest.partition(_BETWEEN)
    return f"{{{namespace}}}{local}", prefix


def _typed(name: str) -> str:
    """An attribute's name as typed."""
    full, prefix = _full_name(name)
    local = full.rpartition("}")[2]
    return f"{prefix}:{local}" if prefix else local


def _normalised(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text
