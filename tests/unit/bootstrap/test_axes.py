"""Accounts of every kind as their adapters get them."""

from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from gateway.adapters.langson.axis import LangSonAxis
from gateway.adapters.quangnam.axis import QuangNamAxis
from gateway.adapters.quangnam.config import SecretIn
from gateway.bootstrap import provincial
from gateway.bootstrap.axes import open_axis
from gateway.observability.metrics import Metrics
from gateway.settings import LangSonSettings, QuangNamSettings, SettingsError
from tests.fakes.clock import SettableClock

PLATFORM = {"token_url": "http://127.0.0.1:1/token", "consumer_key": "ck", "consumer_secret": "cs"}


def langson(**given: Any) -> LangSonSettings:
    said = {"secret": "hush", "username": "u", "password": "mật khẩu", "agencies": ("H99",), "system_id": "00.99.W00"}
    return LangSonSettings(**{"kind": "langson", "endpoint": "http://127.0.0.1:1", **said, **given})


def quangnam(**given: Any) -> QuangNamSettings:
    said = {"secret": "ab" * 32, "agencies": ("H99",), "platform": PLATFORM}
    return QuangNamSettings(**{"kind": "quangnam", "endpoint": "http://127.0.0.1:1", **said, **given})


@pytest.mark.parametrize(
    ("section", "adapter"),
    [(langson(), LangSonAxis), (langson(platform=PLATFORM), LangSonAxis), (quangnam(), QuangNamAxis)],
)
async def test_each_kind_has_its_adapter(section, adapter):
    """An account opens as its kind says, under its name in the settings, without asking anybody anything."""
    axis = open_axis("province", section, clock=SettableClock(), metrics=Metrics(CollectorRegistry()))
    assert isinstance(axis, adapter)
    assert axis.account == "province"
    await axis.aclose()


def test_langson_as_set():
    """Times and sizes arrive in their units; secrets are in no repr."""
    account = provincial.langson_account("ls", langson(token_minutes=5, list_days=3, application_code="app"))
    assert (account.token_life, account.list_window) == (timedelta(minutes=5), timedelta(days=3))
    assert (account.application_code, account.username, account.password) == ("app", "u", "mật khẩu")
    assert "hush" not in repr(account)
    assert "mật khẩu" not in repr(account)


def test_quangnam_as_set():
    """The unit's secret travels where the settings say."""
    account = provincial.quangnam_account("qn", quangnam(secret_in="query", secret_name="ma"))
    assert (account.secret_in, account.secret_name) == (SecretIn.QUERY, "ma")
    assert "abab" not in repr(account)


@pytest.mark.parametrize("secret", ["mật", "a\nb", "a\tb"])
def test_secrets_no_header_can_carry(secret):
    """They are told at start, without being shown."""
    with pytest.raises(SettingsError, match=r"axis\.ls\.secret") as caught:
        provincial.langson_account("ls", langson(secret=secret))
    assert secret not in str(caught.value)
    with pytest.raises(SettingsError, match=r"axis\.qn\.secret"):
        provincial.quangnam_account("qn", quangnam(secret=secret))
