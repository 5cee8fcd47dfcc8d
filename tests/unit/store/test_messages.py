"""Keys and urgency of messages."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.document import Priority
from gateway.store.messages import document_order, status_message, urgency
from tests.make import ROUTE, make_document, make_response_for, make_status


@given(st.integers())
def test_unknown_priorities_count_as_normal(priority):
    """A value outside the list neither jumps the queue nor falls out of it."""
    assert urgency(priority) in set(Priority)
    assert urgency(priority) == (priority if 0 <= priority <= 4 else Priority.NORMAL)


def test_statuses_are_ordered_by_document_and_reporter():
    """Statuses of one reporter on one document share a key; another reporter's, another document's do not."""
    document = make_document()
    report = make_status(document)
    key = status_message(ROUTE, report).ordering_key
    about = report.response_for
    assert key == f"{ROUTE}|status|{about.organ_id}|{about.document_id}|{report.sender.organ_id}"
    assert status_message(ROUTE, make_status(document, status_code="06")).ordering_key == key
    assert status_message(ROUTE, make_status()).ordering_key != key
    other = make_status(document, response_for=make_response_for(document, organ_id="H97"))
    assert status_message(ROUTE, other).ordering_key != key


def test_a_documents_key_names_sender_and_document():
    """The key under which a recall will find its document's packets does not depend on case and outer space."""
    assert document_order(" h98 ", "H98,2026/03/02,1/A") == "H98|H98,2026/03/02,1/A"
