"""The first entry of an archive in pieces, against zipfile, which reads it whole."""

import io
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.translate.edxml.contents.entrystream import EntryStream
from tests.unit.translate.edxml.delivery import archive

CHUNK = 256 * 1024


def stream(data: bytes, cut: int = 1 << 16) -> tuple[EntryStream, bytes]:
    entry = EntryStream()
    found = []
    for start in range(0, len(data), cut):
        found += entry.feed(data[start : start + cut])
    assert all(0 < len(chunk) <= CHUNK for chunk in found)
    return entry, b"".join(found)


@given(
    noise=st.binary(max_size=2000),
    zeros=st.sampled_from([0, 1, CHUNK - 1, CHUNK, 2 * CHUNK + 1]),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    behind=st.booleans(),
    others=st.integers(0, 2),
    cut=st.integers(1, 3000),
)
def test_an_entry_in_any_pieces(*, noise, zeros, method, behind, others, cut):
    """Stored or deflated, sizes before or behind, more entries or none: zipfile's bytes, size and checksum."""
    data = noise + bytes(zeros)
    whole = archive(("a.txt", data), *((f"{n}.txt", b"other") for n in range(others)), method=method, behind=behind)
    entry, found = stream(whole, max(cut, len(whole) // 100))
    if method == zipfile.ZIP_STORED and behind:
        assert (entry.broken, found) == (True, b"")
        return
    with zipfile.ZipFile(io.BytesIO(whole)) as read:
        info = read.infolist()[0]
    assert found == data
    assert (entry.ended, entry.broken) == (True, False)
    assert (entry.size, entry.packed, entry.crc) == (info.file_size, info.compress_size, info.CRC)


@given(st.binary(min_size=1, max_size=300), st.integers(0, 200), st.integers(1, 50))
def test_any_damage_is_survived(noise, place, cut):
    """Noise over an archive never raises, and what is given is what size and checksum say was given."""
    whole = bytearray(archive(("a.txt", b"content" * 50)))
    whole[place : place + len(noise)] = noise
    entry, found = stream(bytes(whole), cut)
    assert (entry.size, entry.crc) == (len(found), zlib.crc32(found))


@pytest.mark.parametrize(("at", "value"), [(0, 0), (6, 1), (8, 12)])
def test_what_cannot_be_streamed(at, value):
    """No local header, encrypted, another method: broken, and nothing is given."""
    whole = bytearray(archive(("a.txt", b"content")))
    whole[at] = value
    entry, found = stream(bytes(whole))
    assert (entry.broken, found) == (True, b"")


def test_an_entry_cut_short_has_not_ended():
    """At every length before its last byte the entry is neither ended nor, for that, broken."""
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        whole = archive(("a.txt", b"content" * 10), method=method)
        end = whole.index(b"PK\x01\x02")
        for size in range(end):
            entry, _ = stream(whole[:size])
            assert (entry.ended, entry.broken) == (False, False)
        assert stream(whole[:end])[0].ended
