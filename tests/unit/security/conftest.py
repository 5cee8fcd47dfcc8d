"""One throwaway PKI and one signed PDF for all tests of this folder; making RSA keys is slow."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.sandbox.pdf import make_pdf, sign_pdf
from gateway.sandbox.pki import Pki, make_pki
from gateway.security.trust import TrustAnchors
from tests.make import NOW


@pytest.fixture(scope="session")
def pki() -> Pki:
    return make_pki(now=NOW)


@pytest.fixture(scope="session")
def anchors(pki) -> TrustAnchors:
    return TrustAnchors(roots=(pki.signing_root.certificate.public_bytes(Encoding.DER),), intermediates=())


@pytest.fixture(scope="session")
def unsigned() -> bytes:
    return make_pdf(size=4000, title="Draft")


@pytest.fixture(scope="session")
def signed(pki, unsigned) -> bytes:
    return sign_pdf(unsigned, signer=pki.signer, signed_at=NOW)


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "file.pdf"
