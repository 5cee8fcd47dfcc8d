"""Settings of the door, as plain values."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from gateway.domain.ids import VendorId

HEADER_LIMIT = 256 * 1024
"""Bytes of one header: `to` stands twice in a request, the second time inside the signed JSON."""

JSON_LIMIT = 64 * 1024
"""Bytes of a body that is JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorVendor:
    """A vendor system that may come through the door."""

    id: VendorId
    system_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorTls:
    """PEM files of the server."""

    certificate: Path
    """The server's certificate and its intermediates."""
    key: Path = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorConfig:
    """How vendor systems that speak the national SDK are served."""

    listen: str
    """`host:port`; port 0 lets the system choose."""
    tls: DoorTls | None
    """None: plaintext, as the SDK is used inside the dedicated network."""
    vendors: tuple[DoorVendor, ...]
    packet_limit: int = 420 * 1024 * 1024
    """Bytes of a packet."""
    clock_skew: timedelta | None = None
    """Most that a timestamp may be off; None = any."""
    connections: int = 1000
    """Further ones are told that the door is full."""
    calls_of_vendor: int = 32
    """Calls of one vendor system under way; further ones wait for `patience`."""
    patience: timedelta = timedelta(seconds=10)
    idle: timedelta = timedelta(seconds=60)
    """Longest silence of a client inside a body, and longest wait for it to read."""
    quiet: timedelta = timedelta(seconds=75)
    """Longest silence of a connection outside a call; bounds its first headers, too."""
    upload: timedelta = timedelta(hours=1)
    """Longest upload of one packet."""
