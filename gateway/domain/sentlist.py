"""What an axis lists of the packets sent to it, and how a packet of ours is found there. Pure.

A wrong Found loses a document, a wrong Absent doubles it, so everything short of proof is CannotTell.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.agency import code_key, same_code
from gateway.domain.ids import AxisDocId, OrganId
from gateway.domain.outcome import Absent, CannotTell, Finding, Found, SentQuery
from gateway.domain.packet import PacketKind

CLOCK_SKEW = timedelta(minutes=1)
"""How far the axis's clock may be behind ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentEntry:
    """One recipient of one sent packet, or several recipients joined."""

    axis_doc_id: AxisDocId | None
    """The id that sending gave; None where it is left out or unusable."""
    kind: str
    """Word of a PacketKind; "" where left out."""
    sender: str
    recipients: tuple[OrganId, ...]
    title: str
    notation: str
    sent_at: datetime | None
    """None if absent or written in no known form."""
    failed: bool = False
    """The receiving system told the axis that it could not take the packet (receiveStatus fail)."""

    @property
    def may_be_document(self) -> bool:
        """True unless the axis calls it something else."""
        return self.kind in {"", PacketKind.DOCUMENT.value}


class SentEntries:
    """A list of sent items, read whole, in which packets can be found without going through all of it each time."""

    def __init__(self, entries: Iterable[SentEntry]) -> None:
        self.entries: Sequence[SentEntry] = tuple(entries)
        """As the axis gave them."""
        self._of_notation: dict[str, list[SentEntry]] = {}
        for entry in self.entries:
            self._of_notation.setdefault(_plain(entry.notation), []).append(entry)

    def find(self, query: SentQuery) -> Finding:
        """Look a document up.

        A packet is ours if sender, notation and title are, it was sent no earlier than a minute before the first
        attempt, no other message has its id, and its entries name all recipients of ours.
        """
        listed: dict[AxisDocId | None, set[str]] = {}
        sent_at: dict[AxisDocId | None, datetime] = {}
        for entry in self._of_notation.get(_plain(query.notation), ()):
            if not _may_be_ours(entry, query):
                continue
            if entry.sent_at is None:
                return CannotTell(reason="the axis lists a like packet with an unreadable sentTime")
            if entry.sent_at < query.submitted_after - CLOCK_SKEW:
                continue
            if _plain(entry.title) != _plain(query.title):
                return CannotTell(reason="the axis lists a packet of the same notation with another title")
            doc_id = entry.axis_doc_id
            listed.setdefault(doc_id, set()).update(code_key(code) for code in entry.recipients)
            sent_at[doc_id] = min(entry.sent_at, sent_at.get(doc_id, entry.sent_at))
        wanted = {code_key(code) for code in query.recipient_codes}
        whole = [doc_id for doc_id, codes in listed.items() if codes >= wanted]
        if not whole:
            return (
                CannotTell(reason="the axis lists the packet for some of its recipients only") if listed else Absent()
            )
        first = min(whole, key=sent_at.__getitem__)
        return Found(axis_doc_id=first) if first else CannotTell(reason="the axis lists the packet without a usable id")


def _may_be_ours(entry: SentEntry, query: SentQuery) -> bool:
    """True unless a member that does not depend on time or wording rules it out."""
    if entry.axis_doc_id in query.known_elsewhere or not entry.may_be_document:
        return False
    if not same_code(entry.sender, query.sender_code):
        return False
    if not query.notation and _plain(entry.title) != _plain(query.title):
        return False
    return any(same_code(code, ours) for code in entry.recipients for ours in query.recipient_codes)


def _plain(words: str) -> str:
    """Text as it compares: composed characters, single spaces."""
    return " ".join(unicodedata.normalize("NFC", words).split())
