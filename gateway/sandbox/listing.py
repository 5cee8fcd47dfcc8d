"""The axis's lists as its JSON shows them (axis.md section 4), and the parameters that narrow them. Pure."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from gateway.sandbox.codes import AxisCode, Refusal
from gateway.sandbox.core import WAITING, Axis, Item, ItemStatus
from gateway.sandbox.directory import Agency

_VIETNAM = timezone(timedelta(hours=7))
_DATE = re.compile(r"\d{4}/\d{2}/\d{2}", re.ASCII)
_SIZE = re.compile(r"[1-9]\d{0,5}", re.ASCII)
_INDEX = re.compile(r"\d{1,6}", re.ASCII)
DESCRIPTIONS = {
    ItemStatus.INITIAL: "Khoi tao",
    ItemStatus.PROCESSING: "Dang xu ly",
    ItemStatus.DONE: "Da nhan",
    ItemStatus.FAIL: "Nhan loi",
}


def read_receivers(text: str) -> tuple[str, ...] | Refusal:
    """Read the `to` header, a JSON array of distinct codes; empty for an absent one."""
    if not text:
        return ()
    try:
        codes = json.loads(text)
    except (ValueError, RecursionError):
        codes = None
    if not isinstance(codes, list) or not codes or not all(isinstance(code, str) for code in codes):
        return Refusal(code=AxisCode.UNKNOWN_RECEIVER, sentence="header to phai la mang JSON cac ma don vi")
    if len(set(codes)) != len(codes):
        return Refusal(code=AxisCode.UNKNOWN_RECEIVER, sentence="header to co ma don vi lap lai")
    return tuple(codes)


def choose_received(items: Sequence[Item], parameter: Callable[[str], str]) -> list[Item] | Refusal:
    """The items a list call asks for: those not acknowledged, unless the parameter `status` names another state.

    `fromDate` and `toDate` (yyyy/MM/dd, Vietnam time, both included), `to`, `pageSize` and `pageIndex` (from
    1; 0 is the first page too) narrow further; what the real axis does with them is not proven.
    """
    names = ("fromDate", "toDate", "pageSize", "pageIndex")
    first, last, size, index = (parameter(name) for name in names)
    status = parameter("status").lower()
    receivers = read_receivers(parameter("to")) if parameter("to").startswith("[") else (parameter("to"),)
    if isinstance(receivers, Refusal):
        return receivers
    dates_good = all(not text or _DATE.fullmatch(text) for text in (first, last))
    numbers_good = (not size or _SIZE.fullmatch(size)) and (not index or _INDEX.fullmatch(index))
    if not dates_good or not numbers_good or (status and status not in set(ItemStatus)):
        return Refusal(code=AxisCode.PROCESSING, sentence="Tham so loc khong hop le")
    wanted = {ItemStatus(status)} if status else WAITING
    chosen = [
        item
        for item in items
        if item.status in wanted
        and (receivers == ("",) or not set(receivers).isdisjoint(item.receivers))
        and (first or "0") <= _day(item.created) <= (last or "9")
    ]
    if not size:
        return chosen
    start = max(int(index or "1") - 1, 0) * int(size)
    return chosen[start : start + int(size)]


def count_waiting(items: Iterable[Item]) -> int:
    """How many items are not yet acknowledged."""
    return sum(item.status in WAITING for item in items)


def render_received(item: Item) -> dict[str, str]:
    """One line of getReceivedEdocList; several receivers are joined by commas."""
    return {
        "docId": item.doc_id,
        "serviceType": "eDoc",
        "messageType": item.message_type,
        "created_time": time_text(item.created),
        "updated_time": time_text(item.updated),
        "from": item.sender,
        "to": ",".join(item.receivers),
        "status": item.status.value,
        "status_desc": DESCRIPTIONS[item.status],
    }


def render_sent(item: Item) -> dict[str, str]:
    """One line of getSentEdocList: one recipient of one sent packet."""
    return {
        "serviceType": "eDoc",
        "messageType": item.message_type,
        "senderDocId": item.sent_doc_id,
        "receiverDocId": item.doc_id,
        "fromCode": item.sender,
        "toCode": ",".join(item.receivers),
        "title": item.subject,
        "notation": item.notation,
        "sentTime": time_text(item.created),
        "receivedTime": time_text(item.updated) if item.status is not ItemStatus.INITIAL else "",
        "sendStatus": ItemStatus.DONE.value,
        "sendStatusDesc": "Da gui",
        "receiveStatus": item.status.value,
        "receiveStatusDesc": DESCRIPTIONS[item.status],
    }


def render_agencies(agencies: Iterable[Agency]) -> list[dict[str, str]]:
    """All open agencies, for getAgenciesList."""
    return [
        {
            "id": agency.id,
            "pid": agency.pid,
            "code": agency.code,
            "name": agency.name,
            "mail": agency.mail,
            "oldCode": agency.old_code,
        }
        for agency in agencies
        if not agency.closed
    ]


def render_agencies_qd20(agencies: Iterable[Agency]) -> list[dict[str, str]]:
    """The same with code102, the code of before 2020: the mapping table of getAgenciesListQD20."""
    return [{**line, "code102": line["oldCode"]} for line in render_agencies(agencies)]


def render_units(axis: Axis) -> list[dict[str, Any]]:
    """All units, closed ones marked deleted, for getSynchronizeUnit; its exact meaning is not known."""
    return [
        {
            "id": agency.id,
            "pid": agency.pid,
            "code": agency.code,
            "name": agency.name,
            "centerCode": axis.system_of(agency.code),
            "version": agency.version,
            "modifyDate": time_text(agency.modified),
            "isAgency": True,
            "deleted": agency.closed,
        }
        for agency in axis.agencies
    ]


def _day(instant: datetime) -> str:
    return instant.astimezone(_VIETNAM).strftime("%Y/%m/%d")


def time_text(instant: datetime) -> str:
    """A time as the axis writes it: Vietnam's, without a zone."""
    return instant.astimezone(_VIETNAM).strftime("%Y/%m/%d %H:%M:%S")
