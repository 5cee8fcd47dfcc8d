import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Self, TypeVar

import grpc
import psutil
import pytest

from gateway.pb.lgsp.gateway.v1 import document_pb2
from gateway.sandbox.demo.vendors import Vendor

T = TypeVar("T")

PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
}


@pytest.fixture
def now() -> datetime:
    return datetime.now(tz=UTC)


async def persist(call: Callable[[], Awaitable[T]], *, within: float = 60) -> T:
    """What a vendor system does: repeat the same call until it is answered."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() not in PASSING or asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.1)


async def is_sent(vendor: Vendor, name: str) -> bool:
    """Whether the axis has all packets of a document."""
    document = await persist(lambda: vendor.get(name))
    return all(delivery.state == document_pb2.DELIVERY_STATE_SENT for delivery in document.deliveries)


async def all_sent(vendor: Vendor, waiting: list[str]) -> bool:
    """The same of all that wait; those that it has are taken off, and asked about no more."""
    while waiting:
        if not await is_sent(vendor, waiting[-1]):
            return False
        waiting.pop()
    return True


def resident_bytes(pid: int) -> int:
    """Resident memory of one process."""
    return psutil.Process(pid).memory_info().rss


class Memory:
    """The highest resident memory of a process while the context lasts."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._start = self._peak = resident_bytes(pid)

    @property
    def growth(self) -> int:
        """Bytes by which it was more than at the start."""
        return self._peak - self._start

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _look(self) -> None:
        while True:
            self._peak = max(self._peak, resident_bytes(self._pid))
            await asyncio.sleep(0.02)
