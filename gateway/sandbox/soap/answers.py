"""Writes the answers of the SOAP face: envelopes, Reports, and GetDocument's attachments in three forms."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from gateway.sandbox.soap.checks import Problem
from gateway.sandbox.soap.packing import Attached, Packet
from gateway.sandbox.soap.receiving import SOAP_11
from gateway.sandbox.soap.scratch import Scratch
from gateway.sandbox.soap.tree import MESSAGES, Node, branch, leaf, render

FORM_HEADER = "X-Sandbox-Attachments"
"""HTTP header by which a test asks GetDocument for another form of attachments than the deployed one (own)."""

_XLINK = "http://www.w3.org/1999/xlink"
_XOP = "http://www.w3.org/2004/08/xop/include"
_SAFE_ID = re.compile(r"[A-Za-z0-9._@-]{1,200}", re.ASCII)
_SAFE_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}", re.ASCII)
_ANY_TYPE = "application/octet-stream"


class Form(StrEnum):
    """How GetDocument gives attachments."""

    SWA = "swa"
    # MIME parts of base64 text, as deployed
    MTOM = "mtom"
    INLINE = "inline"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole answer: bytes and files, to be sent one after the other."""

    content_type: str
    pieces: tuple[bytes | Path, ...]

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return sum(piece.stat().st_size if isinstance(piece, Path) else len(piece) for piece in self.pieces)


def report(*problems: Problem) -> Node:
    """The Report: success without problems."""
    errors = (branch("Error", leaf("Code", each.code), leaf("Description", each.sentence)) for each in problems)
    return branch("Report", leaf("IsSuccess", "false" if problems else "true"), branch("ErrorList", *errors))


def envelope(action: str, namespace: str, *children: Node) -> Answer:
    """An answer without attachments; an empty action gives the empty body of an axis in trouble."""
    body = render(branch(f"{action}Response", *children)) if action else ""
    return Answer(content_type=_type_of(namespace), pieces=(_wrap(namespace, "", body).encode(),))


def document(namespace: str, packet: Packet, form: Form, scratch: Scratch, *, boundary: str) -> Answer:
    """GetDocument's answer; the boundary is one no attachment can know. Raises BadBase64Error."""
    attached = tuple(_name_safely(packet.attached))
    files = {each.content_id: _write(each, form, scratch) for each in attached if each.content is not None}
    pieces = tuple(_envelope_pieces(namespace, packet, attached, form, files))
    if form is Form.INLINE or not files:
        return Answer(content_type=_type_of(namespace), pieces=pieces)
    inner = _type_of(namespace)
    media_type = inner.partition(";")[0]
    root = f'application/xop+xml; charset=UTF-8; type="{media_type}"' if form is Form.MTOM else inner
    outer = f'type="application/xop+xml"; start-info="{media_type}"' if form is Form.MTOM else f'type="{media_type}"'
    parts: list[bytes | Path] = [_part(root, "root", form, boundary), *pieces]
    for each in attached:
        if each.content_id in files:
            parts += [b"\r\n", _part(each.media_type, each.content_id, form, boundary), files[each.content_id]]
    parts.append(f"\r\n--{boundary}--\r\n".encode())
    return Answer(
        content_type=f'multipart/related; {outer}; start="<root>"; boundary="{boundary}"', pieces=tuple(parts)
    )


def _write(attached: Attached, form: Form, scratch: Scratch) -> Path:
    path, content = scratch.new_path(), attached.content
    assert content is not None
    if form is Form.MTOM:
        content.write_bytes(path)
    else:
        content.write_text(path)
    return path


def _part(media_type: str, content_id: str, form: Form, boundary: str) -> bytes:
    encoding = "Content-Transfer-Encoding: binary\r\n" if form is Form.MTOM else ""
    return (f"--{boundary}\r\nContent-Type: {media_type}\r\n{encoding}Content-ID: <{content_id}>\r\n\r\n").encode()


def _envelope_pieces(
    namespace: str, packet: Packet, attached: Sequence[Attached], form: Form, files: dict[str, Path]
) -> Iterator[bytes | Path]:
    """The envelope, cut where inline content goes."""
    names = ("MessageHeader", "TraceHeaderList", "Signature")
    header = "".join(render(node) for node in packet.header if node.name in names)
    head, tail = _wrap(namespace, header, "\0").split("\0")
    yield f"{head}<edXML:GetDocumentResponse>{render(report())}<edXML:Manifest>".encode()
    for each in attached:
        file = files.get(each.content_id)
        yield _open_reference(each).encode()
        if file is not None and form is Form.INLINE:
            yield from (b"<edXML:AttachmentContent>", file, b"</edXML:AttachmentContent>")
        elif file is not None and form is Form.MTOM:
            include = f'<xop:Include xmlns:xop="{_XOP}" href="cid:{each.content_id}"/>'
            yield f"<edXML:AttachmentContent>{include}</edXML:AttachmentContent>".encode()
        yield b"</edXML:Reference>"
    yield f"</edXML:Manifest></edXML:GetDocumentResponse>{tail}".encode()


def _open_reference(attached: Attached) -> str:
    """The Reference but for its end; `xlink:type` is misused for the media type, as deployed."""
    children = (
        leaf("ContentType", attached.media_type),
        leaf("Description", attached.description),
        leaf("AttachmentName", attached.name),
        *attached.others,
    )
    link = f'xlink:href="cid:{attached.content_id}" xlink:type="{attached.media_type}"'
    return f"<edXML:Reference {link}>{''.join(map(render, children))}"


def _name_safely(attached: Sequence[Attached]) -> Iterator[Attached]:
    """Content ids and media types that can stand in a MIME header; ids distinct."""
    used = {"root"}
    for number, each in enumerate(attached, start=1):
        known = _SAFE_ID.fullmatch(each.content_id) is not None and each.content_id not in used
        content_id = each.content_id if known else f"{number}.part@axis.example"
        used.add(content_id)
        media_type = each.media_type if _SAFE_TYPE.fullmatch(each.media_type) else _ANY_TYPE
        yield replace(each, content_id=content_id, media_type=media_type)


def _wrap(namespace: str, header: str, body: str) -> str:
    head = f"<soapenv:Header>{header}</soapenv:Header>" if header else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{namespace}" '
        f'xmlns:edXML="{MESSAGES}" xmlns:xlink="{_XLINK}">{head}<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>'
    )


def _type_of(namespace: str) -> str:
    return "text/xml; charset=UTF-8" if namespace == SOAP_11 else "application/soap+xml; charset=UTF-8"
