"""Domain -> answers: total over what peers send, every word of the domain has its enum value."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given

from gateway.domain.document import AttachmentRole, OtherInfo
from gateway.domain.ids import AgencyId, DocumentUid, OrganId, ReceptionId
from gateway.domain.lifecycle import DeliveryState, ReceptionState
from gateway.domain.packet import PacketWarning
from gateway.domain.verdict import Verdict
from gateway.pb.lgsp.gateway.v1 import document_pb2 as pb
from gateway.pb.lgsp.gateway.v1 import inbox_service_pb2, signature_pb2
from gateway.ports import DeliveryView, ReceivedEntry, SentDocument
from gateway.rpc.convert.outgoing import (
    DELIVERY_STATES,
    RECEIVED_STATES,
    ROLES,
    VERDICTS,
    document_out,
    received_document_out,
    sent_document_out,
)
from tests.make import NOW, ROUTE, make_agency, make_attachment, make_document, make_verdict
from tests.unit.rpc.convert.documents import RECEIVED


@given(document=RECEIVED)
def test_whatever_a_peer_sent_can_be_shown(document):
    """Numbers no field can hold, unknown enum values and odd texts never make rendering fail."""
    shown = pb.Document.FromString(document_out(document, name="receivedDocuments/r").SerializeToString())
    assert shown.subject == document.subject
    assert [a.sha256 for a in shown.attachments] == [a.sha256 for a in document.attachments]


def test_unknown_enum_numbers_survive():
    """A priority outside the list is shown by its number, one above edXML's, as all of the enum's values are."""
    document = make_document()
    shown = document_out(replace(document, other_info=OtherInfo(priority=7), steering_type=9), name="documents/1")
    assert (shown.other_info.priority, shown.steering_type) == (8, 10)


def test_every_word_has_an_enum_value():
    """The tables cover the domain's words and use each enum value but "unspecified" once."""
    for words, table, enum in (
        (DeliveryState, DELIVERY_STATES, pb.DeliveryState),
        (ReceptionState, RECEIVED_STATES, inbox_service_pb2.ReceivedState),
        (Verdict, VERDICTS, signature_pb2.Verdict),
        (AttachmentRole, ROLES, pb.AttachmentRole),
    ):
        assert set(table) == set(words)
        assert sorted(table.values()) == sorted(set(enum.values()) - {0})


def test_sent_documents_show_their_deliveries():
    """Name, acceptance and each recipient's part are shown."""
    view = DeliveryView(
        recipient=OrganId("H99"),
        state=DeliveryState.SENT,
        attempts=2,
        reason="slow",
        last_status="03",
        updated_at=NOW + timedelta(seconds=1),
    )
    shown = sent_document_out(_sent("u1", deliveries=(view,)))
    assert shown.name == "documents/u1"
    assert shown.accept_time.ToDatetime(tzinfo=NOW.tzinfo) == NOW
    assert shown.attachments[0].name == "documents/u1/attachments/0"
    delivery = shown.deliveries[0]
    assert (delivery.organ_id, delivery.state, delivery.attempts) == ("H99", pb.DELIVERY_STATE_SENT, 2)
    assert (delivery.reason, delivery.last_status_code) == ("slow", "03")
    assert delivery.update_time.ToDatetime(tzinfo=NOW.tzinfo) == view.updated_at


def test_a_document_that_was_only_checked_has_no_name():
    """validate_only stores nothing, so nothing can be named or dated."""
    shown = sent_document_out(_sent(""))
    assert (shown.name, shown.attachments[0].name, shown.HasField("accept_time")) == ("", "", False)


def test_received_documents_show_verdicts_and_lease():
    """The puller sees lease, verdict and warnings; the document itself has no name, its attachments have."""
    entry = ReceivedEntry(
        account=ROUTE,
        id=ReceptionId("r1"),
        recipient=make_agency("H99"),
        document=make_document(attachments=(make_attachment(verdict=make_verdict()),)),
        received_at=NOW,
        state=ReceptionState.LEASED,
        warnings=(PacketWarning(code="ODD", path="edXML", message="odd"),),
        ack_id="lease",
        ack_deadline=NOW + timedelta(minutes=1),
        delivery_attempt=2,
    )
    shown = received_document_out(entry, with_lease=True)
    assert (shown.name, shown.document.name, shown.recipient) == ("receivedDocuments/r1", "", "H99")
    assert shown.document.attachments[0].name == "receivedDocuments/r1/attachments/0"
    verdict = shown.document.attachments[0].signature_verdict
    assert verdict.verdict == signature_pb2.VERDICT_TRUSTED
    assert verdict.signatures[0].trusted
    assert (shown.ack_id, shown.delivery_attempt, shown.warnings[0].code) == ("lease", 2, "ODD")
    assert shown.ack_deadline.ToDatetime(tzinfo=NOW.tzinfo) == entry.ack_deadline


def test_a_mere_reader_sees_no_lease():
    """GetReceivedDocument shows the document without what would let its reader acknowledge it."""
    entry = ReceivedEntry(
        account=ROUTE,
        id=ReceptionId("r1"),
        recipient=make_agency("H99"),
        document=make_document(),
        received_at=NOW,
        state=ReceptionState.LEASED,
        warnings=(),
        ack_id="lease",
        ack_deadline=NOW,
    )
    shown = received_document_out(entry, with_lease=False)
    assert (shown.ack_id, shown.HasField("ack_deadline")) == ("", False)


def _sent(uid, **overrides):
    values = {
        "uid": DocumentUid(uid),
        "agency": AgencyId("a"),
        "document": make_document(),
        "accepted_at": NOW,
        "deliveries": (),
    }
    return SentDocument(**(values | overrides))
