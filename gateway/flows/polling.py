"""Asks one account what is waiting and hands each item to the intake; what a crash interrupted comes first."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from gateway.domain.ids import AxisDocId
from gateway.domain.lifecycle import ItemState
from gateway.domain.outcome import Rejected
from gateway.domain.packet import AxisItem, PacketKind, Received
from gateway.flows.config import InboundPolicy
from gateway.flows.inbound import Intake
from gateway.flows.periodic import Periodic
from gateway.ports import Axis, Blobs, Clock, Fetched, InboundItems, ItemRecord, Waiting

_log = structlog.get_logger()

_Step = AxisItem | Received | ItemRecord | tuple[AxisItem, ItemState]
"""How far an item is when work on it begins."""
_S = TypeVar("_S", bound=_Step)
_T = TypeVar("_T")

_BATCH = 200
"""Items looked up in the store and worked on together."""

_READY_LOOK = timedelta(seconds=1)
"""Pause between two looks whether polling may begin."""

_REFUSED_PAUSE = timedelta(hours=1)
"""Pause before an item that is too large, or that the axis refuses, is fetched again: it may be hundreds of MB."""

_PATIENCE = 5
"""Polls for which a status that cannot be taken holds back those behind it."""


class Poller:
    """The way in of one account. Run one per account.

    `run` polls nothing until `ready` says yes: without a directory every packet would be for nobody here, and the axis
    would be told so.
    """

    def __init__(
        self,
        *,
        axis: Axis,
        intake: Intake,
        items: InboundItems,
        blobs: Blobs,
        policy: InboundPolicy,
        clock: Clock,
        ready: Callable[[], bool],
    ) -> None:
        self._axis = axis
        self._intake = intake
        self._items = items
        self._blobs = blobs
        self._policy = policy
        self._clock = clock
        self._ready = ready
        self._refused: dict[AxisDocId, datetime] = {}
        self._missed: Counter[AxisDocId] = Counter()
        self._slots = asyncio.Semaphore(policy.concurrency)
        self._periodic = Periodic(name="poll", turn=self._turn, after_failure=policy.poll_interval)

    async def run(self) -> None:
        """Poll at the interval until `stop`, at once again while there is more."""
        await self._periodic.run()

    def stop(self) -> None:
        """End; every step that is cut short is resumed by the next poll."""
        self._periodic.stop()

    async def _turn(self) -> timedelta:
        if not self._ready():
            return min(_READY_LOOK, self._policy.poll_interval)
        # An axis may list no more than one answer's worth: what is taken in makes room for the next.
        return timedelta(0) if await self.poll() else self._policy.poll_interval

    async def poll(self) -> int:
        """Finish what was begun, then take in what is waiting: documents, then statuses. The number of new items."""
        now = self._clock.now()
        self._refused = {id_: until for id_, until in self._refused.items() if until > now}
        await self._resume()
        return sum([await self._poll_kind(kind) for kind in (PacketKind.DOCUMENT, PacketKind.STATUS)])

    async def _resume(self) -> None:
        records = await self._items.unfinished(self._axis.account, limit=_BATCH)
        await self._each(self._finish, records)

    async def _finish(self, record: ItemRecord) -> None:
        state = record.state
        if state is ItemState.FETCHED:
            state = await self._intake.take(record.received)
        await self._intake.tell(record.received.item, state)

    async def _poll_kind(self, kind: PacketKind) -> int:
        listed = await self._axis.waiting(kind)
        if not isinstance(listed, Waiting):
            _log.warning("axis.not_polled", account=self._axis.account, kind=kind, reason=listed.reason)
            return 0
        if kind is PacketKind.STATUS:
            still_there = {item.axis_doc_id for item in listed.items}
            self._missed = Counter({id_: count for id_, count in self._missed.items() if id_ in still_there})
        taken = 0
        for start in range(0, len(listed.items), _BATCH):
            batch = {item.axis_doc_id: item for item in listed.items[start : start + _BATCH]}
            states = await self._items.states(self._axis.account, batch.keys())
            # Those still FETCHED broke in this very poll and wait for the next.
            await self._each(self._tell_again, [(batch[id_], state) for id_, state in states.items()])
            new = [item for id_, item in batch.items() if id_ not in states and id_ not in self._refused]
            if kind is PacketKind.DOCUMENT:
                taken += await self._take_documents(new)
                continue
            placed, held_back = await self._take_statuses(new)
            taken += placed
            if held_back:
                break
        return taken

    async def _tell_again(self, known: tuple[AxisItem, ItemState]) -> None:
        item, state = known
        await self._intake.tell(item, state)

    async def _take_documents(self, items: Sequence[AxisItem]) -> int:
        return _count(await self._each(self._take_document, items))

    async def _take_document(self, item: AxisItem) -> bool:
        received = await self._fetch(item)
        return received is not None and await self._take(received)

    async def _take_statuses(self, items: Sequence[AxisItem]) -> tuple[int, bool]:
        """Fetched side by side, but placed in the axis's order: 06 must not come before its 03.

        So one that cannot be fetched or placed now holds back all behind it, though not for ever. How many were placed,
        and whether one holds back the rest.
        """
        fetched = await self._each(self._fetch, items)
        taken = 0
        for place, (item, received) in enumerate(zip(items, fetched, strict=True)):
            if received is not None and _count(await self._each(self._take, [received])):
                del self._missed[item.axis_doc_id]
                taken += 1
            elif self._holds_back(item.axis_doc_id):
                later = [other.raw.key for other in fetched[place + 1 :] if other is not None]
                await self._blobs.discard(later)
                return taken, True
        return taken, False

    def _holds_back(self, axis_doc_id: AxisDocId) -> bool:
        if axis_doc_id in self._refused:
            return False
        self._missed[axis_doc_id] += 1
        return self._missed[axis_doc_id] < _PATIENCE

    async def _take(self, received: Received) -> bool:
        await self._intake.tell(received.item, await self._intake.accept(received))
        return True

    async def _fetch(self, item: AxisItem) -> Received | None:
        async with self._blobs.writer(limit=self._policy.packet_limit) as writer:
            fetched = await self._axis.fetch(item, writer)
        if isinstance(fetched, Fetched):
            return Received(account=self._axis.account, item=item, raw=fetched.stored)
        if isinstance(fetched, Rejected):
            # It stays at the axis: an operator can raise the limit, and nothing of it is lost until then.
            self._refused[item.axis_doc_id] = self._clock.now() + _REFUSED_PAUSE
        _log.warning("item.not_fetched", axis_doc_id=item.axis_doc_id, reason=fetched.reason)
        return None

    async def _each(self, work: Callable[[_S], Awaitable[_T]], on: Iterable[_S]) -> list[_T | None]:
        """Do it with all of them, some at a time; one that breaks is logged, gives None and stops no other."""
        return await asyncio.gather(*(self._one(work, one) for one in on))

    async def _one(self, work: Callable[[_S], Awaitable[_T]], one: _S) -> _T | None:
        async with self._slots:
            try:
                return await work(one)
            except Exception:  # noqa: BLE001 - the item comes again at the next poll
                _log.exception("item.broke", account=self._axis.account, axis_doc_id=_item(one).axis_doc_id)
                return None


def _item(step: _Step) -> AxisItem:
    match step:
        case AxisItem():
            return step
        case Received(item=item) | ItemRecord(received=Received(item=item)) | (item, _):
            return item


def _count(taken: Iterable[bool | None]) -> int:
    return sum(one is True for one in taken)
