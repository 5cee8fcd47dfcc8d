"""Packets made to hurt, through the real command: refused by name, quickly, in little memory, and nobody is called."""

import base64
import io
import os
import select
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import chain, repeat
from pathlib import Path

import pytest

from gateway.domain.packet import PacketDefect
from gateway.translate.edxml.workbench.inspection import inspect
from gateway.xmlsafe import MIB, Limits
from tests.fakes.terminal import PACKETS, Command, Ended, started

pytestmark = [pytest.mark.e2e]

NS102 = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"
THIN = (CORPUS / "replace.edxml").read_bytes()
CONTENT = b"JVBERi0xLjQKJSBkdW1teQolJUVPRgo="
ROOT = f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML xmlns="{NS102}">'.encode()
ENTRY = "0f8fad5b-d9cb-469f-a165-70867728950e.txt"

SECONDS = 2.0
"""Processor time, imports not included: twenty times what is needed, and little beside what an explosion would take."""
MEMORY = 100 * MIB


def carrying(file: bytes) -> bytes:
    """A packet whose only attachment, a.txt, is this file."""
    assert CONTENT in THIN
    return THIN.replace(CONTENT, base64.b64encode(file)).replace(b"main.pdf", b"a.txt")


def zipped(content: bytes, *, name: str = ENTRY, streamed: bool = False) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(OneWay(made) if streamed else made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return made.getvalue()


class OneWay(io.RawIOBase):
    """A stream without seeking: ZIP then puts sizes behind the content."""

    def __init__(self, into: io.BytesIO) -> None:
        self._into = into

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        return self._into.write(data)


@cache
def bomb() -> bytes:
    """1:1000."""
    return zipped(bytes(200 * MIB))


def nested() -> bytes:
    """A bomb of 2 GiB inside a wrapper: its 2 MiB of compressed zeros compress again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(16 * MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = block * 128 + packer.flush()
    name = ENTRY.encode()
    about = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, 0, len(packed), 2 << 30, len(name), 0)
    inner = b"PK\x03\x04" + about + name + packed
    central = b"PK\x01\x02" + struct.pack("<H", 20) + about + bytes(14 - 4) + struct.pack("<I", 0) + name
    return zipped(inner + central + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(inner), 0))


def laughs() -> Iterator[bytes]:
    yield b'<?xml version="1.0"?><!DOCTYPE edXML [<!ENTITY a0 "ha">'
    for level in range(1, 30):
        yield f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">'.encode()
    yield b"]><edXML>&a29;</edXML>"


REFUSED: dict[str, tuple[Callable[[], Iterable[bytes]], str]] = {
    "billion laughs": (laughs, "XML_DOCTYPE"),
    "entity of quadratic size": (
        lambda: [b'<!DOCTYPE a [<!ENTITY x "', b"x" * 100_000, b'">]><a>', b"&x;" * 100_000, b"</a>"],
        "XML_DOCTYPE",
    ),
    "external entity": (
        lambda: [b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>', ROOT, b"&x;</edXML>"],
        "XML_DOCTYPE",
    ),
    "10,000 levels": (lambda: [ROOT, b"<a>" * 10_000, b"</a>" * 10_000, b"</edXML>"], "XML_TOO_DEEP"),
    "undeclared prefix": (
        lambda: [THIN.replace(b"<edXML:Reference>", b'<edXML:Reference xlink:href="">')],
        "XML_UNDECLARED_PREFIX",
    ),
    "undeclared prefix of an element": (lambda: [ROOT, b"<other:x/></edXML>"], "XML_UNDECLARED_PREFIX"),
    "ZIP 1:1000": (lambda: [carrying(bomb())], "ZIP_RATIO"),
    "ZIP 1:1000 with sizes at its end": (lambda: [carrying(zipped(bytes(200 * MIB), streamed=True))], "ZIP_RATIO"),
    "ZIP in ZIP": (lambda: [carrying(nested())], "ZIP_RATIO"),
    "ZIP in a small ZIP": (lambda: [carrying(zipped(bomb()))], "ZIP_NESTED"),
}  # fmt: skip

GIBIBYTE = 1024
STREAMS: dict[str, tuple[bytes, str]] = {
    "one attribute": (ROOT + b'<a b="', "XML_TOKEN_TOO_LARGE"),
    "many attributes": (ROOT + b"<a", "XML_TOKEN_TOO_LARGE"),
    "elements with attributes": (ROOT, "XML_HEADER_TOO_LARGE"),
    "one comment": (ROOT + b"<!--", "XML_TOKEN_TOO_LARGE"),
    "one name": (ROOT + b"<", "XML_TOKEN_TOO_LARGE"),
    "one text": (ROOT, "XML_HEADER_TOO_LARGE"),
    "one namespace": (ROOT + b'<a xmlns="', "XML_TOKEN_TOO_LARGE"),
}


def endless(name: str) -> Iterator[bytes]:
    """A mebibyte again and again: a gibibyte in all."""
    start, _ = STREAMS[name]
    if name == "many attributes":
        pieces: Iterable[bytes] = (
            b"".join(b' a%06d="v"' % (part * 80_000 + number) for number in range(80_000)) for part in range(GIBIBYTE)
        )
    elif name == "elements with attributes":
        pieces = repeat(b'<a b="' + b"x" * 900_000 + b'"/>', GIBIBYTE)
    else:
        pieces = repeat(b"x" * MIB, GIBIBYTE)
    return chain([start], pieces)


def run(folder: Path, verb: str, packet: Path, *, meanwhile: Callable[[Command], None] = lambda _: None) -> Ended:
    """`packet inspect` or `check` in a process of its own, which leaves nothing in TMPDIR."""
    temporary = folder / "tmp"
    temporary.mkdir()
    environment = os.environ | {"TMPDIR": str(temporary)}
    with started("packet", verb, "--json", packet, environment=environment, having=PACKETS) as command:
        meanwhile(command)
        done = command.wait()
    assert list(temporary.iterdir()) == [], "the command left files behind"
    return done


def assert_refused(done: Ended, code: str) -> None:
    """Refused with this code, on standard output, and cheaply."""
    assert done.returncode == 2, done.stderr
    assert done.answer["error"]["code"] == code, done.answer
    assert done.answer["error"]["message"]
    assert done.stderr == ""
    assert done.processor < SECONDS
    assert done.memory < MEMORY


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_packet_is_refused(name: str, tmp_path: Path) -> None:
    """The expected code, in under 2 seconds and 100 MiB."""
    make, code = REFUSED[name]
    path = tmp_path / "packet.edxml"
    with path.open("wb") as file:
        file.writelines(make())
    assert_refused(run(tmp_path, "inspect", path), code)


@pytest.mark.parametrize("name", STREAMS)
def test_a_gibibyte_outside_attachments_is_refused_at_its_beginning(name: str, tmp_path: Path) -> None:
    """A gibibyte in one attribute, in a million, in a tag or a text: refused before 8 MiB of it have been read."""
    path = tmp_path / "packet.edxml"
    os.mkfifo(path)
    taken = 0

    def feed(command: Command) -> None:
        nonlocal taken
        pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        try:
            for piece in endless(name):
                waiting = memoryview(piece)
                while waiting and command.running():
                    if select.select([], [pipe], [], 0.02)[1]:
                        sent = os.write(pipe, waiting[:65536])
                        taken += sent
                        waiting = waiting[sent:]
                if not command.running():
                    return
        finally:
            os.close(pipe)

    done = run(tmp_path, "inspect", path, meanwhile=feed)
    assert_refused(done, STREAMS[name][1])
    assert taken < 8 * MIB


CUT = {"XML_MALFORMED", "NOT_XML", "ATTACHMENT_BASE64"}


def two_attachments() -> bytes:
    """A packet of about 70 KB, two attachments, one of them in a wrapper."""
    raw = (CORPUS / "three-attachments.edxml").read_bytes()
    assert CONTENT in raw
    pdf = base64.b64encode(b"%PDF-1.4\n" + bytes(range(256)) * 180)
    start = raw.index(b"<Attachment><ContentId>cid:att-3<")
    return (raw[:start] + raw[raw.index(b"</AttachmentEncoded>") :]).replace(CONTENT, pdf)


async def test_a_packet_cut_at_every_thousandth_byte_is_refused(tmp_path: Path) -> None:
    """Wherever a packet ends too early, in its header or in base64, there is a code, and never a document."""
    raw = two_attachments()
    path = tmp_path / "packet.edxml"
    found = {}
    for end in range(0, len(raw) - 10, 1000):
        path.write_bytes(raw[:end])
        answer = await inspect(path, Limits())
        assert isinstance(answer, PacketDefect), end
        found[end] = answer.code
    assert len(found) > 60
    assert set(found.values()) <= CUT
    path.write_bytes(raw)
    assert not isinstance(await inspect(path, Limits()), PacketDefect), "whole, it is a good packet"


@pytest.mark.parametrize("end", [0, 1000, 4000, 30_000, 60_000])
def test_the_command_refuses_a_packet_cut_short(end: int, tmp_path: Path) -> None:
    """The command says so too."""
    path = tmp_path / "packet.edxml"
    path.write_bytes(two_attachments()[:end])
    done = run(tmp_path, "inspect", path)
    assert_refused(done, done.answer["error"]["code"])
    assert done.answer["error"]["code"] in CUT


CALLS = {
    "XInclude": (
        b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="%b" parse="text"/>',
        b"<edXML:Subject>",
    ),
    "schemaLocation": (
        b'<edXML:x xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:x %b"/>',
        b"<edXML:Subject>",
    ),
    "stylesheet": (b'<?xml-stylesheet type="text/xsl" href="%b"?>', b"<edXML "),
    "external document type": (b'<!DOCTYPE edXML SYSTEM "%b">', b"<edXML "),
    "external parameter entity": (b'<!DOCTYPE edXML [<!ENTITY %% p SYSTEM "%b"> %%p;]>', b"<edXML "),
}


@pytest.mark.parametrize("verb", ["inspect", "check"])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_packet_makes_nobody_call_and_no_file_read(name: str, scheme: str, verb: str, tmp_path: Path) -> None:
    """What names an address or a file is refused or ignored: nobody is connected to, the file's words show nowhere."""
    secret = tmp_path / "secret.txt"
    secret.write_text("words of a file", encoding="utf-8")
    put, before = CALLS[name]
    path = tmp_path / "packet.edxml"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/x" if scheme == "http" else secret.as_uri()
        at = THIN.index(before) + (len(before) if before.endswith(b">") else 0)
        path.write_bytes(THIN[:at] + put % address.encode() + THIN[at:])
        done = run(tmp_path, verb, path)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert "words of a file" not in done.stdout + done.stderr
    if "external" in name:
        assert_refused(done, "XML_DOCTYPE")
    else:
        assert done.returncode == (0 if verb == "inspect" else 2), done.stderr
        assert "error" not in done.answer
