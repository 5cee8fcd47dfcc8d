from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import rules
from gateway.domain.dialect import DIALECTS, NATIONAL
from gateway.domain.document import (
    AttachmentRole,
    Business,
    BusinessType,
    DocumentType,
    OtherInfo,
    ReceiverChange,
    ReplacementInfo,
    ResponseFor,
    SignerInfo,
    StaffInfo,
)
from gateway.domain.lengths import LENGTHS
from tests.make import RECIPIENT, SENDER, make_attachment, make_document, make_organization

TODAY = date(2026, 3, 2)


def judge(**overrides):
    violations, _ = rules.check(make_document(**overrides), today=TODAY, limits=rules.Limits(), dialect=NATIONAL)
    return [violation.path.removeprefix("document.") for violation in violations]


def test_a_good_document_passes_without_warning():
    """A complete document with short codes has nothing to mend."""
    document = make_document(sender=make_organization("H98"), to=(make_organization("H99.01"),))
    assert rules.check(document, today=TODAY, limits=rules.Limits(), dialect=NATIONAL) == ((), ())


@pytest.mark.parametrize(
    ("overrides", "path"),
    [
        ({"code_number": ""}, "code_number"),
        ({"code_notation": " "}, "code_notation"),
        ({"promulgation_place": ""}, "promulgation_place"),
        ({"promulgation_date": None}, "promulgation_date"),
        ({"subject": ""}, "subject"),
        ({"document_type": DocumentType()}, "document_type.type_name"),
        ({"signer_info": SignerInfo()}, "signer_info.full_name"),
        ({"to": ()}, "to"),
        ({"to": (make_organization(""),)}, "to[0].organ_id"),
        ({"attachments": ()}, "attachments"),
        ({"attachments": (make_attachment(name=""),)}, "attachments[0].attachment_name"),
    ],
)
def test_required_fields_are_named(overrides, path):
    """A missing required field, attachments among them, gives exactly one violation with its contract path."""
    assert judge(**overrides) == [path]


@pytest.mark.parametrize(
    ("overrides", "path"),
    [
        ({"document_id": "x" * 201}, "document_id"),
        ({"code_number": "1" * 51}, "code_number"),
        ({"subject": "x" * 501}, "subject"),
        ({"content": "x" * 501}, "content"),
        ({"signer_info": SignerInfo(full_name="x", competence="x" * 101)}, "signer_info.competence"),
        ({"to": (make_organization("H99", fax="x" * 51),)}, "to[0].fax"),
        ({"to_places": ("x" * 151,)}, "to_places[0]"),
        ({"to_places": ("x",) * 201}, "to_places"),
        ({"response_for": (ResponseFor(organ_id="x" * 36),)}, "response_for[0].organ_id"),
        ({"other_info": OtherInfo(appendixes=("x" * 251,))}, "other_info.appendixes[0]"),
        ({"other_info": OtherInfo(reply_fors=("x" * 201,))}, "other_info.reply_fors[0]"),
        ({"other_info": OtherInfo(reference_codes=("x",) * 101)}, "other_info.reference_codes"),
        ({"task_codes": ("x", "y" * 101)}, "task_codes[1]"),
        ({"application_type": "x" * 101}, "application_type"),
        ({"business": Business(staff_info=StaffInfo(staff_id="x" * 101))}, "business.staff_info.staff_id"),
        ({"attachments": (make_attachment(field_name="x" * 101),)}, "attachments[0].field_name"),
        ({"other_info": OtherInfo(page_amount=65536)}, "other_info.page_amount"),
        ({"other_info": OtherInfo(priority=9)}, "other_info.priority"),
        ({"steering_type": 3}, "steering_type"),
        ({"document_type": DocumentType(type=-1, type_name="x")}, "document_type.type"),
        ({"business": Business(reason="x" * 501)}, "business.reason"),
        ({"business": Business(receivers=(ReceiverChange(receiver_type=2, organ_id="H9"),))},
         "business.receivers[0].receiver_type"),
        ({"business": Business(replacements=(ReplacementInfo(document_id="1", organ_ids=("x" * 36,)),))},
         "business.replacements[0].organ_ids[0]"),
        ({"attachments": (make_attachment(media_type="x" * 256),)}, "attachments[0].media_type"),
    ],
)  # fmt: skip
def test_technical_limits_refuse(overrides, path):
    """One character or entry too many is refused with the field's path."""
    assert judge(**overrides) == [path]


