"""Trust anchors from directories of certificates. A root family (specialised, public) is simply a directory."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.domain.errors import ErrorCode, FieldViolation, GatewayError

_MAX_FILE = 4 * 1024 * 1024
_SUFFIXES = frozenset({".pem", ".crt", ".cer", ".der"})


@dataclass(frozen=True, kw_only=True)
class TrustAnchors:
    """The certificates that end a chain, and others that help to build one. No slots: the digest is cached."""

    roots: tuple[bytes, ...]
    """DER of self-issued certificates: the anchors."""
    intermediates: tuple[bytes, ...]
    """DER of other certificates: they fill gaps in a chain and are trusted only under a root."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the set, independent of file names and order."""
        summary = hashlib.sha256()
        for kind, certificates in ((b"root", self.roots), (b"intermediate", self.intermediates)):
            for der in sorted(certificates):
                summary.update(kind + hashlib.sha256(der).digest())
        return summary.hexdigest()


def load_anchors(*directories: Path) -> TrustAnchors:
    """Read every .pem, .crt, .cer and .der file below the directories, PEM (one or more certificates) or DER.

    Self-issued certificates become anchors, others help to build chains. Other files are skipped, and so are private
    keys, which a folder of one's own authority may hold beside its certificate, and names that begin with a dot
    (mounted secrets have such folders). Directories without any certificate give an empty set, under which nothing is
    trusted.

    Raises GatewayError INVALID_FIELD, whose violation names the file, for a missing directory, and for a file of one of
    these names that holds neither certificate nor key or is larger than 4 MiB.
    """
    roots: set[bytes] = set()
    intermediates: set[bytes] = set()
    for directory in directories:
        if not directory.is_dir():
            raise _refusal(directory, "is not a directory", "không phải là thư mục")
        for path in sorted(directory.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(directory).parts)
            if hidden or path.suffix.lower() not in _SUFFIXES or not path.is_file():
                continue
            for certificate in _read(path):
                self_issued = certificate.issuer == certificate.subject
                (roots if self_issued else intermediates).add(certificate.public_bytes(Encoding.DER))
    return TrustAnchors(roots=tuple(sorted(roots)), intermediates=tuple(sorted(intermediates)))


def _read(path: Path) -> Sequence[x509.Certificate]:
    if path.stat().st_size > _MAX_FILE:
        raise _refusal(path, "is too large for a certificate", "quá lớn so với một chứng thư")
    content = path.read_bytes()
    if b"PRIVATE KEY-----" in content and b"-----BEGIN CERTIFICATE-----" not in content:
        return ()
    try:
        if b"-----BEGIN" in content:
            return x509.load_pem_x509_certificates(content)
        return [x509.load_der_x509_certificate(content)]
    except ValueError as error:
        raise _refusal(path, "is not a PEM or DER certificate", "không phải chứng thư PEM hoặc DER") from error


def _refusal(path: Path, en: str, vi: str) -> GatewayError:
    violation = FieldViolation(path=str(path), en=f"{path} {en}", vi=f"{path} {vi}")
    return GatewayError(ErrorCode.INVALID_FIELD, violations=[violation])
