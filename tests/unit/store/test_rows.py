"""Rows and domain values."""

from dataclasses import replace
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.document import Attachment, Document
from gateway.domain.packet import PacketWarning, Received
from gateway.domain.status import DeliveryChange, StatusReport
from gateway.store import rows
from tests.make import NOW, ROUTE, make_agency, make_document
from tests.unit.store.test_codec import whole


@settings(max_examples=40)
@given(whole(Document))
def test_a_document_is_header_and_attachments(document):
    """Header and attachment rows together give the document back; the header alone holds no attachment."""
    written = [rows.attachment_row("x", n, each) for n, each in enumerate(document.attachments)]
    read = [rows.attachment_of(SimpleNamespace(**row)) for row in written]
    header = rows.header_json(document)
    assert rows.document_of(header, read) == document
    assert rows.document_of(header, ()) == replace(document, attachments=())


@given(whole(Attachment), st.integers(0, 9))
def test_an_attachment_row_names_owner_and_place(attachment, place):
    """Owner and place are the key of an attachment's row."""
    row = rows.attachment_row("owner", place, attachment)
    assert (row["document"], row["position"]) == ("owner", place)


@settings(max_examples=60)
@given(whole(DeliveryChange) | whole(StatusReport))
def test_an_event_keeps_its_kind(change):
    """Both kinds of change come back as what they were."""
    place = {"position": 7, "at": NOW, "agency_code": "H98", "resource": "documents/x"}
    row = SimpleNamespace(**place, document_id="d", recipient_code="H99", **rows.change_row(change))
    event = rows.event_of(row)
    assert event.change == change
    assert {name: getattr(event, name) for name in place} == place


@given(whole(Received))
def test_an_item_comes_back_with_its_packet(received):
    """An axis item's row and its raw packet's give the received packet back, and whether it was split."""
    row = SimpleNamespace(
        account=received.account,
        axis_doc_id=received.item.axis_doc_id,
        kind=received.item.kind.value,
        recipients=rows.recipients_json(received.item.recipients),
        state="fetched",
        sha256=received.raw.digest,
        size=received.raw.size,
        object_key=received.raw.key,
        packet_sha256=None,
    )
    assert (rows.item_of(row).received, rows.item_of(row).whole) == (received, True)
    row.packet_sha256 = received.raw.digest
    assert not rows.item_of(row).whole


@given(st.lists(whole(PacketWarning), max_size=2).map(tuple))
def test_an_entry_without_lease_shows_an_empty_proof(warnings):
    """A reception never leased has no ack id and no deadline; warnings come back."""
    document = make_document()
    row = SimpleNamespace(
        id="r",
        account=ROUTE,
        header=rows.header_json(document),
        received_at=NOW,
        state="waiting",
        warnings=rows.warnings_json(warnings),
        ack_id=None,
        lease_until=None,
        delivery_attempt=0,
    )
    entry = rows.entry_of(row, make_agency(), document.attachments)
    assert (entry.document, entry.warnings, entry.ack_id, entry.ack_deadline) == (document, warnings, "", None)