def test_legal_lengths_only_warn():
    """What Decree 30/2020 forbids but deployed systems carry is accepted with a warning per field."""
    document = make_document(
        sender=make_organization("H98.01.02.03.04"),
        code_number="1" * 12,
        code_notation="x" * 31,
        document_type=DocumentType(type_name="x" * 101),
        signer_info=SignerInfo(full_name="x" * 51),
        other_info=OtherInfo(page_amount=1000),
    )
    violations, warnings = rules.check(document, today=TODAY, limits=rules.Limits(), dialect=NATIONAL)
    assert not violations
    assert {w.code for w in warnings} == {rules.LEGAL_LENGTH_EXCEEDED}
    assert [w.path.removeprefix("document.") for w in warnings] == [
        "from.organ_id",
        "code_number",
        "code_notation",
        "document_type.type_name",
        "signer_info.full_name",
        "other_info.page_amount",
    ]


@pytest.mark.parametrize(("ahead", "refused"), [(-400, False), (0, False), (1, False), (2, True)])
def test_a_date_may_be_one_day_ahead(ahead, refused):
    """PromulgationDate has one day of slack (edXML 5.7 item 8)."""
    assert judge(promulgation_date=TODAY + timedelta(days=ahead)) == (["promulgation_date"] if refused else [])


def test_recipients_are_distinct_and_no_hubs():
    """A repeated code, however written, and a centre's code are refused at their own index."""
    to = (make_organization("H99.01"), make_organization("h99.01 "), make_organization("00.99.W00"))
    assert judge(to=to) == ["to[1].organ_id", "to[2].organ_id"]


def test_counts_follow_the_limits():
    """More recipients or attachments than the settings allow are refused as lists."""
    document = make_document(
        to=tuple(make_organization(f"H99.{n}") for n in range(3)), attachments=(make_attachment(),) * 1
    )
    violations, _ = rules.check(
        document, today=TODAY, limits=rules.Limits(recipients=2, attachments=0), dialect=NATIONAL
    )
    assert [v.path for v in violations] == ["document.to", "document.attachments"]


def test_only_a_recall_may_come_without_attachments():
    """A recall repeats its document's files or has none; every other type must have one."""
    recall = {"business_type": BusinessType.RECALL, "business": Business(reason="sai nơi nhận"), "attachments": ()}
    assert judge(**recall, response_for=(ResponseFor(organ_id=SENDER, document_id="x"),)) == []
    update = {"business_type": BusinessType.UPDATE, "business": Business(document_id="x"), "attachments": ()}
    assert judge(**update) == ["attachments"]


@pytest.mark.parametrize("name", ["a/b.pdf", "..\\b.pdf", "a\nb.pdf", "..", "\x85.pdf"])
def test_file_names_have_no_folders(name):
    """A name that could leave its folder or break a header is refused."""
    assert "attachments[0].attachment_name" in judge(attachments=(make_attachment(name=name),))


def test_one_main_file():
    """A second MAIN is refused at its own index."""
    mains = (make_attachment(), make_attachment(b"2", role=AttachmentRole.ANNEX), make_attachment(b"3"))
    assert judge(attachments=mains) == ["attachments[2].role"]


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\ud800"])
def test_what_xml_cannot_hold_is_refused(character):
    """Characters outside XML 1.0 are refused rather than lost."""
    assert judge(subject=f"a{character}b") == ["subject"]


@given(st.text(alphabet=st.characters(min_codepoint=0x20, exclude_categories=("Cs", "Cc")), max_size=50))
def test_ordinary_text_passes(text):
    """No text of printable characters is called forbidden, but for the two non-characters of XML."""
    found = judge(content=text)
    assert found == (["content"] if any(c in "\ufffe\uffff" for c in text) else [])


@pytest.mark.parametrize(
    ("sphere", "refused"),
    [
        ("Mật", True),
        ("độ MẬT", True),
        ("Tối  mật", True),
        ("tuyệt mật.", True),
        ("Ma\u0323\u0302t", True),
        ("Không mật", False),
        ("Công khai", False),
        ("Lưu hành nội bộ", False),
        ("Mật\u00f3", False),
        ("", False),
    ],
)
def test_state_secrets_are_refused(sphere, refused):
    """A secrecy word, in any case and Unicode form, refuses the document (QĐ 28/2018, art. 1.2)."""
    expected = ["other_info.sphere_of_promulgation"] if refused else []
    assert judge(other_info=OtherInfo(sphere_of_promulgation=sphere)) == expected


def test_violations_speak_both_languages():
    """Every violation has an English and a Vietnamese sentence."""
    bad = make_document(
        to=(), attachments=(), code_number="", subject="\x00", promulgation_date=None, steering_type=7,
        business_type=BusinessType.RECALL, other_info=OtherInfo(sphere_of_promulgation="Mật", page_amount=-1),
    )  # fmt: skip
    violations, _ = rules.check(bad, today=TODAY, limits=rules.Limits(), dialect=NATIONAL)
    assert len(violations) == 9
    assert [v.path for v in violations if "business" in v.path or "response" in v.path] == [
        *("document.response_for", "document.business.reason"),
    ]
    assert all(v.en and v.vi and v.en != v.vi for v in violations)


