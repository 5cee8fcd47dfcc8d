"""Mutations of what attachments carry: base64 laid out or cut otherwise, other files, ZIPs with lying headers."""

import base64
import binascii
import io
import re
import struct
import uuid
import zipfile
import zlib
from collections.abc import Callable, Sequence
from random import Random

_CONTENT = re.compile(rb"(<(?:\w+:)?ContentTransferEncoded\b[^>]*>)([^<]*)(</)")
_EXTREMES = (0, 1, 20, 255, 65535, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_OTHER_FILES = (
    b"",
    b"%PDF-1.7\n%%EOF\n",
    b"PK\x03\x04",
    b"PK\x05\x06" + bytes(18),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
)


def lay_out(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    """White space, comments, sections and references inside the base64, without changing what it says."""
    between = draw.choice((b"\n", b"\r\n", b" ", b"&#13;&#10;", b"<!-- -->", b"<![CDATA[", b"<?p?>", b"\t"))

    def change(text: bytes) -> bytes:
        step = draw.choice((1, 3, 4, 76, 1000))
        if between == b"<![CDATA[":
            return b"<![CDATA[" + text[:step] + b"]]>" + text[step:]
        if draw.random() < 0.2 and text:
            at = draw.randrange(len(text))
            return text[:at] + b"&#%d;" % text[at] + text[at + 1 :]
        return between.join(text[at : at + step] for at in range(0, len(text), step)) + between

    return _change(data, draw, change)


def damage(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    """Base64 cut, or with a character that does not belong there."""

    def change(text: bytes) -> bytes:
        at = draw.randrange(len(text) + 1)
        if draw.random() < 0.5:
            return text[:at]
        wrong = draw.choice((b"=", b"-", b"_", b"\xc3\xa9", b"&#160;", b"==", b"!", b"<x/>", b"\x00", b"A"))
        return text[:at] + wrong + text[at:]

    return _change(data, draw, change)


def other_bytes(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    """A file that is damaged, or another one."""

    def change(file: bytes) -> bytes:
        made = bytearray(file)
        for _ in range(draw.randint(1, 3)):
            if made:
                made[draw.randrange(len(made))] = draw.randrange(256)
        return draw.choice((bytes(made), bytes(made), file[: len(file) // 2], file + b"x", *_OTHER_FILES))

    return _change_file(data, draw, change)


def other_zip(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    """A ZIP of some making instead of the file."""
    return _change_file(data, draw, lambda file: _zip(file, draw))


def lying_zip(data: bytes, draw: Random, _corpus: Sequence[bytes]) -> bytes:
    """A ZIP in whose headers one number is another."""

    def change(file: bytes) -> bytes:
        made = bytearray(file if file.startswith(b"PK\x03\x04") and draw.random() < 0.5 else _zip(file, draw))
        magic, fields = draw.choice(
            (
                (b"PK\x03\x04", ((4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2))),
                (b"PK\x01\x02", ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (42, 4))),
                (b"PK\x05\x06", ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2))),
            )
        )
        at = made.rfind(magic)
        place, width = draw.choice(fields)
        if at >= 0 and at + place + width <= len(made):
            (old,) = struct.unpack_from("<I" if width == 4 else "<H", made, at + place)
            value = draw.choice((*_EXTREMES, old + 1, max(0, old - 1), old ^ 8)) & (
                0xFFFFFFFF if width == 4 else 0xFFFF
            )
            struct.pack_into("<I" if width == 4 else "<H", made, at + place, value)
        return bytes(made)

    return _change_file(data, draw, change)


def _zip(file: bytes, draw: Random) -> bytes:
    name = draw.choice((str(uuid.UUID(int=draw.getrandbits(128))), "a", "../../x", "a/b", "[Content_Types]", "CON"))
    name += draw.choice((".txt", ".bin", "", "/", ".edxml", ".zip"))
    content = draw.choice((file, file * 3, bytes(20_000), bytes(3_000_000) if draw.random() < 0.02 else b""))
    made = io.BytesIO()
    stream = _Unseekable(made) if draw.random() < 0.3 else made  # without seeking, sizes come in a trailing descriptor
    method = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(stream, "w", method) as archive:
        for number in range(draw.choice((1, 1, 1, 1, 0, 2))):
            entry = zipfile.ZipInfo(f"{number or ''}{name}", (2000, 1, 1, 0, 0, 0))
            entry.compress_type = method
            with archive.open(entry, "w", force_zip64=draw.random() < 0.1) as into:
                into.write(content)
        archive.comment = draw.choice((b"", b"", b"PK\x05\x06" + bytes(18), b"c" * 70))
    packed = made.getvalue()
    if draw.random() < 0.1:
        packed = b"MZ junk in front" + packed
    return packed + draw.choice((b"", b"", b"", b"\n", b"junk behind"))


class _Unseekable(io.RawIOBase):
    """A stream that only goes on."""

    def __init__(self, into: io.BytesIO) -> None:
        self._into = into

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        return self._into.write(data)


def _change(data: bytes, draw: Random, change: Callable[[bytes], bytes]) -> bytes:
    found = list(_CONTENT.finditer(data))
    if not found:
        return data
    one = draw.choice(found)
    return data[: one.start(2)] + change(one.group(2)) + data[one.end(2) :]


def _change_file(data: bytes, draw: Random, change: Callable[[bytes], bytes]) -> bytes:
    def changed(text: bytes) -> bytes:
        try:
            file = base64.b64decode(text)
        except binascii.Error:
            file = zlib.compress(text)
        return base64.b64encode(change(file))

    return _change(data, draw, changed)


MUTATIONS = (lay_out, damage, other_bytes, other_zip, lying_zip)
