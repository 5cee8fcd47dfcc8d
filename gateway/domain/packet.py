"""Stages of a packet, one type each: a step cannot be skipped, because the next one does not take the earlier type.

Outbound: Draft -> Sealed -> submitted. Inbound: Received -> Unpacked -> Verified -> stored.
`Sealed` is made only in `translate`, `VerifiedDocument` only in `security`; a test walks the source to keep it so.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.document import Document
from gateway.domain.ids import AccountName, AxisDocId, Digest, ObjectKey, OrganId
from gateway.domain.status import StatusReport

_ZIP_RECORDS = 30 + 46 + 22
"""Bytes of the three records of a ZIP with one entry, without the entry's name, which stands in it twice."""


class PacketKind(StrEnum):
    """What the transport calls messagetype; the value is the word on the wire."""

    DOCUMENT = "edoc"
    STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """Bytes in the blob store, durable, whether or not a row refers to them yet."""

    digest: Digest
    size: int
    """Bytes."""
    key: ObjectKey


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteralPart:
    """Bytes of a packet as they are."""

    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPart:
    """A stored object as base64 without line breaks, on request as the only entry of a ZIP."""

    stored: StoredObject
    zip_entry: str | None
    """Entry name inside the ZIP; None = the raw file."""

    @property
    def decoded_length(self) -> int:
        """Bytes of the file, or of the ZIP around it."""
        around = 0 if self.zip_entry is None else _ZIP_RECORDS + 2 * len(self.zip_entry)
        return around + self.stored.size

    @property
    def length(self) -> int:
        """Bytes in the packet."""
        return 4 * -(-self.decoded_length // 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A packet ready to be put together: the same draft always gives the same bytes."""

    kind: PacketKind
    parts: tuple[LiteralPart | EncodedPart, ...]
    sender: OrganId
    recipients: tuple[OrganId, ...]
    """Addressees of this packet, as they go into the transport's `to`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A draft whose exact length and digest are known, so that it can be sent."""

    draft: Draft
    length: int
    """Bytes of the packet, without any trailing line end of the transport."""
    sha256: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisItem:
    """One line of the axis's list of what is waiting."""

    axis_doc_id: AxisDocId
    kind: PacketKind
    recipients: tuple[OrganId, ...]
    """What the list says of the addressees; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A raw packet as it came, stored and not yet looked into."""

    account: AccountName
    item: AxisItem
    raw: StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketWarning:
    """Something odd that was tolerated."""

    code: str
    path: str
    """Element path, e.g. edXML/edXMLEnvelope/edXMLHeader/MessageHeader/From."""
    message: str


class Misfit(StrEnum):
    """Why a packet that can be read is quarantined all the same."""

    NO_LOCAL_RECIPIENT = "NO_LOCAL_RECIPIENT"
    """None of its recipients is an agency this account receives for."""
    CONTENT_CONFLICT = "CONTENT_CONFLICT"
    """A known document id came with other content."""
    STATUS_UNPLACED = "STATUS_UNPLACED"
    """A status about a document we never sent, or from an agency that is none of its recipients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketDefect:
    """Why a packet is quarantined."""

    code: str
    """A Misfit, or a word of the format's reader."""
    path: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSpan:
    """Bytes `offset` to `offset + length` of a raw packet say what `part` says, so far as the reader can tell."""

    offset: int
    length: int
    part: EncodedPart


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPacket:
    """A raw packet kept without the contents that are stored anyway; the parts together are its bytes exactly."""

    skeleton: StoredObject
    """Everything between the contents, one after another."""
    spans: tuple[ContentSpan, ...]
    """In order of their offset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackedDocument:
    """A document as read, its attachments stored, nothing about it verified."""

    document: Document
    objects: tuple[StoredObject, ...]
    """One per attachment, same order."""
    warnings: tuple[PacketWarning, ...]
    spans: tuple[ContentSpan, ...] = ()
    """Where the packet's bytes can be had from `objects` again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackedStatus:
    """A status as read."""

    report: StatusReport
    warnings: tuple[PacketWarning, ...]


Unpacked = UnpackedDocument | UnpackedStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedDocument:
    """A document whose attachments have been judged; each PDF attachment carries its verdict."""

    document: Document
    objects: tuple[StoredObject, ...]
    warnings: tuple[PacketWarning, ...]
