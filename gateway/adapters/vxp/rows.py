"""Rows of the axis's lists as domain values. Pure; member names as in axis.md section 4."""

from collections.abc import Mapping

from gateway.adapters.answers import clip, usable_doc_id
from gateway.adapters.scalars import read_codes, read_time, text
from gateway.domain.agency import DirectoryRow
from gateway.domain.ids import OrganId
from gateway.domain.sentlist import SentEntry

_FAIL = "fail"


def read_agency(row: Mapping[str, object]) -> DirectoryRow | None:
    """One agency of either directory; None without a code."""
    code = text(row.get("code"))
    if not code:
        return None
    others = (text(row.get("code102")), text(row.get("oldCode")))
    return DirectoryRow(
        axis_id=text(row.get("id")),
        parent_axis_id=text(row.get("pid")),
        code=OrganId(code),
        name=clip(text(row.get("name"))),
        email=clip(text(row.get("mail"))),
        aliases=tuple(dict.fromkeys(OrganId(other) for other in others if other and other != code)),
    )


def read_sent(row: Mapping[str, object]) -> SentEntry:
    """One line of getSentEdocList."""
    return SentEntry(
        axis_doc_id=usable_doc_id(text(row.get("senderDocId"))),
        kind=text(row.get("messageType")).lower(),
        sender=text(row.get("fromCode")),
        recipients=read_codes(row.get("toCode")),
        title=text(row.get("title")),
        notation=text(row.get("notation")),
        sent_at=read_time(row.get("sentTime")),
        failed=text(row.get("receiveStatus")).lower() == _FAIL,
    )
