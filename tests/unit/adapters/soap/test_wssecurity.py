"""WS-Security of requests, checked by other means than those that made it."""

import base64
import hashlib
import ssl
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID
from lxml import etree

from gateway.adapters.soap.config import Attachments, SigningKey, UsernameAccess
from gateway.adapters.soap.envelopes import Envelopes
from gateway.adapters.soap.names import Operation
from gateway.adapters.soap.wssecurity import securing
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.clock import SettableClock
from tests.make import NOW
from tests.unit.adapters.soap.exchange import request_of
from tests.unit.translate.edxml.sample import DOCUMENT, attach, draft, translator

WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
WSU = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"
USER = UsernameAccess(username="province-a", password="dummy password")


def make_key(folder, kind):
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tỉnh A thử nghiệm")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    files = SigningKey(certificate=folder / f"{kind}.pem", key=folder / f"{kind}.key")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return files


def envelopes(*, username=None, signing=None):
    secure = securing(username=username, signing=signing, clock=SettableClock())
    return Envelopes(organ_id="H99.01", token="dummy", token_header=False, secure=secure)


def exclusive(element):
    return etree.tostring(element, method="c14n", exclusive=True)


def verify(root):
    """The elements that are covered, by their ids; asserts that digests and signature are right."""
    security = root.find(f".//{WSSE}Security")
    signature = security.find(f"{DS}Signature")
    covered = {}
    for reference in signature.iter(f"{DS}Reference"):
        named = reference.get("URI").removeprefix("#")
        (element,) = [each for each in root.iter() if each.get(f"{WSU}Id") == named]
        digest = base64.b64encode(hashlib.sha256(exclusive(element)).digest()).decode()
        assert reference.findtext(f"{DS}DigestValue") == digest
        covered[named] = etree.QName(element).localname
    token = security.find(f"{WSSE}BinarySecurityToken")
    assert signature.find(f".//{WSSE}Reference").get("URI") == f"#{token.get(f'{WSU}Id')}"
    key = x509.load_der_x509_certificate(base64.b64decode(token.text)).public_key()
    value = base64.b64decode(signature.findtext(f"{DS}SignatureValue"))
    signed = exclusive(signature.find(f"{DS}SignedInfo"))
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(value, signed, padding.PKCS1v15(), hashes.SHA256())
    else:
        r, s = (int.from_bytes(half, "big") for half in (value[:32], value[32:]))
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
    return covered


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("username", [None, USER])
def test_a_signed_request(tmp_path, kind, username):
    """Body, time and user name are covered, after the request went over the wire as text."""
    made = envelopes(username=username, signing=make_key(tmp_path, kind))
    root = etree.fromstring(made.request(Operation.PENDING))
    covered = {"Body": "Body", "TS": "Timestamp"} | ({"UT": "UsernameToken"} if username else {})
    assert verify(root) == covered
    stamp = root.find(f".//{WSU}Timestamp")
    assert [each.text for each in stamp] == ["2026-03-02T02:30:00Z", "2026-03-02T02:35:00Z"]


@pytest.mark.parametrize("attachments", Attachments)
async def test_a_signed_document(tmp_path, attachments):
    """Every form of SendDocument is signed; the file is covered only where the envelope holds it."""
    blobs = MemoryBlobs()
    document, stored = attach(DOCUMENT, blobs, ("a.pdf", "application/pdf", b"%PDF-1.4 dummy"))
    made = envelopes(signing=make_key(tmp_path, "rsa"))
    _, data = await request_of(draft(blobs, document, stored), translator(blobs), attachments, made)
    start = data.index(b"<?xml")
    envelope = data[start : data.index(b"Envelope>", start) + len(b"Envelope>")]
    assert verify(etree.fromstring(envelope)) == {"Body": "Body", "TS": "Timestamp"}
    assert (base64.b64encode(b"%PDF-1.4 dummy") in envelope) is (attachments is Attachments.INLINE)


def test_a_changed_body_shows(tmp_path):
    """The signature is of this body and no other."""
    request = envelopes(signing=make_key(tmp_path, "rsa")).request(Operation.PENDING)
    with pytest.raises(AssertionError):
        verify(etree.fromstring(request.replace(b"H99.01", b"H99.02")))


def test_user_name_and_password():
    """The password goes as text, or as the digest of nonce, time and password."""
    token = etree.fromstring(envelopes(username=USER).request(Operation.PENDING)).find(f".//{WSSE}UsernameToken")
    assert token.findtext(f"{WSSE}Username") == "province-a"
    assert token.findtext(f"{WSSE}Password") == "dummy password"
    hidden = UsernameAccess(username="province-a", password="dummy password", digest=True)
    token = etree.fromstring(envelopes(username=hidden).request(Operation.PENDING)).find(f".//{WSSE}UsernameToken")
    nonce, created = base64.b64decode(token.findtext(f"{WSSE}Nonce")), token.findtext(f"{WSU}Created")
    assert created == "2026-03-02T02:30:00Z"
    digest = hashlib.sha1(nonce + created.encode() + b"dummy password").digest()
    assert token.findtext(f"{WSSE}Password") == base64.b64encode(digest).decode()


def test_nothing_wanted_nothing_added():
    """Without settings there is no Security header."""
    assert b"Security" not in envelopes().request(Operation.PENDING)


def test_unusable_files(tmp_path):
    """Files that are not there, or do not belong together, are told when the account is opened."""
    one, other = make_key(tmp_path, "rsa"), make_key(tmp_path, "ec")
    for certificate, key in ((one.certificate, other.key), (tmp_path / "none", one.key), (one.key, one.key)):
        with pytest.raises((OSError, ssl.SSLError)):
            envelopes(signing=SigningKey(certificate=certificate, key=key))
