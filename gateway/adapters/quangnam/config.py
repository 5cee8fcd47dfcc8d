"""What an account on a facade of the Quang Nam kind is made of; the settings turn into this."""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.adapters.http import DIRECT, Connection, Timeouts
from gateway.adapters.terms import CONCURRENCY, DIRECTORY_BYTES, LIST_BYTES, SECONDS
from gateway.domain.backoff import Backoff
from gateway.domain.ids import AccountName


class SecretIn(StrEnum):
    """Where the unit's secret travels; not known for certain (axis.md 12, item 6)."""

    HEADER = "header"
    QUERY = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuangNamAccount:
    """One account, as the settings checked it; its token comes from the platform in front."""

    name: AccountName
    endpoint: str
    """http:// or https:// URL with its path, to which the collections are appended."""
    secret: str = field(repr=False)
    """Identifies the unit, 64 hexadecimal digits."""
    secret_name: str = "secret"  # noqa: S105 - a name, no secret
    """Header or parameter that carries it."""
    secret_in: SecretIn = SecretIn.HEADER
    timeouts: Timeouts
    """Of every call."""
    connection: Connection = DIRECT
    concurrency: int = CONCURRENCY
    max_list_bytes: int = LIST_BYTES
    max_directory_bytes: int = DIRECTORY_BYTES
    retry: Backoff = SECONDS
