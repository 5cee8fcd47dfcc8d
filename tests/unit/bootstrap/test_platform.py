"""Accounts behind a platform: from settings to what the adapter takes, and what check-config says of certificates."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from gateway.adapters.access import Partner
from gateway.adapters.http import Connection
from gateway.bootstrap import configs
from gateway.bootstrap.checks import account_problems
from gateway.sandbox.pki import make_pki, write_pki
from gateway.settings import VxpSettings

PLATFORM = {"token_url": "https://platform.example/token", "consumer_key": "ck", "consumer_secret": "cs"}


def make_account(**changes):
    account = {"endpoint": "https://axis.example/api", "system_id": "id", "secret": "s", "agencies": ["H98"]}
    return VxpSettings.model_validate(account | changes)


def test_a_platform_is_reached_as_its_axis_is(tmp_path):
    """The token call goes by the account's own authorities, certificate and proxy; secrets may be in files."""
    (tmp_path / "sk").write_text(" hidden \n", encoding="utf-8")
    header = {"access_key": "ak", "secret_key_file": tmp_path / "sk", "partner_code": "H98"}
    axis = make_account(
        platform=PLATFORM | {"access_header": header, "token_minutes": 30},
        ca_file=tmp_path / "ca",
        proxy="http://proxy.example:3128",
    )
    platform = configs.platform("national", axis, axis.platform)
    assert platform.connection == Connection(tls_ca_file=tmp_path / "ca", proxy="http://proxy.example:3128")
    assert (platform.life, platform.margin) == (timedelta(minutes=30), timedelta(seconds=60))
    assert platform.partner == Partner(
        access_key="ak", secret_key="hidden", app_name="", partner_code="H98", partner_code_cus=""
    )
    shown = json.dumps([repr(axis), repr(platform)])
    assert "hidden" not in shown
    assert "'cs'" not in shown


def test_certificates_are_checked_before_they_are_needed(tmp_path):
    """A key of another certificate, one that is over, and a file that holds none are told by name."""
    write_pki(make_pki(now=datetime.now(tz=UTC)), tmp_path)
    now = datetime.now(tz=UTC)

    def problems(certificate, key, ca, at=now):
        axis = make_account(client_certificate=tmp_path / certificate, client_key=tmp_path / key, ca_file=tmp_path / ca)
        return account_problems(axis, now=at)

    good = ("vendors/vendor-a.pem", "vendors/vendor-a.key.pem", "servers-ca.pem")
    assert problems(*good) == []
    assert "does not belong" in problems(good[0], "stranger.key.pem", good[2])[0]
    assert "no PEM certificate" in problems(*good[:2], good[1])[0]
    assert "expired" in problems(*good, at=now + timedelta(days=400))[0]
    assert len(problems(*good, at=now + timedelta(days=4000))) == 2


def test_a_certificate_comes_with_its_key():
    """One without the other is refused."""
    with pytest.raises(ValidationError, match="come together"):
        make_account(client_certificate="x")
