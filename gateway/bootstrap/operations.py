"""The store opened for an operator's command, beside gateways that may be running."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from gateway.bootstrap import configs
from gateway.bootstrap.parts import SystemClock
from gateway.flows.retention import RetentionFlow
from gateway.observability.metrics import Metrics
from gateway.ports import Clock, Discrepancies, Operations
from gateway.settings import Settings, database_of
from gateway.store import open_beside
from gateway.store.clock import database_clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What commands work with."""

    operations: Operations
    discrepancies: Discrepancies
    retention: RetentionFlow
    clock: Clock


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[Desk]:
    """Open the store as it is. Raises GatewayError STORE_UNAVAILABLE where there is no usable one."""
    database = database_of(settings.store)
    store = await open_beside(database)
    try:
        clock = SystemClock() if isinstance(database, Path) else await database_clock(store.database)
        yield Desk(
            operations=store.operations,
            discrepancies=store.discrepancies,
            retention=RetentionFlow(
                retention=store.retention,
                claims=store.claims,
                owner=f"{os.uname().nodename}:{os.getpid()}",
                policy=configs.retention_policy(settings.retention),
                clock=clock,
                metrics=Metrics(CollectorRegistry()),
            ),
            clock=clock,
        )
    finally:
        await store.close()
