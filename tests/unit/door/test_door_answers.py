"""Answers and list lines as the stock client needs them."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.document import BusinessType, ResponseFor
from gateway.domain.errors import SENTENCES, ErrorCode, FieldViolation, GatewayError
from gateway.domain.ids import DocumentUid, OrganId, ReceptionId
from gateway.domain.lifecycle import DeliveryState, ReceptionState
from gateway.domain.packet import PacketDefect, PacketWarning, UnpackedDocument
from gateway.domain.plaintext import without_marks
from gateway.door import listing
from gateway.door.answers import CODES, RETRY, DoorCode, Refusal, element_path, refusal_of, refusal_of_defect, rendered
from gateway.door.sending import first_loss, naming_its_original, read_codes
from gateway.ports import DeliveryView, FedStatus, ReceptionLine, SentDocument
from gateway.translate.edxml.findings import Tolerance
from tests.make import NOW, RECIPIENT, SENDER, make_agency, make_document, make_follower, make_status


def test_every_error_has_a_code_and_only_passing_ones_invite_a_retry():
    """The table covers all reasons; what has Retry-After is code 20, which clients repeat."""
    assert CODES.keys() == set(ErrorCode)
    assert {CODES[code] for code in RETRY} == {DoorCode.SYSTEM}
    assert DoorCode.OK not in CODES.values()


@pytest.mark.parametrize("code", ErrorCode)
def test_every_refusal_is_ascii_and_whole(code):
    """With the sentence of the error, its first fields, and DocId where sendEdoc was called."""
    names = dict.fromkeys(("detail", "declared", "received", "limit", "size", "attachment", "agency"), "é")
    names |= dict.fromkeys(("recipient", "name", "request_id", "document_id", "status", "allowed"), "x")
    wrong = FieldViolation(path="document.to[0].organ_id", en="x", vi="Sai mã.")
    answer = json.loads(rendered("sendEdoc", refusal_of(GatewayError(code, violations=[wrong] * 9, **names))))
    assert answer.keys() == {"status", "ErrorCode", "ErrorDesc", "data", "DocId"}
    assert (answer["status"], answer["ErrorCode"], answer["DocId"]) == ("FAIL", CODES[code].value, "")
    assert answer["ErrorDesc"].count("To[0]/OrganId: Sai ma") == 3
    assert answer["ErrorDesc"].startswith(without_marks(SENTENCES[code].vi.format(**names)).rstrip("."))


@given(st.text(), st.text())
def test_no_text_breaks_an_answer(sentence, value):
    """Whatever a sentence or a value holds: bytes of ASCII that are JSON, ErrorDesc bounded."""
    refused = rendered("getEdoc", Refusal(code=DoorCode.SYSTEM, sentence=sentence * 30))
    assert len(json.loads(refused.decode("ascii"))["ErrorDesc"]) <= 500
    good = json.loads(rendered("sendEdoc", {"DocId": value}).decode("ascii"))
    assert (good["DocId"], good["status"], good["ErrorCode"]) == (value, "OK", "0")


def test_a_defect_tells_its_place():
    """Code 22 with the reader's path."""
    refusal = refusal_of_defect(PacketDefect(code="ELEMENT_MISSING", path="edXML/x/From", message="no OrganId"))
    assert refusal.code is DoorCode.MALFORMED
    assert "edXML/x/From: ELEMENT_MISSING" in refusal.sentence
    nowhere = refusal_of_defect(PacketDefect(code="NOT_XML", path="", message="no XML"))
    assert nowhere.sentence == "Gói tin edXML không hợp lệ: NOT_XML: no XML"


def test_data_has_the_type_the_client_reads():
    """GetEdoc's data is text even where there is none; elsewhere it is a list."""
    refused = Refusal(code=DoorCode.BAD_FILE, sentence="x")
    assert json.loads(rendered("getEdoc", refused))["data"] == ""
    assert json.loads(rendered("getReceivedEdocList", refused))["data"] == []


@pytest.mark.parametrize(
    ("path", "element"),
    [
        ("document.from.organ_id", "From/OrganId"),
        ("document.to[3].organ_name", "To[3]/OrganName"),
        ("document.code_number", "Code/CodeNumber"),
        ("document.business.document_id", "Bussiness/DocumentId"),
        ("document.attachments[0].attachment_name", "Attachments[0]/AttachmentName"),
        ("reason", "Description"),
    ],
)
def test_field_paths_become_element_paths(path, element):
    """Who writes edXML is told elements."""
    assert element_path(path) == element


