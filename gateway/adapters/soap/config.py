"""What an account on a SOAP axis is made of; the settings turn into this."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from gateway.adapters.http import DIRECT, Connection, Timeouts
from gateway.adapters.terms import CONCURRENCY, SECONDS
from gateway.domain.backoff import Backoff
from gateway.domain.ids import AccountName, OrganId

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
class SoapAccount:
    """One account, as the settings checked it. TLS verification cannot be turned off."""

    name: AccountName
    endpoint: str
    organ_id: OrganId
    token: str = field(repr=False)
    timeouts: Timeouts
    token_header: bool = False
    attachments: Attachments = Attachments.SWA
    wsdl: str = ""
    """URL or file of the peer's WSDL; "" = ours."""
    username: UsernameAccess | None = None
    signing: SigningKey | None = None
    connection: Connection = DIRECT
    concurrency: int = CONCURRENCY
    """Connections at a time for packets sent, and as many for everything else."""
    max_envelope_bytes: int = 4 * _MIB
    """Longest envelope of an answer that carries no list and no content."""
    max_list_bytes: int = 32 * _MIB
    """Longest envelope with a list, or with content inside it."""
    retry: Backoff = SECONDS
    """Repetitions within one call; the long waits are the outbox's."""
