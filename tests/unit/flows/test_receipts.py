from datetime import UTC, datetime

from gateway.domain.status import ARRIVED
from gateway.flows.receipts import report_on
from tests.make import make_agency, make_document, make_organization


def test_a_receipt_copies_the_documents_own_words():
    """The addressee and the reference are as the document has them; the time is Vietnam's."""
    document = make_document(sender=make_organization("000.00.15.h98"), code_number="007", code_notation="TN-vp")
    report = report_on(
        document,
        make_agency("H99.01", name="UBND thử"),
        status_code=ARRIVED,
        at=datetime(2026, 3, 2, 17, 30, tzinfo=UTC),
    )
    assert (report.sender.organ_id, report.sender.organ_name) == ("H99.01", "UBND thử")
    assert (report.response_for.organ_id, report.response_for.code) == ("000.00.15.h98", "007/TN-vp")
    assert report.response_for.document_id == document.document_id
    assert report.response_for.promulgation_date == document.promulgation_date
    assert (report.status_code, report.timestamp) == ("01", "2026/03/03 00:30:00")
