"""Events, domain -> answers."""

from gateway.domain.lifecycle import DeliveryState
from gateway.domain.status import DeliveryChange, Event, StatusReport
from gateway.pb.lgsp.gateway.v1 import document_service_pb2 as pb
from gateway.rpc.convert.outgoing import DELIVERY_STATES, staff_out, timestamp


def event_out(event: Event, *, token: str) -> pb.Event:
    """One event with the token to resume after it."""
    message = pb.Event(
        token=token,
        event_time=timestamp(event.at),
        agency=event.agency_code,
        document=event.resource,
        document_id=event.document_id,
        recipient=event.recipient_code,
    )
    if isinstance(event.change, DeliveryChange):
        message.delivery.CopyFrom(_delivery_change(event.change))
    else:
        message.status.CopyFrom(status_report_out(event.change))
    return message


def _delivery_change(change: DeliveryChange) -> pb.DeliveryChange:
    return pb.DeliveryChange(
        state=DELIVERY_STATES[DeliveryState(change.state)], attempts=change.attempts, reason=change.reason
    )


def status_report_out(report: StatusReport) -> pb.StatusReport:
    """A status packet as vendors see it."""
    return pb.StatusReport(
        status_code=report.status_code,
        description=report.description,
        staff_info=staff_out(report.staff_info),
        reporter=report.sender.organ_id,
        timestamp=report.timestamp,
    )
