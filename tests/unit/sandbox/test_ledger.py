"""What the axis remembers of accepted packets."""

from typing import Any

from gateway.sandbox.ledger import Ledger


def accepted(**facts: Any) -> dict[str, Any]:
    event = {
        "messagetype": "edoc",
        "from": "00.99.W00",
        "fromCode": "H99.01",
        "to": ["H98.01"],
        "documentId": "id-1",
        "notation": "12/ABC",
        "statusCode": "",
    }
    return event | facts


def test_documents_are_known_by_their_own_sender() -> None:
    """By DocumentId, else by notation, never one taken for the other; receivers of all submissions count."""
    ledger = Ledger()
    ledger.apply(accepted())
    ledger.apply(accepted(to=["H98.02"]))
    assert ledger.receivers_of("H99.01", "id-1") == frozenset({"H98.01", "H98.02"})
    assert ledger.receivers_of("H99.01", "other", "12/ABC") == frozenset({"H98.01", "H98.02"})
    assert ledger.receivers_of("H99.01", "12/ABC") is None
    assert ledger.receivers_of("00.99.W00", "id-1") is None


def test_statuses_are_known_by_reporter_owner_document_and_number() -> None:
    """03 and 3 are one code; events of before this fact was written name the sender alone."""
    ledger = Ledger()
    old = accepted(messagetype="status", to=["H99.01"], statusCode="03") | {"from": "H98.01"}
    del old["fromCode"]
    ledger.apply(old)
    assert ledger.has_status("H98.01", "H99.01", "id-1", 3)
    assert not ledger.has_status("H98.01", "H99.01", "id-1", 4)
    assert not ledger.has_status("H98.02", "H99.01", "id-1", 3)
    assert ledger.receivers_of("H98.01", "id-1") is None
