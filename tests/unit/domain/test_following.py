"""What a recall, an update and a replacement must name, and what they become."""

from dataclasses import replace
from datetime import date

import pytest

from gateway.domain import following
from gateway.domain.document import Business, BusinessType, ReplacementInfo, ResponseFor
from tests.make import RECIPIENT, SENDER, make_document, make_organization, make_response_for

ORIGINAL = make_document()
REASON = "Gửi nhầm nơi nhận"


def make_recall(**overrides):
    values = {
        "business_type": BusinessType.RECALL,
        "response_for": (make_response_for(ORIGINAL),),
        "business": Business(reason=REASON),
        "attachments": (),
    }
    return make_document(**(values | overrides))


def named(**overrides):
    values = {"organ_id": SENDER, "document_id": ORIGINAL.document_id} | overrides
    return (ResponseFor(**values),)


def make_replacement(*ids):
    replaced = tuple(ReplacementInfo(document_id=each) for each in ids)
    return make_document(business_type=BusinessType.REPLACE, business=Business(replacements=replaced))


def paths(violations):
    found = tuple(violations)
    assert all(each.en and each.vi and each.en != each.vi for each in found)
    return [each.path.removeprefix("document.") for each in found]


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        (make_document(), []),
        (make_recall(), []),
        (make_recall(response_for=named()), []),
        (make_recall(response_for=named(organ_id=f" {SENDER.lower()}")), []),
        (make_recall(response_for=named(document_id="", code="1/A", promulgation_date=date(2026, 3, 2))), []),
        (make_recall(response_for=()), ["response_for"]),
        (make_recall(response_for=named() * 2), ["response_for"]),
        (make_recall(response_for=named(document_id=" ", code="1/A")), ["response_for[0].document_id"]),
        (
            make_recall(response_for=named(document_id="", code=" / ", promulgation_date=date(2026, 3, 2))),
            ["response_for[0].document_id"],
        ),
        (make_recall(response_for=named(organ_id=RECIPIENT)), ["response_for[0].organ_id"]),
        (make_recall(business=Business(reason=" ")), ["business.reason"]),
        (make_recall(business=Business(reason=REASON, document_id="x")), ["business.document_id"]),
        (make_document(business_type=BusinessType.UPDATE), ["business.document_id"]),
        (make_document(business_type=BusinessType.UPDATE, business=Business(document_id="x")), []),
        (make_replacement(), ["business.replacements"]),
        (make_replacement("x", "y"), ["business.replacements"]),
        (make_replacement(" "), ["business.replacements[0].document_id"]),
        (make_replacement("x"), []),
        (make_document(business_type=4), ["business_type"]),
    ],
)
def test_what_is_named_is_one_document_of_the_sender_s(document, wanted):
    """Each way to name none, several, somebody else's or half a document is refused at its field, in both languages."""
    assert paths(following.judge_kind(document)) == wanted


def test_where_each_kind_names_what_it_follows():
    """A recall by response_for, an update by business.document_id, a replacement by its list; others nothing."""
    of_ours = ResponseFor(organ_id=SENDER, document_id="x")
    update = make_document(business_type=BusinessType.UPDATE, business=Business(document_id="x"))
    assert following.followed(make_recall()) == make_response_for(ORIGINAL)
    assert following.followed(update) == following.followed(make_replacement("x")) == of_ours
    assert following.followed(make_document(response_for=named(), business=Business(document_id="noise"))) is None


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (make_recall(), "response_for[0]"),
        (make_document(business_type=BusinessType.UPDATE, business=Business(document_id="x")), "business.document_id"),
        (make_replacement("x"), "business.replacements[0].document_id"),
    ],
)
def test_what_is_not_kept_cannot_be_followed(document, path):
    """A document that the gateway never sent is refused at the field that names it."""
    assert paths(following.judge_followed(document, found=None, recipients=())) == [path]


def test_a_recall_goes_to_recipients_of_its_document_only():
    """A stranger among them is refused at its index; an update may go to new recipients."""
    to = (make_organization(f" {RECIPIENT.lower()} "), make_organization("H97.01"))
    recall, update = make_recall(to=to), make_document(to=to, business_type=BusinessType.UPDATE)
    assert paths(following.judge_followed(recall, found=ORIGINAL, recipients={RECIPIENT})) == ["to[1].organ_id"]
    assert paths(following.judge_followed(update, found=ORIGINAL, recipients={RECIPIENT})) == []


@pytest.mark.parametrize(
    ("slip", "path"),
    [
        ({"code": "9999/XX"}, "response_for[0].code"),
        ({"promulgation_date": date(2025, 1, 1)}, "response_for[0].promulgation_date"),
        ({"code": "", "promulgation_date": None}, None),
    ],
)
def test_a_document_id_with_another_s_number_recalls_nothing(slip, path):
    """What is given must fit the document found: a slip would recall the wrong one; what is left out may be."""
    recall = make_recall(response_for=(replace(make_response_for(ORIGINAL), **slip),))
    found = paths(following.judge_followed(recall, found=ORIGINAL, recipients={RECIPIENT}))
    assert found == ([] if path is None else [path])


def test_the_reference_is_completed():
    """Receivers find the document by any of its marks: all are written as they were sent."""
    recall = following.completed(make_recall(response_for=named(document_id=ORIGINAL.document_id.lower())), ORIGINAL)
    assert recall.response_for == (make_response_for(ORIGINAL),)
    update = make_document(business_type=BusinessType.UPDATE, business=Business(document_id="x", paper=True))
    assert following.completed(update, ORIGINAL).business == Business(document_id=ORIGINAL.document_id, paper=True)
    (replaced,) = following.completed(make_replacement("x"), ORIGINAL).business.replacements
    assert replaced == ReplacementInfo(document_id=ORIGINAL.document_id)
