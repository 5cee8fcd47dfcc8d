"""What a certificate says, for people to read."""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What an operator compares."""

    subject: str
    issuer: str
    starts: datetime
    ends: datetime
    names: tuple[str, ...]
    """DNS names and addresses that it is for."""


def read_certificate(der: bytes) -> CertificateFacts | None:
    """The facts of a DER certificate, whoever made it; None if it cannot be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        names = _names(certificate)
        return CertificateFacts(
            subject=certificate.subject.rfc4514_string(),
            issuer=certificate.issuer.rfc4514_string(),
            starts=certificate.not_valid_before_utc,
            ends=certificate.not_valid_after_utc,
            names=names,
        )
    except ValueError:
        return None


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = (str(each) for each in found.get_values_for_type(x509.IPAddress))
    return (*found.get_values_for_type(x509.DNSName), *addresses)
