"""Statuses in this dialect: traces read once, updates that must not repeat, and the axis's own 01."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta, timezone

from gateway.sandbox.core import WAITING, Item, ItemStatus
from gateway.sandbox.listing import time_text
from gateway.sandbox.soap import checks
from gateway.sandbox.soap.checks import Problem
from gateway.sandbox.soap.delivery import Delivery
from gateway.sandbox.soap.packing import arrived_status, read_packet, status_of, write_status
from gateway.sandbox.soap.receiving import Call
from gateway.sandbox.soap.scratch import Scratch
from gateway.sandbox.soap.tree import Node
from gateway.xmlsafe import XmlRefusedError

_VIETNAM = timezone(timedelta(hours=7))
_IN_PROCESS = 5
_TAKE_BACK = 13


@dataclass(frozen=True, kw_only=True, slots=True)
class Traces:
    """The status side of the face."""

    delivery: Delivery

    async def list_for(self, system_id: str, since: str, scratch: Scratch) -> list[Node] | Problem:
        """The statuses for a system: the unread ones, which are read now, or all from a time on, which stay as is.

        Args:
            system_id: Whose.
            since: `yyyy/MM/dd HH:mm:ss`, Vietnam time; empty for the unread ones.
            scratch: For reading packets.
        """
        start = checks.read_time(since) if since else None
        if since and start is None:
            return Problem(code="T.TimeStamp", sentence="TimeStamp: phai co dang yyyy/MM/dd HH:mm:ss")
        axis = self.delivery.axis
        items = axis.list_received(system_id, "status")
        if start is not None:
            items = [item for item in items if item.created >= start.replace(tzinfo=_VIETNAM)]
        else:
            items = [item for item in items if item.status in WAITING]
            for item in items:
                axis.acknowledge(system_id, item.doc_id, ItemStatus.DONE)
        return [status for item in items if (status := await self._read_status(item, scratch)) is not None]

    async def update(self, system_id: str, call: Call) -> Problem | None:
        """Take a status: one element with a StatusCode, in the SOAP header or body."""
        statuses = [node for part in (call.header, call.body) for node in part.below() if node.first("StatusCode")]
        if len(statuses) != 1:
            letter = "M" if statuses else "N"
            return Problem(code=f"{letter}.StatusCode", sentence="phai co dung mot trang thai")
        if problems := checks.check_status(statuses[0]):
            return problems[0]
        return await self._deliver(system_id, statuses[0])

    async def tell_arrived(self, item: Item, scratch: Scratch) -> None:
        """Make the status 01 of a confirmed document, unless the receiver told it already."""
        delivery = self.delivery
        try:
            document = await asyncio.to_thread(read_packet, delivery.spool.path_of(item.packet), scratch)
        except XmlRefusedError:
            # A packet the axis could not read would not be in a mailbox; one too large for a tree gets no 01.
            return
        for code in item.receivers:
            agency = delivery.axis.agencies.get(code)
            name = "" if agency is None else agency.name
            time = time_text(delivery.now())
            status = arrived_status(document, reporter=code, reporter_name=name, timestamp=time)
            await self._deliver(item.system_id, status)

    async def _read_status(self, item: Item, scratch: Scratch) -> Node | None:
        try:
            packet = await asyncio.to_thread(read_packet, self.delivery.spool.path_of(item.packet), scratch)
        except XmlRefusedError:
            return None
        return status_of(packet)

    async def _deliver(self, system_id: str, status: Node) -> Problem | None:
        result = await self.delivery.deliver(
            system_id, iter([write_status(status)]), judge=lambda: self._refuse_status(status)
        )
        return result if isinstance(result, Problem) else None

    def _refuse_status(self, status: Node) -> Problem | None:
        """A status about a document nobody sent, or told before; 05 may be told again and again."""
        ledger = self.delivery.axis.ledger
        code = int(status.value("StatusCode"))
        reporter, owner = status.value("From", "OrganId"), status.value("ResponseFor", "OrganId")
        names = status.value("ResponseFor", "DocumentId"), status.value("ResponseFor", "Code")
        # A take-back goes the other way: from the document's sender to one of its receivers.
        author, receiver = (reporter, owner) if code == _TAKE_BACK else (owner, reporter)
        if receiver not in (ledger.receivers_of(author, *names) or ()):
            return Problem(code="M.UpdateStatusDoc", sentence="Khong tim thay van ban")
        if code != _IN_PROCESS and ledger.has_status(reporter, owner, names[0], code):
            return Problem(code="M.UpdateTraces", sentence=f"Trang thai {code:02d} da duoc cap nhat")
        return None
