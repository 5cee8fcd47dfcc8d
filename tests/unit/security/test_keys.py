"""What is said about key files that cannot be used."""

from datetime import timedelta

import pytest

from gateway.sandbox.pki import write_pki
from gateway.security.keys import check_tls
from tests.make import NOW


@pytest.fixture
def files(tmp_path, pki):
    write_pki(pki, tmp_path)
    return tmp_path


def problems(files, *, cert="gateways/gateway-a.pem", key="gateways/gateway-a.key.pem", ca="vendors-ca.pem", now=NOW):
    return check_tls(files / cert, files / key, files / ca, now)


def test_usable_files(files):
    """A certificate with its key and a CA list are fine."""
    assert problems(files) == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"key": "gateways/gateway-b.key.pem"}, "gateway-b.key.pem: the key does not belong to the certificate"),
        ({"key": "gateways/gateway-a.pem"}, "gateway-a.pem: not an unencrypted PEM private key"),
        ({"cert": "gateways/gateway-a.key.pem"}, "gateway-a.key.pem: no PEM certificate"),
        ({"cert": "none.pem"}, "none.pem: cannot be read (No such file or directory)"),
        ({"key": "none.pem"}, "none.pem: cannot be read (No such file or directory)"),
        ({"ca": "none.pem"}, "none.pem: cannot be read (No such file or directory)"),
        ({"ca": "stranger.pem"}, "is no CA certificate"),
        ({"cert": "signing/expired.pem", "key": "signing/expired.key.pem"}, "expired on 2026-01-31"),
        ({"now": NOW - timedelta(days=2)}, "is not valid before 2026-03-01"),
    ],
)
def test_unusable_files(files, changed, problem):
    """Each defect gives one sentence that names the file."""
    (found,) = problems(files, **changed)
    assert problem in found
