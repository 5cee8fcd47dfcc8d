"""Events -> answers."""

from datetime import timedelta

import pytest

from gateway.domain.lifecycle import DeliveryState
from gateway.domain.status import DeliveryChange, Event
from gateway.rpc.convert.events import event_out
from gateway.rpc.convert.outgoing import DELIVERY_STATES
from tests.make import NOW, make_status


def _event(change):
    return Event(
        position=7,
        at=NOW + timedelta(seconds=1),
        agency_code="H98",
        resource="documents/u1",
        document_id="H98,2026/03/02,1/TN",
        recipient_code="H99",
        change=change,
    )


@pytest.mark.parametrize("state", DeliveryState)
def test_delivery_changes_are_shown(state):
    """Every state of a delivery has its enum value; attempts and reason come along."""
    shown = event_out(_event(DeliveryChange(state=state.value, attempts=3, reason="down")), token="t")
    assert shown.WhichOneof("kind") == "delivery"
    assert (shown.delivery.state, shown.delivery.attempts, shown.delivery.reason) == (DELIVERY_STATES[state], 3, "down")
    assert (shown.token, shown.agency, shown.document, shown.recipient) == ("t", "H98", "documents/u1", "H99")
    assert shown.event_time.ToDatetime(tzinfo=NOW.tzinfo) == NOW + timedelta(seconds=1)


def test_statuses_are_shown_as_they_came():
    """Code, reporter, clerk and the reporter's own time are shown as written."""
    report = make_status(status_code="99", description="ghi chú")
    shown = event_out(_event(report), token="t").status
    assert (shown.status_code, shown.description, shown.timestamp) == ("99", "ghi chú", report.timestamp)
    assert (shown.reporter, shown.staff_info.staff) == (report.sender.organ_id, report.staff_info.staff)
