"""What an account on a facade of the Quang Nam kind is made of; the settings turn into this."""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.adapters.terms import DIRECTORY_BYTES, AxisAccount


class SecretIn(StrEnum):
    """Where the unit's secret travels; not known for certain (axis.md 12, item 6)."""

    HEADER = "header"
    QUERY = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuangNamAccount(AxisAccount):
    """One account; collections are appended to its endpoint, its token comes from the platform in front."""

    secret: str = field(repr=False)
    """Identifies the unit, 64 hexadecimal digits."""
    secret_name: str = "secret"  # noqa: S105 - a name, no secret
    """Header or parameter that carries it."""
    secret_in: SecretIn = SecretIn.HEADER
    max_directory_bytes: int = DIRECTORY_BYTES
