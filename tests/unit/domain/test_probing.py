"""Words of peers, platforms and proxies, and what they point to."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.probing import ADVICE, Trouble, trouble_of

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("words", "trouble"),
    [
        ("15: the axis refuses the account's system id or secret: Sai chu ky", Trouble.SECRET_WRONG),
        ("no connection ([SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate (_ssl.c:1006))", Trouble.SELF_SIGNED),
        (
            "no connection ([SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate in certificate chain)",
            Trouble.UNKNOWN_AUTHORITY,
        ),
        ("certificate verify failed: certificate has expired", Trouble.EXPIRED),
        ("certificate verify failed: Hostname mismatch, certificate is not valid for 'x'", Trouble.WRONG_NAME),
        ("certificate verify failed: unable to get local issuer certificate", Trouble.UNKNOWN_AUTHORITY),
        ("TLSV13 ALERT CERTIFICATE REQUIRED", Trouble.CERTIFICATE_WANTED),
        ("TLSV1 ALERT UNKNOWN CA", Trouble.CERTIFICATE_REFUSED),
        ("SSLV3 ALERT HANDSHAKE FAILURE", Trouble.TLS_DISAGREES),
        ("WRONG VERSION NUMBER", Trouble.NO_TLS),
        ("the proxy did not connect (407 Proxy Authentication Required)", Trouble.PROXY_WANTS_LOGIN),
        ("the proxy did not connect (403 Forbidden)", Trouble.PROXY_REFUSES),
        ("no connection ([Errno -2] Name or service not known)", Trouble.NAME_UNKNOWN),
        ("no connection (All connection attempts failed)", Trouble.CONNECTION_REFUSED),
        ("no platform token: HTTP 401: invalid_client: Client Authentication failed.", Trouble.CONSUMER_REFUSED),
        ("HTTP 401, a new token is refused too: 900901: Invalid Credentials", Trouble.TOKEN_REFUSED),
        ("HTTP 403: 900908: Resource forbidden", Trouble.NOT_SUBSCRIBED),
        ("HTTP 429: 900802: Message throttled out", Trouble.THROTTLED),
        ("HTTP 503: an HTML page", Trouble.BACKEND_DOWN),
        ("HTTP 500: 101503: Error connecting to the back end", Trouble.BACKEND_DOWN),
        ("HTTP 404: an HTML page", Trouble.NOT_THERE),
        ("HTTP 302: the axis redirects, which is not followed", Trouble.REDIRECTED),
        ("HTTP 200: an HTML page", Trouble.NOT_THE_AXIS),
        ("no login: HTTP 401", Trouble.LOGIN_REFUSED),
        ("no login: HTTP 404", Trouble.NOT_THERE),
        ("19: the sender is not registered under this system id", Trouble.SENDER_UNKNOWN),
        ("18: Ma don vi nhan khong ton tai", Trouble.RECIPIENT_UNKNOWN),
        ("22: edXML sai", Trouble.PACKET_REFUSED),
        ("20: the axis reports an error of its own", Trouble.AXIS_TROUBLE),
        ("no answer in time (ReadTimeout)", Trouble.NO_ANSWER),
        ("the connection was cut before an answer came (ReadError)", Trouble.CUT),
        ("", Trouble.UNKNOWN),
    ],
)
def test_words(words, trouble):
    """The words that adapters and peers use point to the cause nearest to the wire."""
    assert trouble_of(words) is trouble


def test_clocks():
    """Refused signatures point to the clocks where those differ by more than a minute; nothing else does."""
    for skew in (5 * MINUTE, -5 * MINUTE):
        assert trouble_of("15: the axis refuses the account's system id or secret", skew=skew) is Trouble.CLOCK_WRONG
        assert trouble_of("HTTP 404: an HTML page", skew=skew) is Trouble.NOT_THERE
    assert trouble_of("15: the axis refuses", skew=MINUTE) is Trouble.SECRET_WRONG


def test_every_cause_has_advice_in_both_languages():
    """No trouble is left without cause, remedy and a Vietnamese sentence."""
    assert ADVICE.keys() == set(Trouble)
    assert all(each.cause and each.remedy and each.vi for each in ADVICE.values())


@given(words=st.text(), skew=st.none() | st.timedeltas())
def test_any_words(words, skew):
    """Whatever a peer says has advice."""
    assert trouble_of(words, skew=skew) in ADVICE
