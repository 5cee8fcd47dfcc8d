"""A running gateway: what starts after what, and what stops before what."""

import asyncio
import os
import random
import signal
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any, Protocol, Self

import structlog

from gateway.bootstrap import configs
from gateway.bootstrap.checks import problems
from gateway.bootstrap.parts import Parts, SystemClock, open_parts
from gateway.domain.errors import GatewayError
from gateway.flows.directory import DirectorySync
from gateway.flows.inbound import Intake
from gateway.flows.outbound import Outbound, OutboundAccount
from gateway.flows.polling import Poller
from gateway.flows.statuses import InboxFlow
from gateway.flows.submission import SubmissionFlow
from gateway.flows.upkeep import Upkeep
from gateway.flows.worker import Worker
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
        sync = _directory_sync(settings, parts)
        loops: list[Loop] = [sync, _worker(settings, parts), _poller(settings, parts, sync), _upkeep(settings, parts)]
        for loop in loops:
            self._spawn(loop.run(), stack, loop)
        rpc = _rpc_server(settings, parts)
        stack.push_async_callback(rpc.stop, timedelta(seconds=settings.server.drain_seconds))
        self._spawn(_open_doors(rpc, health, sync, parts), stack, None)
        stack.push_async_callback(health.set_ready, ready=False)
        stack.callback(_stop_all, loops)
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


def _stop_all(loops: Sequence[Loop]) -> None:
    """Let all loops drain while calls do: one after the other they would outlast the time an orchestrator gives."""
    for loop in loops:
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


def _directory_sync(settings: Settings, parts: Parts) -> DirectorySync:
    return DirectorySync(
        axis=parts.axis,
        directory=parts.store.directory,
        vendors=parts.vendors,
        interval=timedelta(hours=settings.delivery.directory_hours),
        clock=parts.clock,
    )


def _worker(settings: Settings, parts: Parts) -> Worker:
    policy = configs.outbound_policy(settings)
    outbound = Outbound(
        outbox=parts.store.outbox,
        translator=parts.translator,
        accounts={parts.account.name: OutboundAccount(axis=parts.axis, policy=parts.account)},
        policy=policy,
        clock=parts.clock,
        metrics=parts.metrics,
        wakeups=parts.wakeups,
        draw=random.random,
    )
    return Worker(
        owner=f"{os.uname().nodename}:{os.getpid()}",
        outbox=parts.store.outbox,
        deliver=outbound.deliver,
        policy=policy,
        clock=parts.clock,
        wakeups=parts.wakeups,
    )


def _poller(settings: Settings, parts: Parts, sync: DirectorySync) -> Poller:
    policy = configs.inbound_policy(settings)
    intake = Intake(
        axis=parts.axis,
        account=parts.account,
        receipt=configs.receipt_at(settings),
        items=parts.store.items,
        directory=parts.store.directory,
        translator=parts.translator,
        signatures=parts.signatures,
        signature_policy=configs.signature_policy(settings),
        blobs=parts.blobs,
        clock=parts.clock,
        metrics=parts.metrics,
        wakeups=parts.wakeups,
        refresh_directory=sync.refresh,
    )
    return Poller(
        axis=parts.axis,
        intake=intake,
        items=parts.store.items,
        blobs=parts.blobs,
        policy=policy,
        clock=parts.clock,
        ready=lambda: sync.loaded,
    )


def _upkeep(settings: Settings, parts: Parts) -> Upkeep:
    return Upkeep(
        outbox=parts.store.outbox,
        blob_index=parts.store.blobs,
        blobs=parts.blobs,
        policy=configs.upkeep_policy(settings),
        clock=parts.clock,
        metrics=parts.metrics,
    )


def _rpc_server(settings: Settings, parts: Parts) -> RpcServer:
    submissions = SubmissionFlow(
        documents=parts.store.documents,
        directory=parts.store.directory,
        blob_index=parts.store.blobs,
        blobs=parts.blobs,
        signatures=parts.signatures,
        translator=parts.translator,
        account=parts.account,
        signature_policy=configs.signature_policy(settings),
        limits=configs.document_limits(settings.limits),
        clock=parts.clock,
        metrics=parts.metrics,
        wakeups=parts.wakeups,
    )
    inbox = InboxFlow(
        receptions=parts.store.receptions,
        directory=parts.store.directory,
        receipt=configs.receipt_at(settings),
        dialect=parts.account.dialect,
        clock=parts.clock,
        wakeups=parts.wakeups,
    )
    return RpcServer(
        config=configs.rpc_config(settings),
        submissions=submissions,
        inbox=inbox,
        documents=parts.store.documents,
        receptions=parts.store.receptions,
        directory=parts.store.directory,
        events=parts.store.events,
        blobs=parts.blobs,
        blob_index=parts.store.blobs,
        wakeups=parts.wakeups,
        vendors=parts.vendors,
        clock=parts.clock,
        metrics=parts.metrics,
    )
