"""The documents that wait for an account: taken in side by side, in any order."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.domain.ids import AxisDocId
from gateway.domain.lifecycle import ItemState
from gateway.domain.packet import AxisItem, PacketKind
from gateway.flows.lanes import Lane, count
from gateway.ports import ItemRecord


class DocumentLane(Lane):
    """See Lane."""

    kind = PacketKind.DOCUMENT

    def __init__(self, **lane: Any) -> None:
        super().__init__(**lane)
        self._left_whole: set[AxisDocId] = set()
        self.quiet = asyncio.Event()
        """Set while no document is under way."""
        self.quiet.set()

    async def _resume(self, records: Sequence[ItemRecord]) -> None:
        self._left_whole &= {record.received.item.axis_doc_id for record in records}
        await self._each(self._finish, [record for record in records if not self._waits(record.received.item)])

    async def _finish(self, record: ItemRecord) -> bool:
        received, state = record.received, record.state
        if state is ItemState.FETCHED:
            state = await self._intake.take(received)
        elif state is ItemState.STORED and record.whole and received.item.axis_doc_id not in self._left_whole:
            self._left_whole.add(received.item.axis_doc_id)
            await self._intake.split(received)
        await self._intake.tell(received.item, state)
        return True

    async def _take_in(self, items: Sequence[AxisItem], states: Mapping[AxisDocId, ItemState]) -> tuple[int, bool]:
        new = [item for item in items if item.axis_doc_id not in states and not self._waits(item)]
        if not new:
            return 0, False
        self.quiet.clear()
        try:
            return count(await self._each(self._take_document, new)), False
        finally:
            self.quiet.set()

    async def _take_document(self, item: AxisItem) -> bool:
        received = await self._fetch(item)
        return received is not None and await self._take(received)
