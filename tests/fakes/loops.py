"""Work for an event loop, from where there may be one already."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def carried_out(work: Coroutine[Any, Any, T]) -> T:
    """What a work gives in a loop of its own, whether or not one runs in this thread."""
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(asyncio.run, work).result()
