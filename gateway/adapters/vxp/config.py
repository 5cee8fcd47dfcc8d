"""What an account on the axis is made of; the settings turn into this."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from gateway.adapters.http import Timeouts
from gateway.domain.backoff import Backoff
from gateway.domain.ids import AccountName

_MIB = 1024 * 1024

SECONDS = Backoff(
    first=timedelta(seconds=0.5),
    factor=2,
    ceiling=timedelta(seconds=4),
    jitter=0.5,
    give_up_after=timedelta(seconds=10),
)


class HashForm(StrEnum):
    """How `hash-file` is written (axis.md 2.3)."""

    SHORT = "short"
    """Bytes below 0x10 give one digit, as the national Java SDK writes it."""
    PADDED = "padded"
    """Two digits for every byte."""


class SentList(StrEnum):
    """What getSentEdocList of this axis can be asked."""

    BY_DOCID = "by_docid"
    """Only the fate of a known docId: a packet whose answer was lost cannot be looked up."""
    BY_SENDER = "by_sender"
    """An empty docId lists all that the system sent."""


class FetchBy(StrEnum):
    """Operation that downloads a packet."""

    DOWNLOAD = "download"
    """downloadEdoc: the raw bytes."""
    GET = "get"
    """getEdoc: base64 inside the JSON envelope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VxpAccount:
    """One account, as the settings checked it. TLS verification cannot be turned off."""

    name: AccountName
    endpoint: str
    """http:// or https:// URL to which operation names are appended."""
    system_id: str
    """Code of the centre (SystemId), printable ASCII."""
    secret: str = field(repr=False)
    timeouts: Timeouts
    """Of every call."""
    hash_form: HashForm = HashForm.SHORT
    sent_list: SentList = SentList.BY_DOCID
    fetch: FetchBy = FetchBy.DOWNLOAD
    tls_ca_file: Path | None = None
    """The only CA certificates to trust (PEM); None = those of the operating system."""
    concurrency: int = 8
    """Connections at a time for packets sent, and as many for everything else."""
    max_packet_bytes: int = 50 * _MIB
    """Longest packet the axis takes; a longer one is rejected before anything is sent."""
    max_list_bytes: int = 64 * _MIB
    """Longest answer to a list call."""
    max_directory_bytes: int = 256 * _MIB
    """Longest directory."""
    retry: Backoff = SECONDS
    """Repetitions within one call; the long waits are the outbox's."""
