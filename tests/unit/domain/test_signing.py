"""What follows from verdicts, on submission and on arrival."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.document import AttachmentRole, BusinessType, Document
from gateway.domain.errors import ErrorCode
from gateway.domain.signing import AlteredRule, SignaturePolicy, SubmitRule, objection, refusal
from gateway.domain.verdict import Verdict
from tests.make import make_attachment, make_document, make_verdict

MAIN, ANNEX = AttachmentRole.MAIN, AttachmentRole.ANNEX

files = st.lists(st.tuples(st.sampled_from(AttachmentRole), st.none() | st.sampled_from(Verdict)), max_size=5)
policies = st.builds(SignaturePolicy, submit=st.sampled_from(SubmitRule), inbound_altered=st.sampled_from(AlteredRule))


def document_of(*judged: tuple[AttachmentRole, Verdict | None]) -> Document:
    attachments = [
        make_attachment(f"file {n}", name=f"{n}.pdf", role=role, verdict=verdict and make_verdict(verdict=verdict))
        for n, (role, verdict) in enumerate(judged)
    ]
    return make_document(attachments=tuple(attachments))


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.TRUSTED, None),
        (Verdict.UNTRUSTED, ErrorCode.SIGNATURE_UNTRUSTED),
        (Verdict.INVALID, ErrorCode.SIGNATURE_INVALID),
        (Verdict.ALTERED, ErrorCode.SIGNATURE_ALTERED),
        (Verdict.UNSIGNED, ErrorCode.SIGNATURE_MISSING),
        (None, ErrorCode.SIGNATURE_MISSING),
    ],
)
def test_default_wants_a_trusted_main_file(verdict, code):
    """By default the main file must be trusted; every other verdict has its code, and no PDF counts as unsigned."""
    found = objection(SignaturePolicy(), document_of((ANNEX, None), (MAIN, verdict)))
    assert (found and found.code) == code
    if found:
        assert (found.path, found.attachment) == ("document.attachments[1]", "1.pdf")


def test_altered_annex_is_refused():
    """An altered file is refused in whatever role, before anything else is said; other annexes may be anything."""
    found = objection(SignaturePolicy(), document_of((MAIN, Verdict.UNSIGNED), (ANNEX, Verdict.ALTERED)))
    assert found is not None
    assert (found.code, found.index) == (ErrorCode.SIGNATURE_ALTERED, 1)
    annexes = [(ANNEX, verdict) for verdict in (*Verdict, None) if verdict is not Verdict.ALTERED]
    assert objection(SignaturePolicy(), document_of((MAIN, Verdict.TRUSTED), *annexes)) is None


def test_a_recall_without_files_has_nothing_to_sign():
    """A recall that attaches nothing passes; one with files is held to the rule, as every other type without any."""
    assert objection(SignaturePolicy(), replace(document_of(), business_type=BusinessType.RECALL)) is None
    unsigned = replace(document_of((MAIN, Verdict.UNSIGNED)), business_type=BusinessType.RECALL)
    assert objection(SignaturePolicy(), unsigned).code is ErrorCode.SIGNATURE_MISSING
    assert objection(SignaturePolicy(), replace(document_of(), business_type=BusinessType.UPDATE)) is not None


def test_no_main_file():
    """A document without a main file is refused, and the sentence says so."""
    found = objection(SignaturePolicy(), document_of((ANNEX, Verdict.TRUSTED)))
    assert found is not None
    assert (found.code, found.path) == (ErrorCode.SIGNATURE_MISSING, "document.attachments")
    error = found.as_error()
    assert "no main attachment" in error.english
    assert "không có tệp chính" in error.vietnamese


def test_error_names_attachment_and_reason():
    """The error carries the field path and both languages, with the attachment and what was wrong, once."""
    verdict = make_verdict(verdict=Verdict.INVALID, reason="the file is encrypted")
    attachment = make_attachment(name="Công văn.pdf", verdict=verdict)
    found = objection(SignaturePolicy(), make_document(attachments=(attachment,)))
    assert found is not None
    error = found.as_error()
    (violation,) = error.violations
    assert error.code is ErrorCode.SIGNATURE_INVALID
    assert violation.path == "document.attachments[0]"
    assert violation.en == error.english
    assert violation.vi == error.vietnamese
    for sentence in (error.english, error.vietnamese):
        assert "Công văn.pdf" in sentence
        assert sentence.count("the file is encrypted") == 1


@given(files)
def test_off_takes_everything(judged):
    """With the rule off nothing is refused on submission."""
    assert objection(SignaturePolicy(submit=SubmitRule.OFF), document_of(*judged)) is None


@given(files)
def test_rules_are_ordered(judged):
    """What the stricter rule takes, the milder takes; they differ in untrusted main files only."""
    document = document_of(*judged)
    strict = objection(SignaturePolicy(submit=SubmitRule.MAIN_TRUSTED), document)
    mild = objection(SignaturePolicy(submit=SubmitRule.MAIN_SIGNED), document)
    if strict is None:
        assert mild is None
    elif mild is None:
        assert strict.code is ErrorCode.SIGNATURE_UNTRUSTED


@given(policies, files)
def test_objections_are_true(policy, judged):
    """An objection names an attachment that really has the verdict; none means that every main file is fit."""
    document = document_of(*judged)
    found = objection(policy, document)
    if found is None:
        if policy.submit is not SubmitRule.OFF:
            main = [verdict for role, verdict in judged if role is MAIN]
            assert main
            assert set(main) <= {Verdict.TRUSTED, Verdict.UNTRUSTED}
            assert all(verdict is not Verdict.ALTERED for _, verdict in judged)
    elif found.index is None:
        assert all(role is ANNEX for role, _ in judged)
    else:
        role, verdict = judged[found.index]
        assert verdict is not Verdict.TRUSTED
        assert role is MAIN or verdict is Verdict.ALTERED


@given(policies, files)
def test_arrival_is_refused_for_alteration_only(policy, judged):
    """A received document is refused if and only if the policy says so and a file was altered; the reason names it."""
    reason = refusal(policy, document_of(*judged))
    altered = [n for n, (_, verdict) in enumerate(judged) if verdict is Verdict.ALTERED]
    assert bool(reason) == (bool(altered) and policy.inbound_altered is AlteredRule.REFUSE)
    if reason:
        assert all(f"{n}.pdf" in reason for n in altered)
        assert "thay đổi sau khi ký" in reason
