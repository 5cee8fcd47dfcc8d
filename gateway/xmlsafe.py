"""Hardened XML: a push parser for packets of any size, a literal reader for names as typed, a literal serialiser.

lxml parses only here. A target parser guards nothing by itself, so every guard stands in this module: no DOCTYPE and
therefore no entities, no undeclared prefix, limits on depth, elements, header and total bytes, and on bytes that give
no event (a giant attribute or comment would otherwise be held whole).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn
from xml.parsers import expat

from lxml import etree

from gateway.domain.rules import NOT_IN_XML

MIB = 1024 * 1024

_SLICE = 64 * 1024
_LOG_LIMIT = 1000
_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class UnwritableTextError(ValueError):
    """The text has a character that XML 1.0 cannot carry; the domain's rules refuse such text before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one packet may cost; bytes unless said otherwise. The same values serve the service and the command line."""

    attachment: int = 300 * MIB
    """One attachment, decoded."""
    packet: int = 420 * MIB
    """The whole packet."""
    inflated: int = 512 * MIB
    """All unwrapped ZIP entries of a packet together."""
    ratio: int = 100
    """Inflated bytes per packed byte of a ZIP entry larger than `ratio_from`."""
    ratio_from: int = MIB
    attachments: int = 200
    """Number of attachments, and of References."""
    recipients: int = 5000
    """Number of To groups."""
    depth: int = 64
    """Nested elements."""
    elements: int = 100_000
    """Number of elements."""
    header: int = 4 * MIB
    """Everything that is not attachment content: local names, attributes, text, comments."""
    silent: int = MIB
    """Bytes without any event: the longest tag, attribute or comment."""


class XmlFault(StrEnum):
    """Why a packet is no XML that may be read."""

    MALFORMED = "XML_MALFORMED"
    DOCTYPE = "XML_DOCTYPE"
    UNDECLARED_PREFIX = "XML_UNDECLARED_PREFIX"
    TOO_DEEP = "XML_TOO_DEEP"
    TOO_MANY_ELEMENTS = "XML_TOO_MANY_ELEMENTS"
    HEADER_TOO_LARGE = "XML_HEADER_TOO_LARGE"
    TOKEN_TOO_LARGE = "XML_TOKEN_TOO_LARGE"  # noqa: S105 - a token of XML, no secret
    PACKET_TOO_LARGE = "XML_PACKET_TOO_LARGE"


class XmlRefusedError(Exception):
    """The bytes are refused; nothing more can be read from the parser."""

    def __init__(self, fault: XmlFault, sentence: str, path: str = "") -> None:
        """Keep the fault, its sentence and the path of the innermost open element, where that is known."""
        self.fault = fault
        self.sentence = sentence
        self.path = path
        super().__init__(sentence)


class Start(NamedTuple):
    """A start tag; names are `{namespace}local`. Events are tuples: a packet has many."""

    name: str
    attributes: Mapping[str, str]


class Text(NamedTuple):
    """A piece of character data; one text node may come in any number of pieces."""

    text: str


class End(NamedTuple):
    """An end tag."""

    name: str


Event = Start | Text | End


