"""Which report proves that a packet arrived, and all that proves nothing."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.document import BusinessType
from gateway.domain.proof import TELLING, Candidate, Marks, proven
from gateway.domain.status import AGREED, KNOWN, NOT_AGREED, TAKE_BACK_ASKED

DAY, ANOTHER_DAY = date(2026, 3, 2), date(2025, 3, 2)
LETTER = Candidate(
    marks=Marks(document_id="H98,2026/03/02,1/A", code="1/A", day=DAY), business_type=BusinessType.NEW, left=True
)
ANSWERS = (AGREED, NOT_AGREED)
ORDINARY = sorted(TELLING - set(ANSWERS))


def follower(kind, **changes):
    """What follows LETTER and bears its marks."""
    return replace(LETTER, business_type=kind, followed=LETTER.marks.document_id, **changes)


def proves(status_code, *candidates, **named):
    return proven(status_code, replace(LETTER.marks, **named), candidates)


documents = st.builds(
    Candidate,
    marks=st.builds(
        Marks,
        document_id=st.sampled_from(["X", "Y"]),
        code=st.sampled_from(["1/A", "2/A"]),
        day=st.sampled_from([DAY, ANOTHER_DAY, None]),
    ),
    business_type=st.sampled_from([*BusinessType, 9]),
    followed=st.sampled_from(["", "X", "Y"]),
    left=st.booleans(),
    asked_back=st.booleans(),
)
reports = st.builds(
    Marks,
    document_id=st.sampled_from(["", "X", "Y", "Z"]),
    code=st.sampled_from(["", "1/A", "2/A"]),
    day=st.sampled_from([DAY, ANOTHER_DAY, None]),
)
codes = st.sampled_from([*sorted(KNOWN), "07", "14", ""])


def bears(candidate, named):
    """Whether nothing the report names is another's."""
    own = candidate.marks
    return named.code in ("", own.code) and named.day in (None, own.day)


@given(code=codes, named=reports, candidates=st.lists(documents, max_size=4), data=st.data())
def test_a_proof_is_about_one_packet_that_may_have_left(code, named, candidates, data):
    """Whatever is proven has left, bears every mark given, is the only such one, and is found in any order."""
    place = proven(code, named, candidates)
    shuffled = data.draw(st.permutations(range(len(candidates))))
    other = proven(code, named, [candidates[at] for at in shuffled])
    assert (None if other is None else shuffled[other]) == place
    if place is None:
        return
    one = candidates[place]
    assert code in TELLING
    assert one.left
    assert bears(one, named)
    ids = {each.marks.document_id for each in candidates}
    assert one.marks.document_id == named.document_id or named.document_id not in ids
    alike = [each for each in candidates if each.left and each.marks == one.marks and each is not one]
    if code not in ANSWERS:
        assert not alike
    assert all(each.business_type != BusinessType.RECALL for each in alike)


@given(code=codes, named=reports, candidates=st.lists(documents, min_size=1, max_size=4))
def test_what_never_left_is_not_reported_on(code, named, candidates):
    """A document that no packet of has left is never proven."""
    kept_here = [replace(each, left=False) for each in candidates]
    assert proven(code, named, kept_here) is None


@pytest.mark.parametrize("code", sorted(TELLING))
def test_a_report_proves_the_one_packet_it_can_be_about(code):
    """Whatever a recipient says of a document, it has it."""
    assert proves(code, LETTER) == 0
    assert proves(code, LETTER, code="", day=None) == 0
    elsewhere = replace(LETTER, marks=replace(LETTER.marks, document_id="H98,2025/03/02,1/A", day=ANOTHER_DAY))
    assert proves(code, elsewhere, LETTER) == 1


@pytest.mark.parametrize("code", [TAKE_BACK_ASKED, "07", "14", "99", "", "1"])
def test_what_is_no_report_of_a_recipients_proves_nothing(code):
    """13 comes from a sender, and nobody knows what other codes mean."""
    assert proves(code, LETTER) is None


def test_number_and_day_together_name_a_document():
    """An id that nobody here knows was made by the peer; numbers alone begin anew every year."""
    assert proves("03", LETTER, document_id="") == 0
    assert proves("03", LETTER, document_id="77") == 0
    assert proves("03", LETTER, document_id="", day=None) is None
    assert proves("03", LETTER, document_id="", day=ANOTHER_DAY) is None
    assert proves("03", LETTER, document_id="", code="") is None
    assert proves("03", LETTER, replace(LETTER, marks=replace(LETTER.marks, document_id="b")), document_id="") is None


@pytest.mark.parametrize("change", [{"code": "2/A"}, {"day": ANOTHER_DAY}])
def test_a_mark_of_another_document_proves_nothing(change):
    """An id with a number or day that is not its document's may be about one that is no longer kept."""
    assert proves("03", LETTER, **change) is None


@pytest.mark.parametrize("kind", [BusinessType.RECALL, BusinessType.UPDATE, BusinessType.REPLACE])
@pytest.mark.parametrize("code", ORDINARY)
def test_what_bears_its_documents_marks_is_not_proven_by_a_report_on_that(code, kind):
    """While both may be there a report proves neither; while the follower waits here it proves the document."""
    assert proves(code, LETTER, follower(kind)) is None
    assert proves(code, LETTER, follower(kind, left=False)) == 0
    assert proves(code, follower(kind)) is None, "its document may have been removed"
    assert proves(code, replace(LETTER, left=False), follower(kind)) == 1, "a recall of what never arrived"


@pytest.mark.parametrize("kind", [BusinessType.RECALL, BusinessType.UPDATE, BusinessType.REPLACE])
def test_what_has_an_id_of_its_own_is_proven_by_it(kind):
    """A report that names the follower's own id is about the follower, whether or not its document is kept."""
    own = follower(kind, marks=replace(LETTER.marks, document_id="own"))
    assert proves("01", own, document_id="own") == 0
    assert proves("01", LETTER, own, document_id="own") == 1
    assert proves("01", LETTER, own) == 0
    assert proves("01", own, document_id="") is None


@pytest.mark.parametrize("code", ANSWERS)
def test_consent_and_refusal_answer_the_recall(code):
    """15 and 16 prove the recall that bears its document's marks, unless they may answer a take-back or an update."""
    recall, update = follower(BusinessType.RECALL), follower(BusinessType.UPDATE)
    assert proves(code, LETTER, recall) == 1
    assert proves(code, replace(LETTER, asked_back=True), recall) is None
    assert proves(code, LETTER, update, recall) is None
    assert proves(code, LETTER, recall, recall) is None
    assert proves(code, recall) is None
    assert proves(code, LETTER, update) is None
    assert proves(code, LETTER, follower(BusinessType.RECALL, left=False)) == 0
