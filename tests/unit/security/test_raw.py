"""Traces of signatures in bytes, wherever they lie."""

import hashlib
import io

import pytest
from asn1crypto import cms
from hypothesis import given
from hypothesis import strategies as st

from gateway.security.raw import Trace, digest_of, find_traces, gap_holds_value, matches_digest

VALUE = b"<3082123406092a864886f70d010702a0>"


@pytest.mark.parametrize("before", [0, 2**20 - 12, 2**20 - 5, 2**20, 2**20 + 3, 2**21 - 1])
@pytest.mark.parametrize("trace", [b"/ByteRange", VALUE])
def test_traces_across_pieces(before, trace):
    """A trace is found exactly once, also where two pieces of the file meet."""
    found = list(find_traces(io.BytesIO(bytes(before) + trace + bytes(5000))))
    assert found == [Trace(position=before, byte_range=None)]


@given(st.integers(1, 400), st.integers(0, 50))
def test_usable_range(before, after):
    """A range whose gap is one hexadecimal string is usable, and the value in the gap is no trace of its own."""
    head = b"%" * before
    word = b"/ByteRange [0 %d %d %d]" % (before, before + len(VALUE), after)
    found = list(find_traces(io.BytesIO(head + VALUE + word + b"%" * after)))
    byte_range = (0, before, before + len(VALUE), after)
    assert found == [Trace(position=before + len(VALUE), byte_range=byte_range)]


@pytest.mark.parametrize(
    "byte_range", [(1, 4, 12, 2), (0, 3, 12, 2), (0, 4, 11, 2), (0, 12, 4, 2), (0, 99, 120, 2), (0, 4, 10**12, 2)]
)
def test_gap_must_be_one_value(byte_range):
    """A range that starts elsewhere, or whose gap is anything but one hexadecimal string, is refused."""
    file = io.BytesIO(b"head<123456>tail")
    assert gap_holds_value(file, (0, 4, 12, 4))
    assert not gap_holds_value(file, byte_range)


@given(st.binary(max_size=300), *(st.integers(0, 400) for _ in range(4)))
def test_digest_of_pieces(content, first, length, second, rest):
    """The digest is over both pieces; what lies past the end of the file is missing."""
    expected = hashlib.sha256(content[first : first + length] + content[second : second + rest]).digest()
    assert digest_of(io.BytesIO(content), (first, length, second, rest), "sha256") == expected


def make_legacy(covered: bytes) -> tuple[bytes, tuple[int, int, int, int]]:
    """A file in the legacy form adbe.pkcs7.sha1: the CMS value holds the SHA-1 of the bytes as its content."""
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [],
            "encap_content_info": {"content_type": "data", "content": hashlib.sha1(covered).digest()},
            "signer_infos": [],
        }
    )
    value = cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump()
    gap = b"<" + value.hex().encode() + b">"
    half = len(covered) // 2
    content = covered[:half] + gap + covered[half:]
    return content, (0, half, half + len(gap), len(covered) - half)


@given(st.binary(min_size=1, max_size=100), st.integers(0, 99))
def test_legacy_form(covered, place):
    """The legacy form states the SHA-1 of the covered bytes; a changed byte is noticed, not a form unknown."""
    content, byte_range = make_legacy(covered)
    assert matches_digest(io.BytesIO(content), byte_range) is True
    place %= byte_range[1] or 1
    if byte_range[1]:
        altered = bytearray(content)
        altered[place] ^= 1
        assert matches_digest(io.BytesIO(bytes(altered)), byte_range) is False


def test_value_without_digest():
    """A value that is no CMS, or states nothing, gives no answer."""
    for gap in (b"<>", b"<30>", b"<3>", b"<3082123406092a864886f70d010702a0>"):
        assert matches_digest(io.BytesIO(gap + b"rest"), (0, 0, len(gap), 4)) is None
