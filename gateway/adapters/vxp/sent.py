"""Whether the list of sent items shows a packet whose answer was lost. Pure; architecture.md section 4.

A wrong Found loses a document, a wrong Absent doubles it, so everything short of proof is CannotTell.
"""

import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta

from gateway.adapters.vxp.faults import usable_doc_id
from gateway.adapters.vxp.rows import SentRow
from gateway.domain.agency import code_key, same_code
from gateway.domain.outcome import Absent, CannotTell, Finding, Found, SentQuery
from gateway.domain.packet import PacketKind

CLOCK_SKEW = timedelta(minutes=1)
"""How far the axis's clock may be behind ours."""

USUAL_PAGES = frozenset({10, 15, 20, 25, 30, 40, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000})
"""Row counts at which a list may be one page of a longer one."""


def find_sent(rows: Iterable[SentRow], query: SentQuery) -> Finding:
    """Look a document up in the whole list of what its system sent.

    A packet is ours if sender, notation and title are, it was sent no earlier than a minute before the first attempt,
    no other message has its id, and its rows name all recipients of ours.
    """
    listed: dict[str, set[str]] = {}
    sent_at: dict[str, datetime] = {}
    for row in rows:
        if not _may_be_ours(row, query):
            continue
        if row.sent_at is None:
            return CannotTell(reason="the axis lists a like packet with an unreadable sentTime")
        if row.sent_at < query.submitted_after - CLOCK_SKEW:
            continue
        if _plain(row.title) != _plain(query.title):
            return CannotTell(reason="the axis lists a packet of the same notation with another title")
        listed.setdefault(row.doc_id, set()).update(code_key(code) for code in row.recipients)
        sent_at[row.doc_id] = min(row.sent_at, sent_at.get(row.doc_id, row.sent_at))
    wanted = {code_key(code) for code in query.recipient_codes}
    whole = [doc_id for doc_id, codes in listed.items() if codes >= wanted]
    if not whole:
        return CannotTell(reason="the axis lists the packet for some of its recipients only") if listed else Absent()
    doc_id = usable_doc_id(min(whole, key=sent_at.__getitem__))
    return Found(axis_doc_id=doc_id) if doc_id else CannotTell(reason="the axis lists the packet without a usable id")


def _may_be_ours(row: SentRow, query: SentQuery) -> bool:
    """True unless a member that does not depend on time or wording rules it out."""
    if row.doc_id in query.known_elsewhere or row.message_type not in {"", PacketKind.DOCUMENT.value}:
        return False
    if not same_code(row.sender, query.sender_code) or _plain(row.notation) != _plain(query.notation):
        return False
    if not query.notation and _plain(row.title) != _plain(query.title):
        return False
    return any(same_code(code, ours) for code in row.recipients for ours in query.recipient_codes)


def _plain(words: str) -> str:
    """Text as it compares: composed characters, single spaces."""
    return " ".join(unicodedata.normalize("NFC", words).split())
