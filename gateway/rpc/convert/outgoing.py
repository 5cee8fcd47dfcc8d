"""Documents, domain -> answers. Total: whatever a peer sent and the store kept can be shown."""

from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.domain.document import Attachment, AttachmentRole, Business, Document, Organization, ResponseFor, StaffInfo
from gateway.domain.lifecycle import DeliveryState, ReceptionState
from gateway.domain.packet import PacketWarning
from gateway.domain.verdict import Signature, SignatureVerdict, Verdict
from gateway.pb.lgsp.gateway.v1 import document_pb2 as pb
from gateway.pb.lgsp.gateway.v1 import document_service_pb2, inbox_service_pb2, signature_pb2
from gateway.ports import DeliveryView, ReceivedEntry, SentDocument

_INT32 = 2**31

DELIVERY_STATES: Mapping[DeliveryState, pb.DeliveryState.ValueType] = MappingProxyType(
    {
        DeliveryState.QUEUED: pb.DELIVERY_STATE_QUEUED,
        DeliveryState.DELAYED: pb.DELIVERY_STATE_DELAYED,
        DeliveryState.SENT: pb.DELIVERY_STATE_SENT,
        DeliveryState.FAILED: pb.DELIVERY_STATE_FAILED,
        DeliveryState.HELD: pb.DELIVERY_STATE_HELD,
    }
)

RECEIVED_STATES: Mapping[ReceptionState, inbox_service_pb2.ReceivedState.ValueType] = MappingProxyType(
    {
        ReceptionState.WAITING: inbox_service_pb2.RECEIVED_STATE_WAITING,
        ReceptionState.LEASED: inbox_service_pb2.RECEIVED_STATE_LEASED,
        ReceptionState.ACKNOWLEDGED: inbox_service_pb2.RECEIVED_STATE_ACKNOWLEDGED,
        ReceptionState.REFUSED: inbox_service_pb2.RECEIVED_STATE_REFUSED,
    }
)

VERDICTS: Mapping[Verdict, signature_pb2.Verdict.ValueType] = MappingProxyType(
    {
        Verdict.TRUSTED: signature_pb2.VERDICT_TRUSTED,
        Verdict.UNTRUSTED: signature_pb2.VERDICT_UNTRUSTED,
        Verdict.INVALID: signature_pb2.VERDICT_INVALID,
        Verdict.ALTERED: signature_pb2.VERDICT_ALTERED,
        Verdict.UNSIGNED: signature_pb2.VERDICT_UNSIGNED,
    }
)

ROLES: Mapping[AttachmentRole, pb.AttachmentRole.ValueType] = MappingProxyType(
    {
        AttachmentRole.MAIN: pb.ATTACHMENT_ROLE_MAIN,
        AttachmentRole.ANNEX: pb.ATTACHMENT_ROLE_ANNEX,
    }
)


def sent_document_out(sent: SentDocument) -> pb.Document:
    """A sent document with its deliveries as far as given; one that was only checked has no uid and no name."""
    if not sent.uid:
        return document_out(sent.document, name="")
    message = document_out(sent.document, name=f"documents/{sent.uid}")
    message.accept_time.CopyFrom(timestamp(sent.accepted_at))
    message.deliveries.extend(_delivery(each) for each in sent.deliveries)
    return message


def received_document_out(entry: ReceivedEntry, *, with_lease: bool) -> inbox_service_pb2.ReceivedDocument:
    """A received document; the lease is shown only to the puller that got it."""
    name = f"receivedDocuments/{entry.id}"
    document = document_out(entry.document, name=name)
    document.name = ""
    message = inbox_service_pb2.ReceivedDocument(
        name=name,
        recipient=entry.recipient.code,
        document=document,
        receive_time=timestamp(entry.received_at),
        state=RECEIVED_STATES[entry.state],
        delivery_attempt=entry.delivery_attempt,
        warnings=[warning_out(each) for each in entry.warnings],
    )
    if with_lease:
        message.ack_id = entry.ack_id
        if entry.ack_deadline is not None:
            message.ack_deadline.CopyFrom(timestamp(entry.ack_deadline))
    return message


