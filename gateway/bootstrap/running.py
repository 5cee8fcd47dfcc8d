"""A running gateway: what starts after what, and what stops before what."""

import asyncio
import gc
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any, Self

import structlog

from gateway.bootstrap import doorway, loops
from gateway.bootstrap.checks import problems
from gateway.bootstrap.loops import Loop
from gateway.bootstrap.parts import Parts, SystemClock, hold_data, open_parts
from gateway.bootstrap.roles import Role, role_problems
from gateway.domain.errors import GatewayError
from gateway.observability import logging
from gateway.rpc.health import HealthServer
from gateway.settings import Settings, SettingsError

_log = structlog.get_logger()
_LOOK = timedelta(seconds=1)
"""Pause between two looks at readiness."""
_FIRST_LOOK = timedelta(milliseconds=100)
"""The same before the doors are open."""


async def serve(settings: Settings, role: Role = Role.ALL) -> None:
    """Run until the first SIGTERM or SIGINT, then drain; a second signal ends the process at once.

    Raises SettingsError when what the settings name cannot be used.
    """
    logging.configure(settings.log.level)
    found = [*problems(settings, now=SystemClock().now()), *role_problems(settings, role)]
    if found:
        raise SettingsError(found)
    stopping = asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            os._exit(1)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    async with AsyncExitStack() as stack:
        starting = asyncio.create_task(stack.enter_async_context(Gateway(settings, role)))
        if await _ended_before(starting, stopping):
            gc.freeze()  # what a start makes stays: the collector need not look through it again and again
            await starting.result().until(stopping)
            _log.info("gateway.stopping")
    _log.info("gateway.stopped")


async def _ended_before(starting: asyncio.Task[Any], stopping: asyncio.Event) -> bool:
    """True once `starting` has ended; False if the stop came first, and it is cancelled: it may wait for a database."""
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait([starting, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if starting.done():
        return True
    starting.cancel()
    await asyncio.wait([starting])
    return False


class Gateway:
    """Everything that runs in a role, as a context: entered, it serves; left, it has drained.

    Start: the parts, health, the loops, and once a directory is loaded the vendor listener. Stop: the reverse, so that
    nothing new is accepted before what runs has ended.
    """

    def __init__(self, settings: Settings, role: Role = Role.ALL) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._role = role
        self._stack = AsyncExitStack()
        self._loops: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Start everything; what was started is stopped again if a later part fails."""
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drain and stop."""
        await self._stack.aclose()

    async def until(self, stopping: asyncio.Event) -> None:
        """Return when `stopping` is set; raise what ended a loop, should one ever end by itself."""
        stopped = asyncio.create_task(stopping.wait())
        done, _ = await asyncio.wait([stopped, *self._loops], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in done - {stopped}:
            task.result()

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        hold_data(settings, stack)  # first: a second gateway hears this, not that a port is taken
        health = HealthServer(listen=settings.health.listen)
        await health.start()  # a process that waits for its database is alive, and not ready
        stack.push_async_callback(health.stop)
        parts = await open_parts(settings, stack)
        loaded = parts.store.directory.loaded
        running = [*loops.timekeeping(parts), parts.admission]
        sync = loops.directory_sync(settings, parts)
        if self._role.delivers:
            loaded = sync.ready
            running.extend([sync, *loops.delivery(settings, parts, sync)])
        for loop in running:
            self._spawn(loop.run(), stack, loop)
        rpc = loops.rpc_server(settings, parts) if self._role.serves else None
        if rpc is not None:
            stack.push_async_callback(rpc.stop, timedelta(seconds=settings.server.drain_seconds))
        door = doorway.door_server(settings, parts, sync) if self._role.serves else None
        if door is not None:
            stack.push_async_callback(door.stop, timedelta(seconds=settings.server.drain_seconds))
        self._spawn(_open_doors([each.start for each in (rpc, door) if each], health, parts, loaded), stack, None)
        stack.push_async_callback(health.set_ready, ready=False)
        stack.callback(_stop_all, running)
        _log.info("gateway.started", accounts=sorted(parts.accounts), role=self._role)

    def _spawn(self, work: Coroutine[Any, Any, None], stack: AsyncExitStack, loop: Loop | None) -> None:
        task = asyncio.create_task(work)
        self._loops.append(task)

        async def end() -> None:
            if loop is None:
                task.cancel()
            else:
                loop.stop()
            with suppress(asyncio.CancelledError):
                await task

        stack.push_async_callback(end)


def _stop_all(running: Sequence[Loop]) -> None:
    """Let all loops drain while calls do: one after the other they would outlast the time an orchestrator gives."""
    for loop in running:
        loop.stop()


async def _open_doors(
    starts: Sequence[Callable[[], Awaitable[int]]],
    health: HealthServer,
    parts: Parts,
    loaded: Callable[[], Awaitable[bool]],
) -> None:
    """Let vendor systems in once a directory with its mandates is loaded, then tell readiness for ever.

    Without mandates every call would be refused for good, where it should be repeated later. Ready means: the doors are
    open, if this role has any, and the store answers. Keys were checked at the start.
    """
    while True:
        with suppress(GatewayError):
            if await loaded():
                break
        await asyncio.sleep(_FIRST_LOOK.total_seconds())
    for start in starts:
        await start()
    while True:
        try:
            await parts.store.events.head()
            ready = True
        except GatewayError:
            ready = False
        await health.set_ready(ready=ready)
        await asyncio.sleep(_LOOK.total_seconds())
