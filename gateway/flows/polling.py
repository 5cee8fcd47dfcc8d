"""Asks one account what is waiting and hands each item to the intake; what a crash interrupted comes first."""

import asyncio
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
from gateway.flows.claim import LOOK, Claim
from gateway.flows.config import InboundPolicy
from gateway.flows.fetching import Fetcher
from gateway.flows.inbound import Intake
from gateway.flows.patience import Patience
from gateway.flows.periodic import Periodic
from gateway.ports import Admission, Axis, Blobs, Clock, Discrepancies, InboundItems, ItemRecord, Waiting

_log = structlog.get_logger()

_Step = AxisItem | Received | ItemRecord | tuple[AxisItem, ItemState]
"""How far an item is when work on it begins."""
_S = TypeVar("_S", bound=_Step)
_T = TypeVar("_T")

_BATCH = 200
"""Items looked up in the store and worked on together."""

_AFTER_FAILURE = timedelta(seconds=5)
"""Pause after a poll that broke, if the interval is not shorter."""

_OUTAGES = frozenset({ErrorCode.STORE_UNAVAILABLE, ErrorCode.STORAGE_FULL})
"""What is no fault of the item at hand."""


class Poller:
    """The way in of one account. Run one per gateway and account: of several gateways one polls at a time.

    `run` polls nothing until `ready` says yes: without a directory every packet would be for nobody here, and the axis
    would be told so.

    An item on which our own work breaks in a way nobody foresaw is tried again ever more seldom. After a few tries it
    is a discrepancy for operators. Its packet is kept, and the axis is told nothing: a bug of ours is no refusal, and a
    release that mends it finds the item waiting.
    """

    def __init__(
        self,
        *,
        axis: Axis,
        intake: Intake,
        fetcher: Fetcher,
        admission: Admission,
        items: InboundItems,
        blobs: Blobs,
        discrepancies: Discrepancies,
        claim: Claim,
        policy: InboundPolicy,
        clock: Clock,
        ready: Callable[[], bool],
    ) -> None:
        self._axis = axis
        self._intake = intake
        self._fetcher = fetcher
        self._admission = admission
        self._items = items
        self._blobs = blobs
        self._discrepancies = discrepancies
        self._claim = claim
        self._policy = policy
        self._clock = clock
        self._ready = ready
        self._patience = Patience(first=policy.poll_interval)
        self._left_whole: set[AxisDocId] = set()
        self._outage = False
        self._slots = asyncio.Semaphore(policy.concurrency)
        after_failure = min(_AFTER_FAILURE, policy.poll_interval)
        self._periodic = Periodic(name="poll", turn=self._turn, after_failure=after_failure)

    async def run(self) -> None:
        """Poll at the interval until `stop`, at once again while there is more; without the claim, look for it."""
        async with self._claim.kept():
            await self._periodic.run()

    def stop(self) -> None:
        """End; every step that is cut short is resumed by the next poll, whoever makes it."""
        self._periodic.stop()

    async def _turn(self) -> timedelta:
        if not self._ready() or not await self._claim.seize():
            return min(LOOK, self._policy.poll_interval)
        # An axis may list no more than one answer's worth: what is taken in makes room for the next.
        if await self.poll():
            return timedelta(0)
        return self._policy.poll_interval if self._claim.held else LOOK

    async def poll(self) -> int:
        """Finish what was begun, then take in what is waiting: documents, then statuses. The number of new items.

        Nothing is done without the claim, and no item is begun after it is lost. Without room nothing is done either:
        what waits at the axis is safe there.
        """
        if not await self._claim.seize() or not await self._admission.has_room():
            return 0
        self._patience.forget_old(at=self._clock.now())
        self._outage = False
        await self._resume()
        return sum([await self._poll_kind(kind) for kind in (PacketKind.DOCUMENT, PacketKind.STATUS)])

    async def _resume(self) -> None:
        """Documents side by side; statuses that are still to be placed in the order in which they were recorded."""
        records = await self._items.unfinished(self._axis.account, limit=_BATCH + len(self._patience))
        self._left_whole &= {record.received.item.axis_doc_id for record in records}
        unplaced = [each for each in records if _is_unplaced_status(each)]
        due = [each for each in records if not _is_unplaced_status(each) and not self._waits(each.received.item)]
        await self._each(self._finish, due)
        for record in unplaced:
            item = record.received.item
            done = not self._waits(item) and _count(await self._each(self._finish, [record]))
            if not done and self._holds_back(item.axis_doc_id):
                break

    async def _finish(self, record: ItemRecord) -> bool:
        received, state = record.received, record.state
        if state is ItemState.FETCHED:
            state = await self._intake.take(received)
        elif state is ItemState.STORED and record.whole and received.item.axis_doc_id not in self._left_whole:
            self._left_whole.add(received.item.axis_doc_id)
            await self._intake.split(received)
        await self._intake.tell(received.item, state)
        return True

    async def _poll_kind(self, kind: PacketKind) -> int:
        listed = await self._axis.waiting(kind)
        if not isinstance(listed, Waiting):
            _log.warning("axis.not_polled", account=self._axis.account, kind=kind, reason=listed.reason)
            return 0
        taken = 0
        for start in range(0, len(listed.items), _BATCH):
            batch = listed.items[start : start + _BATCH]
            states = await self._items.states(self._axis.account, [item.axis_doc_id for item in batch])
            told = [(item, states[item.axis_doc_id]) for item in batch if item.axis_doc_id in states]
            await self._each(self._tell_again, told)
            if kind is PacketKind.DOCUMENT:
                taken += await self._take_documents(batch, states)
                continue
            placed, held_back = await self._take_statuses(batch, states)
            taken += placed
            if held_back:
                break
        return taken

    async def _tell_again(self, known: tuple[AxisItem, ItemState]) -> None:
        item, state = known
        await self._intake.tell(item, state)

    async def _take_documents(self, items: Sequence[AxisItem], states: Mapping[AxisDocId, ItemState]) -> int:
        new = [item for item in items if item.axis_doc_id not in states and not self._waits(item)]
        return _count(await self._each(self._take_document, new))

    async def _take_document(self, item: AxisItem) -> bool:
        received = await self._fetch(item)
        return received is not None and await self._take(received)

    async def _take_statuses(
        self, items: Sequence[AxisItem], states: Mapping[AxisDocId, ItemState]
    ) -> tuple[int, bool]:
        """Fetched side by side, but placed in the axis's order: 06 must not come before its 03.

        So one that cannot be fetched or placed now holds back all behind it, though not for ever. How many were placed,
        and whether one holds back the rest.
        """
        new, stuck = self._up_to_stuck(items, states)
        fetched = await self._each(self._fetch, new)
        taken = 0
        for place, (item, received) in enumerate(zip(new, fetched, strict=True)):
            if received is not None and _count(await self._each(self._take, [received])):
                taken += 1
            elif self._holds_back(item.axis_doc_id):
                later = [other.raw.key for other in fetched[place + 1 :] if other is not None]
                await self._blobs.discard(later)
                return taken, True
        return taken, stuck

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
            elif state in (None, ItemState.FETCHED) and self._holds_back(item.axis_doc_id):
                return new, True
        return new, False

    def _holds_back(self, axis_doc_id: AxisDocId) -> bool:
        return not self._patience.is_over(axis_doc_id)

    def _waits(self, item: AxisItem) -> bool:
        return self._patience.waits(item.axis_doc_id, at=self._clock.now())

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

    async def _each(self, work: Callable[[_S], Awaitable[_T]], on: Iterable[_S]) -> list[_T | None]:
        """Do it with all of them, some at a time; one that breaks is logged, gives None and stops no other."""
        return await asyncio.gather(*(self._one(work, one) for one in on))

    async def _one(self, work: Callable[[_S], Awaitable[_T]], one: _S) -> _T | None:
        async with self._slots:
            if not self._claim.held or self._outage:
                return None
            item = _item(one).axis_doc_id
            try:
                result = await work(one)
            except Exception as error:  # noqa: BLE001 - the item comes again at a later poll
                if isinstance(error, GatewayError) and error.code in _OUTAGES:
                    self._outage = True  # it would be the same with those behind it, at the cost of a wait each
                    _log.warning("item.put_off", account=self._axis.account, axis_doc_id=item, reason=error.code)
                    return None
                _log.exception("item.broke", account=self._axis.account, axis_doc_id=item)
                await self._note_break(item, error)
                return None
            if result is True:
                self._patience.forget(item)
            return result

    async def _note_break(self, item: AxisDocId, error: Exception) -> None:
        if isinstance(error, GatewayError) and error.code in _OUTAGES:
            return
        now = self._clock.now()
        if not self._patience.broke(item, at=now):
            return
        detail = f"{type(error).__name__}; see the log at item.broke. The axis was told nothing."
        with suppress(GatewayError):  # it comes again, and so does this note
            found = {item: detail}
            await self._discrepancies.note(self._axis.account, DiscrepancyKind.HANDLING_BROKE, found, at=now)


def _item(step: _Step) -> AxisItem:
    match step:
        case AxisItem():
            return step
        case Received(item=item) | ItemRecord(received=Received(item=item)) | (item, _):
            return item


def _count(taken: Iterable[bool | None]) -> int:
    return sum(one is True for one in taken)


def _is_unplaced_status(record: ItemRecord) -> bool:
    return record.state is ItemState.FETCHED and record.received.item.kind is PacketKind.STATUS
