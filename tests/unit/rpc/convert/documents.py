"""Hypothesis strategies for documents, shared by the tests of both directions."""

from dataclasses import replace
from datetime import UTC, date

from hypothesis import strategies as st

from gateway.domain.document import (
    Attachment,
    AttachmentRole,
    Business,
    BusinessType,
    Document,
    DocumentType,
    Organization,
    OtherInfo,
    Priority,
    ReceiverChange,
    ReplacementInfo,
    ResponseFor,
    SignerInfo,
    StaffInfo,
    SteeringType,
    TraceHeader,
)
from gateway.domain.verdict import Signature, SignatureVerdict, Verdict

TEXT = st.text(max_size=8)
NUMBER = st.integers(0, 2**31 - 1)
DAY = st.none() | st.dates(min_value=date(1, 1, 1))
DIGEST = st.text("0123456789abcdef", min_size=64, max_size=64)
INSTANT = st.datetimes(timezones=st.just(UTC))


def _tuples(each, most=3):
    return st.lists(each, max_size=most).map(tuple)


ORGANIZATION = st.builds(
    Organization,
    organ_id=TEXT,
    organ_name=TEXT,
    organization_in_charge=TEXT,
    organ_add=TEXT,
    email=TEXT,
    telephone=TEXT,
    fax=TEXT,
    website=TEXT,
)
STAFF = st.builds(StaffInfo, department=TEXT, staff=TEXT, mobile=TEXT, email=TEXT)


def _attachments():
    """As a request states them: digests only, every role said, one main file."""
    one = st.builds(
        Attachment,
        name=TEXT,
        media_type=TEXT,
        size=st.just(-1),
        sha256=DIGEST,
        role=st.just(AttachmentRole.ANNEX),
        description=TEXT,
    )
    return st.lists(one, max_size=3).map(
        lambda found: tuple(replace(a, role=AttachmentRole.MAIN) if i == 0 else a for i, a in enumerate(found))
    )


SUBMITTED = st.builds(
    Document,
    sender=ORGANIZATION,
    to=_tuples(ORGANIZATION),
    document_id=TEXT,
    code_number=TEXT,
    code_notation=TEXT,
    promulgation_place=TEXT,
    promulgation_date=DAY,
    subject=TEXT,
    document_type=st.builds(DocumentType, type=NUMBER, type_detail=NUMBER, type_name=TEXT),
    business_type=st.sampled_from(BusinessType),
    content=TEXT,
    signer_info=st.builds(SignerInfo, competence=TEXT, position=TEXT, full_name=TEXT),
    due_date=DAY,
    to_places=_tuples(TEXT),
    other_info=st.builds(
        OtherInfo,
        priority=st.sampled_from(Priority),
        sphere_of_promulgation=TEXT,
        typer_notation=TEXT,
        promulgation_amount=NUMBER,
        page_amount=NUMBER,
        appendixes=_tuples(TEXT),
    ),
    response_for=_tuples(st.builds(ResponseFor, organ_id=TEXT, code=TEXT, promulgation_date=DAY, document_id=TEXT)),
    steering_type=st.none() | st.sampled_from(SteeringType),
    business=st.builds(
        Business,
        reason=TEXT,
        document_id=TEXT,
        document_info_changed=st.booleans(),
        document_receiver_changed=st.booleans(),
        receivers=_tuples(st.builds(ReceiverChange, receiver_type=NUMBER, organ_id=TEXT)),
        staff_info=STAFF,
        paper=st.booleans(),
        replacements=_tuples(st.builds(ReplacementInfo, document_id=TEXT, organ_ids=_tuples(TEXT))),
    ),
    attachments=_attachments(),
)
"""Documents as SubmitDocument can state them: nothing that is output only."""

VERDICT = st.builds(
    SignatureVerdict,
    verdict=st.sampled_from(Verdict),
    signatures=_tuples(
        st.builds(
            Signature,
            signer=TEXT,
            intact=st.booleans(),
            valid=st.booleans(),
            trusted=st.booleans(),
            signed_at=st.none() | INSTANT,
            reason=TEXT,
        )
    ),
    checked_at=INSTANT,
)

_ANY_NUMBER = st.integers(-(2**70), 2**70)

RECEIVED = st.builds(
    lambda document, priority, number, steering, trace, verdict: replace(
        document,
        other_info=replace(document.other_info, priority=priority, page_amount=number),
        document_type=replace(document.document_type, type=number),
        steering_type=steering,
        trace=trace,
        attachments=tuple(replace(a, verdict=verdict, size=5) for a in document.attachments),
    ),
    SUBMITTED,
    _ANY_NUMBER,
    _ANY_NUMBER,
    st.none() | _ANY_NUMBER,
    _tuples(st.builds(TraceHeader, organ_id=TEXT, timestamp=TEXT)),
    st.none() | VERDICT,
)
"""Documents as peers may send them: any number anywhere."""
