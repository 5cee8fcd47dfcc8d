"""Lines of the lists (axis.md 4) and the parameters that narrow them. Pure; no value is ever None."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.domain.agency import Agency, CodeForm, form_of
from gateway.domain.lifecycle import DeliveryState, ReceptionState
from gateway.domain.packet import PacketKind
from gateway.domain.status import REFUSED
from gateway.domain.vntime import edxml_timestamp, from_vietnam
from gateway.door.answers import DoorCode, Refusal
from gateway.ports import DeliveryView, FedStatus, ReceptionLine, SentDocument

MOST = 500
"""Lines of one answer: clients settle what they fetched and ask again."""
FARTHEST = 100_000
"""Lines that a page index may skip."""

_FIRST_YEAR, _LAST_YEAR = 1900, 9000
_TIME = r"(?:[ T][0-9:.]{4,15})?"
_DATE = re.compile(rf"([0-9]{{4}})[/-]([0-9]{{1,2}})[/-]([0-9]{{1,2}}){_TIME}", re.ASCII)
_DATE_BACKWARDS = re.compile(rf"([0-9]{{1,2}})[/-]([0-9]{{1,2}})[/-]([0-9]{{4}}){_TIME}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)

NOT_TAKEN = frozenset({ReceptionState.WAITING, ReceptionState.LEASED})

_STATES = {
    "": NOT_TAKEN,
    "initial": frozenset({ReceptionState.WAITING}),
    "processing": frozenset({ReceptionState.LEASED}),
    "done": frozenset({ReceptionState.ACKNOWLEDGED}),
    "fail": frozenset({ReceptionState.REFUSED}),
}
_STATUS_WORDS = {
    ReceptionState.WAITING: ("initial", "Khoi tao"),
    ReceptionState.LEASED: ("processing", "Dang xu ly"),
    ReceptionState.ACKNOWLEDGED: ("done", "Da nhan"),
    ReceptionState.REFUSED: ("fail", "Tu choi tiep nhan"),
}
_SEND_WORDS = {
    DeliveryState.QUEUED: ("processing", "Dang cho gui"),
    DeliveryState.DELAYED: ("processing", "Gui cham, dang thu lai"),
    DeliveryState.HELD: ("processing", "Tam giu, cho don vi van hanh xu ly"),
    DeliveryState.SENT: ("done", "Da gui"),
    DeliveryState.FAILED: ("fail", "Gui loi"),
}
_RECEIVE_WORDS = {
    "01": "Da den",
    "02": "Tu choi tiep nhan",
    "03": "Da tiep nhan",
    "04": "Phan cong xu ly",
    "05": "Dang xu ly",
    "06": "Hoan thanh",
    "15": "Dong y cap nhat, lay lai",
    "16": "Tu choi cap nhat, lay lai",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a list call asks for."""

    states: frozenset[ReceptionState]
    since: datetime | None
    before: datetime | None
    skip: int
    limit: int


def read_wanted(*, status: str, from_date: str, to_date: str, page_size: str, page_index: str) -> Wanted | Refusal:
    """The filters of getReceivedEdocList; dates are Vietnam days, both included; pages count from 1, 0 is the first."""
    since, until = _day(from_date), _day(to_date)
    size, index = _number(page_size), _number(page_index)
    states = _STATES.get(status.lower())
    if states is None or size is None or index is None or (from_date and not since) or (to_date and not until):
        return Refusal(
            code=DoorCode.PROCESSING,
            sentence="Tham số lọc không hợp lệ: status là initial, processing, done hoặc fail; ngày là yyyy/MM/dd; "
            "pageSize và pageIndex là số",
        )
    limit = min(size or MOST, MOST)
    return Wanted(
        states=states,
        since=since,
        before=None if until is None else until + timedelta(days=1),
        skip=min(max(index - 1, 0) * limit, FARTHEST),
        limit=limit,
    )


