"""Row <-> domain, pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from gateway.domain.agency import Agency
from gateway.domain.document import Attachment, AttachmentRole, Document
from gateway.domain.ids import (
    AccountName,
    AgencyId,
    AxisDocId,
    Digest,
    DocumentUid,
    MessageId,
    ObjectKey,
    OrganId,
    ReceptionId,
)
from gateway.domain.lifecycle import DeliveryState, ItemState, MessageState, ReceptionState
from gateway.domain.packet import (
    AxisItem,
    ContentSpan,
    EncodedPart,
    PacketKind,
    PacketWarning,
    Received,
    SplitPacket,
    StoredObject,
)
from gateway.domain.status import DeliveryChange, Event, StatusReport
from gateway.domain.verdict import SignatureVerdict
from gateway.ports.inbound import ItemRecord, Original, ReceivedEntry
from gateway.ports.outbound import DeliveryView, LeasedMessage, SentDocument
from gateway.store.codec import from_json, to_json
from gateway.store.directorydiff import Alias

Row = Any
"""A SQLAlchemy row; its columns are attributes."""

DELIVERY_CHANGE = "delivery"
STATUS = "status"
"""Kinds of events."""


def agency_of(row: Row, aliases: Iterable[Alias]) -> Agency:
    """An agency with its parent's code joined."""
    return Agency(
        id=AgencyId(row.id),
        code=OrganId(row.code),
        name=row.name,
        parent_id=None if row.parent_id is None else AgencyId(row.parent_id),
        parent_code=None if row.parent_code is None else OrganId(row.parent_code),
        aliases=tuple(OrganId(alias.code) for alias in aliases),
        email=row.email,
        active=bool(row.active),
    )


def header_json(document: Document) -> str:
    """A document without its attachments, which have rows of their own."""
    return to_json(replace(document, attachments=()))


def document_of(header: str, attachments: Iterable[Attachment]) -> Document:
    """The document again."""
    return replace(from_json(Document, header), attachments=tuple(attachments))


def attachment_row(owner: str, position: int, attachment: Attachment) -> dict[str, Any]:
    """One attachment's columns."""
    return {
        "document": owner,
        "position": position,
        "name": attachment.name,
        "media_type": attachment.media_type,
        "size": attachment.size,
        "sha256": attachment.sha256,
        "role": attachment.role.value,
        "description": attachment.description,
        "verdict": None if attachment.verdict is None else to_json(attachment.verdict),
        "field_name": attachment.field_name,
        "mime_type": attachment.mime_type,
        "format": attachment.format,
    }


def attachment_of(row: Row) -> Attachment:
    """One attachment."""
    return Attachment(
        name=row.name,
        media_type=row.media_type,
        size=row.size,
        sha256=Digest(row.sha256),
        role=AttachmentRole(row.role),
        description=row.description,
        verdict=None if row.verdict is None else from_json(SignatureVerdict, row.verdict),
        field_name=row.field_name,
        mime_type=row.mime_type,
        format=row.format,
    )


def stored_of(row: Row) -> StoredObject:
    """A registered object."""
    return StoredObject(digest=Digest(row.sha256), size=row.size, key=ObjectKey(row.object_key))


def delivery_of(row: Row) -> DeliveryView:
    """One recipient's part."""
    return DeliveryView(
        recipient=OrganId(row.recipient_code),
        state=DeliveryState(row.state),
        attempts=row.attempts,
        reason=row.reason,
        last_status=row.last_status,
        updated_at=row.updated_at,
    )


def sent_of(row: Row, attachments: Iterable[Attachment], deliveries: Iterable[DeliveryView]) -> SentDocument:
    """A sent document."""
    return SentDocument(
        uid=DocumentUid(row.uid),
        agency=AgencyId(row.agency),
        document=document_of(row.header, attachments),
        accepted_at=row.accepted_at,
        deliveries=tuple(deliveries),
    )