def document_out(document: Document, *, name: str) -> pb.Document:
    """A document; `name` is its resource name, below which attachments are named, or empty for one that is not kept."""
    other = document.other_info
    message = pb.Document(
        name=name,
        document_id=document.document_id,
        business_type=pb.BusinessType.ValueType(_int32(document.business_type + 1)),
        to=[_organization(each) for each in document.to],
        code_number=document.code_number,
        code_notation=document.code_notation,
        promulgation_place=document.promulgation_place,
        promulgation_date=_day(document.promulgation_date),
        document_type=pb.DocumentType(
            type=_int32(document.document_type.type),
            type_detail=_int32(document.document_type.type_detail),
            type_name=document.document_type.type_name,
        ),
        subject=document.subject,
        content=document.content,
        signer_info=pb.SignerInfo(
            competence=document.signer_info.competence,
            position=document.signer_info.position,
            full_name=document.signer_info.full_name,
        ),
        due_date=_day(document.due_date),
        to_places=document.to_places,
        other_info=pb.OtherInfo(
            priority=pb.Priority.ValueType(_int32(other.priority + 1)),
            sphere_of_promulgation=other.sphere_of_promulgation,
            typer_notation=other.typer_notation,
            promulgation_amount=_int32(other.promulgation_amount),
            page_amount=_int32(other.page_amount),
            appendixes=other.appendixes,
            direction=other.direction,
            reply_fors=other.reply_fors,
            reference_codes=other.reference_codes,
        ),
        response_for=[_response_for(each) for each in document.response_for],
        steering_type=pb.SteeringType.ValueType(
            0 if document.steering_type is None else _int32(document.steering_type + 1)
        ),
        application_type=document.application_type,
        task_codes=document.task_codes,
        business=_business(document.business),
        trace=[pb.TraceHeader(organ_id=each.organ_id, timestamp=each.timestamp) for each in document.trace],
        attachments=[
            _attachment(each, f"{name}/attachments/{i}" if name else "") for i, each in enumerate(document.attachments)
        ],
    )
    getattr(message, "from").CopyFrom(_organization(document.sender))
    return message


def staff_out(staff: StaffInfo) -> pb.StaffInfo:
    """The handling clerk."""
    return pb.StaffInfo(
        department=staff.department,
        staff=staff.staff,
        mobile=staff.mobile,
        email=staff.email,
        department_id=staff.department_id,
        staff_id=staff.staff_id,
    )


def warning_out(warning: PacketWarning) -> document_service_pb2.Warning:
    """Something that was tolerated."""
    return document_service_pb2.Warning(code=warning.code, path=warning.path, message=warning.message)


def timestamp(instant: datetime) -> Timestamp:
    """A UTC instant."""
    message = Timestamp()
    message.FromDatetime(instant)
    return message


def _int32(value: int) -> int:
    """Numbers a peer wrote that no field can hold are shown as absent."""
    return value if -_INT32 <= value < _INT32 else 0


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _delivery(view: DeliveryView) -> pb.Delivery:
    return pb.Delivery(
        organ_id=view.recipient,
        state=DELIVERY_STATES[view.state],
        attempts=view.attempts,
        reason=view.reason,
        last_status_code=view.last_status,
        update_time=timestamp(view.updated_at),
    )


def _organization(organization: Organization) -> pb.Organization:
    return pb.Organization(
        organ_id=organization.organ_id,
        organ_name=organization.organ_name,
        organization_in_charge=organization.organization_in_charge,
        organ_add=organization.organ_add,
        email=organization.email,
        telephone=organization.telephone,
        fax=organization.fax,
        website=organization.website,
    )


def _response_for(response_for: ResponseFor) -> pb.ResponseFor:
    return pb.ResponseFor(
        organ_id=response_for.organ_id,
        code=response_for.code,
        promulgation_date=_day(response_for.promulgation_date),
        document_id=response_for.document_id,
    )


def _business(business: Business) -> pb.Business:
    return pb.Business(
        reason=business.reason,
        document_id=business.document_id,
        document_info_changed=business.document_info_changed,
        document_receiver_changed=business.document_receiver_changed,
        receivers=[
            pb.ReceiverChange(receiver_type=_int32(each.receiver_type), organ_id=each.organ_id)
            for each in business.receivers
        ],
        staff_info=staff_out(business.staff_info),
        paper=business.paper,
        replacements=[
            pb.ReplacementInfo(document_id=each.document_id, organ_ids=each.organ_ids) for each in business.replacements
        ],
    )


def _attachment(attachment: Attachment, name: str) -> pb.Attachment:
    return pb.Attachment(
        name=name,
        attachment_name=attachment.name,
        media_type=attachment.media_type,
        size_bytes=attachment.size,
        sha256=attachment.sha256,
        role=ROLES[attachment.role],
        description=attachment.description,
        field_name=attachment.field_name,
        mime_type=attachment.mime_type,
        format=attachment.format,
        signature_verdict=None if attachment.verdict is None else _verdict(attachment.verdict),
    )


def _verdict(verdict: SignatureVerdict) -> signature_pb2.SignatureVerdict:
    return signature_pb2.SignatureVerdict(
        verdict=VERDICTS[verdict.verdict],
        signatures=[_signature(each) for each in verdict.signatures],
        check_time=timestamp(verdict.checked_at),
    )


def _signature(signature: Signature) -> signature_pb2.Signature:
    return signature_pb2.Signature(
        signer=signature.signer,
        intact=signature.intact,
        valid=signature.valid,
        trusted=signature.trusted,
        sign_time=None if signature.signed_at is None else timestamp(signature.signed_at),
        reason=signature.reason,
    )
