"""Lines of the list of what came, which all REST dialects write alike but for one name (axis.md 4 and 7). Pure."""

from collections.abc import Mapping
from datetime import datetime

from gateway.adapters.answers import usable_doc_id
from gateway.adapters.scalars import read_codes, read_time, text
from gateway.domain.packet import AxisItem, PacketKind

_DONE, _FAIL = "done", "fail"


def read_item(row: Mapping[str, object], kind: PacketKind) -> AxisItem | None:
    """One line; None if it has no usable docId, is of another kind or already acknowledged."""
    return None if text(row.get("status")).lower() in {_DONE, _FAIL} else _read_any_item(row, kind)


def read_taken_item(row: Mapping[str, object], kind: PacketKind, since: datetime) -> AxisItem | None:
    """The same of an item that was acknowledged as done; None for any other, and for one made before `since`."""
    made = read_time(row.get("created_time", row.get("createdTime")))
    if text(row.get("status")).lower() != _DONE or (made is not None and made < since):
        return None
    return _read_any_item(row, kind)


def _read_any_item(row: Mapping[str, object], kind: PacketKind) -> AxisItem | None:
    doc_id = usable_doc_id(text(row.get("docId")))
    if doc_id is None or text(row.get("messageType")).lower() not in {"", kind.value}:
        return None
    return AxisItem(axis_doc_id=doc_id, kind=kind, recipients=read_codes(row.get("to")))
