import unicodedata
from dataclasses import replace
from datetime import date

import pytest

from gateway.domain.digests import content_digest, request_digest, submission_digest, without_later
from gateway.domain.document import (
    AttachmentRole,
    Business,
    BusinessType,
    OtherInfo,
    ReceiverChange,
    ResponseFor,
    TraceHeader,
)
from tests.make import make_agency, make_attachment, make_digest, make_document, make_organization, make_verdict

PINNED = "6c7b87199c4b4262031341c872938d3466d6d7bffe3d0dd84a38305814b60278"
ANSWERED = ResponseFor(organ_id="H99", code="1/X", promulgation_date=date(2026, 1, 1), document_id="d")


@pytest.mark.parametrize(
    "rewritten",
    [
        {"trace": (TraceHeader(organ_id="H98", timestamp="2026/03/02 09:30:00"),)},
        {"to": (make_organization("H99.05"),)},
        {"other_info": OtherInfo(page_amount=1, promulgation_amount=1)},
        {"to_places": ("Như trên",)},
        {"sender": make_organization(" 000.00.15.h98", organ_name="")},
    ],
)
def test_what_an_axis_rewrites_does_not_count(rewritten):
    """Trace, recipients, defaults and the case of codes do not make another document."""
    document = make_document()
    assert content_digest(replace(document, **rewritten)) == content_digest(document)


def test_text_is_compared_by_meaning():
    """Another Unicode form or other white space is the same text."""
    document = make_document(subject="Về việc thử")
    assert content_digest(replace(document, subject=unicodedata.normalize("NFD", " Về  việc thử\n"))) == content_digest(
        document
    )


def test_files_count_by_bytes_and_name_alone():
    """Media type, description, role, verdict and order of files may change on the way; bytes and names may not."""
    first, second = make_attachment(b"1"), make_attachment(b"2", name="Phụ lục.docx")
    document = make_document(attachments=(first, second))
    changed = replace(
        first, media_type="application/x", description="y", role=AttachmentRole.ANNEX, verdict=make_verdict()
    )
    assert content_digest(replace(document, attachments=(second, changed))) == content_digest(document)
    for other in (replace(first, sha256=make_digest("3")), replace(first, name="Khác.pdf")):
        assert content_digest(replace(document, attachments=(other, second))) != content_digest(document)


@pytest.mark.parametrize(
    "changed",
    [
        {"document_id": "other"},
        {"code_number": "other"},
        {"subject": "other"},
        {"content": "other"},
        {"promulgation_date": date(2026, 3, 1)},
        {"due_date": date(2026, 3, 9)},
        {"response_for": (ANSWERED,)},
        {"sender": make_organization("H97")},
        {"attachments": ()},
    ],
)
def test_what_a_document_says_counts(changed):
    """A change of substance is another document."""
    document = make_document()
    assert content_digest(replace(document, **changed)) != content_digest(document)


def test_a_submission_is_for_its_recipients():
    """The same document for other recipients is another submission; their order does not matter."""
    one, two = make_organization("H99.01"), make_organization("H99.02")
    document = make_document(to=(one, two))
    assert submission_digest(replace(document, to=(two, one))) == submission_digest(document)
    assert submission_digest(replace(document, to=(one,))) != submission_digest(document)


def test_a_request_is_what_the_caller_wrote():
    """Sizes and verdicts are the server's; any field of the caller's, and the acting agency, makes another request."""
    agency, document = make_agency(), make_document()
    filled = replace(document.attachments[0], size=-1, verdict=make_verdict())
    assert request_digest(agency, replace(document, attachments=(filled,))) == request_digest(agency, document)
    for changed in (replace(document, to_places=("x",)), replace(document, to=()), replace(document, steering_type=0)):
        assert request_digest(agency, changed) != request_digest(agency, document)
    assert request_digest(make_agency("H97"), document) != request_digest(agency, document)


def test_a_request_is_the_same_after_an_upgrade():
    """The digest of a request is pinned to what the first release stored; fields it did not know count once given."""
    agency = replace(make_agency("H98"), id="agency-1")
    document = make_document(document_id="d", code_number="1")
    assert request_digest(agency, document) == PINNED
    assert request_digest(agency, replace(document, application_type="x")) != PINNED


def test_only_fields_of_later_releases_are_left_out():
    """An empty field of the first release stays in the digest, wherever it stands."""
    known = {"content": "", "staff": ({"mobile": "", "staff_id": ""},), "task_codes": ()}
    assert without_later(known) == {"content": "", "staff": ({"mobile": ""},)}


def test_an_update_is_what_it_says_of_its_document():
    """Two updates that differ in nothing but what they change are two; the same noise in a new document is none."""
    one = make_document(
        business=Business(document_id="a", receivers=(ReceiverChange(receiver_type=1, organ_id="H97"),))
    )
    other = replace(one, business=replace(one.business, receivers=()))
    assert submission_digest(one) == submission_digest(other)
    updates = [replace(each, business_type=BusinessType.UPDATE) for each in (one, other)]
    assert submission_digest(updates[0]) != submission_digest(updates[1])
