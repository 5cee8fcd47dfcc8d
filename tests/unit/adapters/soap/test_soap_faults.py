"""What answers of the service mean: the whole table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.soap.envelopes import MalformedEnvelopeError, parse_envelope
from gateway.adapters.soap.faults import Answer, judge
from gateway.domain.ids import AxisDocId
from gateway.domain.outcome import Accepted, Rejected, Unavailable, Uncertain
from tests.make import NOW

OURS = AxisDocId("ours")
ENVELOPE = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">{}</s:Envelope>'
EMPTY = ENVELOPE.format("<s:Body/>")


def report(*codes, success="false", more="", ns="http://www.e-doc.vn/Schema/"):
    errors = "".join(f"<Error><Code>{code}</Code><Description>vi: {code}</Description></Error>" for code in codes)
    inner = f"<Report><IsSuccess>{success}</IsSuccess><ErrorList>{errors}</ErrorList></Report>{more}"
    return ENVELOPE.format(f'<s:Body><SendDocumentResponse xmlns="{ns}">{inner}</SendDocumentResponse></s:Body>')


def outcome(xml, status=200, retry_after=""):
    envelope = parse_envelope(xml.encode()) if xml else None
    answer = Answer(http_status=status, retry_after=retry_after, envelope=envelope)
    return judge(answer, now=NOW, document_id=OURS)


@pytest.mark.parametrize("ns", ["http://www.e-doc.vn/Schema/", "", "urn:any"])
def test_success(ns):
    """Success is Accepted, under the service's id where it gives a usable one."""
    assert outcome(report(success="true", ns=ns, more="<DocumentId>d1</DocumentId>")) == Accepted(axis_doc_id="d1")
    assert outcome(report(success="1", ns=ns)) == Accepted(axis_doc_id=OURS)
    assert outcome(report(success="true", more=f"<DocumentId>{'x' * 65}</DocumentId>")) == Accepted(axis_doc_id=OURS)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("N.MessageHeader.Subject", "MessageHeader/Subject is missing"),
        ("R.AttachmentName", "AttachmentName is too long or out of its range"),
        ("M.Attachment-Type", "Attachment/Type has a value"),
        ("T.MessageHeader.OtherInfo.Priority", "MessageHeader/OtherInfo/Priority is of the wrong type"),
        ("M.UpdateStatusDoc", "UpdateStatusDoc has a value"),
    ],
)
def test_a_wrong_packet_is_final(code, words):
    """A code with an element path is Rejected in our words, with the service's behind them."""
    found = outcome(report(code))
    assert isinstance(found, Rejected)
    assert found.code == code
    assert words in found.reason
    assert f"vi: {code}" in found.reason
    assert found.known_as is None


def test_a_known_document():
    """M.Exist says under which id the document is known: the answer's, else the packet's own."""
    found = outcome(report("N.Other", "M.Exist"))
    assert isinstance(found, Rejected)
    assert (found.code, found.known_as) == ("M.Exist", OURS)
    named = outcome(report("M.Exist", more="<DocumentId>d9</DocumentId>"))
    assert isinstance(named, Rejected)
    assert named.known_as == "d9"


def test_a_repeated_status():
    """M.UpdateTraces means that the status was told before."""
    assert outcome(report("M.UpdateTraces")) == Accepted(axis_doc_id=OURS)


@pytest.mark.parametrize(
    "code", ["Permission", "CheckSignature", "M.CheckPermission", "M.GetDocumentCheckAllow", "InvalidToken", "N.Token"]
)
def test_what_an_operator_mends(code):
    """Refusals of the account are Unavailable, whatever else is wrong, and say nothing against the packet."""
    found = outcome(report("N.MessageHeader.Subject", code))
    assert isinstance(found, Unavailable)
    assert code in found.reason
    assert found.code == ""


def test_refusals_without_a_known_code():
    """They are Unavailable: nothing was processed, and nothing says that it never will be."""
    assert isinstance(outcome(report()), Unavailable)
    found = outcome(report("9999"))
    assert isinstance(found, Unavailable)
    assert found.code == "9999"


def test_contradictions():
    """Success with an error is Uncertain."""
    assert isinstance(outcome(report("N.X", success="true")), Uncertain)


@pytest.mark.parametrize(
    ("xml", "status", "kind"),
    [
        (EMPTY, 200, Uncertain),
        (ENVELOPE.format(""), 200, Uncertain),
        (EMPTY, 503, Unavailable),
        (EMPTY, 404, Unavailable),
        ("", 200, Uncertain),
        ("", 302, Unavailable),
        ("", 500, Uncertain),
    ],
)
def test_the_mediator_died(xml, status, kind):
    """An empty envelope, or none, leaves open whether the packet was taken, unless the HTTP status tells."""
    assert isinstance(outcome(xml, status), kind)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("<faultcode>s:Client</faultcode><faultstring>bad</faultstring>", Unavailable),
        ("<faultcode>wsse:FailedAuthentication</faultcode>", Unavailable),
        ("<Code><Value>s:Sender</Value></Code><Reason><Text>bad</Text></Reason>", Unavailable),
        ("<faultcode>s:Server</faultcode><faultstring>bad</faultstring>", Uncertain),
        ("", Uncertain),
    ],
)
def test_faults(fault, kind):
    """A Fault that blames the caller means nothing was done; another leaves it open."""
    assert isinstance(outcome(ENVELOPE.format(f"<s:Body><s:Fault>{fault}</s:Fault></s:Body>"), 500), kind)


def test_the_peers_wish():
    """Retry-After is carried along."""
    found = outcome("", 503, "7")
    assert isinstance(found, Unavailable)
    assert found.retry_after
    assert found.retry_after.total_seconds() == 7


@given(
    st.lists(st.text(st.characters(codec="ascii", categories=["L", "N", "P"], exclude_characters="<&>")), max_size=4)
)
def test_any_codes(codes):
    """Any report has an outcome."""
    assert outcome(report(*codes)) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not xml",
        b"<html/>",
        b'<Envelope xmlns="urn:other"/>',
        b'<!DOCTYPE s:Envelope><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"/>',
        b'<!DOCTYPE a [<!ENTITY e "x">]><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">&e;</s:Envelope>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>',
        b"\xff\xfe\x00<",
        b"<a>" * 100_000,
    ],
)
def test_no_envelopes(data):
    """What is no envelope, or has a DTD, is refused."""
    with pytest.raises(MalformedEnvelopeError):
        parse_envelope(data)


@given(st.binary(max_size=200))
def test_any_bytes_as_an_envelope(data):
    """Whatever comes is an envelope or refused by name."""
    try:
        parse_envelope(data)
    except MalformedEnvelopeError:
        return
