"""What is told of fields that a reader of a packet finds otherwise."""

from dataclasses import replace

from gateway.domain.document import Document, Organization, ResponseFor, TraceHeader
from gateway.domain.ids import OrganId
from gateway.translate.edxml.workbench.losses import NOT_CARRIED, lost_fields
from tests.unit.translate.edxml.sample import DOCUMENT

TWO = (Organization(organ_id=OrganId("H98.02"), organ_name="B"), Organization(organ_id=OrganId("H98.03")))


def told(given: Document, said: Document) -> list[tuple[str, str]]:
    found = list(lost_fields(given, said))
    assert {one.code for one in found} <= {NOT_CARRIED}
    return [(one.path, one.message.removeprefix("a reader of the packet finds ")) for one in found]


def test_the_place_in_a_list_is_told() -> None:
    """Of a list of the same length the field that differs is named, in the words of the contract."""
    given = replace(DOCUMENT, to=(TWO[0], replace(TWO[1], organ_name="C ")), to_places=("a", " b"))
    said = replace(given, to=(TWO[0], replace(TWO[1], organ_name="C")), to_places=("a", "b"))
    assert told(given, said) == [("document.to[1].organ_name", "'C'"), ("document.to_places[1]", "'b'")]


def test_a_shorter_list_is_told_whole() -> None:
    """Where entries are gone, what is left is shown: texts as they are, groups by number."""
    given = replace(DOCUMENT, to=TWO, to_places=("a", "", "b"), response_for=(ResponseFor(organ_id=OrganId("")),))
    said = replace(given, to=TWO[:1], to_places=("a", "b"), response_for=())
    assert told(given, said) == [
        ("document.to", "1 of them"),
        ("document.to_places", "'a', 'b'"),
        ("document.response_for", "nothing"),
    ]


def test_a_hop_that_is_appended_is_no_loss() -> None:
    """Only the hops that were given are compared."""
    given = replace(DOCUMENT, trace=(TraceHeader(organ_id=" H97", timestamp="t"),))
    hops = (TraceHeader(organ_id="H97", timestamp="t"), TraceHeader(organ_id="H98", timestamp="u"))
    assert told(given, replace(given, trace=hops)) == [("document.trace[0].organ_id", "'H97'")]


def test_a_thousand_losses_are_summed_up() -> None:
    """A hundred fields are named, of the rest the number is told."""
    given = replace(DOCUMENT, to_places=("a ",) * 1000)
    found = told(given, replace(given, to_places=("a",) * 1000))
    assert len(found) == 101
    assert found[-1] == ("document", "and 900 fields more")
