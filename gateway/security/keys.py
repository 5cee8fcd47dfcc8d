"""Key material for TLS, checked before anything listens; messages name files, never their content."""

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


def check_tls(cert_file: Path, key_file: Path, ca_file: Path, now: datetime) -> list[str]:
    """What is wrong with a TLS end's files at an aware time; empty when they can be used.

    Checked: each can be read, certificate and CA list are PEM and valid now, the CA list holds CAs only, the key is an
    unencrypted PEM key and fits the certificate.
    """
    problems = check_pair(cert_file, key_file, now)
    problems += [
        f"{ca_file}: {each.subject.rfc4514_string()} is no CA certificate"
        for each in _certificates(ca_file, now, problems)
        if not _may_issue(each)
    ]
    return problems


def check_pair(cert_file: Path, key_file: Path, now: datetime) -> list[str]:
    """The same of a certificate and its key alone."""
    problems: list[str] = []
    certificates = _certificates(cert_file, now, problems)
    key = _read(key_file, problems)
    if key is None or not certificates:
        return problems
    try:
        public_key = load_pem_private_key(key, password=None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        problems.append(f"{key_file}: not an unencrypted PEM private key")
        return problems
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if public_key.public_bytes(*form) != certificates[0].public_key().public_bytes(*form):
        problems.append(f"{key_file}: the key does not belong to the certificate in {cert_file}")
    return problems


def check_authorities(ca_file: Path, now: datetime) -> list[str]:
    """What is wrong with a file of certificates to trust; of several, some may be over."""
    problems: list[str] = []
    certificates = _certificates(ca_file, now, problems)
    return problems if len(problems) >= max(len(certificates), 1) else []


def _certificates(path: Path, now: datetime, problems: list[str]) -> list[x509.Certificate]:
    content = _read(path, problems)
    if content is None:
        return []
    try:
        certificates = x509.load_pem_x509_certificates(content)
    except ValueError:
        problems.append(f"{path}: no PEM certificate")
        return []
    for certificate in certificates:
        name = certificate.subject.rfc4514_string()
        if certificate.not_valid_after_utc < now:
            problems.append(f"{path}: {name} expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
        if certificate.not_valid_before_utc > now:
            problems.append(f"{path}: {name} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}")
    return certificates


def _read(path: Path, problems: list[str]) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror})")
        return None


def _may_issue(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
