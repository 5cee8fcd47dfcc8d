"""The simulated axis itself: systems, mailboxes, sent items. Knows no HTTP; its state is a fold of its journal.

It never deduplicates: each accepted packet becomes new items, as on the real axis (axis.md section 5). A face that
does asks the ledger first.
"""

import hmac
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.sandbox.codes import AxisCode, Refusal
from gateway.sandbox.directory import Agency, Directory, draw_agency, find_roots, is_centre
from gateway.sandbox.faults import Fault, Faults
from gateway.sandbox.journal import Journal
from gateway.sandbox.ledger import Ledger
from gateway.sandbox.packet import PacketSummary

_AGENCY_CODE = re.compile(r"[A-Z][0-9]{2}(\.[0-9A-Z]+)*", re.ASCII)
_MAX_AGENCY_CODE = 35


class ItemsPer(StrEnum):
    """Whether a packet becomes one item for each recipient or one for each receiving system."""

    RECIPIENT = "recipient"
    SYSTEM = "system"


class ItemStatus(StrEnum):
    """How far the receiving system is with an item."""

    INITIAL = "initial"
    PROCESSING = "processing"
    DONE = "done"
    FAIL = "fail"


WAITING = frozenset({ItemStatus.INITIAL, ItemStatus.PROCESSING})
"""Statuses of items not yet acknowledged: they stay listed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class System:
    """A system registered with the axis."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """A packet whose signature, hash and edXML are good; sender and receivers still to be judged."""

    system_id: str
    sender: str
    # the `from` header
    receivers: tuple[str, ...]
    # the `to` header, or the packet's own To list without one
    summary: PacketSummary
    packet: str
    # name of the file that holds the bytes
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One entry of a receiving system's mailbox."""

    doc_id: str
    sent_doc_id: str
    system_id: str
    # empty when no system answers for the recipient
    message_type: str
    sender: str
    receivers: tuple[str, ...]
    subject: str
    notation: str
    packet: str
    created: datetime
    updated: datetime
    status: ItemStatus = ItemStatus.INITIAL


