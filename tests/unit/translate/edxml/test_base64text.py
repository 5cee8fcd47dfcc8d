"""Base64 in pieces."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.translate.edxml.contents.base64text import Base64Decoder, Base64Error, encoded_length


@given(st.binary(max_size=300), st.lists(st.integers(1, 50)), st.sampled_from([b"", b"\r\n", b" \t"]))
def test_base64_in_any_pieces(data, cuts, space):
    """Text cut anywhere, with white space anywhere between the pieces, decodes to the same bytes and is noted."""
    text = base64.b64encode(data)
    decoder = Base64Decoder()
    found = b""
    for size in cuts:
        found += decoder.feed(text[:size] + space)
        text = text[size:]
    found += decoder.feed(text)
    decoder.finish()
    assert found == data
    assert decoder.spaced is (bool(cuts) and bool(space))


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    "text", ["QQ", "QQ=", "Q", "QQ==QQ==", "QQ==x", "Q*==", "QQ-_", "QQQé", "====", "=QQQ", "QQ=Q"]
)
def test_what_is_no_base64(text, size):
    """Wrong alphabet, wrong length, padding in the middle: refused, whatever the pieces."""
    decoder = Base64Decoder()
    written = text.encode()

    def run() -> None:
        for at in range(0, len(written), size):
            decoder.feed(written[at : at + size])
        decoder.finish()

    with pytest.raises(Base64Error):
        run()


@given(st.binary(max_size=100))
def test_the_length_is_known_beforehand(data):
    """Base64 has as many characters as foretold."""
    assert encoded_length(len(data)) == len(base64.b64encode(data))
