"""Accounts on SOAP axes as their adapter gets them, and what is told of a peer's WSDL at start."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from gateway.adapters.soap.axis import SoapAxis
from gateway.adapters.soap.config import Attachments, UsernameAccess
from gateway.adapters.soap.envelopes import WSDL
from gateway.bootstrap import provincial
from gateway.bootstrap.axes import bind, open_axis
from gateway.observability.metrics import Metrics
from gateway.settings import SettingsError, SoapSettings
from tests.fakes.clock import SettableClock


def section(**given: Any) -> SoapSettings:
    said = {
        "kind": "soap",
        "endpoint": "http://127.0.0.1:1",
        "organ_id": "H99.01",
        "token": "hush",
        "agencies": ("H99",),
    }
    return SoapSettings(**{**said, **given})


def open_soap(**given: Any) -> SoapAxis:
    axis = open_axis("province", section(**given), clock=SettableClock(), metrics=Metrics(CollectorRegistry()))
    assert isinstance(axis, SoapAxis)
    return axis


def test_an_account_as_set():
    """Every setting reaches the account; secrets are in no repr."""
    user = {"username": "u", "password": "mật khẩu", "digest": True}
    account = provincial.soap_account("s", section(attachments="mtom", token_header=True, username_token=user))
    assert (account.organ_id, account.token, account.token_header) == ("H99.01", "hush", True)
    assert account.attachments is Attachments.MTOM
    assert account.username == UsernameAccess(username="u", password="mật khẩu", digest=True)
    assert account.signing is None
    assert "hush" not in repr(account)
    assert "mật" not in repr(account)


@pytest.mark.parametrize("token", ["a\x00b", "a\nb"])
def test_tokens_no_envelope_can_carry(token):
    """They are told at start, without being shown."""
    with pytest.raises(SettingsError, match=r"axis\.s\.token") as caught:
        provincial.soap_account("s", section(token=token))
    assert token not in str(caught.value)


async def test_a_peers_description_that_is_fit():
    """Nothing is said of it, nor of an account without one."""
    for wsdl in ("", str(WSDL)):
        axis = open_soap(wsdl=wsdl)
        with capture_logs() as logs:
            await bind(axis)
        assert logs == []
        await axis.aclose()


async def test_a_peers_description_without_what_is_needed(tmp_path):
    """Each problem is logged, and the gateway does not start."""
    for file in WSDL.parent.iterdir():
        text = file.read_bytes().replace(b'wsdl:operation name="GetDocument"', b'wsdl:operation name="Get"')
        (tmp_path / file.name).write_bytes(text)
    axis = open_soap(wsdl=str(tmp_path / "edoc.wsdl"))
    with capture_logs() as logs, pytest.raises(SettingsError, match="the WSDL has no operation GetDocument"):
        await bind(axis)
    assert [entry["event"] for entry in logs] == ["soap.binding"]
    await axis.aclose()


async def test_a_peers_description_that_cannot_be_had(tmp_path):
    """It is logged and hinders nothing: the peer may be down."""
    for wsdl in (str(tmp_path / "none.wsdl"), "http://127.0.0.1:1/edoc.wsdl"):
        axis = open_soap(wsdl=wsdl, connect_seconds=0.2, total_seconds=1)
        with capture_logs() as logs:
            await bind(axis)
        assert [(entry["event"], entry["log_level"]) for entry in logs] == [("soap.binding", "error")]
        await axis.aclose()
