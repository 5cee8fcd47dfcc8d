"""Rows of the axis's lists as domain values. Pure; member names as in axis.md section 4."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.adapters.vxp.faults import clip, text, usable_doc_id
from gateway.domain.agency import DirectoryRow
from gateway.domain.ids import OrganId
from gateway.domain.packet import AxisItem, PacketKind
from gateway.domain.sentlist import SentEntry
from gateway.domain.vntime import from_vietnam

_DONE, _FAIL = "done", "fail"
_SEPARATORS = re.compile(r"[,;\s]+")
_MILLISECONDS = re.compile(r"[0-9]{12,14}", re.ASCII)
_LOCAL_FORMS = ("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M:%S.%f", "%d/%m/%Y %H:%M:%S")


def read_codes(value: object) -> tuple[OrganId, ...]:
    """Addressees: a JSON array, the text of one, or codes separated by commas or semicolons."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return ()
    codes = [text(each) for each in value] if isinstance(value, list) else _SEPARATORS.split(text(value))
    return tuple(dict.fromkeys(OrganId(code) for code in codes if code))


def read_item(row: Mapping[str, object], kind: PacketKind) -> AxisItem | None:
    """One line of getReceivedEdocList; None if it has no usable docId, is of another kind or already acknowledged."""
    return None if text(row.get("status")).lower() in {_DONE, _FAIL} else _read_any_item(row, kind)


def read_taken_item(row: Mapping[str, object], kind: PacketKind, since: datetime) -> AxisItem | None:
    """The same of an item that was acknowledged as done; None for any other, and for one made before `since`."""
    made = read_time(row.get("created_time"))
    if text(row.get("status")).lower() != _DONE or (made is not None and made < since):
        return None
    return _read_any_item(row, kind)


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


def read_time(value: object) -> datetime | None:
    """An instant in any form met or likely; the axis's own is not documented.

    Forms: `yyyy/MM/dd HH:mm:ss[.fff]`, `dd/MM/yyyy HH:mm:ss`, ISO 8601 with `T` or a space (a zone counts), Unix
    milliseconds as number or text. Times without a zone are Vietnam time. None for anything else.
    """
    written = text(value)
    try:
        if _MILLISECONDS.fullmatch(written):
            return datetime.fromtimestamp(int(written) / 1000, UTC)
        local = _read_local(written) or datetime.fromisoformat(written)
        return local.astimezone(UTC) if local.tzinfo else from_vietnam(local)
    except (ValueError, OverflowError, OSError):
        return None


def _read_any_item(row: Mapping[str, object], kind: PacketKind) -> AxisItem | None:
    doc_id = usable_doc_id(text(row.get("docId")))
    if doc_id is None or text(row.get("messageType")).lower() not in {"", kind.value}:
        return None
    return AxisItem(axis_doc_id=doc_id, kind=kind, recipients=read_codes(row.get("to")))


def _read_local(written: str) -> datetime | None:
    for form in _LOCAL_FORMS:
        try:
            return datetime.strptime(written, form)  # noqa: DTZ007 - Vietnam time, the zone is added by the caller
        except ValueError:
            continue
    return None
