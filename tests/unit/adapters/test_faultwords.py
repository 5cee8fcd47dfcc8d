"""What the refusals of platforms say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.faultwords import fault_words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            b'{"error":"invalid_client","error_description":"Client Authentication failed."}',
            "invalid_client: Client Authentication failed.",
        ),
        (
            b'{"fault":{"code":900901,"message":"Invalid Credentials","description":"Check"}}',
            "900901: Invalid Credentials: Check",
        ),
        (b'{"code":"900902","message":"Missing Credentials"}', "900902: Missing Credentials"),
        (
            b'<am:fault xmlns:am="http://wso2.org/apimanager"><am:code>303001</am:code><am:message>Runtime</am:message></am:fault>',
            "303001: Runtime",
        ),
        (
            b"<soap:Fault><faultcode>soap:Server</faultcode><faultstring>No route</faultstring></soap:Fault>",
            "soap:Server: No route",
        ),
        (b"<!DOCTYPE html><html><head><title> 502 Bad Gateway </title>", "an HTML page, 502 Bad Gateway"),
        (b"<html>", "an HTML page"),
        (b"", ""),
        (b"[1]", ""),
        (b'{"fault":7}', ""),
        (b"[" * 60_000, ""),
    ],
)
def test_forms(body, words):
    """OAuth2 errors, WSO2 faults in JSON and XML, SOAP faults and HTML pages are told in the peer's words."""
    assert fault_words(body, "") == words


@given(body=st.binary(max_size=500), kind=st.text(max_size=20))
def test_anything(body, kind):
    """No body raises."""
    assert isinstance(fault_words(body, kind), str)
