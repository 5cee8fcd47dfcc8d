"""Each thing that runs, made of the parts."""

import random
from datetime import timedelta
from typing import Protocol

from gateway.bootstrap import configs
from gateway.bootstrap.calendar import working_days
from gateway.bootstrap.parts import Parts
from gateway.flows.breaker import Breaker
from gateway.flows.claim import Claim
from gateway.flows.directory import DirectorySync
from gateway.flows.fetching import Fetcher
from gateway.flows.inbound import Intake
from gateway.flows.outbound import Outbound, OutboundAccount
from gateway.flows.periodic import Periodic
from gateway.flows.polling import Poller
from gateway.flows.reconcile import Reconciler
from gateway.flows.retention import RetentionFlow
from gateway.flows.statuses import InboxFlow
from gateway.flows.submission import SubmissionFlow
from gateway.flows.upkeep import Upkeep
from gateway.flows.worker import Worker
from gateway.rpc.server import RpcServer
from gateway.settings import Settings
from gateway.store.clock import DatabaseClock


class Loop(Protocol):
    """Something that works until told to stop, and survives what goes wrong in one turn."""

    async def run(self) -> None:
        """Work until `stop`."""

    def stop(self) -> None:
        """End after the work under way."""


def timekeeping(parts: Parts) -> list[Loop]:
    """What keeps the clock right, where it needs that."""
    if not isinstance(parts.clock, DatabaseClock):
        return []
    return [Periodic(name="clock", turn=parts.clock.measure, after_failure=timedelta(seconds=5))]


def delivery(settings: Settings, parts: Parts, sync: DirectorySync) -> list[Loop]:
    """Everything else that speaks to the axis or keeps house, in the order of its start."""
    way_in = intake(settings, parts, sync)
    return [
        worker(settings, parts),
        poller(settings, parts, sync, way_in),
        reconciler(settings, parts, way_in),
        upkeep(settings, parts),
        retention(settings, parts),
    ]


def directory_sync(settings: Settings, parts: Parts) -> DirectorySync:
    """Keeps the agencies as the axis lists them."""
    return DirectorySync(
        axis=parts.axis,
        directory=parts.store.directory,
        vendors=parts.vendors,
        interval=timedelta(hours=settings.delivery.directory_hours),
        claim=_claim("directory", parts),
        clock=parts.clock,
    )


def worker(settings: Settings, parts: Parts) -> Worker:
    """Works off the outbox of the account."""
    policy = configs.outbound_policy(settings)
    breaker = Breaker(
        account=parts.account,
        outbox=parts.store.outbox,
        clock=parts.clock,
        metrics=parts.metrics,
        draw=random.random,
    )
    outbound = Outbound(
        outbox=parts.store.outbox,
        translator=parts.translator,
        accounts={parts.account.name: OutboundAccount(axis=parts.axis, policy=parts.account, breaker=breaker)},
        policy=policy,
        clock=parts.clock,
        metrics=parts.metrics,
        wakeups=parts.wakeups,
        draw=random.random,
    )
    return Worker(
        owner=parts.owner,
        account=parts.account,
        breaker=breaker,
        outbox=parts.store.outbox,
        deliver=outbound.deliver,
        policy=policy,
        clock=parts.clock,
        wakeups=parts.wakeups,
    )


def intake(settings: Settings, parts: Parts, sync: DirectorySync) -> Intake:
    """Takes in single items of the account."""
    return Intake(
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


def poller(settings: Settings, parts: Parts, sync: DirectorySync, way_in: Intake) -> Poller:
    """Takes in what waits for the account."""
    return Poller(
        axis=parts.axis,
        intake=way_in,
        fetcher=_fetcher(settings, parts),
        admission=parts.admission,
        items=parts.store.items,
        blobs=parts.blobs,
        discrepancies=parts.store.discrepancies,
        claim=_claim("poll", parts),
        policy=configs.inbound_policy(settings),
        clock=parts.clock,
        ready=lambda: sync.loaded,
    )


def reconciler(settings: Settings, parts: Parts, way_in: Intake) -> Reconciler:
    """Compares the account's lists with what is recorded here."""
    return Reconciler(
        axis=parts.axis,
        intake=way_in,
        fetcher=_fetcher(settings, parts),
        items=parts.store.items,
        outbox=parts.store.outbox,
        records=parts.store.reconciliation,
        discrepancies=parts.store.discrepancies,
        claim=_claim("reconcile", parts),
        policy=configs.reconcile_policy(settings),
        clock=parts.clock,
        metrics=parts.metrics,
        wakeups=parts.wakeups,
    )


def _fetcher(settings: Settings, parts: Parts) -> Fetcher:
    return Fetcher(
        axis=parts.axis,
        blobs=parts.blobs,
        admission=parts.admission,
        packet_limit=settings.limits.packet_bytes,
    )


def _claim(job: str, parts: Parts) -> Claim:
    return Claim(claims=parts.store.claims, name=f"{job}:{parts.account.name}", owner=parts.owner, clock=parts.clock)


def retention(settings: Settings, parts: Parts) -> RetentionFlow:
    """Takes away what need not be kept; nothing under the settings' defaults."""
    return RetentionFlow(
        retention=parts.store.retention,
        claims=parts.store.claims,
        owner=parts.owner,
        policy=configs.retention_policy(settings.retention),
        clock=parts.clock,
        metrics=parts.metrics,
    )


def upkeep(settings: Settings, parts: Parts) -> Upkeep:
    """Keeps house."""
    return Upkeep(
        outbox=parts.store.outbox,
        blob_index=parts.store.blobs,
        blobs=parts.blobs,
        policy=configs.upkeep_policy(settings),
        clock=parts.clock,
        metrics=parts.metrics,
    )


def rpc_server(settings: Settings, parts: Parts) -> RpcServer:
    """The vendor systems' listener."""
    submissions = SubmissionFlow(
        documents=parts.store.documents,
        directory=parts.store.directory,
        blob_index=parts.store.blobs,
        blobs=parts.blobs,
        admission=parts.admission,
        signatures=parts.signatures,
        translator=parts.translator,
        account=parts.account,
        signature_policy=configs.signature_policy(settings),
        limits=configs.document_limits(settings.limits),
        is_working_day=working_days(
            extra_holidays=settings.delivery.extra_holidays,
            extra_working_days=settings.delivery.extra_working_days,
        ),
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
        admission=parts.admission,
        wakeups=parts.wakeups,
        vendors=parts.vendors,
        clock=parts.clock,
        metrics=parts.metrics,
    )
