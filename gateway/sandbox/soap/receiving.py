"""Takes a SOAP request off the wire: parts to disk as they come, then the envelope as a tree."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from gateway.sandbox.soap.mime import BadMimeError, MimeEvent, MimeReader, PartStart, read_parameters, strip_id
from gateway.sandbox.soap.scratch import Content, Scratch
from gateway.sandbox.soap.tree import Node, read_tree
from gateway.sandbox.spool import MAX_PACKET
from gateway.xmlsafe import XmlRefusedError, carries

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"

ACTIONS = (
    *("SendDocument", "GetPendingDocumentIds", "GetDocument", "ConfirmReceived"),
    *("GetTraces", "UpdateTraces", "CheckPermission", "GetOrganizations"),
)
_BY_ELEMENT = {f"{action}{end}": action for action in ACTIONS for end in ("", "Request")} | {"Manifest": "SendDocument"}
_XML_TYPES = frozenset({"text/xml", "application/xml", "application/soap+xml", "application/xop+xml"})


class BadRequestError(Exception):
    """What came is no SOAP request; the deployed axis answers an empty envelope."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One part of the request, on disk."""

    content_id: str
    media_type: str
    is_base64: bool
    # by its Content-Transfer-Encoding
    path: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One understood request."""

    action: str
    # empty for an unknown one
    namespace: str
    # of its SOAP version
    header: Node
    body: Node
    parts: Mapping[str, Part]
    # by content id; the envelope itself is not among them

    @property
    def request(self) -> Node:
        """The body's first element, or an empty one."""
        return self.body.children[0] if self.body.children else Node("")


async def receive(request: web.Request, scratch: Scratch) -> Call:
    """Read a request whole. Raises BadRequestError; of aiohttp what its payload raises."""
    media_type, parameters = read_parameters(request.headers.get("Content-Type", ""))
    taker = _Taker(scratch)
    try:
        reader = MimeReader(parameters.get("boundary", "")) if media_type.startswith("multipart/") else None
        if reader is None:
            taker.begin(Part(content_id="", media_type=media_type, is_base64=False, path=scratch.new_path()))
        async for chunk in request.content.iter_any():
            taker.take(chunk, reader)
        if reader is not None:
            taker.finish(reader)
    except BadMimeError as error:
        raise BadRequestError(str(error)) from error
    finally:
        taker.close()
    root = _choose_root(taker.parts, strip_id(parameters.get("start", "")))
    try:
        envelope = await asyncio.to_thread(read_tree, root.path, scratch)
    except XmlRefusedError as error:
        raise BadRequestError(error.sentence) from error
    if envelope.name != "Envelope" or envelope.namespace not in {SOAP_11, SOAP_12}:
        raise BadRequestError("the document is no SOAP envelope")
    body = envelope.first("Body") or Node("Body")
    return Call(
        action=_choose_action(request, parameters, body),
        namespace=envelope.namespace,
        header=envelope.first("Header") or Node("Header"),
        body=body,
        parts={part.content_id: part for part in taker.parts if part is not root},
    )


class _Taker:
    """Writes parts to disk; refuses more bytes than a packet may have."""

    def __init__(self, scratch: Scratch) -> None:
        self.parts: list[Part] = []
        self._scratch = scratch
        self._size = 0
        self._file = scratch.new_path().open("wb")

    def begin(self, part: Part) -> None:
        self._file.close()
        self._file = part.path.open("wb")
        self.parts.append(part)

    def take(self, chunk: bytes, reader: MimeReader | None) -> None:
        self._size += len(chunk)
        if self._size > MAX_PACKET:
            raise BadRequestError(f"the request has more than {MAX_PACKET} bytes")
        if reader is None:
            self._file.write(chunk)
        else:
            self._sort(reader.feed(chunk))

    def finish(self, reader: MimeReader) -> None:
        self._sort(reader.finish())

    def close(self) -> None:
        self._file.close()

    def _sort(self, events: Iterable[MimeEvent]) -> None:
        for event in events:
            if isinstance(event, PartStart):
                headers = event.headers
                encoding = str(headers.get("Content-Transfer-Encoding", "")).strip().lower()
                self.begin(
                    Part(
                        content_id=strip_id(str(headers.get("Content-ID", ""))),
                        media_type=_media_type(str(headers.get("Content-Type", ""))),
                        is_base64=encoding == "base64",
                        path=self._scratch.new_path(),
                    )
                )
            else:
                self._file.write(event.data)


def _media_type(content_type: str) -> str:
    media_type, _ = read_parameters(content_type)
    return media_type if carries(media_type) else ""


def _choose_root(parts: list[Part], start: str) -> Part:
    """The part `start` names; else the first one that is XML (start parameters met in the field name nothing)."""
    named = (part for part in parts if start and part.content_id == start)
    typed = (part for part in parts if part.media_type in _XML_TYPES)
    return next(named, None) or next(typed, parts[0])


def _choose_action(request: web.Request, parameters: Mapping[str, str], body: Node) -> str:
    """By the bare SOAPAction header, SOAP 1.2's action parameter, or the body's first element."""
    wish = request.headers.get("SOAPAction", "").strip().strip('"') or parameters.get("action", "")
    if wish:
        return wish if wish in ACTIONS else ""
    return _BY_ELEMENT.get(body.children[0].name, "") if body.children else ""


def find_content(call: Call, reference: Node) -> tuple[Content, str] | None:
    """The bytes a Reference stands for, and the media type of their part: in it, by XOP, as a part, or in the body."""
    found, name = _own_content(call, reference), id_of(reference)
    if found is not None or not name:
        return found
    if part := _find_part(call, name):
        return Content(path=part.path, is_text=True), part.media_type
    encoded = call.body.find("AttachmentEncoded")
    attachments = [] if encoded is None else encoded.all("Attachment")
    return next((_own_content(call, each) for each in attachments if id_of(each) == name), None)


def _own_content(call: Call, node: Node) -> tuple[Content, str] | None:
    include = node.find("Include")
    if include is not None:
        part = _find_part(call, strip_id(include.attribute("href")))
        return None if part is None else (Content(path=part.path, is_text=part.is_base64), part.media_type)
    inline = next((each.content for each in node.below() if each.content is not None), None)
    return None if inline is None else (inline, "")


def _find_part(call: Call, name: str) -> Part | None:
    """A part by its content id; a `cid:` URL may have percent signs (RFC 2392)."""
    return call.parts.get(name) or call.parts.get(unquote(name))


def id_of(node: Node) -> str:
    """The content id of a Reference or an Attachment; empty without one."""
    return strip_id(node.attribute("href") or node.value("ContentId"))
