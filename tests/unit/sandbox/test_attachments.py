"""Files of a packet as members of an answer."""

import base64
import json
from pathlib import Path

import pytest

from gateway.sandbox import attachments as module
from gateway.sandbox.attachments import render_attachments
from tests.unit.sandbox.calls import make_document, make_status


@pytest.mark.parametrize("chunk", [1, 13, 10_000])
def test_files_come_out_with_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """Each attachment is one element with its base64 in one line and its name, wherever the packet is cut."""
    monkeypatch.setattr(module, "CHUNK", chunk)
    contents = [bytes(range(200)), b"two"]
    files = "".join(
        f"<Attachment><AttachmentName>&quot;{number}&quot; văn.pdf</AttachmentName><ContentTransferEncoded>\n"
        f"{base64.encodebytes(content).decode()}</ContentTransferEncoded></Attachment>"
        for number, content in enumerate(contents)
    )
    packet = make_document().decode()
    start, end = packet.index("<Attachment>"), packet.index("</AttachmentEncoded>")
    path = tmp_path / "packet.edxml"
    path.write_text(packet[:start] + files + packet[end:])
    read = json.loads(b"[" + b"".join(render_attachments(path)) + b"]")
    assert [base64.b64decode(each["fileContent"]) for each in read] == contents
    assert [each["fileName"] for each in read] == ['"0" văn.pdf', '"1" văn.pdf']


def test_a_status_has_none(tmp_path: Path) -> None:
    """A packet without attachments gives an empty list."""
    path = tmp_path / "packet.edxml"
    path.write_bytes(make_status())
    assert b"".join(render_attachments(path)) == b""
