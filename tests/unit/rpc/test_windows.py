"""Window: how many documents may be out at a time."""

from datetime import timedelta

from gateway.domain.ids import ReceptionId
from gateway.domain.lifecycle import ReceptionState
from gateway.ports import ReceivedEntry
from gateway.rpc.windows import Window
from tests.make import NOW, ROUTE, make_agency, make_document


def _entry(name, deadline=NOW + timedelta(minutes=1)):
    return ReceivedEntry(
        account=ROUTE,
        id=ReceptionId(name),
        recipient=make_agency(),
        document=make_document(),
        received_at=NOW,
        state=ReceptionState.LEASED,
        warnings=(),
        ack_deadline=deadline,
    )


def test_each_document_takes_a_place_until_it_is_released():
    """Room shrinks with every document, once per document, and grows with every answer."""
    window = Window(2)
    window.add(_entry("a"))
    window.add(_entry("a"))
    assert window.room(NOW) == 1
    window.add(_entry("b"))
    assert window.room(NOW) == 0
    window.release(ReceptionId("a"))
    window.release(ReceptionId("elsewhere"))
    assert window.room(NOW) == 1


def test_an_ended_lease_takes_no_place():
    """At its deadline a document may go out again, so it no longer counts."""
    window = Window(1)
    window.add(_entry("a", deadline=NOW + timedelta(seconds=10)))
    assert window.room(NOW + timedelta(seconds=9)) == 0
    assert window.room(NOW + timedelta(seconds=10)) == 1
