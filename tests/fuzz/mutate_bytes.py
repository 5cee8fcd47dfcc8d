"""Mutations that know nothing of XML: bits, bytes, ranges, splices, and pieces that parsers dislike."""

from collections.abc import Sequence
from random import Random

NASTY = (
    b"&#0;",
    b"&#13;",
    b"&#x1F600;",
    b"&#xD800;",
    b"&#xFFFE;",
    b"&undefined;",
    b"&amp;",
    b"&",
    b"<",
    b">",
    b"<![CDATA[",
    b"]]>",
    b"<![CDATA[]]>",
    b"<!-- -->",
    b"<!--",
    b"--",
    b"<?pi some?>",
    b"<?xml version='1.1'?>",
    b'<?xml version="1.0" encoding="UTF-16"?>',
    b"<!DOCTYPE edXML>",
    b'<!DOCTYPE a [<!ENTITY b "c">]>',
    b"<a:b/>",
    b'<a xmlns=""/>',
    b"<b xmlns:edXML='urn:other'>",
    b' xmlns:xml="urn:x"',
    b"\x00",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80",
    b"\xe1",
    b"\xcc\x81",
    b"\xc2\xa0",
    b"\r",
    b"\r\n",
    b"\t",
    b"=",
    b"==",
    b"PK\x05\x06",
    b"null",
)


def flip(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    made = bytearray(data)
    for _ in range(draw.randint(1, 3)):
        made[draw.randrange(len(made))] ^= 1 << draw.randrange(8)
    return bytes(made)


def put(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.randbytes(draw.randint(1, 8)) + data[at:]


def put_nasty(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.choice(NASTY) + data[at:]


def overwrite(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    at, piece = draw.randrange(len(data)), draw.choice(NASTY)
    return data[:at] + piece + data[at + len(piece) :]


def drop(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    start, end = _range(data, draw)
    return data[:start] + data[end:]


def double(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    start, end = _range(data, draw)
    return data[:end] + data[start:end] * draw.choice((1, 1, 2, 30)) + data[end:]


def move(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    start, end = _range(data, draw)
    rest = data[:start] + data[end:]
    at = draw.randrange(len(rest) + 1)
    return rest[:at] + data[start:end] + rest[at:]


def splice(data: bytes, draw: Random, corpus: Sequence[bytes]) -> bytes:
    other = draw.choice(corpus)
    return data[: draw.randrange(len(data) + 1)] + other[draw.randrange(len(other) + 1) :]


def truncate(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def append(data: bytes, draw: Random, corpus: Sequence[bytes]) -> bytes:
    return data + draw.choice((b"\n", b" ", b"\x00", b"<a/>", b"<!-- x -->", b"text", draw.choice(corpus)))


def _range(data: bytes, draw: Random) -> tuple[int, int]:
    start = draw.randrange(len(data))
    return start, min(len(data), start + draw.choice((1, 4, 16, 64, 512)))


MUTATIONS = (flip, put, put_nasty, overwrite, drop, double, move, splice, truncate, append)
