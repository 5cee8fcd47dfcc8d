"""References and attachments: the words that accompany a file, and where its bytes go (edxml.md 4)."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.domain.dialect import Dialect, Shape
from gateway.domain.document import Attachment
from gateway.domain.ids import Digest
from gateway.domain.packet import EncodedPart, LiteralPart, StoredObject
from gateway.translate.edxml.codes import CID, CONTENT, NS102, PREFIX, ZIP_TYPE, extension, is_wrapped
from gateway.translate.edxml.writing.packetxml import PacketXml
from gateway.xmlsafe import LiteralXml

_XLINK = "http://www.w3.org/1999/xlink"
_REFERENCE_ORDER = ("ContentId", "ContentType", "Description", "AttachmentName")
_ADDITIONS = ("FieldName", "MimeType", "Format")
_ORDERS = {
    Shape.NATIONAL: ("ContentId", "AttachmentName", "Description", "ContentType", CONTENT, *_ADDITIONS),
    Shape.DOTNET: ("ContentType", "ContentId", "Description", CONTENT, "AttachmentName", *_ADDITIONS),
}


def entry_name(name: str, digest: Digest) -> str:
    """The entry's name in its ZIP: a UUID made from the content, so that a retry writes the same bytes."""
    suffix = extension(name)
    stem = uuid.UUID(hex=digest[:32], version=4)
    return f"{stem}.{suffix}" if suffix else str(stem)


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedFile:
    """One attachment on its way into a packet."""

    attachment: Attachment
    stored: StoredObject
    content_id: str
    """Without `cid:`."""
    wrapped: bool


def carried_files(files: Sequence[tuple[Attachment, StoredObject, bool]], dialect: Dialect) -> tuple[CarriedFile, ...]:
    """The attachments in the order in which they are written; True = wrapped, whatever the name says."""
    return tuple(
        CarriedFile(
            attachment=attachment,
            stored=stored,
            content_id=f"att-{number}",
            wrapped=wrap or (dialect.zip_rule and is_wrapped(attachment.name)),
        )
        for number, (attachment, stored, wrap) in enumerate(files, 1)
    )


def write_reference(xml: PacketXml, file: CarriedFile, shape: Shape) -> None:
    """The Reference of a file."""
    words = _words(file)
    words["ContentId"] = f"{CID}{file.content_id}"
    if shape is Shape.DOTNET:
        link = words["ContentId"]
        xml.open("Reference", xmlns_xlink=_XLINK, xlink_href=link, xlink_role="XLinkRole", xlink_type="simple")
    else:
        xml.open("Reference")
    for name in _REFERENCE_ORDER:
        xml.leaf(name, words[name])
    xml.close("Reference")


def write_attachments(
    xml: PacketXml, files: Sequence[CarriedFile], shape: Shape
) -> tuple[LiteralPart | EncodedPart, ...]:
    """The unprefixed sibling of the envelope; the parts of the packet up to the last content."""
    parts: list[LiteralPart | EncodedPart] = []
    xml.bare.open("AttachmentEncoded")
    for file in files:
        parts += _attachment(xml, file, shape)
    xml.bare.close()
    return tuple(parts)


def _attachment(xml: PacketXml, file: CarriedFile, shape: Shape) -> tuple[LiteralPart, EncodedPart]:
    bare = xml.bare
    bare.open("Attachment")
    words = _words(file)
    words["ContentId"] = file.content_id if shape is Shape.DOTNET else f"{CID}{file.content_id}"
    order = _ORDERS[shape]
    content = order.index(CONTENT)
    _leaves(bare, words, order[:content])
    if shape is Shape.DOTNET:
        bare.begin(CONTENT)
    else:
        # The only prefixed element outside of the envelope, so it declares the prefix anew.
        bare.begin(f"{PREFIX}{CONTENT}", xmlns_edXML=NS102)
    inside = entry_name(file.attachment.name, file.stored.digest) if file.wrapped else None
    before = LiteralPart(data=xml.cut())
    bare.end()
    _leaves(bare, words, order[content + 1 :])
    bare.close()
    return before, EncodedPart(stored=file.stored, zip_entry=inside)


def _leaves(bare: LiteralXml, words: Mapping[str, str], names: Sequence[str]) -> None:
    for name in names:
        if words[name]:
            bare.leaf(name, words[name])


def _words(file: CarriedFile) -> dict[str, str]:
    """Texts by element; the content id is left to the place."""
    attachment = file.attachment
    return {
        "ContentType": ZIP_TYPE if file.wrapped else attachment.media_type,
        "Description": attachment.description or attachment.name,
        "AttachmentName": attachment.name,
        "FieldName": attachment.field_name,
        "MimeType": attachment.mime_type,
        "Format": attachment.format,
    }
