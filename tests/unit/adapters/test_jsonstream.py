import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.jsonstream import MEMBER_LIMIT, Base64Decoder, EnvelopeReader, Malformed

SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | st.text()
ROWS = st.lists(st.dictionaries(st.text(), SCALARS, max_size=4) | SCALARS, max_size=8)
MEMBERS = st.dictionaries(st.text().filter(lambda name: name != "data"), SCALARS, max_size=6)


def pieces(body, size):
    return [body[start : start + size] for start in range(0, len(body), size)]


def read_rows(body, size, *, limit=1 << 20):
    rows = []
    reader = EnvelopeReader(limit=limit, on_row=rows.append)
    for piece in pieces(body, size):
        reader.feed(piece)
    reader.finish()
    return rows, reader


def read_text(body, size):
    decoder = Base64Decoder()
    reader = EnvelopeReader(limit=1 << 40, on_text=decoder.feed)
    taken = bytearray()
    for piece in pieces(body, size):
        reader.feed(piece)
        taken += decoder.take()
    reader.finish()
    decoder.finish()
    return bytes(taken), reader


@given(MEMBERS, ROWS, MEMBERS, st.integers(1, 40), st.booleans())
def test_rows_whatever_the_chunking(before, rows, after, size, compact):
    """Rows and members come out as json.loads would give them, however the bytes are cut."""
    whole = {**before, "data": rows, **after}
    body = json.dumps(whole, ensure_ascii=compact, indent=None if compact else 1).encode()
    found, reader = read_rows(body, size)
    assert found == rows
    assert reader.members == {name: value for name, value in whole.items() if name != "data"}
    assert reader.handed_on


@given(st.binary(max_size=300), st.integers(1, 40), st.sampled_from(["plain", "slash", "gson", "mime"]))
def test_base64_whatever_the_chunking(packet, size, style):
    """A packet survives base64 as plain text and as the common JSON writers escape it, however the bytes are cut."""
    encoded = base64.b64encode(packet).decode()
    text = {
        "plain": encoded,
        "slash": encoded.replace("/", "\\/"),
        "gson": encoded.replace("=", "\\u003d"),
        "mime": "\\r\\n".join(pieces(encoded, 7)),
    }[style]
    found, reader = read_text(f'{{"status":"OK","data":"{text}","ErrorCode":"0"}}'.encode(), size)
    assert found == packet
    assert reader.members == {"status": "OK", "ErrorCode": "0"}


@pytest.mark.parametrize(
    "text", ["a", "ab!=", "QUJD=", "QQ==QQ==", 'QUJD\\"', "QUJ\\u00ff", "QUJD\\\\", "\\x41\\x42", "QUI"]
)
@pytest.mark.parametrize("size", [1, 100])
def test_what_is_no_base64(text, size):
    """Text that is not base64 is refused, not guessed at."""
    with pytest.raises(Malformed):
        read_text(f'{{"data":"{text}"}}'.encode(), size)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"<!DOCTYPE html><html></html>",
        b"[]",
        b"null",
        b'"text"',
        b"{",
        b'{"a":1',
        b'{"a":1,}',
        b'{"a" 1}',
        b"{a:1}",
        b'{"data":[1,2}',
        b'{"data":[1,]}',
        b'{"data":[]',
        b'{"data":[],"data":[]}',
        b'{"a":1}{',
        b'{"a":1} x',
        b'{"a":1.}',
        b'{"a":\xff}',
        b'{"a":' + b"[" * 60000 + b"]" * 60000 + b"}",
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"' + b"x" * (2 * MEMBER_LIMIT) + b'"}',
        b'{"data":[{"a":"' + b"x" * (2 * MEMBER_LIMIT),
        b"{" + b",".join(b'"%d":1' % number for number in range(65)) + b"}",
    ],
)
@pytest.mark.parametrize("size", [4096, 1 << 20])
def test_malformed(body, size):
    """What is no whole envelope within the limits is refused."""
    with pytest.raises(Malformed):
        read_rows(body, size)


def test_longer_than_allowed():
    """The cap holds for the whole answer."""
    with pytest.raises(Malformed, match="longer than allowed"):
        read_rows(b'{"data":[' + b"1," * 1000 + b"1]}", 64, limit=500)


def test_data_of_another_shape_is_a_member():
    """A refusal with an empty text as data is still read where a list was asked for."""
    rows, reader = read_rows(b'\xef\xbb\xbf{"status":"FAIL","data":""}', 5)
    assert rows == []
    assert reader.members == {"status": "FAIL", "data": ""}
    assert not reader.handed_on


