"""Traces of signatures in the bytes of a PDF, for files whose structure no longer leads to them.

A damaged file must not pass for an unsigned one, so the bytes themselves are searched for what only a signature leaves:
the word /ByteRange, and the hexadecimal form of a CMS SignedData. Both are never compressed or encrypted (ISO 32000-1,
12.8.1), and a single changed byte cannot remove both.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from asn1crypto import cms

ByteRange = tuple[int, int, int, int]
"""Offset and length of the two covered pieces of a file; between them lies the gap with the signature value."""

_WORD = re.compile(rb"/ByteRange")
_RANGE = re.compile(
    rb"/ByteRange\s{0,8}\[\s{0,8}(\d{1,12})\s{1,8}(\d{1,12})\s{1,8}(\d{1,12})\s{1,8}(\d{1,12})\s{0,8}\]"
)
_SIGNED_DATA = re.compile(rb"<\s{0,4}30[0-9A-Fa-f]{2,10}?06092[aA]864886[fF]70[dD]010702")
_HEX_STRING = re.compile(rb"<[0-9A-Fa-f]*>")
_PIECE = 1024 * 1024
_LONGEST_MATCH = 256
"""No expression above matches more bytes, so pieces that overlap by this much hide nothing."""
_LARGEST_GAP = 8 * 1024 * 1024
_MOST_TRACES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One sign that a signature is, or was, in the file."""

    position: int
    """Offset of the word or of the CMS value."""
    byte_range: ByteRange | None
    """The covered range, if it can be read and its gap holds exactly one hexadecimal string."""


def find_traces(file: BinaryIO) -> Iterator[Trace]:
    """All traces, at most 1000 of either kind: words with a usable range, words without, CMS values in no such gap."""
    gaps = set()
    for position in _positions(file, _WORD):
        byte_range = _usable(file, position)
        if byte_range:
            gaps.add(byte_range[1])
        yield Trace(position=position, byte_range=byte_range)
    for position in _positions(file, _SIGNED_DATA):
        if position not in gaps:
            yield Trace(position=position, byte_range=None)


def matches_digest(file: BinaryIO, byte_range: ByteRange) -> bool | None:
    """Whether the covered bytes have the digest that the CMS value in the gap states; None if it states none."""
    content_info: Any = cms.ContentInfo  # asn1crypto is untyped
    try:
        signed = content_info.load(bytes.fromhex(_gap(file, byte_range)[1:-1].decode("ascii")))["content"]
        return states_digest(signed, lambda algorithm: digest_of(file, byte_range, algorithm))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None


def states_digest(signed: Any, compute: Callable[[str], bytes]) -> bool | None:
    """Whether a CMS SignedData states the digest that `compute` gives for an algorithm; None if it states none.

    Three forms: a timestamp token states it as its imprint, the legacy adbe.pkcs7.sha1 as its content, every other
    signature as the attribute message-digest.
    """
    encapsulated = signed["encap_content_info"]
    kind = encapsulated["content_type"].native
    if kind == "tst_info":
        imprint = encapsulated["content"].parsed["message_imprint"]
        return bool(imprint["hashed_message"].native == compute(imprint["hash_algorithm"]["algorithm"].native))
    content = encapsulated["content"].native
    if kind == "data" and isinstance(content, bytes):
        return compute("sha1") == content
    info = signed["signer_infos"][0]
    stated = [
        value
        for attribute in info["signed_attrs"]
        if attribute["type"].native == "message_digest"
        for value in attribute["values"].native
    ]
    return compute(info["digest_algorithm"]["algorithm"].native) in stated if stated else None


def digest_of(file: BinaryIO, byte_range: ByteRange, algorithm: str) -> bytes:
    """Digest of the two pieces of a range; bytes past the end of the file are missing from it."""
    digest = hashlib.new(algorithm)
    for offset, length in ((byte_range[0], byte_range[1]), (byte_range[2], byte_range[3])):
        file.seek(offset)
        left = length
        while piece := file.read(min(left, _PIECE)):
            digest.update(piece)
            left -= len(piece)
    return digest.digest()


def gap_holds_value(file: BinaryIO, byte_range: ByteRange) -> bool:
    """Whether the range leaves out exactly one hexadecimal string, with nothing but digits in it."""
    return byte_range[0] == 0 and _HEX_STRING.fullmatch(_gap(file, byte_range)) is not None


def _gap(file: BinaryIO, byte_range: ByteRange) -> bytes:
    _, end, start, _ = byte_range
    if not end < start <= end + _LARGEST_GAP:
        return b""
    file.seek(end)
    return file.read(start - end)


def _usable(file: BinaryIO, position: int) -> ByteRange | None:
    file.seek(position)
    found = _RANGE.match(file.read(_LONGEST_MATCH))
    if not found:
        return None
    first, end, start, length = (int(number) for number in found.groups())
    byte_range = first, end, start, length
    return byte_range if gap_holds_value(file, byte_range) else None


def _positions(file: BinaryIO, expression: re.Pattern[bytes]) -> list[int]:
    """Where an expression matches in a file of any size, at most 1000 times."""
    positions: list[int] = []
    offset = 0
    kept = b""
    file.seek(0)
    while len(positions) < _MOST_TRACES and (piece := file.read(_PIECE)):
        window = kept + piece
        start = offset - len(kept)
        found = (start + match.start() for match in expression.finditer(window))
        # The overlap is searched twice.
        positions += [position for position in found if not positions or position > positions[-1]]
        offset += len(piece)
        kept = window[-_LONGEST_MATCH:]
    return positions[:_MOST_TRACES]
