"""Statuses that came with GetTraces: as packets, under ids of our own making, kept for a while.

The service gives a trace no id and marks it as read when it gives it, so the id is made of what the status says: one
that comes again is the same item.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from gateway.adapters.soap.packets import status_packet, status_recipient
from gateway.domain.ids import AxisDocId, OrganId
from gateway.domain.packet import AxisItem, PacketKind
from gateway.ports import Waiting

_ID = re.compile(r"trace:[0-9a-f]{48}")
_KEPT_BYTES = 4 * 1024 * 1024
"""Of packets kept for who asks for them once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """The statuses of one answer."""

    waiting: Waiting
    unwritable: int
    """Statuses that are no XML text fit for a packet."""


def is_trace(axis_doc_id: AxisDocId) -> bool:
    """True for an id that was made here."""
    return _ID.fullmatch(axis_doc_id) is not None


def read_statuses(statuses: Iterable[etree._Element]) -> Traces:
    """Items with their packets, in the order of the answer; a status that stands in it twice is one."""
    items: dict[AxisDocId, AxisItem] = {}
    carried: dict[AxisDocId, bytes] = {}
    unwritable = 0
    for status in statuses:
        packet = status_packet(status)
        if packet is None:
            unwritable += 1
            continue
        named = AxisDocId(f"trace:{hashlib.sha256(packet).hexdigest()[:48]}")
        recipient = status_recipient(status)
        recipients = (OrganId(recipient),) if recipient else ()
        items[named] = AxisItem(axis_doc_id=named, kind=PacketKind.STATUS, recipients=recipients)
        carried[named] = packet
    return Traces(waiting=Waiting(items=tuple(items.values()), carried=carried), unwritable=unwritable)


class KeptTraces:
    """The newest packets, _KEPT_BYTES together."""

    def __init__(self) -> None:
        self._packets: OrderedDict[AxisDocId, bytes] = OrderedDict()
        self._size = 0

    def keep(self, waiting: Waiting) -> None:
        """Add these, and let go of the oldest."""
        for named, packet in waiting.carried.items():
            self._size += len(packet) - len(self._packets.pop(named, b""))
            self._packets[named] = packet
        while self._size > _KEPT_BYTES:
            self._size -= len(self._packets.popitem(last=False)[1])

    def get(self, axis_doc_id: AxisDocId) -> bytes | None:
        """A packet that is still kept."""
        return self._packets.get(axis_doc_id)