def received_line(line: ReceptionLine) -> dict[str, str]:
    """One line of getReceivedEdocList for documents."""
    return _item(
        line.id, PacketKind.DOCUMENT, line.received_at, sender=line.sender, recipient=line.recipient, state=line.state
    )


def status_line(status: FedStatus) -> dict[str, str]:
    """One line of getReceivedEdocList for statuses."""
    report = status.report
    return _item(
        status.id,
        PacketKind.STATUS,
        status.at,
        sender=report.sender.organ_id,
        recipient=report.response_for.organ_id,
        state=ReceptionState.WAITING,
    )


def _item(
    doc_id: str, kind: PacketKind, at: datetime, *, sender: str, recipient: str, state: ReceptionState
) -> dict[str, str]:
    status, words = _STATUS_WORDS[state]
    return {
        "docId": doc_id,
        "serviceType": "eDoc",
        "messageType": kind.value,
        "created_time": edxml_timestamp(at),
        "updated_time": edxml_timestamp(at),
        "from": sender,
        "to": recipient,
        "status": status,
        "status_desc": words,
    }


def sent_line(sent: SentDocument, delivery: DeliveryView) -> dict[str, str]:
    """One line of getSentEdocList: one recipient of one document."""
    state, words = _SEND_WORDS[delivery.state]
    last = delivery.last_status
    received = ("fail" if last == REFUSED else "done") if last else "initial"
    return {
        "serviceType": "eDoc",
        "messageType": PacketKind.DOCUMENT.value,
        "senderDocId": sent.uid,
        "receiverDocId": "",
        "fromCode": sent.document.sender.organ_id,
        "toCode": delivery.recipient,
        "title": sent.document.subject,
        "notation": sent.document.code,
        "sentTime": edxml_timestamp(sent.accepted_at),
        "receivedTime": edxml_timestamp(delivery.updated_at) if last else "",
        "sendStatus": state,
        "sendStatusDesc": f"{words}: {delivery.reason}" if delivery.reason else words,
        "receiveStatus": received,
        "receiveStatusDesc": f"{last} {_RECEIVE_WORDS.get(last, '')}".strip() if last else "Chua nhan",
    }


def agency_line(agency: Agency) -> dict[str, str]:
    """One line of getAgenciesList."""
    return {
        "id": agency.id,
        "pid": agency.parent_id or "",
        "code": agency.code,
        "name": agency.name,
        "mail": agency.email,
        "oldCode": _old_code(agency),
    }


def agency_line_qd20(agency: Agency) -> dict[str, str]:
    """One line of getAgenciesListQD20, the table from codes of before 2020."""
    return {**agency_line(agency), "code102": _old_code(agency)}


def unit_line(agency: Agency, center: str) -> dict[str, Any]:
    """One line of getSynchronizeUnit, whose exact meaning nobody has published; `center` connects all units."""
    return {
        "id": agency.id,
        "pid": agency.parent_id or "",
        "code": agency.code,
        "name": agency.name,
        "centerCode": center,
        "version": "1",
        "modifyDate": "",
        "isAgency": True,
        "deleted": not agency.active,
    }


def _old_code(agency: Agency) -> str:
    return next((alias for alias in agency.aliases if form_of(alias) is CodeForm.OLD), "")


def _day(text: str) -> datetime | None:
    """The beginning of a Vietnam day, whatever time is said of it; None for no text, and for what is no date."""
    if read := _DATE.fullmatch(text):
        parts = read[1], read[2], read[3]
    elif read := _DATE_BACKWARDS.fullmatch(text):
        parts = read[3], read[2], read[1]
    else:
        return None
    if not _FIRST_YEAR <= int(parts[0]) <= _LAST_YEAR:
        return None
    try:
        return from_vietnam(datetime(int(parts[0]), int(parts[1]), int(parts[2])))  # noqa: DTZ001 - given its zone
    except ValueError:
        return None


def _number(text: str) -> int | None:
    """A count; 0 for no text, None for what is none."""
    if not text:
        return 0
    return int(text) if _NUMBER.fullmatch(text) else None
