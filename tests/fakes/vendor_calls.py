import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import grpc
import psutil
import pytest

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


def resident_bytes(pid: int) -> int:
    """Resident memory of one process."""
    return psutil.Process(pid).memory_info().rss