class Axis:
    """The axis's decisions and its memory; not thread-safe, meant for one event loop."""

    def __init__(
        self,
        *,
        systems: Iterable[System],
        directory: Directory,
        journal: Journal,
        items_per: ItemsPer,
        faults: Faults,
        new_id: Callable[[], uuid.UUID] = uuid.uuid4,
    ) -> None:
        self._systems = {system.id: system for system in systems}
        self._directory = directory
        self._journal = journal
        self._items_per = items_per
        self._faults = faults
        self._new_id = new_id
        self._roots = {name: [*find_roots(name, directory)] for name in self._systems}
        self._items: dict[str, Item] = {}
        self._senders: dict[str, str] = {}
        self._ledger = Ledger()
        for event in journal:
            self._apply(event)
        for name in self._systems:
            self._settle(name)

    @property
    def agencies(self) -> Directory:
        """The directory as it stands."""
        return self._directory

    @property
    def ledger(self) -> Ledger:
        """The documents and statuses accepted so far."""
        return self._ledger

    @property
    def records(self) -> list[dict[str, Any]]:
        """All events: what was accepted, handed out, acknowledged, registered."""
        return list(self._journal)

    def secret_of(self, system_id: str) -> str | None:
        """The secret of a registered system."""
        system = self._systems.get(system_id)
        return None if system is None else system.secret

    def knows(self, system_id: str, secret: str) -> bool:
        """Whether this is the secret of a registered system."""
        known = self.secret_of(system_id)
        return known is not None and hmac.compare_digest(known.encode(), secret.encode(errors="surrogateescape"))

    def system_of(self, code: str) -> str:
        """The system that answers for the nearest unit at or above this one; empty without any."""
        for each in self._directory.line_of(code):
            for system_id, roots in self._roots.items():
                if each in roots:
                    return system_id
        return ""

    def accept(self, submission: Submission) -> str | Refusal:
        """Judge sender and receivers, then make the items; gives the DocId (24 hex digits)."""
        summary, system_id = submission.summary, submission.system_id
        for code in (submission.sender, summary.from_code):
            if not self._may_send(system_id, code):
                return _refuse_sender(code, system_id)
        receivers = submission.receivers
        for code in (*summary.to_codes, *receivers):
            if refusal := self._refuse_receiver(code):
                return refusal
        doc_id = self._record_accepted(
            submission, receivers, lost=_is_document(summary) and self._faults.take(Fault.LOSE)
        )
        if _is_document(summary) and self._faults.take(Fault.DOUBLE):
            self._record_accepted(submission, receivers, lost=False)
        return doc_id

    def list_received(self, system_id: str, message_type: str) -> list[Item]:
        """A system's items, acknowledged ones too, oldest first; an empty message type means all."""
        return [
            item
            for item in self._items.values()
            if item.system_id == system_id and message_type in {"", item.message_type}
        ]

    def item_of(self, system_id: str, doc_id: str) -> Item | None:
        """The item of this system's mailbox, acknowledged or not."""
        item = self._items.get(doc_id)
        return None if item is None or item.system_id != system_id else item

    def list_sent(self, system_id: str, doc_id: str) -> list[Item]:
        """The items made from what a system sent: by one DocId, or all with an empty one."""
        return [
            item
            for item in self._items.values()
            if self._senders[item.sent_doc_id] == system_id and doc_id in {"", item.sent_doc_id}
        ]

    def hand_out(self, system_id: str, doc_id: str, operation: str) -> Item | Refusal:
        """The item to download, if it lies in this system's mailbox; recorded."""
        item = self.item_of(system_id, doc_id)
        if item is None:
            return _refuse_unknown_item(doc_id)
        self._record("downloaded", {"docId": doc_id, "system": system_id, "operation": operation})
        return item

    def acknowledge(self, system_id: str, doc_id: str, status: str) -> Refusal | None:
        """Note processing, done or fail for an item of this system's mailbox."""
        item = self.item_of(system_id, doc_id)
        if item is None:
            return _refuse_unknown_item(doc_id)
        if status not in set(ItemStatus) - {ItemStatus.INITIAL}:
            return _refuse(AxisCode.PROCESSING, "status phai la done, fail hoac processing")
        self._record("acknowledged", {"docId": doc_id, "system": system_id, "status": status})
        return None

    def register_agency(self, system_id: str, facts: Mapping[str, str]) -> Refusal | None:
        """Create or update a unit below one of the system's own, or a top-level one of its own.

        Args:
            system_id: Who asks.
            facts: Members of the request body: id, pcode, code, name, mail; the others are ignored.
        """
        code, parent_code, name = facts.get("code", ""), facts.get("pcode", ""), facts.get("name", "")
        if not _AGENCY_CODE.fullmatch(code) or len(code) > _MAX_AGENCY_CODE or not name:
            return _refuse(AxisCode.PROCESSING, "code hoac name khong hop le")
        present, parent = self._directory.get(code), self._directory.get(parent_code)
        for named in (present, parent):
            if named is not None and not self._answers_for(system_id, named.code):
                return _refuse_sender(named.code, system_id)
        if parent_code and (parent is None or code in self._directory.line_of(parent_code)):
            return _refuse(AxisCode.PROCESSING, f"Don vi cap tren {parent_code} khong hop le")
        known_id = self._new_id().hex[:24] if present is None else present.id
        agency = {
            "id": known_id,
            "pid": "" if parent is None else parent.id,
            "code": code,
            "name": name,
            "mail": facts.get("mail", ""),
            "oldCode": "" if present is None else present.old_code,
            "version": 1 if present is None else present.version + 1,
        }
        self._record("registered", {"system": system_id, **agency})
        return None

    def delete_agency(self, system_id: str, code: str) -> Refusal | None:
        """Close a unit the system answers for; it stays known as closed."""
        if self._directory.get(code) is None:
            return _refuse(AxisCode.UNKNOWN_RECEIVER, f"Khong ton tai don vi {code}")
        if not self._answers_for(system_id, code):
            return _refuse_sender(code, system_id)
        self._record("closed", {"system": system_id, "code": code})
        return None

    def _settle(self, system_id: str) -> None:
        """Give a system its own agency: one that is neither a centre nor in the directory is registered with it."""
        if self._directory.get(system_id) is None and not is_centre(system_id):
            agency = draw_agency(system_id, self._directory)
            facts = {"id": agency.id, "pid": agency.pid, "code": agency.code, "name": agency.name, "mail": agency.mail}
            self._record("registered", {"system": system_id, **facts, "oldCode": "", "version": 1})
        roots = self._roots[system_id]
        roots += [code for code in find_roots(system_id, self._directory) if code not in roots]

    def _record_accepted(self, submission: Submission, receivers: Sequence[str], *, lost: bool) -> str:
        summary, doc_id = submission.summary, self._new_id().hex[:24]
        items = self._plan_items(receivers)
        facts = {
            "docId": doc_id,
            "system": submission.system_id,
            "messagetype": summary.message_type,
            "from": submission.sender,
            "fromCode": summary.from_code,
            "to": list(receivers),
            "documentId": summary.document_id,
            "subject": summary.subject,
            "notation": summary.notation,
            "statusCode": summary.status_code,
            "sha256": submission.sha256,
            "size": submission.size,
            "packet": submission.packet,
            "items": [{**item, "system": ""} for item in items] if lost else items,
        }
        self._record("accepted", facts)
        return doc_id

    def _record(self, event: str, facts: Mapping[str, Any]) -> None:
        self._apply(self._journal.append(event, facts))

    def _apply(self, event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "accepted":
                self._apply_accepted(event)
            case "acknowledged":
                item = self._items[event["docId"]]
                self._items[item.doc_id] = replace(
                    item,
                    status=ItemStatus(event["status"]),
                    updated=datetime.fromisoformat(event["time"]),
                )
            case "registered":
                self._apply_registered(event)
            case "closed":
                agency = self._directory.get(event["code"])
                assert agency is not None
                time = datetime.fromisoformat(event["time"])
                closed = replace(agency, closed=True, version=agency.version + 1, modified=time)
                self._directory.put(closed)

    def _apply_accepted(self, event: Mapping[str, Any]) -> None:
        self._ledger.apply(event)
        self._senders[event["docId"]] = event["system"]
        time = datetime.fromisoformat(event["time"])
        for planned in event["items"]:
            self._items[planned["docId"]] = Item(
                doc_id=planned["docId"],
                sent_doc_id=event["docId"],
                system_id=planned["system"],
                message_type=event["messagetype"],
                sender=event["from"],
                receivers=tuple(planned["to"]),
                subject=event["subject"],
                notation=event["notation"],
                packet=event["packet"],
                created=time,
                updated=time,
            )

    def _apply_registered(self, event: Mapping[str, Any]) -> None:
        self._directory.put(
            Agency(
                id=event["id"],
                pid=event["pid"],
                code=event["code"],
                name=event["name"],
                mail=event["mail"],
                old_code=event["oldCode"],
                version=event["version"],
                modified=datetime.fromisoformat(event["time"]),
            )
        )
        roots = self._roots.setdefault(event["system"], [])
        if not event["pid"] and event["code"] not in roots:
            roots.append(event["code"])

    def _plan_items(self, receivers: Sequence[str]) -> list[dict[str, Any]]:
        groups: dict[tuple[str, str], list[str]] = {}
        for code in receivers:
            system_id = self.system_of(code)
            alone = code if self._items_per is ItemsPer.RECIPIENT or not system_id else ""
            groups.setdefault((system_id, alone), []).append(code)
        return [
            {"docId": str(self._new_id()), "system": system_id, "to": codes} for (system_id, _), codes in groups.items()
        ]

    def _answers_for(self, system_id: str, code: str) -> bool:
        roots = self._roots.get(system_id, [])
        return any(each in roots for each in self._directory.line_of(code))

    def _may_send(self, system_id: str, code: str) -> bool:
        agency = self._directory.get(code)
        if agency is None:
            return code == system_id
        return not agency.closed and self._answers_for(system_id, code)

    def _refuse_receiver(self, code: str) -> Refusal | None:
        agency = self._directory.get(code)
        if agency is None:
            return _refuse(AxisCode.UNKNOWN_RECEIVER, f"Khong ton tai don vi nhan {code}")
        if agency.closed:
            return _refuse(AxisCode.RECEIVER_LOCKED, f"Don vi nhan {code} da bi khoa")
        return None


def _is_document(summary: PacketSummary) -> bool:
    return summary.message_type == "edoc"


def _refuse(code: AxisCode, sentence: str) -> Refusal:
    return Refusal(code=code, sentence=sentence.encode("ascii", "backslashreplace").decode())


def _refuse_sender(code: str, system_id: str) -> Refusal:
    return _refuse(AxisCode.UNREGISTERED_SENDER, f"Don vi gui {code} khong dung voi ma da dang ky: {system_id}")


def _refuse_unknown_item(doc_id: str) -> Refusal:
    return _refuse(AxisCode.PROCESSING, f"Khong tim thay goi tin {doc_id}")
