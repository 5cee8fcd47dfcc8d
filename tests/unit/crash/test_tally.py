"""How a run is counted."""

from typing import Any

from tests.crash.ledger import Digests, Killed, Ledger
from tests.crash.tally import Figures, tally

FILES: Digests = (("1-0.txt", "ab"),)


def accepted(document_id: str = "d1", *, to: str = "H98.02", messagetype: str = "edoc") -> dict[str, Any]:
    return {"event": "accepted", "messagetype": messagetype, "documentId": document_id, "to": [to]}


def full_ledger() -> Ledger:
    """One document that arrived as it should."""
    ledger = Ledger(digests_sent={1: FILES}, statuses={"d1": ["01", "03", "06"]}, reported={"d1"})
    ledger.note_accepted("d1", "documents/1", 1, by="a")
    ledger.note_handed_out("d1", "receivedDocuments/1", asked_at=0)
    ledger.note_acknowledged("d1", "receivedDocuments/1", FILES, by="b")
    return ledger


def count(ledger: Ledger, *records: dict[str, Any], missing: tuple[str, ...] = (), submitted: int = 1) -> Figures:
    return tally(
        ledger,
        records or [accepted()],
        store="sqlite",
        replicas=False,
        submitted=submitted,
        missing_statuses=missing,
        seconds=1.0,
    )


def test_what_arrived_once_is_good() -> None:
    """Nothing is counted against a document that arrived; a status accepted twice is none of a document's."""
    figures = count(full_ledger(), accepted(), accepted(messagetype="status"), accepted(messagetype="status"))
    assert figures.good
    assert (figures.accepted, figures.arrived, figures.redelivered) == (1, 1, 0)


def test_accepted_and_not_arrived_is_lost() -> None:
    """A document handed out but never acknowledged counts as lost."""
    ledger = full_ledger()
    ledger.note_accepted("d2", "documents/2", 2, by="a")
    ledger.note_handed_out("d2", "receivedDocuments/2", asked_at=0)
    figures = count(ledger, submitted=2)
    assert (figures.lost, figures.troubles) == (1, ("lost: d2",))


def test_a_lease_that_ran_out_is_a_redelivery() -> None:
    """The same reception before its acknowledgement was answered is no duplicate, nor in a pull begun before."""
    ledger = Ledger(digests_sent={1: FILES})
    ledger.note_accepted("d1", "documents/1", 1, by="a")
    ledger.note_handed_out("d1", "receivedDocuments/1", asked_at=1)
    ledger.note_handed_out("d1", "receivedDocuments/1", asked_at=2)
    ledger.note_acknowledged("d1", "receivedDocuments/1", FILES, by="b")
    ledger.note_handed_out("d1", "receivedDocuments/1", asked_at=ledger.acknowledged["receivedDocuments/1"] - 1)
    figures = count(ledger)
    assert (figures.redelivered, figures.duplicated_vendor) == (2, 0)


def test_what_comes_after_its_acknowledgement_is_doubled() -> None:
    """The same reception in a pull begun after the acknowledgement was answered is a duplicate."""
    ledger = full_ledger()
    ledger.note_handed_out("d1", "receivedDocuments/1", asked_at=ledger.acknowledged["receivedDocuments/1"] + 1)
    assert count(ledger).duplicated_vendor == 1


def test_a_second_reception_is_doubled() -> None:
    """A document under a second name is a duplicate, acknowledged or not."""
    ledger = full_ledger()
    ledger.note_handed_out("d1", "receivedDocuments/2", asked_at=0)
    assert count(ledger).duplicated_vendor == 1


def test_the_axis_is_counted_for_each_recipient() -> None:
    """One document id for two recipients is right; twice for one of them is a duplicate."""
    figures = count(full_ledger(), accepted(to="H98.02"), accepted(to="H98.31"), accepted(to="H98.31"))
    assert figures.duplicated_axis == 1


def test_everything_else_is_a_trouble() -> None:
    """Changed files, strangers, missing and misordered statuses and never accepted documents make a run bad."""
    ledger = full_ledger()
    ledger.digests_sent[1] = (("1-0.txt", "other"),)
    ledger.statuses["d1"] = ["06", "03"]
    ledger.note_handed_out("d9", "receivedDocuments/9", asked_at=0)
    figures = count(ledger, missing=("d1",), submitted=2)
    assert (figures.digests_wrong, figures.statuses_missing, figures.statuses_misordered) == (1, 1, 1)
    assert len(figures.troubles) == 5


def test_recovery_is_of_the_killed_gateway() -> None:
    """The time to the next document of the victim; with replicas, of any of them; none left says nothing."""
    ledger = Ledger(
        moves=[(11.0, "a"), (14.5, "b")], kills=[Killed(at=10.0, gateway="b"), Killed(at=20.0, gateway="a")]
    )
    figures = [
        tally(ledger, [], store="s", replicas=replicas, submitted=0, missing_statuses=(), seconds=1.0).recovered_s_max
        for replicas in (False, True)
    ]
    assert figures == [4.5, 1.0]
