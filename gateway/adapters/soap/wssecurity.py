"""WS-Security of requests: UsernameToken by zeep, X.509 signature by signxml.

Signed are Body, Timestamp and UsernameToken. Files that travel as MIME parts are not covered: the envelope does not
hold them. What travels inline is.
"""

import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod, SignatureMethod
from signxml.signer import SignatureReference, XMLSigner
from zeep.ns import DS, WSSE, WSU
from zeep.wsse.username import UsernameToken
from zeep.wsse.utils import get_security_header

from gateway.adapters.soap.config import SigningKey, UsernameAccess
from gateway.adapters.soap.names import child
from gateway.ports import Clock

_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
_BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
_username_token: Any = UsernameToken  # zeep declares types for little of what it gives
_security_header: Any = get_security_header
_GOOD_FOR = timedelta(minutes=5)
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_ELLIPTIC = bytes.fromhex("06072a8648ce3d0201")
"""Object identifier of elliptic-curve keys, as a certificate writes it."""


def securing(
    *, username: UsernameAccess | None, signing: SigningKey | None, clock: Clock
) -> Callable[[etree._Element], None]:
    """What adds to an envelope all that is wanted of it.

    Raises OSError or ssl.SSLError if the key's files cannot be used or do not belong together.
    """
    signer = None if signing is None else _Signer(signing)

    def secure(envelope: etree._Element) -> None:
        if username is not None:
            token = _username_token(
                username.username,
                username.password,
                use_digest=username.digest,
                created=clock.now(),
                zulu_timestamp=True,
            )
            token.apply(envelope, {})
        if signer is not None:
            signer.sign(envelope, clock)

    return secure


class _Signer:
    def __init__(self, files: SigningKey) -> None:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(str(files.certificate), str(files.key), password="")
        first, end, _ = files.certificate.read_text(encoding="latin-1").partition("-----END CERTIFICATE-----")
        self._certificate = ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN CERTIFICATE") :] + end)
        self._key = files.key.read_bytes()
        elliptic = _ELLIPTIC in self._certificate
        self._algorithm = SignatureMethod.ECDSA_SHA256 if elliptic else SignatureMethod.RSA_SHA256

    def sign(self, envelope: etree._Element, clock: Clock) -> None:
        security = _security_header(envelope)
        token = etree.SubElement(security, f"{{{WSSE}}}BinarySecurityToken", ValueType=_PROFILE, EncodingType=_BASE64)
        token.text = "".join(ssl.DER_cert_to_PEM_cert(self._certificate).splitlines()[1:-1])
        stamp = etree.SubElement(security, f"{{{WSU}}}Timestamp", nsmap={"wsu": WSU})
        now = clock.now()
        etree.SubElement(stamp, f"{{{WSU}}}Created").text = now.strftime(_TIME)
        etree.SubElement(stamp, f"{{{WSU}}}Expires").text = (now + _GOOD_FOR).strftime(_TIME)
        covered = {"Body": child(envelope, "Body"), "TS": stamp, "UT": child(security, "UsernameToken")}
        _name(token, "X509")
        for name, element in covered.items():
            _name(element, name)
        signer = XMLSigner(
            method=SignatureConstructionMethod.detached,
            signature_algorithm=self._algorithm,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        references = [SignatureReference(URI=f"#{name}") for name, element in covered.items() if element is not None]
        security.append(signer.sign(envelope, key=self._key, reference_uri=references, key_info=_key_info()))


def _name(element: etree._Element | None, name: str) -> None:
    if element is not None:
        element.set(f"{{{WSU}}}Id", name)


def _key_info() -> etree._Element:
    info = etree.Element(f"{{{DS}}}KeyInfo", nsmap={"ds": DS, "wsse": WSSE})
    reference = etree.SubElement(info, f"{{{WSSE}}}SecurityTokenReference")
    etree.SubElement(reference, f"{{{WSSE}}}Reference", URI="#X509", ValueType=_PROFILE)
    return info
