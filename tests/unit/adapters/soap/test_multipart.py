"""Multipart bodies of any making, in any pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.soap.multipart import (
    MAX_PARTS,
    MalformedMultipartError,
    MultipartReader,
    PartData,
    PartEnd,
    PartStart,
    read_media_type,
)

LINE_ENDS = st.sampled_from([b"\r\n", b"\n"])
CONTENTS = st.one_of(st.binary(max_size=40), st.text("\r\n-Bx ", max_size=40).map(str.encode))


def read(body, *, boundary="B", cuts=()):
    """Headers and content of every part; fails the test where a part does not end."""
    reader, parts, at = MultipartReader(boundary), [], 0
    for end in [*sorted(cuts), len(body)]:
        for event in reader.feed(body[at:end]):
            match event:
                case PartStart(headers):
                    parts.append([dict(headers), b"", False])
                case PartData(data):
                    assert data
                    parts[-1][1] += data
                case PartEnd():
                    parts[-1][2] = True
        at = max(at, end)
    reader.finish()
    assert all(ended for _, _, ended in parts)
    return [(headers, data) for headers, data, _ in parts]


def is_content(data, line_end):
    """False for what a sender could not write with this boundary."""
    return b"\n--B" not in b"\n" + data and not (line_end == b"\n" and data.endswith(b"\r"))


@given(
    contents=st.lists(CONTENTS, max_size=4),
    line_end=LINE_ENDS,
    padding=st.sampled_from([b"", b" ", b" \t"]),
    before=st.sampled_from([b"", b"preamble"]),
    behind=st.sampled_from([b"", b"\r\n", b"\nepilogue\r\n--B\r\n"]),
    cuts=st.lists(st.integers(0, 300), max_size=30),
)
def test_parts_in_any_pieces(*, contents, line_end, padding, before, behind, cuts):
    """However the body is cut and its lines end, the parts are those that were written, byte for byte."""
    contents = [each for each in contents if is_content(each, line_end)]
    lead = before + line_end if before else b""
    body = lead + b"".join(
        b"--B" + padding + line_end + b"Content-ID: <a%d>" % place + line_end + line_end + each + line_end
        for place, each in enumerate(contents)
    )
    body += b"--B--" + behind
    assert read(body, cuts=[each for each in cuts if each <= len(body)]) == [
        ({"content-id": f"<a{place}>"}, each) for place, each in enumerate(contents)
    ]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=10))
def test_any_bytes(body, cuts):
    """Whatever comes is read or refused, and every part that began has ended by then."""
    try:
        read(b"--B\r\n" + body, cuts=cuts)
    except MalformedMultipartError:
        return


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=70))
def test_any_boundary(boundary):
    """The boundary may be any text of printable ASCII."""
    mark = b"--" + boundary.encode()
    body = mark + b"\r\nX: y\r\n\r\ncontent\r\n" + mark + b"--\r\n"
    assert read(body, boundary=boundary) == [({"x": "y"}, b"content")]


@pytest.mark.parametrize(
    "content",
    [b"--B", b"\r\n--Bx\r\nnot yet", b"\r\n-- B\r\n", b"\r\n--B x", b"\n--B" + b" " * 300 + b"\n", b"\r--B\r\n"],
)
def test_what_only_looks_like_a_delimiter(content):
    """A delimiter stands alone on its line; anything more belongs to the content."""
    body = b"--B\r\n\r\n." + content + b"\r\n--B--"
    assert read(body, cuts=range(len(body))) == [({}, b"." + content)]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "cut"),
        (b"no multipart at all", "cut"),
        (b"--B\r\nX: y\r\n\r\ncontent", "cut"),
        (b"--B\r\nX: y\r\n\r\ncontent\r\n--B", "cut"),
        (b"--B\r\nX: y\r\n\r\ncontent\r\n--B\r\n", "cut"),
        (b"--B\r\nX: " + b"y" * 20_000 + b"\r\n\r\n\r\n--B--", "headers of a part are longer"),
        (b"--B\r\n\r\n\r\n" * 10_000 + b"--B--", f"more than {MAX_PARTS} parts"),
    ],
)
def test_hostile_bodies(body, words):
    """A missing end, endless headers and thousands of parts are refused in words."""
    with pytest.raises(MalformedMultipartError, match=words):
        read(body)


@pytest.mark.parametrize("boundary", ["", "\n", "b\x00", "é", "b" * 201])
def test_impossible_boundaries(boundary):
    """An answer without a usable boundary is none."""
    with pytest.raises(MalformedMultipartError, match="boundary"):
        MultipartReader(boundary)


def test_headers_are_unfolded_and_the_first_counts():
    """A header over several lines is one, and a second of the same name changes nothing."""
    body = b"--B\r\nContent-Type: text/plain;\r\n\tname=a.txt\r\nCONTENT-type: other\r\nnonsense\r\n\r\n\r\n--B--"
    ((headers, content),) = read(body)
    assert (headers, content) == ({"content-type": "text/plain; name=a.txt"}, b"")


@pytest.mark.parametrize(
    ("value", "kind", "boundary"),
    [
        ('multipart/related; type="text/xml"; start="<root>"; boundary=B', "multipart/related", "B"),
        ('Multipart/Related;Boundary="a b;c"', "multipart/related", "a b;c"),
        ("multipart/related; boundary*=utf-8''B", "multipart/related", "B"),
        ("text/xml", "text/xml", None),
        ("", "", None),
    ],
)
def test_content_types(value, kind, boundary):
    """Media type and boundary are found whatever their case and quoting."""
    found, parameters = read_media_type(value)
    assert (found, parameters.get("boundary")) == (kind, boundary)


def test_a_long_answer_of_false_delimiters_is_read_in_one_pass():
    """Thousands of lines that begin like a delimiter cost no more than other content."""
    line = b"\n--Bx"
    assert read(b"--B\r\n\r\n" + line * 200_000 + b"\r\n--B--") == [({}, line * 200_000)]
