"""Admission control: looks at disks and at the bytes kept, and puts new work off in time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from gateway.domain.admission import Shortage, Terms, Usage, shortage
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.packet import StoredObject
from gateway.flows.periodic import Periodic
from gateway.observability.metrics import Metrics
from gateway.ports import Admission, BlobIndex, BlobWriter

_log = structlog.get_logger()

_LOOK = timedelta(seconds=5)
"""Pause between two looks for gauges and log."""
_COUNT = timedelta(minutes=5)
"""Pause between two counts of the bytes kept, which reads a row of each object. Between them what is taken is added."""
_COUNT_WHEN_SHORT = timedelta(seconds=30)
"""The same while the quota keeps new work out: what is removed makes room."""
_UNGUARDED = 4 * 1024 * 1024
"""Bytes of unannounced length that are written between two looks at the disks."""


class StorageAdmission(Admission):
    """Admission by the free bytes of disks and the bytes that the blob index knows.

    `free` gives free bytes by place; it may block, and raises OSError. Other gateways on the same bucket are seen at
    the next count. Call `count` once before the first question.
    """

    def __init__(
        self, *, free: Callable[[], Mapping[str, int]], blob_index: BlobIndex, terms: Terms, metrics: Metrics
    ) -> None:
        self._free = free
        self._blob_index = blob_index
        self._terms = terms
        self._metrics = metrics
        self._counted = 0
        self._added = 0
        self._under_way = 0
        self._short: Shortage | None = None
        self._looking = Periodic(name="storage", turn=self._look_turn, after_failure=_LOOK)
        self._counting = Periodic(name="storage_count", turn=self._count_turn, after_failure=_COUNT_WHEN_SHORT)

    async def run(self) -> None:
        """Look and count at their intervals until `stop`."""
        await asyncio.gather(self._looking.run(), self._counting.run())

    def stop(self) -> None:
        """End; nothing is cut short that matters."""
        self._looking.stop()
        self._counting.stop()

    @asynccontextmanager
    async def admitted(self, announced: int) -> AsyncIterator[None]:
        """See Admission."""
        await self.require(announced)
        self._under_way += announced  # no await since the decision: nobody decided by the same bytes
        try:
            yield
            self.add(announced)
        finally:
            self._under_way -= announced

    async def has_room(self) -> bool:
        """See Admission."""
        return await self._shortage(0) is None

    def guarded(self, writer: BlobWriter) -> BlobWriter:
        """See Admission."""
        return _GuardedWriter(writer, self)

    async def require(self, announced: int) -> None:
        """Raise GatewayError STORAGE_FULL unless there is room for these bytes."""
        short = await self._shortage(announced)
        if short is not None:
            self._metrics.storage_refused.labels(short).inc()
            raise GatewayError(ErrorCode.STORAGE_FULL)

    def add(self, stored: int) -> None:
        """Note bytes that are kept from now on; the next count puts right what was kept before."""
        self._added += stored

    async def count(self) -> None:
        """Count the bytes kept. Raises GatewayError STORE_UNAVAILABLE."""
        before = self._added
        self._counted = await self._blob_index.kept_bytes()
        self._added -= before
        self._metrics.storage_kept.set(self._counted)

    async def look(self) -> None:
        """Set the gauges; one log line when room ends, and one when there is some again."""
        free = await self._free_bytes()
        for place, size in free.items():
            self._metrics.storage_free.labels(place).set(size)
        self._metrics.storage_kept.set(self._counted + self._added)
        short = self._judge(free, 0)
        self._metrics.storage_full.set(short is not None)
        if short is not self._short:
            if short is not None:
                _log.warning("storage.full", shortage=short, free=dict(free), kept=self._counted + self._added)
            else:
                _log.info("storage.room_again", free=dict(free), kept=self._counted + self._added)
        self._short = short

    async def _look_turn(self) -> timedelta:
        await self.look()
        return _LOOK

    async def _count_turn(self) -> timedelta:
        await self.count()
        return _COUNT_WHEN_SHORT if self._short is Shortage.QUOTA else _COUNT

    async def _shortage(self, announced: int) -> Shortage | None:
        return self._judge(await self._free_bytes(), announced)

    def _judge(self, free: Mapping[str, int], announced: int) -> Shortage | None:
        usage = Usage(free=min(free.values()), kept=self._counted + self._added, under_way=self._under_way)
        return shortage(usage, self._terms, announced=announced)

    async def _free_bytes(self) -> Mapping[str, int]:
        try:
            return await asyncio.to_thread(self._free)
        except OSError as error:
            raise GatewayError(ErrorCode.STORE_UNAVAILABLE) from error


class _GuardedWriter(BlobWriter):
    def __init__(self, writer: BlobWriter, admission: StorageAdmission) -> None:
        self._writer = writer
        self._admission = admission
        self._unlooked = 0

    async def write(self, chunk: bytes) -> None:
        self._unlooked += len(chunk)
        if self._unlooked > _UNGUARDED:
            self._unlooked = 0
            await self._admission.require(0)
        await self._writer.write(chunk)

    async def finish(self) -> StoredObject:
        stored = await self._writer.finish()
        self._admission.add(stored.size)
        return stored
