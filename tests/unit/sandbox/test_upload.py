"""A JSON body that carries a packet, read in pieces."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.upload import MEMBER_LIMIT, MEMBERS_LIMIT, BadUploadError, UploadReader


def read(body: bytes, size: int) -> tuple[bytes, dict[str, str]]:
    reader = UploadReader("edxml")
    packet = b"".join(reader.feed(body[start : start + size]) for start in range(0, len(body), size))
    reader.finish()
    return packet, reader.texts


_NAMES = st.text(max_size=20).filter(lambda name: name != "edxml")


@given(
    packet=st.binary(max_size=300),
    texts=st.dictionaries(_NAMES, st.text(max_size=50), max_size=4),
    size=st.integers(1, 64),
    first=st.booleans(),
    indent=st.sampled_from([None, 2]),
    escape=st.booleans(),
)
def test_any_cut_gives_the_same(
    packet: bytes, texts: dict[str, str], size: int, *, first: bool, indent: int | None, escape: bool
) -> None:
    """Wherever the pieces are cut and the member stands, the packet and the other texts come out as they went in."""
    big = {"edxml": base64.b64encode(packet).decode()}
    body = json.dumps({**big, **texts} if first else {**texts, **big}, indent=indent, ensure_ascii=escape)
    if escape:
        body = body.replace("=", "\\u003d").replace("/", "\\/")
    assert read(body.encode(), size) == (packet, texts)


@given(st.binary(max_size=200), st.integers(1, 64))
def test_any_bytes_are_read_or_refused(body: bytes, size: int) -> None:
    """Nothing but BadUploadError comes of any input."""
    try:
        read(body, size)
    except BadUploadError:
        return
    assert isinstance(json.loads(body), dict)


@pytest.mark.parametrize(
    "body",
    [
        b'{"edxml": "QUJD", "edxml": "QUJD"}',
        b'{"edxml": "QQ==QUJD"}',
        b'{"edxml": "QUJ"}',
        b'{"edxml": "Q\\u0100JD"}',
        b'{"edxml": "QUJD\\"}',
        b'{"edxml": "QUJD"} x',
        b'{"edxml": "QUJD",}',
        b'{"edxml" "QUJD"}',
        b'{"a": "' + b"y" * MEMBER_LIMIT + b'"}',
        b"{" + b", ".join(b'"a": "b"' for _ in range(MEMBERS_LIMIT + 1)) + b"}",
        b" " * 10,
    ],
)
def test_other_bodies_are_refused(body: bytes) -> None:
    """What is no flat object of texts with one whole base64 is refused, in one piece and in many."""
    for size in (1, 7, len(body)):
        with pytest.raises(BadUploadError, match=r"\w"):
            read(body, size)
