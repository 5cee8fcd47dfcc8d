"""One work, one transaction, as often as other transactions undo it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.store.faults import is_conflict, mapped_errors

REPEATS = 8
"""Runs of a work that other transactions keep undoing."""
_PAUSE = timedelta(milliseconds=5)
"""Times the number of the run, at random: the longest pause before the next."""

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]


async def transact(engine: AsyncEngine, work: Work[T]) -> T:
    """What a work gives once it is committed. Raises GatewayError STORE_UNAVAILABLE, and the work's own errors."""
    with mapped_errors():
        for run in range(1, REPEATS):
            try:
                return await _once(engine, work)
            except DBAPIError as error:
                if not is_conflict(error):
                    raise
            await asyncio.sleep(random.random() * run * _PAUSE.total_seconds())  # noqa: S311 - no secret
        return await _once(engine, work)


async def _once(engine: AsyncEngine, work: Work[T]) -> T:
    async with engine.begin() as conn:
        return await work(conn)
