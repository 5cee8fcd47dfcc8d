"""Is a ZIP a wrapper: its directory and the rule of edxml.md 4."""

import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.translate.edxml.contents.unwrap import TAIL, Entry, Tail, inflates, is_wrapper
from gateway.xmlsafe import MIB, Limits
from tests.unit.translate.edxml.delivery import UUID, archive

CONTENT = b"content" * 100


def tail_of(data: bytes, cut: int = 1 << 16) -> Tail:
    tail = Tail()
    for start in range(0, len(data), cut):
        tail.feed(data[start : start + cut])
    return tail


def entry_of(data: bytes) -> Entry | None:
    return tail_of(data).single_entry()


@pytest.mark.parametrize(
    ("entries", "name", "unwrap", "by_uuid"),
    [
        ((f"{UUID}.xlsx",), "a.xlsx", True, True),
        ((UUID.replace("-", ""),), "a.docx", True, True),
        ((f"folder/{UUID}.pdf",), "a.pdf", True, True),
        ((f"{'long' * 100}/{UUID}.pdf",), "a.docx", True, True),
        ((f"{UUID}.pdf",), "a.ZIP", False, True),
        (("a.txt",), "a.txt", True, False),
        (("a.txt",), "", True, False),
        (("mimetype",), "a.odt", False, False),
        (("a.txt", "b.txt"), "a.txt", False, None),
        (("folder/",), "a.txt", False, None),
        ((), "a.txt", False, None),
    ],
)
def test_wrappers(entries, name, unwrap, by_uuid):
    """The rule of edxml.md 4, in its order."""
    entry = entry_of(archive(*((entry, CONTENT) for entry in entries)))
    assert is_wrapper(name, entry) is unwrap
    assert (entry.by_uuid if entry else None) is by_uuid


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("comment", [b"", b"c" * 65535])
@pytest.mark.parametrize("size", [0, 700, 5 * TAIL])
def test_the_directory_is_found_at_the_end(behind, method, comment, size):
    """Whatever stands before it, and with the longest comment behind it, the directory says what zipfile reads."""
    data = archive(("a.txt", bytes(size)), method=method, behind=behind, comment=comment)
    entry = entry_of(data)
    with zipfile.ZipFile(io.BytesIO(data)) as read:
        info = read.infolist()[0]
    assert entry == Entry(
        name="a.txt", by_uuid=False, packed=info.compress_size, size=size, crc=info.CRC, offset=info.header_offset
    )


def test_the_longest_directory_fits():
    """Name, extra field, comment and the archive's comment at their longest: still read, the name dropped."""
    info = zipfile.ZipInfo("n" * 65535)
    info.extra = struct.pack("<HH", 0x9999, 65531) + bytes(65531)
    info.comment = b"c" * 65535
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as one:
        one.comment = b"c" * 65535
        one.writestr(info, bytes(3 * TAIL))
    tail = tail_of(made.getvalue(), cut=1000)
    entry = tail.single_entry()
    assert entry is not None
    assert (entry.name, entry.size) == ("", 3 * TAIL)
    assert tail.size == len(made.getvalue())


@given(st.binary(max_size=100))
def test_junk_behind_an_archive(junk):
    """Bytes behind the end record hide nothing."""
    data = archive(("a.txt", CONTENT))
    if b"PK\x05\x06" not in junk:
        assert entry_of(data + junk) == entry_of(data)


def test_an_end_without_directory():
    """An end record that points before, behind or beyond the archive is none of ours."""
    data = bytearray(archive(("a.txt", CONTENT)))
    at = data.rindex(b"PK\x05\x06")
    for offset in (0, at, 0xFFFFFFFF, at - 1):
        struct.pack_into("<I", data, at + 16, offset)
        assert entry_of(bytes(data)) is None
    assert entry_of(bytes(data[at:])) is None


@given(st.binary(max_size=200), st.integers(0, 300), st.booleans())
def test_any_bytes_have_a_verdict(noise, place, inside):
    """Noise, alone or written over an archive, gives an entry or none, never an exception."""
    data = bytearray(archive((f"{UUID}.txt", CONTENT)) if inside else b"")
    data[place : place + len(noise)] = noise
    is_wrapper("a.txt", entry_of(bytes(data)))


@pytest.mark.parametrize(
    ("size", "packed", "too_much"),
    [(MIB, 1, False), (MIB + 1, 1, True), (100 * MIB, MIB, False), (100 * MIB + 1, MIB, True)],
)
def test_the_ratio(size, packed, too_much):
    """100 to 1, above 1 MiB."""
    assert inflates(size, packed, Limits()) is too_much
