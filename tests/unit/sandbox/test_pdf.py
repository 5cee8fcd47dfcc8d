"""The made documents are real: pyHanko and zipfile read them."""

import io
import logging
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asn1crypto import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from gateway.sandbox.pdf import make_docx, make_pdf, sign_pdf
from gateway.sandbox.pki import Pki, make_pki

NOW = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def pki() -> Pki:
    return make_pki(now=NOW)


@pytest.fixture(autouse=True)
def _quiet_pyhanko(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="pyhanko")


def validate(pdf: bytes, pki: Pki) -> list[Any]:
    """The status of each signature, at NOW, with the signing root as only anchor."""
    certificates: Any = x509.Certificate  # asn1crypto is untyped
    root = certificates.load(pki.signing_root.certificate.public_bytes(Encoding.DER))
    return [
        validate_pdf_signature(signature, ValidationContext(trust_roots=[root], moment=NOW))
        for signature in PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    ]


@pytest.mark.parametrize("size", [2048, 100_000, 3_000_000])
def test_pdf_has_about_the_wished_size(size: int) -> None:
    """The size is met within 1 KiB and the bytes depend on the arguments alone."""
    pdf = make_pdf(size=size, title="Công văn (1)")
    assert abs(len(pdf) - size) <= 1024
    assert pdf == make_pdf(size=size, title="Công văn (1)")
    assert pdf != make_pdf(size=size, title="Công văn (1)", seed=1)
    assert len(zipfile.zlib.compress(pdf)) > len(pdf) * 0.9 or size < 10_000  # type: ignore[attr-defined]
    assert list(PdfFileReader(io.BytesIO(pdf)).embedded_signatures) == []


def test_signature_is_pades_and_trusted(pki: Pki) -> None:
    """A signed PDF is intact, valid and trusted, in the PAdES sub-filter, with the given signing time."""
    pdf = sign_pdf(make_pdf(size=20_000, title="x"), signer=pki.signer, signed_at=NOW - timedelta(hours=1))
    (status,) = validate(pdf, pki)
    assert (status.intact, status.valid, status.trusted) == (True, True, True)
    assert status.signer_reported_dt == NOW - timedelta(hours=1)
    assert status.md_algorithm == "sha256"
    assert b"/ETSI.CAdES.detached" in pdf


def test_untrusted_expired_and_altered_differ(pki: Pki) -> None:
    """The unknown and the expired signer are valid but not trusted; one changed byte is not intact."""
    plain = make_pdf(size=20_000, title="x")
    for signer in (pki.unknown_signer, pki.expired_signer):
        (status,) = validate(sign_pdf(plain, signer=signer, signed_at=NOW), pki)
        assert (status.intact, status.valid, status.trusted) == (True, True, False)
    signed = bytearray(sign_pdf(plain, signer=pki.signer, signed_at=NOW))
    signed[10_000] ^= 1
    (status,) = validate(bytes(signed), pki)
    assert not status.intact


def test_second_signature_keeps_the_first(pki: Pki) -> None:
    """A second signature under another field name leaves the first one intact and trusted."""
    once = sign_pdf(make_pdf(size=20_000, title="x"), signer=pki.signer, signed_at=NOW)
    twice = sign_pdf(once, signer=pki.unknown_signer, signed_at=NOW, field_name="Signature2")
    assert [(status.intact, status.trusted) for status in validate(twice, pki)] == [(True, True), (True, False)]


def test_docx_is_a_package() -> None:
    """The docx is a ZIP with the parts Word looks for and the text escaped; same text, same bytes."""
    docx = make_docx(text="a < b")
    with zipfile.ZipFile(io.BytesIO(docx)) as archive:
        assert archive.namelist() == ["[Content_Types].xml", "_rels/.rels", "word/document.xml"]
        assert b"a &lt; b" in archive.read("word/document.xml")
    assert docx == make_docx(text="a < b")