def leased_of(
    row: Row, document: Document | None, objects: tuple[StoredObject, ...], places: Iterable[int]
) -> LeasedMessage:
    """A leased message; `places` are its recipients' among the document's."""
    return LeasedMessage(
        id=MessageId(row.id),
        lease=row.lease_token,
        route=AccountName(row.route),
        state=MessageState(row.state),
        attempts=row.attempts,
        created_at=row.created_at,
        first_submitted_at=row.first_submitted_at,
        settle_after=row.settle_after,
        document=document,
        objects=objects,
        recipients=() if document is None else tuple(document.to[place] for place in places),
        report=None if row.report is None else from_json(StatusReport, row.report),
        deadline_at=row.deadline_at,
        interruptions=row.interruptions,
    )


def warnings_json(warnings: tuple[PacketWarning, ...]) -> str:
    """Warnings as one column."""
    return to_json(warnings)


def entry_of(row: Row, recipient: Agency, attachments: Iterable[Attachment]) -> ReceivedEntry:
    """A reception with its document's columns joined."""
    return ReceivedEntry(
        id=ReceptionId(row.id),
        account=AccountName(row.account),
        recipient=recipient,
        document=document_of(row.header, attachments),
        received_at=row.received_at,
        state=ReceptionState(row.state),
        warnings=from_json(tuple[PacketWarning, ...], row.warnings),
        ack_id=row.ack_id or "",
        ack_deadline=row.lease_until,
        delivery_attempt=row.delivery_attempt,
    )


def recipients_json(recipients: tuple[OrganId, ...]) -> str:
    """What the axis's list says of an item's addressees."""
    return to_json(recipients)


def item_of(row: Row) -> ItemRecord:
    """An axis item with its raw packet's columns joined."""
    item = AxisItem(
        axis_doc_id=AxisDocId(row.axis_doc_id),
        kind=PacketKind(row.kind),
        recipients=from_json(tuple[OrganId, ...], row.recipients),
    )
    received = Received(account=AccountName(row.account), item=item, raw=stored_of(row))
    return ItemRecord(received=received, state=ItemState(row.state), whole=row.packet_sha256 is None)


def part_row(received: Received, position: int, span: ContentSpan) -> dict[str, Any]:
    """One content of a split packet."""
    return {
        "account": received.account,
        "axis_doc_id": received.item.axis_doc_id,
        "position": position,
        "offset": span.offset,
        "length": span.length,
        "sha256": span.part.stored.digest,
        "zip_entry": span.part.zip_entry,
    }


def part_of(row: Row) -> ContentSpan:
    """One content of a split packet with its object's columns joined."""
    part = EncodedPart(stored=stored_of(row), zip_entry=row.zip_entry)
    return ContentSpan(offset=row.offset, length=row.length, part=part)


def original_of(row: Row, parts: Iterable[ContentSpan]) -> Original:
    """An item's packet, whole or split, with the columns of its object joined."""
    raw = stored_of(row)
    if row.packet_sha256 is None:
        return Original(digest=raw.digest, size=raw.size, kept=raw)
    kept = SplitPacket(skeleton=raw, spans=tuple(parts))
    return Original(digest=Digest(row.packet_sha256), size=row.packet_size, kept=kept)


def change_row(change: DeliveryChange | StatusReport) -> dict[str, str]:
    """An event's kind and payload."""
    kind = DELIVERY_CHANGE if isinstance(change, DeliveryChange) else STATUS
    return {"kind": kind, "payload": to_json(change)}


_KINDS: Mapping[str, type[DeliveryChange] | type[StatusReport]] = {
    DELIVERY_CHANGE: DeliveryChange,
    STATUS: StatusReport,
}


def event_of(row: Row) -> Event:
    """One event with its agency's code joined."""
    return Event(
        position=row.position,
        at=row.at,
        agency_code=row.agency_code,
        resource=row.resource,
        document_id=row.document_id,
        recipient_code=row.recipient_code,
        change=from_json(_KINDS[row.kind], row.payload),
    )