def test_lines_are_strings_alone():
    """Every line of every list: words, never null."""
    document = make_document()
    sent = SentDocument(
        uid=DocumentUid("u"), agency=make_agency().id, document=document, accepted_at=NOW, deliveries=()
    )
    lines = []
    for state in DeliveryState:
        for last in ("", "01", "02", "06", "99"):
            view = DeliveryView(
                recipient=RECIPIENT, state=state, attempts=1, reason="chậm", last_status=last, updated_at=NOW
            )
            lines.append(listing.sent_line(sent, view))
    for state in ReceptionState:
        line = ReceptionLine(id=ReceptionId("r"), sender=SENDER, recipient=RECIPIENT, state=state, received_at=NOW)
        lines.append(listing.received_line(line))
    lines.append(listing.status_line(FedStatus(id="status-1", at=NOW, agency=make_agency().id, report=make_status())))
    agency = make_agency(aliases=(OrganId("X"), OrganId("000.00.16.H98")))
    lines += [listing.agency_line(agency), listing.agency_line_qd20(agency), listing.agency_line(make_agency())]
    assert all(isinstance(value, str) for line in lines for value in line.values())
    assert lines[-2]["code102"] == lines[-2]["oldCode"] == "000.00.16.H98"
    unit = listing.unit_line(replace(agency, active=False), "00.97.W00")
    assert (unit["deleted"], None in unit.values()) == (True, False)


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12), st.text(max_size=8), st.text(max_size=8))
def test_filters_are_read_or_refused(status, first, last, size, index):
    """Any text: bounds that a database takes, or a refusal."""
    wanted = listing.read_wanted(status=status, from_date=first, to_date=last, page_size=size, page_index=index)
    assert isinstance(wanted, Refusal) or (0 < wanted.limit <= 500 and 0 <= wanted.skip <= 100_000)


@pytest.mark.parametrize(
    "text", ["2026/03/02", "2026-3-2", "02/03/2026", "2-3-2026", "2026/03/02 10:30:00", "2026-03-02T00:00:00.000"]
)
def test_days_are_vietnams(text):
    """Both ends are whole days there."""
    wanted = listing.read_wanted(status="", from_date=text, to_date=text, page_size="", page_index="")
    assert not isinstance(wanted, Refusal)
    assert wanted.since.isoformat() == "2026-03-01T17:00:00+00:00"
    assert wanted.before - wanted.since == timedelta(days=1)


@pytest.mark.parametrize("text", ['["H98\\u0000"]', '["\\ud800"]', '["H98\\n01"]'])
def test_codes_that_no_store_takes_are_no_codes(text):
    """Escapes in JSON reach characters that a header cannot have."""
    assert read_codes(text) is None


_TO = "edXML/edXMLEnvelope/edXMLHeader/MessageHeader/To"


@pytest.mark.parametrize(
    ("code", "path", "kind", "lost"),
    [
        (Tolerance.ELEMENT_ABSENT, _TO, BusinessType.NEW, True),
        (Tolerance.ELEMENT_ABSENT, f"{_TO}[12]", BusinessType.NEW, True),
        (Tolerance.ELEMENT_ABSENT, f"{_TO}/OrganName", BusinessType.NEW, False),
        (Tolerance.ATTACHMENT_WITHOUT_CONTENT, "x", BusinessType.RECALL, True),
        (Tolerance.REFERENCE_WITHOUT_ATTACHMENT, "x", BusinessType.NEW, True),
        (Tolerance.REFERENCE_WITHOUT_ATTACHMENT, "x", BusinessType.RECALL, False),
        (Tolerance.DATE_IMPOSSIBLE, "x", BusinessType.NEW, True),
        (Tolerance.DATE_UNREADABLE, "x", BusinessType.NEW, True),
        (Tolerance.DATE_FORMAT, "x", BusinessType.NEW, False),
    ],
)
def test_what_would_go_out_incomplete_is_a_loss(code, path, kind, lost):
    """A recipient, a file or a date that the reader leaves out; what is only written otherwise is none."""
    warnings = (
        PacketWarning(code=Tolerance.PREFIX, path="y", message="m"),
        PacketWarning(code=code, path=path, message="m"),
    )
    document = make_document(business_type=kind)
    found = first_loss(UnpackedDocument(document=document, objects=(), warnings=warnings))
    assert found == (PacketDefect(code=code, path=path, message="m") if lost else None)


def test_a_header_alone_names_what_a_recall_or_update_follows():
    """Where nothing else does; what is named stays, and a new document names nothing."""
    bare = make_document(business_type=BusinessType.RECALL)
    (reference,) = naming_its_original(bare).response_for
    assert reference == ResponseFor(
        organ_id=bare.sender.organ_id,
        code=bare.code,
        promulgation_date=bare.promulgation_date,
        document_id=bare.document_id,
    )
    update = make_document(business_type=BusinessType.UPDATE)
    assert naming_its_original(update).business.document_id == update.document_id
    for said in (
        make_document(),
        make_follower(bare, BusinessType.RECALL),
        make_follower(bare, BusinessType.UPDATE),
        make_follower(bare, BusinessType.REPLACE),
    ):
        assert naming_its_original(said) == said


@given(st.text(max_size=60))
def test_the_header_to_is_read_or_not(text):
    """Codes, distinct and not empty, or None."""
    codes = read_codes(text)
    assert codes is None or all(code.strip() for code in codes) or text.strip() == ""
