"""Mutations that keep the XML mostly well-formed and the packet wrong: elements dropped, moved, renamed, refilled."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from random import Random
from typing import NamedTuple

from gateway.translate.edxml.codes import NS102

_TAG = re.compile(rb"<(/?)([A-Za-z_][\w:.\-]*)([^<>]*?)(/?)>")
_PREFIX = b"edXML:"
_SMALL = 16 * 1024
_LARGE = 1024 * 1024
_NAMES = tuple(
    b"""
    edXML edXMLEnvelope edXMLHeader edXMLBody edXMLManifest Manifest MessageHeader Status TraceHeaderList
    TraceHeader Bussiness Business BussinessDocType BussinessDocumentInfo DocumentInfo DocumentReceiver ReceiverList
    Receiver ReceiverType ReplacementInfoList ReplacementInfo OrganIdList StaffInfo Paper From To OrganId OrganName
    Code CodeNumber CodeNotation PromulgationInfo Place PromulgationDate DocumentType Type TypeDetail TypeName
    Subject Content SignerInfo FullName DueDate ToPlaces OtherInfo Priority PageAmount Direction Appendixes Appendix
    ReplyFors ReferenceCodes ResponseFor SteeringType DocumentId ResponseForTask TaskCode ApplicationType StatusCode
    Description Timestamp Signature DigitalSignature AttachmentEncoded Attachment Reference ContentId AttachmentName
    ContentType ContentTransferEncoded FieldName MimeType Format edXMLAttachments AVReport x
    """.split()
)
_TEXTS = tuple(
    text.encode()
    for text in (
        "",
        " ",
        "null",
        "0",
        "1",
        "-1",
        "2",
        "3",
        "5",
        "18",
        "65535",
        "65536",
        "9" * 5000,
        "1e9",
        "+1",
        " 1 ",
        "١٢",
        "²",
        "1_0",
        "0x1",
        "01",
        "true",
        "TRUE",
        "2026/01/15",
        "2026-01-15",
        "15/01/2026",
        "2026/02/30",
        "0000/00/00",
        "9999/12/31 23:59:59",
        "0001/01/01",
        "2026/01/15 24:00:00",
        "2026-01-15T08:30:00+07:00",
        "\uff12\uff10\uff12\uff16/01/15",
        "Ủy ban nhân dân",
        "U\u0309y ban nha\u0302n da\u0302n",
        "𠀋 chữ Nôm",
        "a&#13;b",
        "&#13;",
        "&#9;&#10;",
        "a&#x2028;b",
        "\u200b",
        "\u00a0",
        "e" + "\u0301" * 300,
        "x" * 20_000,
        "&lt;&amp;&gt;",
        "<![CDATA[<a>]]>",
        "a<!-- -->b",
        "a<?b?>c",
        "H98.02",
        "h98.02",
        "000.00.01.H98",
        "W00",
        "cid:cid:cid:att-1",
        "CID:",
        "cid:",
        "../../etc/passwd",
        "a.pdf",
        "a.xlsx",
        "a.zip",
        "a.txt",
        "..",
        "a/b\\c.bin",
        "application/pdf",
        "application/zip",
        "text/plain; charset=utf-8",
        "{x}",
        "%s",
        "H99.01,2026/01/15,12/ABC-XYZ",
    )
)


class _Element(NamedTuple):
    start: int
    inner: int
    inner_end: int
    end: int


def elements(data: bytes) -> tuple[_Element, ...]:
    """Every element that has a matching end tag, as offsets; of inputs as small as the corpus they are remembered.

    Only the beginning of a large input is looked through: tags are found by a pattern, and that takes its time.
    """
    return _remembered(data) if len(data) < _SMALL else _elements(data[:_SMALL])


def _elements(data: bytes) -> tuple[_Element, ...]:
    found: list[_Element] = []
    waiting: list[tuple[bytes, int, int]] = []
    for tag in _TAG.finditer(data):
        closing, name, _, empty = tag.groups()
        if empty:
            found.append(_Element(tag.start(), tag.end(), tag.end(), tag.end()))
        elif not closing:
            waiting.append((name, tag.start(), tag.end()))
        elif waiting and waiting[-1][0] == name:
            _, start, inner = waiting.pop()
            found.append(_Element(start, inner, tag.start(), tag.end()))
    return tuple(found)


_remembered = lru_cache(maxsize=256)(_elements)


def _pick(data: bytes, draw: Random) -> _Element:
    found = elements(data)
    return draw.choice(found) if found else _Element(0, 0, len(data), len(data))


def drop(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    one = _pick(data, draw)
    return data[: one.start] + data[one.end :]


def double(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    one = _pick(data, draw)
    times = min(draw.choice((1, 1, 1, 2, 5, 250)), 1 + _LARGE // (1 + one.end - one.start))
    return data[: one.end] + data[one.start : one.end] * times + data[one.end :]


def move(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    one = _pick(data, draw)
    rest = data[: one.start] + data[one.end :]
    other = _pick(rest, draw)
    at = draw.choice((other.start, other.inner, other.inner_end, other.end))
    return rest[:at] + data[one.start : one.end] + rest[at:]


def transplant(data: bytes, draw: Random, corpus: Sequence[bytes]) -> bytes:
    donor = draw.choice(corpus)
    one, gift = _pick(data, draw), _pick(donor, draw)
    return data[: one.inner] + donor[gift.start : gift.end] + data[one.inner :]


def rename(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    name = draw.choice(_NAMES)
    return _retag(data, _pick(data, draw), lambda old: (_PREFIX if old.startswith(_PREFIX) else b"") + name)


def reprefix(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    prefix = draw.choice((_PREFIX, _PREFIX, b"ed:", b"xml:", b"ns0:"))
    if draw.random() < 0.3:
        return data.replace(_PREFIX, prefix).replace(b"xmlns:edXML=", b"xmlns:" + prefix[:-1] + b"=")
    return _retag(
        data, _pick(data, draw), lambda old: old.removeprefix(_PREFIX) if old.startswith(_PREFIX) else prefix + old
    )


def renamespace(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    one = _pick(data, draw)
    uri = draw.choice((b"", b"urn:x", NS102.encode(), b"http://www.w3.org/2000/09/xmldsig#", b"relative", b"http://["))
    return _attribute(data, one, draw.choice((b"xmlns", b"xmlns:edXML", b"xmlns:ns0")), uri)


def attribute(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    name = draw.choice(
        (b"id", b"version", b"xlink:href", b"xml:lang", b"xml:base", b"xmlns:xlink", b"x" * 3000, b"a.b")
    )
    return _attribute(data, _pick(data, draw), name, draw.choice((b"", b"1.0", b"cid:x", b"y" * 5000, b"&lt;&#10;")))


def refill(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    leaves = [one for one in elements(data) if b"<" not in data[one.inner : one.inner_end]]
    one = draw.choice(leaves) if leaves else _pick(data, draw)
    if one.inner == one.end:
        return data
    return data[: one.inner] + draw.choice(_TEXTS) + data[one.inner_end :]


def pad(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    one = _pick(data, draw)
    at = draw.choice((one.inner, one.inner_end, one.start))
    return data[:at] + draw.choice((b"\n  ", b"text", b"<!-- c -->", b"<?p i?>", b"<![CDATA[ ]]>", b"\r\n")) + data[at:]


def empty(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    one = _pick(data, draw)
    return data[: one.inner] + data[one.inner_end :]


def nest(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    one, depth = _pick(data, draw), draw.choice((1, 3, 50, 70, 3000))
    name = draw.choice(_NAMES)
    inside = data[one.inner : one.inner_end]
    return data[: one.inner] + b"<%b>" % name * depth + inside + b"</%b>" % name * depth + data[one.inner_end :]


def _retag(data: bytes, one: _Element, change: Callable[[bytes], bytes]) -> bytes:
    """The element with another name in its start and end tag."""
    opening = _TAG.match(data, one.start)
    if opening is None:
        return data
    name = change(opening.group(2))
    made = data[: opening.start(2)] + name + data[opening.end(2) : one.inner_end]
    return made + (b"" if one.inner_end == one.end else b"</" + name + b">") + data[one.end :]


def _attribute(data: bytes, one: _Element, name: bytes, value: bytes) -> bytes:
    opening = _TAG.match(data, one.start)
    if opening is None:
        return data
    return data[: opening.end(2)] + b" " + name + b'="' + value + b'"' + data[opening.end(2) :]


MUTATIONS = (drop, double, move, transplant, rename, reprefix, renamespace, attribute, refill, refill, pad, empty, nest)
