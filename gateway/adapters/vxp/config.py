"""What an account on the axis is made of; the settings turn into this."""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.adapters.terms import DIRECTORY_BYTES, AxisAccount


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
class VxpAccount(AxisAccount):
    """One account; operation names are appended to its endpoint."""

    system_id: str
    """Code of the centre (SystemId), printable ASCII."""
    secret: str = field(repr=False)
    hash_form: HashForm = HashForm.SHORT
    sent_list: SentList = SentList.BY_DOCID
    fetch: FetchBy = FetchBy.DOWNLOAD
    max_directory_bytes: int = DIRECTORY_BYTES