def test_default_document_id():
    """An empty id becomes org, date with slashes, number/notation; with a part missing it stays empty."""
    document = make_document(sender=make_organization("H98.02"), code_number="7", code_notation="TN")
    assert rules.default_document_id(document) == "H98.02,2026/03/02,7/TN"
    assert rules.default_document_id(replace(document, promulgation_date=None)) == ""


def test_status_texts():
    """A reason is required where said, limited to 1,000 characters, and the clerk's data are limited too."""
    staff = StaffInfo(mobile="1" * 101)
    found = rules.check_status_text(path="reason", text=" ", required=True, staff=staff, dialect=NATIONAL)
    assert [v.path for v in found] == ["reason", "staff_info.mobile"]
    assert rules.check_status_text(path="d", text="x" * 1000, required=False, staff=StaffInfo(), dialect=NATIONAL) == ()
    assert (
        len(rules.check_status_text(path="d", text="x" * 1001, required=False, staff=StaffInfo(), dialect=NATIONAL))
        == 1
    )


def test_the_last_of_many_recipients_is_judged():
    """5,000 recipients, the most there may be, are all looked at."""
    to = (*(make_organization(f"H99.{n}") for n in range(4999)), make_organization(RECIPIENT, fax="x" * 51))
    assert judge(to=to) == ["to[4999].fax"]


@pytest.mark.parametrize(
    ("name", "digits", "refused"), [("bkav", 11, False), ("bkav", 12, True), ("national", 12, False)]
)
def test_a_dialect_may_take_less(name, digits, refused):
    """Bkav's axis takes 11 characters of CodeNumber, as the decree does; elsewhere more is only warned of."""
    document = make_document(code_number="1" * digits)
    violations, warnings = rules.check(document, today=TODAY, limits=rules.Limits(), dialect=DIALECTS[name])
    assert [v.path for v in violations] == (["document.code_number"] if refused else [])
    warned = "document.code_number" in [w.path for w in warnings]
    assert warned is (digits > 11 and not refused)


def test_a_dialect_limits_statuses_too():
    """Bkav's axis has a column of 75 characters for what others take 1,000 of."""
    for name, limit in (("bkav", 75), ("national", 1000)):
        for size, refused in ((limit, False), (limit + 1, True)):
            text = "x" * size
            found = rules.check_status_text(
                path="reason", text=text, required=True, staff=StaffInfo(), dialect=DIALECTS[name]
            )
            assert [v.path for v in found] == (["reason"] if refused else [])


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_names_fields_that_exist(name):
    """A preset limits fields of the table, and none beyond what everybody takes."""
    dialect = DIALECTS[name]
    assert all(size <= LENGTHS[field].technical for field, size in dialect.lengths.items())
    assert all(dialect.limit(field) == dialect.lengths.get(field, LENGTHS[field].technical) for field in LENGTHS)


def writable(**overrides):
    violations, _ = rules.check_writable(make_document(**overrides), limits=rules.Limits(), dialect=NATIONAL)
    return [violation.path.removeprefix("document.") for violation in violations]


@pytest.mark.parametrize(
    "overrides",
    [
        {"business_type": BusinessType.RECALL},
        {"business_type": 7},
        {"attachments": ()},
        {"subject": "", "code_number": "", "promulgation_date": None, "signer_info": SignerInfo()},
        {"promulgation_date": TODAY + timedelta(days=400)},
        {"to": (make_organization("00.99.W00"),)},
    ],
)
def test_what_is_built_by_hand_may_break_the_sender_s_rules(overrides):
    """A packet can be written of any business type, with elements missing, to whomever."""
    assert writable(**overrides) == []
    assert judge(**overrides)


@pytest.mark.parametrize(
    ("overrides", "path"),
    [
        ({"subject": "x" * 501}, "subject"),
        ({"subject": "a\x00"}, "subject"),
        ({"to": ()}, "to"),
        ({"other_info": OtherInfo(sphere_of_promulgation="Mật")}, "other_info.sphere_of_promulgation"),
        ({"other_info": OtherInfo(page_amount=-1)}, "other_info.page_amount"),
        ({"attachments": (make_attachment(name="a/b.pdf"),)}, "attachments[0].attachment_name"),
    ],
)
def test_what_cannot_be_written_is_refused_by_hand_too(overrides, path):
    """Texts beyond the limits, values no element can hold, names of folders and state secrets are refused here too."""
    assert writable(**overrides) == [path]


def test_writing_warns_as_submitting_does():
    """The decree's lengths are warned of in both ways."""
    document = make_document(code_number="1" * 12)
    _, submitted = rules.check(document, today=TODAY, limits=rules.Limits(), dialect=NATIONAL)
    _, written = rules.check_writable(document, limits=rules.Limits(), dialect=NATIONAL)
    assert written == submitted != ()
