"""The parts, made and opened in the order in which they need each other."""

import asyncio
import fcntl
import os
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, start_http_server

from gateway.blobs.content import LocalBlobs, ObjectBlobs
from gateway.blobs.disks import free_bytes
from gateway.blobs.s3 import S3Blobs
from gateway.bootstrap import configs
from gateway.bootstrap.accounts import Account, local_route, open_accounts
from gateway.bootstrap.axes import bind
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AccountName
from gateway.domain.mandate import VendorSystem
from gateway.flows.admission import StorageAdmission
from gateway.flows.routing import SubmissionAccount
from gateway.flows.wakeups import LocalWakeups
from gateway.observability.metrics import Metrics
from gateway.ports import Clock, SignatureCheck
from gateway.security.check import PdfSignatureCheck
from gateway.security.policy import SignatureRules
from gateway.security.pool import JudgePool
from gateway.security.trust import load_anchors
from gateway.settings import Settings, SettingsError, SignatureSettings, database_of
from gateway.store.clock import database_clock
from gateway.store.store import Store, open_store

EMBEDDED = "embedded"
_AGAIN = timedelta(seconds=1)
"""Pause before a database that does not serve is tried again."""
_T = TypeVar("_T")


class SystemClock(Clock):
    """The clock of a gateway that has its data to itself; replicas share their database's."""

    def now(self) -> datetime:
        """The present instant, UTC."""
        return datetime.now(tz=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the flows and the listeners are made of."""

    owner: str
    """This process among all that share its store, in leases and claims."""
    clock: Clock
    metrics: Metrics
    wakeups: LocalWakeups
    blobs: ObjectBlobs
    admission: StorageAdmission
    store: Store
    signatures: SignatureCheck
    accounts: Mapping[AccountName, Account]
    """At least one; the first has the first word where one has to have it."""
    local: SubmissionAccount
    """The route between agencies served here."""
    vendors: tuple[VendorSystem, ...]


def hold_data(settings: Settings, stack: AsyncExitStack) -> None:
    """Keep the embedded store and the directory of attachments to this process. Raises SettingsError if it cannot."""
    database = database_of(settings.store)
    places = [database] if isinstance(database, Path) else []
    if not settings.blobs.bucket:
        places.append(settings.blobs.path)  # two stores on one directory would remove each other's objects
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        stack.enter_context(exclusive(place))


async def open_parts(settings: Settings, stack: AsyncExitStack) -> Parts:
    """Open everything; `stack` closes it in reverse."""
    database = database_of(settings.store)
    metrics = _metrics(settings.metrics.listen, stack)
    store = await _when_it_serves(database, partial(open_store, database))
    stack.push_async_callback(store.close)
    clock: Clock = SystemClock()
    if not isinstance(database, Path):
        clock = await _when_it_serves(database, partial(database_clock, store.database))
    owner = _owner(database)
    if isinstance(database, Path):
        await store.outbox.abandon(owner, at=clock.now())
    blobs = open_blobs(settings, clock=clock)
    await blobs.sweep_temporary()
    admission = await _admission(settings, database, store, metrics)
    accounts = open_accounts(settings, blobs=blobs, clock=clock, metrics=metrics, stack=stack)
    for account in accounts.values():
        await bind(account.axis)
    return Parts(
        owner=owner,
        clock=clock,
        metrics=metrics,
        wakeups=LocalWakeups(),
        blobs=blobs,
        admission=admission,
        store=store,
        signatures=await _signatures(settings.signatures, blobs, metrics, stack),
        accounts=accounts,
        local=local_route(settings, blobs=blobs),
        vendors=configs.vendor_systems(settings),
    )


def _owner(database: Path | str) -> str:
    """The one process of an embedded store has one name for ever: what it held when it was killed is its own again."""
    return EMBEDDED if isinstance(database, Path) else f"{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(4)}"


async def _when_it_serves(database: Path | str, work: Callable[[], Awaitable[_T]]) -> _T:
    """Do what needs the database. A server may be restarting, so it is waited for; a file is there or is not."""
    while True:
        try:
            return await work()
        except GatewayError as error:
            if isinstance(database, Path) or error.code is not ErrorCode.STORE_UNAVAILABLE:
                raise
        await asyncio.sleep(_AGAIN.total_seconds())


def open_blobs(settings: Settings, *, clock: Clock) -> ObjectBlobs:
    """The bucket, or the directory."""
    if settings.blobs.bucket:
        return S3Blobs(configs.bucket(settings.blobs), scratch=settings.blobs.path, clock=clock)
    return LocalBlobs(settings.blobs.path, clock=clock)


async def _admission(settings: Settings, database: Path | str, store: Store, metrics: Metrics) -> StorageAdmission:
    places = {"blobs": settings.blobs.path}
    if isinstance(database, Path):
        places["store"] = database.parent
    admission = StorageAdmission(
        free=partial(free_bytes, places),
        blob_index=store.blobs,
        terms=configs.storage_terms(settings.blobs),
        metrics=metrics,
    )
    await admission.count()
    return admission


async def _signatures(
    settings: SignatureSettings,
    blobs: ObjectBlobs,
    metrics: Metrics,
    stack: AsyncExitStack,
) -> SignatureCheck:
    anchors, rules = load_anchors(settings.trust_dir), SignatureRules()
    pool = JudgePool(
        workers=settings.workers,
        time_limit=timedelta(seconds=settings.timeout_seconds),
        anchors=anchors,
        rules=rules,
    )
    stack.push_async_callback(pool.stop)
    await pool.start()
    return PdfSignatureCheck(blobs=blobs, judge=pool, anchors=anchors, rules=rules, metrics=metrics)


def _metrics(listen: str, stack: AsyncExitStack) -> Metrics:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    metrics = Metrics(registry)
    host, _, port = listen.rpartition(":")
    server, thread = start_http_server(int(port), addr=host.strip("[]"), registry=registry)

    async def stop() -> None:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()

    stack.push_async_callback(stop)
    return metrics


@contextmanager
def exclusive(data: Path) -> Iterator[None]:
    """Hold the lock file beside the data: an embedded store has one process, and so have local blobs."""
    lock = os.open(data.with_name(data.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError([f"{data} is in use by another gateway"]) from None
        yield
    finally:
        os.close(lock)
