"""The SOAP face's reader of multipart bodies, and base64 text on disk."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.soap.mime import BadMimeError, MimeReader, PartStart, read_parameters, strip_id
from gateway.sandbox.soap.scratch import BadBase64Error, Content


def read(body: bytes, boundary: str = "B", *, size: int = 1 << 20) -> list[tuple[str, bytes]]:
    """The parts as (content id, data), the body fed in chunks of `size`."""
    reader = MimeReader(boundary)
    parts: list[tuple[str, bytearray]] = []
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    for events in (*map(reader.feed, chunks), reader.finish()):
        for event in events:
            if isinstance(event, PartStart):
                parts.append((str(event.headers.get("Content-ID", "")), bytearray()))
            else:
                parts[-1][1].extend(event.data)
    return [(name, bytes(data)) for name, data in parts]


def write(parts: list[bytes], end: bytes, boundary: bytes = b"B") -> bytes:
    pieces = [b"--" + boundary + end + b"Content-ID: <%d>" % at + end * 2 + part + end for at, part in enumerate(parts)]
    return b"".join(pieces) + b"--" + boundary + b"--" + end


_DATA = st.binary(max_size=40) | st.lists(
    st.sampled_from([b"\n", b"\r", b"\r\n", b"--", b"--B", b"\n--B", b"\r\n--BB", b"\n--B-", b"x"]), max_size=8
).map(b"".join)


def is_harmless(data: bytes) -> bool:
    """Whether no delimiter stands in the data, nor at its beginning or end."""
    lines = data.replace(b"\r\n", b"\n").split(b"\n")
    return not any(line.startswith(b"--B") and line[3:].strip(b" \t-\r") == b"" for line in lines)


@given(
    st.lists(_DATA.filter(is_harmless), min_size=1, max_size=4),
    st.sampled_from([b"\r\n", b"\n"]),
    st.integers(min_value=1, max_value=50),
)
def test_parts_survive_any_chunking(parts: list[bytes], end: bytes, size: int) -> None:
    """However the body is cut, each part comes out as written; with LF alone a last CR is taken for the line end's."""
    if end == b"\n":
        parts = [part.rstrip(b"\r") for part in parts]
    assert read(write(parts, end), size=size) == [(f"<{at}>", part) for at, part in enumerate(parts)]


@given(st.binary(max_size=200), st.integers(min_value=1, max_value=50))
def test_any_bytes_are_read_or_refused(body: bytes, size: int) -> None:
    """Hostile bodies end in parts or in BadMimeError, nothing else."""
    for tried in (body, b"--B\n" + body, b"--B\r\n\r\n" + body + b"\n--B--"):
        try:
            read(tried, size=size)
        except BadMimeError:
            continue


def test_preamble_padding_and_missing_ends_are_tolerated() -> None:
    """Text before the first delimiter is dropped; white space after one, and no line end after the last, are fine."""
    body = b"hello\r\n--B \t\r\nContent-ID: <a>\r\n\r\nx\r\n--BB\r\ny\r\n--B--"
    assert read(body) == [("<a>", b"x\r\n--BB\r\ny")]
    assert read(b"--B\n\n\n--B--") == [("", b"")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--B--",
        b"--B",
        b"--B\r\nX: y",
        b"--B\r\n\r\nx",
        b"--B\r\n" + b"X: yyyy\r\n" * 3000 + b"\r\nx\r\n--B--",
        b"--B\r\n\r\n\r\n" * 301 + b"--B--",
    ],
)
def test_cut_and_endless_bodies_are_refused(body: bytes) -> None:
    """No part, no last delimiter, endless headers, endless parts."""
    with pytest.raises(BadMimeError):
        read(body)


@pytest.mark.parametrize("boundary", ["", "é", "B" * 201])
def test_boundaries_must_be_usable(boundary: str) -> None:
    """An absent, non-ASCII or endless boundary is refused."""
    with pytest.raises(BadMimeError):
        MimeReader(boundary)


def test_parameters_and_ids() -> None:
    """Quoted and bare parameters are read alike; ids lose brackets and any number of `cid:`."""
    assert read_parameters('Multipart/Related; type="text/xml"; START="<root>"; boundary=B') == (
        "multipart/related",
        {"type": "text/xml", "start": "root", "boundary": "B"},
    )
    assert read_parameters("")[1] == {}
    assert [strip_id(text) for text in ("<a@b>", "cid:a", " CID:cid:a ", "")] == ["a@b", "a", "a", ""]


@given(st.binary(max_size=500), st.integers(min_value=1, max_value=80))
def test_base64_text_is_cleaned_and_decoded(tmp_path_factory: pytest.TempPathFactory, data: bytes, width: int) -> None:
    """Text with line breaks gives the same bytes and the same clean text as the bytes themselves."""
    folder = tmp_path_factory.mktemp("content")
    text = base64.b64encode(data)
    (folder / "text").write_bytes(b"\r\n".join(text[at : at + width] for at in range(0, len(text), width)))
    (folder / "data").write_bytes(data)
    for content in (Content(path=folder / "text", is_text=True), Content(path=folder / "data", is_text=False)):
        content.write_text(folder / "clean")
        content.write_bytes(folder / "bytes")
        assert (folder / "clean").read_bytes() == text
        assert (folder / "bytes").read_bytes() == data


@pytest.mark.parametrize("text", [b"e", b"eA", b"eA==eA==", b"eA=", b"====", b"eA-_", b"\xff\xff\xff\xff"])
def test_other_text_is_no_base64(tmp_path: Path, text: bytes) -> None:
    """Cut, continued after its padding, or of another alphabet: refused."""
    (tmp_path / "text").write_bytes(text)
    with pytest.raises(BadBase64Error):
        Content(path=tmp_path / "text", is_text=True).write_bytes(tmp_path / "out")
