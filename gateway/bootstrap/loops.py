"""Each thing that runs, made of the parts."""

import os
import random
from datetime import timedelta

from gateway.bootstrap import configs
from gateway.bootstrap.parts import Parts
from gateway.flows.directory import DirectorySync
from gateway.flows.inbound import Intake
from gateway.flows.outbound import Outbound, OutboundAccount
from gateway.flows.polling import Poller
from gateway.flows.statuses import InboxFlow
from gateway.flows.submission import SubmissionFlow
from gateway.flows.upkeep import Upkeep
from gateway.flows.worker import Worker
from gateway.rpc.server import RpcServer
from gateway.settings import Settings


def directory_sync(settings: Settings, parts: Parts) -> DirectorySync:
    """Keeps the agencies as the axis lists them."""
    return DirectorySync(
        axis=parts.axis,
        directory=parts.store.directory,
        vendors=parts.vendors,
        interval=timedelta(hours=settings.delivery.directory_hours),
        clock=parts.clock,
    )


def worker(settings: Settings, parts: Parts) -> Worker:
    """Works off the outbox of the account."""
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


def poller(settings: Settings, parts: Parts, sync: DirectorySync) -> Poller:
    """Takes in what waits for the account."""
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
