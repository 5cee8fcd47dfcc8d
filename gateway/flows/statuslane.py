"""The statuses that wait for an account: fetched, read and told side by side, but placed in the axis's order.

A 06 must not come before its 03. Which statuses are about one document is known only once they are placed (a status may
name it by id or by number and notation), so the order is kept among all of them.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gateway.domain.ids import AxisDocId
from gateway.domain.lifecycle import ItemState
from gateway.domain.packet import AxisItem, PacketKind, Received
from gateway.domain.status import StatusReport
from gateway.flows.lanes import Lane, count
from gateway.flows.outages import is_outage, log_failure
from gateway.ports import ItemRecord

_WINDOW = 32
"""Statuses fetched side by side before the first of them is placed, and told side by side after the last."""
_TOGETHER = 8
"""Statuses placed in one transaction at most. On an embedded store nobody else writes meanwhile."""


_GIVE_WAY = timedelta(seconds=1)
"""Longest pause before each window in favour of documents: both share the processor and the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A fetched packet; without a report it is none that can be read, or no status."""

    received: Received
    report: StatusReport | None


class StatusLane(Lane):
    """See Lane. One status that cannot be fetched or placed now holds back all behind it, though not for ever."""

    kind = PacketKind.STATUS

    def __init__(self, *, documents_quiet: asyncio.Event, **lane: Any) -> None:
        super().__init__(**lane)
        self._documents_quiet = documents_quiet

    async def _resume(self, records: Sequence[ItemRecord]) -> None:
        """Those still to be placed in the order in which they were recorded."""
        unplaced = [record for record in records if record.state is ItemState.FETCHED]
        placed = [record for record in records if record.state is not ItemState.FETCHED]
        due = [(record.received.item, record.state) for record in placed if not self._waits(record.received.item)]
        await self._tell_all(due)
        for record in unplaced:
            item = record.received.item
            done = not self._waits(item) and count(await self._each(self._finish, [record]))
            if not done and self._holds_back(item):
                break

    async def _finish(self, record: ItemRecord) -> bool:
        await self._intake.tell(record.received.item, await self._intake.take(record.received))
        return True

    async def _take_in(self, items: Sequence[AxisItem], states: Mapping[AxisDocId, ItemState]) -> tuple[int, bool]:
        new, stuck = self._up_to_stuck(items, states)
        taken = 0
        for start in range(0, len(new), _WINDOW):
            await self._give_way()
            window = new[start : start + _WINDOW]
            read = await self._each(self._fetch_and_read, window)
            placed, held_back = await self._place(window, read)
            await self._tell_all(placed)
            taken += len(placed)
            if held_back:
                return taken, True
        return taken, stuck

    async def _give_way(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._documents_quiet.wait(), _GIVE_WAY.total_seconds())

    def _up_to_stuck(
        self, items: Sequence[AxisItem], states: Mapping[AxisDocId, ItemState]
    ) -> tuple[Sequence[AxisItem], bool]:
        """The new ones before the first that holds the rest back, and whether there is such a one.

        One still FETCHED broke in this very poll, when it was resumed.
        """
        new: list[AxisItem] = []
        for item in items:
            state = states.get(item.axis_doc_id)
            if state is None and not self._waits(item):
                new.append(item)
            elif state in (None, ItemState.FETCHED) and self._holds_back(item):
                return new, True
        return new, False

    def _holds_back(self, item: AxisItem) -> bool:
        return not self._patience.is_over(item.axis_doc_id)

    async def _fetch_and_read(self, item: AxisItem) -> _Read | None:
        received = await self._fetch(item)
        if received is None:
            return None
        try:
            return _Read(received=received, report=await self._intake.read_status(received))
        except Exception as error:
            if is_outage(error):
                await self._blobs.discard([received.raw.key])
                raise
            return _Read(received=received, report=None)

    async def _place(
        self, items: Sequence[AxisItem], read: Sequence[_Read | None]
    ) -> tuple[list[tuple[AxisItem, ItemState]], bool]:
        """Record and place in order; those that were, and whether one holds back the rest, which is let go."""
        placed: list[tuple[AxisItem, ItemState]] = []
        begin = 0
        for run in _runs(read):
            states = await self._place_together(run) or await self._place_in_turn(run)
            for place, (item, state) in enumerate(zip(items[begin:], states, strict=False), start=begin):
                if state is not None:
                    placed.append((item, state))
                elif self._holds_back(item):
                    later = [other.received.raw.key for other in read[place + 1 :] if other is not None]
                    await self._blobs.discard(later)
                    return placed, True
            begin += len(run)
        return placed, False

    async def _place_together(self, run: Sequence[_Read | None]) -> Sequence[ItemState]:
        """Their states; none if that cannot be done, and then it has changed nothing."""
        whole = [(each.received, each.report) for each in run if each is not None and each.report is not None]
        if len(whole) < len(run) or not self._may_begin():
            return ()
        try:
            states = await self._intake.place_statuses(whole)
        except Exception as error:  # noqa: BLE001 - one after the other shows which of them it is
            self._outage = self._outage or is_outage(error)
            log_failure("statuses.not_placed_together", error, account=self._axis.account)
            return ()
        for received, _ in whole:
            self._patience.forget(received.item.axis_doc_id)
        return states

    async def _place_in_turn(self, run: Sequence[_Read | None]) -> Sequence[ItemState | None]:
        """Their states, up to the first that holds back the rest."""
        states: list[ItemState | None] = []
        for each in run:
            states.append(None if each is None else await self._one(self._intake.accept, each.received))
            if states[-1] is not None and each is not None:
                self._patience.forget(each.received.item.axis_doc_id)
            elif each is None or self._holds_back(each.received.item):
                break
        return states


def _runs(read: Sequence[_Read | None]) -> Iterator[Sequence[_Read | None]]:
    """Cut into runs of what can be placed together, and what has to go alone."""
    run: list[_Read | None] = []
    for each in read:
        alone = each is None or each.report is None
        if run and (alone or len(run) == _TOGETHER):
            yield run
            run = []
        if alone:
            yield [each]
        else:
            run.append(each)
    if run:
        yield run
