"""Between a SOAP message and the axis's packet file (QCVN 102), both ways; attachments stay on disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.sandbox.packet import NS102
from gateway.sandbox.soap.receiving import id_of
from gateway.sandbox.soap.scratch import Content, Scratch
from gateway.sandbox.soap.tree import Node, branch, leaf, read_tree, recast, render
from gateway.xmlsafe import escape

# The packet keeps the schema's misspelling; this dialect writes the right word (edxml.md 1.4).
_TO_PACKET = {f"Business{end}": f"Bussiness{end}" for end in ("", "DocType", "DocReason", "DocumentInfo")}
_FROM_PACKET = {packet: soap for soap, packet in _TO_PACKET.items()}
_OWN_OF_REFERENCE = frozenset({"ContentId", "ContentType", "Description", "AttachmentName"})

_HEAD = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML xmlns="{NS102}">'
    f'<edXML:edXMLEnvelope xmlns:edXML="{NS102}"><edXML:edXMLHeader>'
)
_ENCODED = f'<edXML:ContentTransferEncoded xmlns:edXML="{NS102}">'


@dataclass(frozen=True, kw_only=True, slots=True)
class Attached:
    """One Reference with what it stands for."""

    content_id: str
    # without `cid:`
    name: str
    description: str
    media_type: str
    others: tuple[Node, ...]
    # children of the Reference that are not among the four of the standard
    content: Content | None
    # None in a packet that lacks the Attachment


@dataclass(frozen=True, kw_only=True, slots=True)
class Packet:
    """A packet read from its file."""

    header: tuple[Node, ...]
    # children of edXMLHeader, in the messages' own words
    attached: tuple[Attached, ...]


def attach(reference: Node, content: Content | None, media_type: str) -> Attached:
    """Read a Reference of either form; `xlink:type` is misused for the media type."""
    misused = reference.attribute("type")
    return Attached(
        content_id=id_of(reference),
        name=reference.value("AttachmentName"),
        description=reference.value("Description"),
        media_type=reference.value("ContentType") or (misused if "/" in misused else "") or media_type,
        others=tuple(
            recast(child, {})
            for child in reference.children
            if child.name not in _OWN_OF_REFERENCE and child.content is None and child.find("Include") is None
        ),
        content=content,
    )


def write_document(header: Node, attached: Sequence[Attached]) -> Iterator[bytes]:
    """The packet file of a document. Raises BadBase64Error."""
    attached = [replace(each, content_id=each.content_id or f"part-{at}") for at, each in enumerate(attached, 1)]
    yield f"{_HEAD}{''.join(map(render, _header_of_packet(header)))}</edXML:edXMLHeader>".encode()
    references = "".join(render(_reference(each)) for each in attached)
    yield (
        f'<edXML:edXMLBody><edXML:edXMLManifest version="1.0">{references}</edXML:edXMLManifest></edXML:edXMLBody>'
        "</edXML:edXMLEnvelope><AttachmentEncoded>"
    ).encode()
    for each in attached:
        members = (
            ("ContentId", f"cid:{each.content_id}"),
            ("AttachmentName", each.name),
            ("Description", each.description),
            ("ContentType", each.media_type),
        )
        texts = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in members)
        yield f"<Attachment>{texts}{_ENCODED}".encode()
        if each.content is not None:
            yield from each.content.read_base64()
        yield b"</edXML:ContentTransferEncoded></Attachment>"
    yield b"</AttachmentEncoded></edXML>"


def write_status(status: Node) -> bytes:
    """The packet file of a status with these contents."""
    children = [child for child in recast(status, {}).children if child.name not in {"OrganId", "Token"}]
    message = Node("MessageHeader", children=children)
    return f"{_HEAD}{render(message)}</edXML:edXMLHeader></edXML:edXMLEnvelope></edXML>".encode()


def read_packet(path: Path, scratch: Scratch) -> Packet:
    """Read a packet file. Raises XmlRefusedError."""
    root = read_tree(path, scratch)
    envelope = root.first("edXMLEnvelope") or Node("edXMLEnvelope")
    header = envelope.first("edXMLHeader") or Node("edXMLHeader")
    body = envelope.first("edXMLBody") or Node("edXMLBody")
    manifest = body.first("edXMLManifest") or body.first("Manifest") or Node("edXMLManifest")
    encoded = root.first("AttachmentEncoded") or Node("AttachmentEncoded")
    return Packet(
        header=tuple(
            each if each.name == "Signature" else recast(each, _FROM_PACKET if each.name != "MessageHeader" else {})
            for each in header.children
        ),
        attached=tuple(_pair(manifest.all("Reference"), encoded.all("Attachment"))),
    )


def status_of(packet: Packet) -> Node:
    """The Status of a status packet, whichever of the two containers it uses (edxml.md 1.6)."""
    message = next((node for node in packet.header if node.name in {"MessageHeader", "Status"}), Node("Status"))
    return Node("Status", children=message.children)


def arrived_status(document: Packet, *, reporter: str, reporter_name: str, timestamp: str) -> Node:
    """The status 01, "arrived", that the axis itself makes for a document this body has confirmed."""
    message = next((node for node in document.header if node.name == "MessageHeader"), Node("MessageHeader"))
    notation = f"{message.value('Code', 'CodeNumber')}/{message.value('Code', 'CodeNotation')}"
    return branch(
        "Status",
        branch("From", leaf("OrganId", reporter), leaf("OrganName", reporter_name)),
        branch(
            "ResponseFor",
            leaf("OrganId", message.value("From", "OrganId")),
            leaf("Code", notation),
            leaf("PromulgationDate", message.value("PromulgationInfo", "PromulgationDate")),
            leaf("DocumentId", message.value("DocumentId")),
        ),
        leaf("StatusCode", "01"),
        leaf("Description", "Da den"),
        leaf("Timestamp", timestamp),
    )


def _header_of_packet(header: Node) -> Iterator[Node]:
    message, trace = header.first("MessageHeader"), header.first("TraceHeaderList")
    signature = header.first("Signature")
    if message is not None:
        yield recast(message, {})
    if trace is not None:
        yield recast(trace, _TO_PACKET)
    if signature is not None:
        # The token in it is the sender's secret.
        kept = [child for child in signature.children if Node("", children=[child]).find("Token", "OrganId") is None]
        if kept:
            yield Node("Signature", children=kept)


def _reference(attached: Attached) -> Node:
    return branch(
        "Reference",
        leaf("ContentId", f"cid:{attached.content_id}"),
        leaf("ContentType", attached.media_type),
        leaf("Description", attached.description),
        leaf("AttachmentName", attached.name),
        *attached.others,
    )


def _pair(references: Sequence[Node], attachments: Sequence[Node]) -> Iterator[Attached]:
    """Each Reference with its Attachment by content id, else name, else position; then the Attachments left over."""
    left = dict(enumerate(attachments))
    found: dict[int, Node] = {}
    for same in (_same_id, _same_name):
        for at, reference in enumerate(references):
            key = next((key for key, each in left.items() if at not in found and same(reference, each)), None)
            if key is not None:
                found[at] = left.pop(key)
    for at, reference in enumerate(references):
        attachment = found.get(at) or left.pop(at, None) or Node("Attachment")
        yield _join(reference, attachment)
    for attachment in left.values():
        yield _join(attachment, attachment)


def _join(reference: Node, attachment: Node) -> Attached:
    encoded = attachment.first("ContentTransferEncoded")
    joined = attach(reference, None if encoded is None else encoded.content, attachment.value("ContentType"))
    # The vendor's additions stand in the Attachment; this dialect has only the Reference to keep them.
    names = {child.name for child in reference.children} | _OWN_OF_REFERENCE | {"ContentTransferEncoded"}
    added = (child for child in attachment.children if child.name not in names)
    return replace(joined, others=(*joined.others, *added))


def _same_id(reference: Node, attachment: Node) -> bool:
    return id_of(reference) == id_of(attachment) != ""


def _same_name(reference: Node, attachment: Node) -> bool:
    return reference.value("AttachmentName") == attachment.value("AttachmentName") != ""
