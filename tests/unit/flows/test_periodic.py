import asyncio
from datetime import timedelta

from gateway.flows.periodic import Periodic

NOTHING, LONG = timedelta(0), timedelta(hours=1)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the conditions are plain state of the test
            await asyncio.sleep(0.001)


async def test_turns_repeat_after_the_pause_they_ask_for():
    """The first turn begins at once; a pause of nothing goes on, a long one waits and is ended by stop."""
    turns = 0

    async def turn():
        nonlocal turns
        turns += 1
        return LONG if turns == 3 else NOTHING

    periodic = Periodic(name="x", turn=turn, after_failure=LONG)
    task = asyncio.create_task(periodic.run())
    await until(lambda: turns == 3)
    periodic.stop()
    await asyncio.wait_for(task, 10)
    assert turns == 3


async def test_a_failing_turn_is_followed_by_the_next():
    """An exception is survived; the pause is then the one for failures."""
    turns = 0

    async def turn():
        nonlocal turns
        turns += 1
        if turns == 1:
            raise ArithmeticError("bug")
        return LONG

    periodic = Periodic(name="x", turn=turn, after_failure=NOTHING)
    task = asyncio.create_task(periodic.run())
    await until(lambda: turns == 2)
    periodic.stop()
    await asyncio.wait_for(task, 10)


async def test_a_stop_lets_the_turn_end():
    """A turn that ends within the grace is not cut short."""
    began, go, ended = asyncio.Event(), asyncio.Event(), []

    async def turn():
        began.set()
        await go.wait()
        ended.append(True)
        return NOTHING

    periodic = Periodic(name="x", turn=turn, after_failure=LONG)
    task = asyncio.create_task(periodic.run())
    await asyncio.wait_for(began.wait(), 10)
    periodic.stop()
    await asyncio.sleep(0)
    go.set()
    await asyncio.wait_for(task, 10)
    assert ended == [True]


async def test_a_turn_past_the_grace_is_cancelled():
    """A stop does not wait for a turn that hangs; its own clean-up is waited for."""
    began, cleaned = asyncio.Event(), []

    async def turn():
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)
        return NOTHING

    periodic = Periodic(name="x", turn=turn, after_failure=LONG, grace=NOTHING)
    task = asyncio.create_task(periodic.run())
    await asyncio.wait_for(began.wait(), 10)
    periodic.stop()
    await asyncio.wait_for(task, 10)
    assert cleaned == [True]


async def test_cancelling_the_loop_cancels_the_turn():
    """A second signal ends everything: the turn does not outlive the loop."""
    began, cleaned = asyncio.Event(), []

    async def turn():
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)
        return NOTHING

    task = asyncio.create_task(Periodic(name="x", turn=turn, after_failure=LONG).run())
    await asyncio.wait_for(began.wait(), 10)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert cleaned == [True]
