import asyncio
from datetime import timedelta

import pytest

from gateway.adapters.sharing import Shared
from tests.fakes.clock import SettableClock


class Question:
    """Counts how often it was asked; answers when told to."""

    def __init__(self):
        self.asked = 0
        self.answer_now = asyncio.Event()
        self.answer_now.set()

    async def __call__(self):
        self.asked += 1
        number = self.asked
        await self.answer_now.wait()
        return number


async def test_one_answer_serves_all_it_is_late_enough_for():
    """Those whose time had come before the question went out share it; a later one asks anew."""
    clock, question = SettableClock(), Question()
    shared = Shared(question, keep=lambda _: True, clock=clock)
    since = clock.now() - timedelta(seconds=1)
    assert await asyncio.gather(*(shared.get(since=since) for _ in range(50))) == [1] * 50
    clock.advance(timedelta(seconds=1))
    assert await shared.get(since=clock.now()) == 2


async def test_who_asks_while_one_is_under_way_waits_for_the_next():
    """An answer to a question that went out before is none: two questions serve any number."""
    clock, question = SettableClock(), Question()
    shared = Shared(question, keep=lambda _: True, clock=clock)
    question.answer_now.clear()
    first = asyncio.create_task(shared.get(since=clock.now()))
    async with asyncio.timeout(5):
        while not question.asked:  # noqa: ASYNC110 - a plain number of the test
            await asyncio.sleep(0)
    clock.advance(timedelta(seconds=1))
    later = [asyncio.create_task(shared.get(since=clock.now())) for _ in range(20)]
    question.answer_now.set()
    assert await first == 1
    assert await asyncio.gather(*later) == [2] * 20


async def test_what_is_not_to_be_kept_serves_nobody_else():
    """After a failure the next one asks anew; one that is cancelled or breaks lets the next one ask."""
    clock, question = SettableClock(), Question()
    shared = Shared(question, keep=lambda number: number > 1, clock=clock)
    since = clock.now() - timedelta(seconds=1)
    assert [await shared.get(since=since) for _ in range(3)] == [1, 2, 2]
    question.answer_now.clear()
    waiting = asyncio.create_task(shared.get(since=clock.now() + timedelta(seconds=1)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    question.answer_now.set()
    assert await shared.get(since=clock.now() + timedelta(seconds=1)) > 2
