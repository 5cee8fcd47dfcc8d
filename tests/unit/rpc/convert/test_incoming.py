"""Requests -> domain: nothing is lost on the way, bad fields are named."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.document import AttachmentRole, BusinessType, Priority
from gateway.pb.lgsp.gateway.v1 import document_pb2 as pb
from gateway.rpc.config import INLINE_LIMIT
from gateway.rpc.convert.form import Form
from gateway.rpc.convert.incoming import assign_roles, document_in
from gateway.rpc.convert.outgoing import document_out
from tests.unit.rpc.convert.documents import SUBMITTED

MAIN, ANNEX = AttachmentRole.MAIN, AttachmentRole.ANNEX


@given(document=SUBMITTED)
def test_submitted_documents_come_back_whole(document):
    """Rendering a document and reading it again gives the same value, through bytes on the wire."""
    wire = document_out(document, name="documents/x").SerializeToString()
    form = Form()
    submitted = document_in(form, pb.Document.FromString(wire))
    form.check()
    assert submitted.document == document
    assert not submitted.inline


def test_nothing_said_means_new_and_normal():
    """Absent enums take the contract's defaults."""
    document = document_in(Form(), pb.Document()).document
    assert document.business_type is BusinessType.NEW
    assert document.other_info.priority == Priority.NORMAL
    assert document.steering_type is None


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (pb.Document(business_type=9), "document.business_type"),
        (pb.Document(other_info=pb.OtherInfo(priority=6)), "document.other_info.priority"),
        (pb.Document(steering_type=-1), "document.steering_type"),
        (pb.Document(promulgation_date="02/03/2026"), "document.promulgation_date"),
        (pb.Document(due_date="soon"), "document.due_date"),
        (
            pb.Document(response_for=[pb.ResponseFor(), pb.ResponseFor(promulgation_date="x")]),
            "document.response_for[1].promulgation_date",
        ),
        (pb.Document(attachments=[pb.Attachment(attachment_name="a")]), "document.attachments[0].sha256"),
        (pb.Document(attachments=[pb.Attachment(content=b"x", role=7)]), "document.attachments[0].role"),
        (pb.Document(attachments=[pb.Attachment(content=b"x", sha256="00" * 32)]), "document.attachments[0].sha256"),
    ],
)
def test_bad_fields_are_named(message, path):
    """Each malformed field is reported under its own path, and alone."""
    form = Form()
    document_in(form, message)
    assert [violation.path for violation in form.violations] == [path]


def test_inline_content_is_named_by_its_digest():
    """Bytes inside the request are keyed by their SHA-256; the attachment has their size."""
    content = b"%PDF-1.7"
    form = Form()
    submitted = document_in(form, pb.Document(attachments=[pb.Attachment(attachment_name="a.pdf", content=content)]))
    form.check()
    digest = sha256(content).hexdigest()
    assert submitted.inline == {digest: content}
    assert (submitted.document.attachments[0].sha256, submitted.document.attachments[0].size) == (digest, 8)


@pytest.mark.parametrize(("extra", "paths"), [(0, []), (1, ["document.attachments"])])
def test_inline_content_has_one_limit_over_all_attachments(extra, paths):
    """1 MiB in all passes, one byte more does not."""
    half = b"x" * (INLINE_LIMIT // 2)
    form = Form()
    document_in(
        form,
        pb.Document(attachments=[pb.Attachment(content=half), pb.Attachment(content=half + b"y" * extra)]),
    )
    assert [violation.path for violation in form.violations] == paths


def test_output_only_fields_are_ignored():
    """What only the gateway may state is not taken from a request (AIP-203)."""
    message = pb.Document(
        name="documents/forged",
        trace=[pb.TraceHeader(organ_id="H99")],
        attachments=[pb.Attachment(content=b"x", name="documents/forged/attachments/0", size_bytes=99)],
    )
    document = document_in(Form(), message).document
    assert document.trace == ()
    assert document.attachments[0].size == 1


@pytest.mark.parametrize(
    ("wishes", "pdf", "roles"),
    [
        ([], [], ()),
        ([None, None], [False, True], (ANNEX, MAIN)),
        ([None, None], [True, True], (MAIN, ANNEX)),
        ([ANNEX, None], [True, True], (ANNEX, MAIN)),
        ([None, MAIN], [True, False], (ANNEX, MAIN)),
        ([None], [False], (ANNEX,)),
    ],
)
def test_the_first_pdf_is_main_unless_something_else_was_said(wishes, pdf, roles):
    """Stated roles stand; without a MAIN the first PDF that nobody called an annex becomes it."""
    assert assign_roles(wishes, pdf) == roles


@given(st.lists(st.tuples(st.sampled_from([None, MAIN, ANNEX]), st.booleans()), max_size=6))
def test_roles_never_contradict_a_wish(pairs):
    """A stated role is always kept, and at most one file becomes main by itself."""
    wishes = [wish for wish, _ in pairs]
    roles = assign_roles(wishes, [pdf for _, pdf in pairs])
    assert all(wish in (None, role) for wish, role in zip(wishes, roles, strict=True))
    assert roles.count(MAIN) <= max(1, wishes.count(MAIN))


@pytest.mark.parametrize(
    ("name", "media_type", "role"),
    [("a.PDF", "", MAIN), ("a", "application/PDF; v=1", MAIN), ("a.docx", "application/msword", ANNEX)],
)
def test_a_pdf_is_known_by_type_or_name(name, media_type, role):
    """Either the media type or the file name makes a PDF."""
    message = pb.Document(attachments=[pb.Attachment(content=b"x", attachment_name=name, media_type=media_type)])
    assert document_in(Form(), message).document.attachments[0].role is role
