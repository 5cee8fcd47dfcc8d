"""One kind of what waits for an account, taken in apart from the other kind: neither holds the other up."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

import structlog

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AxisDocId
from gateway.domain.lifecycle import ItemState
from gateway.domain.outcome import Rejected, Unavailable
from gateway.domain.packet import AxisItem, PacketKind, Received
from gateway.domain.reconciliation import DiscrepancyKind
from gateway.flows.carried import CarriedPackets
from gateway.flows.fetching import Fetcher
from gateway.flows.inbound import Intake
from gateway.flows.outages import is_outage, log_failure
from gateway.flows.patience import Patience
from gateway.ports import Axis, Blobs, Clock, Discrepancies, InboundItems, ItemRecord, Waiting

_log = structlog.get_logger()

BATCH = 200
"""Items looked up in the store together."""

_SAVE_AGAIN = timedelta(milliseconds=500)
"""Pause before a store that is out of reach is tried again at a stop."""

Step = AxisItem | Received | ItemRecord | tuple[AxisItem, ItemState]
"""How far an item is when work on it begins."""
_S = TypeVar("_S", bound=Step)
_T = TypeVar("_T")


class Lane(ABC):
    """Takes in the items of one kind, `concurrency` at a time, while `held` says that this gateway is the one to do so.

    An item on which our own work breaks in a way nobody foresaw is tried again ever more seldom. After a few tries it
    is a discrepancy for operators. Its packet is kept, and the axis is told nothing: a bug of ours is no refusal, and a
    release that mends it finds the item waiting.

    Packets that came with the list may never come again: they are recorded before anything else is done. While the
    store cannot take them they stay in memory, and nothing more is asked of the axis.
    """

    kind: PacketKind

    def __init__(
        self,
        *,
        axis: Axis,
        intake: Intake,
        fetcher: Fetcher,
        items: InboundItems,
        discrepancies: Discrepancies,
        held: Callable[[], bool],
        first_pause: timedelta,
        concurrency: int,
        blobs: Blobs,
        clock: Clock,
    ) -> None:
        """`first_pause` is the one after the first break of our own work on an item."""
        self._axis = axis
        self._intake = intake
        self._fetcher = fetcher
        self._items = items
        self._discrepancies = discrepancies
        self._held = held
        self._blobs = blobs
        self._clock = clock
        self._patience = Patience(first=first_pause)
        self._outage = False
        self._carried = CarriedPackets(account=axis.account, fetcher=fetcher, items=items, blobs=blobs, clock=clock)
        self._asking: asyncio.Future[Waiting | Unavailable] | None = None
        """The question under way, which outlives a poll that is cut short: its answer may come only once."""
        self._gives_once = False
        """Whether the axis was ever seen to give packets with its list."""
        self._slots = asyncio.Semaphore(concurrency)

    async def poll(self) -> int:
        """Finish what was begun, then take in what is waiting; the number of new items."""
        await self.keep_carried()
        self._patience.forget_old(at=self._clock.now())
        self._outage = False
        await self._finish_begun()
        self._asking = asyncio.ensure_future(self._ask())
        listed = await asyncio.shield(self._asking)
        if not isinstance(listed, Waiting):
            _log.warning("axis.not_polled", account=self._axis.account, kind=self.kind, reason=listed.reason)
            return 0
        kept = await self.keep_carried()
        if kept:
            await self._finish_begun()
        taken = len(kept)
        for start in range(0, len(listed.items), BATCH):
            batch = listed.items[start : start + BATCH]
            states = await self._items.states(self._axis.account, [item.axis_doc_id for item in batch])
            told = [(item, states[item.axis_doc_id]) for item in batch if item.axis_doc_id in states.keys() - kept]
            await self._tell_all(told)
            new, held_back = await self._take_in(batch, states)
            taken += new
            if held_back:
                break
        return taken

    async def keep_carried(self) -> frozenset[AxisDocId]:
        """Record what came with a list, in its order, whoever has the claim by now; those that were not known before.

        Raises what blobs and store raise; what is left then is recorded by the next call.
        """
        kept = frozenset(item.axis_doc_id for item in await self._carried.record(broke=self._set_aside))
        for id_ in kept:
            self._patience.forget(id_)
        return kept

    async def save_carried(self) -> None:
        """Before the process ends: record what came with a list, and what an answer still under way brings.

        A store that is out of reach is tried again until whoever waits for this gives up.
        """
        asking = self._asking
        try:
            if asking is not None and self._gives_once:
                await asyncio.wait({asking})
            while self._carried:
                try:
                    await self.keep_carried()
                    break
                except Exception as error:  # noqa: BLE001 - what is not recorded now is lost
                    log_failure("carried.not_recorded", error, account=self._axis.account, packets=len(self._carried))
                await asyncio.sleep(_SAVE_AGAIN.total_seconds())
        finally:
            if asking is not None:
                asking.cancel()
            if self._carried:
                _log.error("carried.lost", account=self._axis.account, kind=self.kind, packets=len(self._carried))

    async def _set_aside(self, item: AxisDocId, error: Exception) -> bool:
        await self._broke(item, error)
        return self._patience.is_over(item)

    async def _ask(self) -> Waiting | Unavailable:
        listed = await self._axis.waiting(self.kind)
        if isinstance(listed, Waiting):
            self._carried.add(listed, listed.items)
            self._gives_once = self._gives_once or bool(listed.carried)
        return listed

    async def _finish_begun(self) -> None:
        """Batch by batch as long as that gets anywhere: one list may have carried thousands."""
        records, before = await self._unfinished(), None
        while records and records != before:
            await self._resume(records)
            records, before = await self._unfinished(), records

    async def _unfinished(self) -> Sequence[ItemRecord]:
        limit = BATCH + len(self._patience)
        return await self._items.unfinished(self._axis.account, limit=limit, kind=self.kind)

    @abstractmethod
    async def _resume(self, records: Sequence[ItemRecord]) -> None:
        """Finish what a crash or an axis that could not be told has left."""

    @abstractmethod
    async def _take_in(self, items: Sequence[AxisItem], states: Mapping[AxisDocId, ItemState]) -> tuple[int, bool]:
        """Take in those without a state; how many were, and whether one of them holds back all that come later."""

    async def _tell_all(self, known: Sequence[tuple[AxisItem, ItemState]]) -> None:
        """Tell the axis side by side, and note it together; what fails is told again by the next poll."""
        heard = await self._each(self._announce, known)
        items = [item for (item, _), done in zip(known, heard, strict=True) if done]
        if not items:
            return
        try:
            await self._intake.note_told(items)
        except Exception as error:  # noqa: BLE001 - as for a single one
            self._outage = self._outage or is_outage(error)
            log_failure("items.not_noted", error, account=self._axis.account)

    async def _announce(self, known: tuple[AxisItem, ItemState]) -> bool:
        item, state = known
        return await self._intake.announce(item, state)

    async def _take(self, received: Received) -> bool:
        await self._intake.tell(received.item, await self._intake.accept(received))
        return True

    async def _fetch(self, item: AxisItem) -> Received | None:
        try:
            fetched = await self._fetcher.fetch(item)
        except GatewayError as error:
            if error.code is not ErrorCode.STORAGE_FULL:
                raise
            return None  # it waits at the axis; admission control has its say in log and metrics
        match fetched:
            case Received():
                return fetched
            case Rejected():
                # It stays at the axis: an operator can raise the limit, and nothing of it is lost until then.
                self._patience.refused(item.axis_doc_id, at=self._clock.now())
            case Unavailable():
                self._patience.missed(item.axis_doc_id, at=self._clock.now())
        return None

    def _waits(self, item: AxisItem) -> bool:
        return self._patience.waits(item.axis_doc_id, at=self._clock.now())

    def _may_begin(self) -> bool:
        return self._held() and not self._outage

    async def _each(self, work: Callable[[_S], Awaitable[_T]], on: Iterable[_S]) -> list[_T | None]:
        """Do it with all of them, some at a time; one that breaks is logged, gives None and stops no other."""
        return await asyncio.gather(*(self._one(work, one) for one in on))

    async def _one(self, work: Callable[[_S], Awaitable[_T]], one: _S) -> _T | None:
        async with self._slots:
            if not self._may_begin():
                return None
            item = _item(one).axis_doc_id
            try:
                result = await work(one)
            except Exception as error:  # noqa: BLE001 - the item comes again at a later poll
                await self._broke(item, error)
                return None
            if result is True:
                self._patience.forget(item)
            return result

    async def _broke(self, item: AxisDocId, error: Exception) -> None:
        if is_outage(error):
            self._outage = True  # it would be the same with those behind it, at the cost of a wait each
            log_failure("item.put_off", error, account=self._axis.account, axis_doc_id=item)
            return
        log_failure("item.broke", error, account=self._axis.account, axis_doc_id=item)
        now = self._clock.now()
        if not self._patience.broke(item, at=now):
            return
        detail = f"{type(error).__name__}; see the log at item.broke. The axis was told nothing."
        with suppress(GatewayError):  # it comes again, and so does this note
            found = {item: detail}
            await self._discrepancies.note(self._axis.account, DiscrepancyKind.HANDLING_BROKE, found, at=now)


def _item(step: Step) -> AxisItem:
    match step:
        case AxisItem():
            return step
        case Received(item=item) | ItemRecord(received=Received(item=item)) | (item, _):
            return item


def count(taken: Iterable[bool | None]) -> int:
    """How many were taken in."""
    return sum(one is True for one in taken)
