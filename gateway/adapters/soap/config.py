"""What an account on a SOAP axis is made of; the settings turn into this."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from gateway.adapters.terms import AxisAccount
from gateway.domain.ids import OrganId

_MIB = 1024 * 1024

INLINE_LIMIT = 8 * _MIB
"""Bytes of content that travel inside one envelope."""


class Attachments(StrEnum):
    """How files travel."""

    SWA = "swa"
    """MIME parts of base64 text, as deployed."""
    MTOM = "mtom"
    """Binary MIME parts, named by xop:Include."""
    INLINE = "inline"
    """Base64 inside the envelope, INLINE_LIMIT together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsernameAccess:
    """WS-Security UsernameToken."""

    username: str
    password: str = field(repr=False)
    digest: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """WS-Security X.509: PEM files of certificate and key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SoapAccount(AxisAccount):
    """One account; its endpoint takes every operation."""

    organ_id: OrganId
    token: str = field(repr=False)
    token_header: bool = False
    attachments: Attachments = Attachments.SWA
    wsdl: str = ""
    """URL or file of the peer's WSDL; "" = ours."""
    username: UsernameAccess | None = None
    signing: SigningKey | None = None
    max_envelope_bytes: int = 4 * _MIB
    """Longest envelope of an answer that carries no list and no content."""
    max_list_bytes: int = 32 * _MIB
    """Longest envelope with a list, or with content inside it."""
