"""Settings of the RPC part, as plain values."""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from gateway.domain.ids import VendorId

INLINE_LIMIT = 1024 * 1024
"""Bytes of all attachments inside one SubmitDocument request."""

CHUNK_LIMIT = 1024 * 1024
"""Bytes of one chunk of an upload."""

RECEIVE_LIMIT = 4 * 1024 * 1024
"""Bytes of one message from a client: inline attachments and a header of ordinary size."""

ANSWER_TARGET = 3 * 1024 * 1024
"""Bytes at which a page ends early: gRPC clients refuse messages above 4 MiB by default."""


class InsecureListenerError(Exception):
    """Plaintext was asked for on an address that others can reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files of mutual TLS; clients without a certificate under `client_ca` get no connection."""

    certificate: Path
    """The server's certificate and its intermediates."""
    key: Path
    client_ca: Path
    """The CAs of vendor systems, a list of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcConfig:
    """How vendor systems are served."""

    listen: str
    """`host:port`; port 0 lets the system choose."""
    tls: TlsFiles | None
    """None: plaintext, which only a loopback address may have."""
    loopback_vendor: VendorId | None = None
    """Without TLS, every caller is this vendor system."""
    attachment_limit: int = 300 * 1024 * 1024
    """Bytes of one uploaded attachment."""
    upload_expiry: timedelta = timedelta(hours=24)
    """An upload that no document uses by then may be removed."""
    upload_idle: timedelta = timedelta(seconds=60)
    """Longest silence inside an upload."""
    poll_interval: timedelta = timedelta(seconds=1)
    """How long a stream may take to notice what another process stored."""
    concurrent_calls: int = 1000
    """Further calls are refused with RESOURCE_EXHAUSTED."""


def is_loopback(listen: str) -> bool:
    """True if `host:port` names an address of this machine alone: 127.0.0.0/8, ::1 or localhost."""
    host = listen.rpartition(":")[0].removeprefix("[").removesuffix("]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