class PacketParser:
    """Takes a packet in chunks of any size and gives its events; memory stays flat whatever the text nodes hold.

    `bulk` names the elements whose text does not count as header.
    """

    def __init__(self, limits: Limits, *, bulk: Collection[str]) -> None:
        self._limits = limits
        self._target = _Target(limits, bulk)
        self._parser = etree.XMLParser(
            target=self._target,  # type: ignore[arg-type]  # the stubs allow bytes; lxml 6 gives str
            encoding="utf-8",  # one encoding, whatever the declaration says
            resolve_entities="internal",  # type: ignore[arg-type]  # lxml 5 and later; with no DOCTYPE: the predefined five
            no_network=True,
            load_dtd=False,
            huge_tree=False,
        )
        self._fed = 0
        self._fed_at_event = 0
        self._logged = 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Read the next piece. Raises XmlRefusedError at the first fault."""
        for start in range(0, len(chunk), _SLICE):
            piece = chunk[start : start + _SLICE]
            self._fed += len(piece)
            if self._fed > self._limits.packet:
                raise XmlRefusedError(
                    XmlFault.PACKET_TOO_LARGE, f"the packet has more than {self._limits.packet} bytes"
                )
            yield from self._step(partial(self._parser.feed, piece))

    def finish(self) -> Iterator[Event]:
        """End the packet and give the last events. Raises XmlRefusedError if it is incomplete."""
        yield from self._step(self._parser.close, last=True)

    def _step(self, work: Callable[[], object], *, last: bool = False) -> Iterator[Event]:
        """Let lxml work, then give what it found up to the first fault, then the fault."""
        fault: XmlRefusedError | None = None
        try:
            work()
        except etree.XMLSyntaxError as error:
            fault = _malformed(error, self._target.path)
        except XmlRefusedError as error:
            fault = error
        if fault is None or not last:  # a tag cut short at the end may have lost its declarations only
            self._check_log()
        yield from self._target.take()
        if fault is not None:
            raise fault
        if self._target.moved():
            self._fed_at_event = self._fed
        elif self._fed - self._fed_at_event >= self._limits.silent:
            sentence = f"a tag, attribute or comment has more than {self._limits.silent} bytes"
            raise XmlRefusedError(XmlFault.TOKEN_TOO_LARGE, sentence, self._target.path)

    def _check_log(self) -> None:
        log = self._parser.feed_error_log
        if len(log) == self._logged:
            return
        for entry in list(log)[self._logged :]:
            if entry.type_name == "NS_ERR_UNDEFINED_NAMESPACE":
                raise XmlRefusedError(XmlFault.UNDECLARED_PREFIX, f"{entry.message} (line {entry.line})")
        self._logged = len(log)
        if self._logged > _LOG_LIMIT:
            raise XmlRefusedError(XmlFault.MALFORMED, "too many XML warnings", self._target.path)


class _Target:
    """lxml's target: collects events, counts what they cost."""

    def __init__(self, limits: Limits, bulk: Collection[str]) -> None:
        self._limits = limits
        self._bulk = bulk
        self._events: list[Event] = []
        self._bulk_depth = 0
        self._open: list[str] = []
        self._elements = 0
        self._header = 0
        self._heard = False

    def take(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    @property
    def path(self) -> str:
        """The innermost open element, by local names."""
        return "/".join(name.rpartition("}")[2] for name in self._open)

    def moved(self) -> bool:
        heard, self._heard = self._heard, False
        return heard

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._heard = True
        self._open.append(tag)
        self._elements += 1
        if len(self._open) > self._limits.depth:
            self._refuse(XmlFault.TOO_DEEP, f"elements are nested deeper than {self._limits.depth}")
        if self._elements > self._limits.elements:
            self._refuse(XmlFault.TOO_MANY_ELEMENTS, f"the packet has more than {self._limits.elements} elements")
        self._count(tag.rpartition("}")[2])
        if attributes:
            for name, value in attributes.items():
                self._count(name)
                self._count(value)
        if tag in self._bulk and not self._bulk_depth:
            self._bulk_depth = len(self._open)
        self._events.append(Start(tag, dict(attributes) if attributes else _NO_ATTRIBUTES))

    def end(self, tag: str) -> None:
        self._heard = True
        if len(self._open) == self._bulk_depth:
            self._bulk_depth = 0
        self._open.pop()
        self._events.append(End(tag))

    def data(self, text: str) -> None:
        self._heard = True
        if not self._bulk_depth or len(self._open) != self._bulk_depth:
            self._count(text)
        self._events.append(Text(text))

    def comment(self, text: str) -> None:
        self._heard = True
        self._count(text)

    def pi(self, target: str, data: str | None = None) -> None:
        self._heard = True
        self._count(target)
        self._count(data or "")

    def doctype(self, *_facts: object) -> None:
        self._refuse(XmlFault.DOCTYPE, "a document type declaration (DOCTYPE) is not allowed")

    def close(self) -> None:
        """The packet ended; the events tell all."""

    def _count(self, text: str) -> None:
        self._header += len(text) if text.isascii() else len(text.encode())
        if self._header > self._limits.header:
            limit = self._limits.header
            self._refuse(XmlFault.HEADER_TOO_LARGE, f"everything but attachments has more than {limit} bytes")

    def _refuse(self, fault: XmlFault, sentence: str) -> NoReturn:
        raise XmlRefusedError(fault, sentence, self.path)


def _malformed(error: etree.XMLSyntaxError, path: str) -> XmlRefusedError:
    sentence = str(error).rpartition(" (<string>")[0] or str(error)
    return XmlRefusedError(XmlFault.MALFORMED, f"not well-formed XML: {sentence}", path)


def literal_events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Events with names and attributes exactly as typed: prefixes stay, namespaces are not looked at.

    Only for bytes that PacketParser has read without a fault. Raises XmlRefusedError.
    """
    events: list[Event] = []
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = False
    parser.StartElementHandler = lambda name, attributes: events.append(Start(name, attributes))
    parser.EndElementHandler = lambda name: events.append(End(name))
    parser.CharacterDataHandler = lambda text: events.append(Text(text))
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        for chunk in chunks:
            parser.Parse(chunk, False)  # noqa: FBT003 - expat's own signature
            yield from events
            events.clear()
        parser.Parse(b"", True)  # noqa: FBT003 - expat's own signature
    except expat.ExpatError as error:
        raise XmlRefusedError(XmlFault.MALFORMED, f"not well-formed XML: {error}") from None
    yield from events


def _refuse_doctype(*_facts: Any) -> None:
    raise XmlRefusedError(XmlFault.DOCTYPE, "a document type declaration (DOCTYPE) is not allowed")


def carries(text: str) -> bool:
    """True if XML 1.0 can carry every character of the text."""
    return NOT_IN_XML.search(text) is None


def escape(text: str) -> str:
    """Text as element content or attribute value. Raises UnwritableTextError."""
    if not carries(text):
        raise UnwritableTextError("the text has a character that XML cannot carry")
    for plain, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("\r", "&#13;")):
        text = text.replace(plain, written)
    return text


class LiteralXml:
    """Writes XML exactly as told, prefixes included, two spaces a level; `cut` gives the bytes so far."""

    def __init__(self) -> None:
        self._pieces: list[str] = ['<?xml version="1.0" encoding="UTF-8"?>\n']
        self._open: list[str] = []

    def open(self, name: str, **attributes: str) -> None:
        """A start tag on a line of its own."""
        self._pieces.append(f"{self._indent()}{_tag(name, attributes)}\n")
        self._open.append(name)

    def close(self) -> None:
        """The end tag of the innermost open element."""
        name = self._open.pop()
        self._pieces.append(f"{self._indent()}</{name}>\n")

    def leaf(self, name: str, text: str, **attributes: str) -> None:
        """An element with text, on one line. Raises UnwritableTextError."""
        self._pieces.append(f"{self._indent()}{_tag(name, attributes)}{escape(text)}</{name}>\n")

    def begin(self, name: str, **attributes: str) -> None:
        """A start tag whose content the caller writes between two cuts; `end` follows without white space."""
        self._pieces.append(f"{self._indent()}{_tag(name, attributes)}")
        self._open.append(name)

    def end(self) -> None:
        """The end tag of such an element."""
        self._pieces.append(f"</{self._open.pop()}>\n")

    def cut(self) -> bytes:
        """The bytes since the last cut."""
        text, self._pieces = "".join(self._pieces), []
        return text.encode()

    def _indent(self) -> str:
        return "  " * len(self._open)


def _tag(name: str, attributes: Mapping[str, str]) -> str:
    written = "".join(f' {key.replace("_", ":")}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{written}>"
