"""Packets that came with a list: the axis may never give them again, so they are recorded before anything else."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

from gateway.domain.ids import AccountName, AxisDocId
from gateway.domain.packet import AxisItem, Received
from gateway.flows.fetching import Fetcher
from gateway.flows.outages import is_outage
from gateway.ports import Blobs, Clock, InboundItems, Waiting

_TICK = timedelta(microseconds=1)


class CarriedPackets:
    """In memory, in the order of their lists, until they are recorded.

    What is recorded is taken in by the time at which it was; ids say nothing of the order. So each gets a later one.
    """

    def __init__(
        self, *, account: AccountName, fetcher: Fetcher, items: InboundItems, blobs: Blobs, clock: Clock
    ) -> None:
        self._account = account
        self._fetcher = fetcher
        self._items = items
        self._blobs = blobs
        self._clock = clock
        self._packets: dict[AxisDocId, tuple[AxisItem, bytes]] = {}
        self._last = datetime.min.replace(tzinfo=UTC)

    def __len__(self) -> int:
        return len(self._packets)

    def add(self, listed: Waiting, items: Iterable[AxisItem]) -> None:
        """Those of these items that came with the list."""
        for item in items:
            data = listed.carried.get(item.axis_doc_id)
            if data is not None:
                self._packets.setdefault(item.axis_doc_id, (item, data))

    async def record(self, *, broke: Callable[[AxisDocId, Exception], Awaitable[bool]]) -> tuple[AxisItem, ...]:
        """Record them in their order; those that were not known before.

        `broke` is told of one on which our own work breaks: True leaves it for the next call and goes on with those
        behind it. Raises what blobs and store raise otherwise; what is left then is recorded by the next call.
        """
        kept: list[AxisItem] = []
        if not self._packets:
            return ()
        known = await self._items.states(self._account, list(self._packets))
        for id_, (item, data) in list(self._packets.items()):
            try:
                if id_ not in known and await self._keep(item, data):
                    kept.append(item)
            except Exception as error:
                if is_outage(error) or not await broke(id_, error):
                    raise
                continue
            del self._packets[id_]
        return tuple(kept)

    async def _keep(self, item: AxisItem, data: bytes) -> bool:
        received = await self._fetcher.keep(item, data)
        if not isinstance(received, Received):
            return False
        self._last = max(self._clock.now(), self._last + _TICK)
        await self._blobs.discard(await self._items.record(received, at=self._last))
        return True
