"""Documents described in JSON: every field read, every mistake named by its path."""

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.document import AttachmentRole, TraceHeader
from gateway.rpc.convert.jsonform import document_json
from gateway.rpc.convert.jsonread import DescribedDocument, NotJsonError, read_document
from tests.unit.rpc.convert.documents import SUBMITTED, TEXT

TRACE = st.lists(st.builds(TraceHeader, organ_id=TEXT, timestamp=TEXT), max_size=3).map(tuple)


@given(document=SUBMITTED, trace=TRACE, path=st.from_regex(r"[a-z]+/[a-z]+\.[a-z]+", fullmatch=True))
def test_what_is_described_is_read(document, trace, path):
    """The JSON of a document with paths added gives the document again; an unnamed file is called by its path's end."""
    written = document_json(replace(document, trace=trace))
    for attachment in written.get("attachments", []):
        attachment.pop("sizeBytes")
        attachment["path"] = path
    described = read_document(json.dumps(written))
    assert isinstance(described, DescribedDocument)
    assert [file.source for file in described.files] == [path] * len(document.attachments)
    last = path.rpartition("/")[2]
    named = tuple(replace(a, name=a.name or last) for a in document.attachments)
    assert described.document == replace(document, trace=trace, attachments=named)


@given(data=st.binary(max_size=40))
def test_content_may_stand_in_the_json(data):
    """Base64 of either alphabet gives the bytes; an empty text is an empty file."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        described = read_document(json.dumps({"attachments": [{"content": encode(data).decode()}]}))
        assert isinstance(described, DescribedDocument)
        assert described.files[0].source == data


def test_snake_case_is_understood():
    """Both spellings of a field are read, as protobuf's parser does."""
    described = read_document('{"code_number": "12", "codeNotation": "AB", "from": {"organ_id": "H99"}, "trace": null}')
    assert isinstance(described, DescribedDocument)
    assert (described.document.code, described.document.sender.organ_id) == ("12/AB", "H99")


def test_roles_are_told_apart_from_silence():
    """A role that was given is known as given."""
    text = '{"attachments": [{"path": "a"}, {"path": "b", "role": "ATTACHMENT_ROLE_MAIN"}]}'
    described = read_document(text)
    assert isinstance(described, DescribedDocument)
    assert [file.role for file in described.files] == [None, AttachmentRole.MAIN]


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        ({"subjekt": "x"}, ["document.subjekt"]),
        ({"codeNumber": "1", "code_number": "2"}, ["document.code_number"]),
        ({"to": [{"organId": "a"}, {"organId": 3}]}, ["document.to[1].organ_id"]),
        ({"to": {"organId": "a"}}, ["document.to"]),
        ({"to": ["H98"]}, ["document.to[0]"]),
        ({"to": [None]}, ["document.to[0]"]),
        ({"from": []}, ["document.from"]),
        ({"from": "H98"}, ["document.from"]),
        ({"subject": "\ud800"}, ["document.subject"]),
        ({"businessType": "\ud800"}, ["document.business_type"]),
        ({"toPlaces": ["a", "\ud800"]}, ["document.to_places"]),
        ({"subject": {"a": "b"}}, ["document.subject"]),
        ({"toPlaces": ["a", None]}, ["document.to_places"]),
        ({"otherInfo": {"pageAmount": 10**30}}, ["document.other_info.page_amount"]),
        ({"otherInfo": {"pageAmount": "x"}}, ["document.other_info.page_amount"]),
        ({"otherInfo": {"priority": "HIGH"}}, ["document.other_info.priority"]),
        ({"otherInfo": {"priority": 99}}, ["document.other_info.priority"]),
        ({"businessType": 99}, ["document.business_type"]),
        ({"businessType": True}, ["document.business_type"]),
        ({"businessType": 1.5}, ["document.business_type"]),
        ({"other_info": {"priority": False}}, ["document.other_info.priority"]),
        ({"promulgationDate": "15/01/2026"}, ["document.promulgation_date"]),
        ({"dueDate": "2026-02-30"}, ["document.due_date"]),
        ({"acceptTime": "yesterday"}, ["document.accept_time"]),
        ({"attachments": [{}]}, ["document.attachments[0]"]),
        ({"attachments": [{"path": "a", "content": ""}]}, ["document.attachments[0]"]),
        ({"attachments": [{"path": 5}]}, ["document.attachments[0].path"]),
        ({"attachments": [{"path": ""}]}, ["document.attachments[0].path"]),
        ({"attachments": [{"content": "!!"}]}, ["document.attachments[0].content"]),
        ({"attachments": [{"content": "YQ"}]}, ["document.attachments[0].content"]),
        ({"attachments": [{"path": "a", "sha256": "A"}]}, ["document.attachments[0].sha256"]),
        ({"attachments": [{"path": "a", "sizeBytes": -1}]}, ["document.attachments[0].size_bytes"]),
        ({"attachments": [{"path": "a", "role": 9}]}, ["document.attachments[0].role"]),
        ({"attachments": [{"path": "a"}, {"path": "b", "x": 1}]}, ["document.attachments[1].x"]),
        ({"path": "a"}, ["document.path"]),
        (
            {"subject": 1, "business": {"receivers": [{"organID": "x"}]}, "trace": [{"time": ""}]},
            ["document.subject", "document.business.receivers[0].organID", "document.trace[0].time"],
        ),
    ],
)
def test_every_mistake_has_its_path(value, paths):
    """All wrong fields are named at once, each with a sentence."""
    found = read_document(json.dumps(value))
    assert isinstance(found, tuple)
    assert [violation.path for violation in found] == paths
    assert all(violation.en and violation.vi for violation in found)


def test_a_field_given_twice_in_the_same_words_is_refused():
    """JSON's silent "the last one wins" does not decide what a document says."""
    found = read_document('{"subject": "a", "subject": "b"}')
    assert isinstance(found, tuple)
    assert [violation.path for violation in found] == ["document.subject"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}{}",
        '{"subject": "a"',
        '{"subject": NaN}',
        '{"subject": -Infinity}',
        "[" * 100_000,
        '{"subject": ' + "[" * 100_000,
        '{"otherInfo": {"pageAmount": ' + "9" * 10_000 + "}}",
    ],
)
def test_what_is_no_json_object_is_refused(text):
    """Whatever stands in the file, there is one sentence and no other exception."""
    with pytest.raises(NotJsonError, match=r"."):
        read_document(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "to",
                    "from",
                    "organId",
                    "attachments",
                    "path",
                    "content",
                    "otherInfo",
                    "priority",
                    "business",
                    "trace",
                    "x",
                ]
            ),
            each,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(value=JSON)
def test_any_json_is_read_or_refused(value):
    """No value of JSON makes reading fail otherwise than by its two refusals."""
    try:
        found = read_document(json.dumps(value))
    except NotJsonError:
        assert not isinstance(value, dict)
    else:
        assert isinstance(found, DescribedDocument) or (found and isinstance(found, tuple))


def test_what_only_the_gateway_says_is_named():
    """Fields that no packet carries are read, not refused, and their paths are told."""
    text = """{"name": "documents/1", "acceptTime": "2026-01-15T00:00:00Z", "deliveries": [{"organId": "H98"}],
        "attachments": [{"path": "a"}, {"path": "b", "name": "documents/1/attachments/1", "signatureVerdict": {}}]}"""
    described = read_document(text)
    assert isinstance(described, DescribedDocument)
    assert set(described.passed_over) == {
        "document.name",
        "document.accept_time",
        "document.deliveries",
        "document.attachments[1].name",
        "document.attachments[1].signature_verdict",
    }
