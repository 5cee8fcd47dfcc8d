"""A running gateway: what starts after what, and what stops before what."""

import asyncio
import os
import signal
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any, Protocol, Self

import structlog

from gateway.bootstrap import loops
from gateway.bootstrap.checks import problems
from gateway.bootstrap.parts import Parts, SystemClock, open_parts
from gateway.domain.errors import GatewayError
from gateway.flows.directory import DirectorySync
from gateway.observability import logging
from gateway.rpc.health import HealthServer
from gateway.rpc.server import RpcServer
from gateway.settings import Settings, SettingsError

_log = structlog.get_logger()
_LOOK = timedelta(seconds=1)
"""Pause between two looks at readiness."""


class Loop(Protocol):
    """Something that works until told to stop, and survives what goes wrong in one turn."""

    async def run(self) -> None:
        """Work until `stop`."""

    def stop(self) -> None:
        """End after the work under way."""


async def serve(settings: Settings) -> None:
    """Run until the first SIGTERM or SIGINT, then drain; a second signal ends the process at once.

    Raises SettingsError when what the settings name cannot be used.
    """
    logging.configure(settings.log.level)
    found = problems(settings, now=SystemClock().now())
    if found:
        raise SettingsError(found)
    stopping = asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            os._exit(1)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    async with Gateway(settings) as gateway:
        await gateway.until(stopping)
        _log.info("gateway.stopping")
    _log.info("gateway.stopped")


class Gateway:
    """Everything that runs, as a context: entered, it serves; left, it has drained.

    Start: the parts, health, the loops, and once a directory is loaded the vendor listener. Stop: the reverse, so that
    nothing new is accepted before what runs has ended.
    """

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self._settings = settings
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
        parts = await open_parts(settings, stack)
        health = HealthServer(listen=settings.health.listen)
        await health.start()
        stack.push_async_callback(health.stop)
        sync = loops.directory_sync(settings, parts)
        running: list[Loop] = [
            sync,
            loops.worker(settings, parts),
            loops.poller(settings, parts, sync),
            loops.upkeep(settings, parts),
        ]
        for loop in running:
            self._spawn(loop.run(), stack, loop)
        rpc = loops.rpc_server(settings, parts)
        stack.push_async_callback(rpc.stop, timedelta(seconds=settings.server.drain_seconds))
        self._spawn(_open_doors(rpc, health, sync, parts), stack, None)
        stack.push_async_callback(health.set_ready, ready=False)
        stack.callback(_stop_all, running)
        _log.info("gateway.started", account=parts.account.name)

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


async def _open_doors(rpc: RpcServer, health: HealthServer, sync: DirectorySync, parts: Parts) -> None:
    """Let vendor systems in once a directory with its mandates is loaded, then tell readiness for ever.

    Without mandates every call would be refused for good, where it should be repeated later. Ready means: the doors are
    open and the store answers. Keys were checked at the start.
    """
    await sync.wait_loaded()
    await rpc.start()
    while True:
        try:
            await parts.store.events.head()
            ready = True
        except GatewayError:
            ready = False
        await health.set_ready(ready=ready)
        await asyncio.sleep(_LOOK.total_seconds())