def test_memory_is_bounded():
    """A text of 32 MiB never sits in the reader."""
    decoder = Base64Decoder()
    reader = EnvelopeReader(limit=1 << 40, on_text=decoder.feed)
    reader.feed(b'{"data":"')
    for _ in range(512):
        reader.feed(b"QUJD" * 16384)
        assert decoder.take() == b"ABC" * 16384
        assert len(reader._text) <= 65536
    reader.feed(b'"}')
    reader.finish()
    decoder.finish()


def read_inside(body, size, **how):
    decoder = Base64Decoder()
    reader = EnvelopeReader(limit=1 << 40, on_text=decoder.feed, member="edxml", inside="data", **how)
    taken = bytearray()
    for piece in pieces(body, size):
        reader.feed(piece)
        taken += decoder.take()
    reader.finish()
    decoder.finish()
    return bytes(taken), reader


@given(MEMBERS, st.tuples(ROWS, MEMBERS, st.binary(max_size=60)), st.integers(1, 40), st.booleans(), st.booleans())
def test_a_text_within_an_object(outer, contents, size, first, escaped):
    """A packet in an inner object comes out, what is passed over is not kept, everything else is."""
    heavy, inner, packet = contents
    inner = {name: value for name, value in inner.items() if name not in {"edxml", "attachments"}}
    text = {"edxml": base64.b64encode(packet).decode()}
    passed = {"attachments": heavy}
    data = {**inner, **text, **passed} if first else {**passed, **inner, **text}
    whole = {**outer, "data": data}
    body = json.dumps(whole, ensure_ascii=escaped).encode()
    found, reader = read_inside(body, size, passed_over=frozenset({"attachments"}))
    assert found == packet
    assert reader.members == {**outer, "data": inner}


@pytest.mark.parametrize("data", [None, "text", 7, ["row"], {}, {"errorCode": "18", "attachments": None}])
@pytest.mark.parametrize("size", [1, 100])
def test_an_inner_object_of_another_shape_is_a_member(data, size):
    """A refusal is still read where a packet within an object was asked for."""
    body = json.dumps({"success": False, "data": data, "message": "no"}).encode()
    found, reader = read_inside(body, size, passed_over=frozenset({"attachments"}))
    assert found == b""
    assert reader.members == {"success": False, "data": data, "message": "no"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":{"edxml":"QUJD"}',
        b'{"data":{"edxml":"QUJD"',
        b'{"data":{"edxml":"QUJD","edxml":"QUJD"}}',
        b'{"data":{"edxml":"QUJD"},"data":{"edxml":"QUJD"}}',
        b'{"data":{"attachments":[[}}',
        b'{"data":{"attachments":"\\"}}',
        b'{"data":{"attachments":}}',
        b'{"data":{"edxml":"QUJD"}]',
        b'{"data":{' + b",".join(b'"%d":1' % number for number in range(65)) + b"}}",
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_malformed_within(body, size):
    """An inner object that is cut, doubled or endless is refused."""
    with pytest.raises(Malformed):
        read_inside(body, size, passed_over=frozenset({"attachments"}))


def test_passing_over_in_bounded_memory():
    """Ready-made files of 32 MiB beside the packet never sit in the reader."""
    decoder = Base64Decoder()
    reader = EnvelopeReader(
        limit=1 << 40, on_text=decoder.feed, member="edxml", inside="data", passed_over=frozenset({"attachments"})
    )
    reader.feed(b'{"data":{"attachments":[{"fileContent":"')
    for _ in range(512):
        reader.feed(b"QUJD" * 16384)
        assert len(reader._text) <= 65536
    reader.feed(b'"}],"edxml":"QUJD"}}')
    reader.finish()
    assert decoder.take() == b"ABC"


def read_bare(body, size):
    rows = []
    reader = EnvelopeReader(limit=1 << 20, on_row=rows.append, bare=True)
    for piece in pieces(body, size):
        reader.feed(piece)
    reader.finish()
    return rows, reader


@given(ROWS, st.integers(1, 40))
def test_a_bare_list(rows, size):
    """Where it is asked for, a list without an envelope gives its rows; else it is no answer."""
    found, reader = read_bare(json.dumps(rows).encode(), size)
    assert found == rows
    assert reader.handed_on
    assert reader.members == {}


@pytest.mark.parametrize("body", [b"[1", b"[1]]", b"[1]{}", b"[,]", b'[1],"a":1}'])
def test_a_bare_list_that_is_none(body):
    """What goes on after the list, or stops within it, is refused."""
    with pytest.raises(Malformed):
        read_bare(body, 1 << 20)
