"""Each thing that runs, made of the parts."""

import random
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Protocol

from gateway.bootstrap import configs
from gateway.bootstrap.accounts import Account
from gateway.bootstrap.calendar import working_days
from gateway.bootstrap.parts import Parts
from gateway.domain.ids import AccountName
from gateway.domain.routing import LOCAL
from gateway.flows.breaker import Breaker
from gateway.flows.claim import Claim
from gateway.flows.config import AccountPolicy
from gateway.flows.directory import DirectorySync
from gateway.flows.failover import Failover
from gateway.flows.fetching import Fetcher
from gateway.flows.inbound import Intake
from gateway.flows.local import LocalAxis
from gateway.flows.outbound import Outbound, OutboundAccount
from gateway.flows.periodic import Periodic
from gateway.flows.polling import Poller
from gateway.flows.reconcile import Reconciler
from gateway.flows.retention import RetentionFlow
from gateway.flows.routing import SubmissionAccount
from gateway.flows.statuses import InboxFlow
from gateway.flows.submission import SubmissionFlow
from gateway.flows.upkeep import Upkeep
from gateway.flows.worker import Worker
from gateway.ports import Axis
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
    """Everything else that speaks to the axes or keeps house, in the order of its start."""
    out = _outbound_accounts(settings, parts, sync)
    outbound = _outbound(settings, parts, out)
    running: list[Loop] = [_worker(settings, parts, account, outbound) for account in out.values()]
    for account in parts.accounts.values():
        way_in = _intake(settings, parts, sync, account.for_submission, account.axis)
        running += [
            _poller(settings, parts, account, way_in, sync),
            _reconciler(settings, parts, account, way_in),
        ]
    if len(parts.accounts) > 1:
        running.append(_failover(settings, parts, out))
    return [*running, upkeep(settings, parts), retention(settings, parts)]


def directory_sync(settings: Settings, parts: Parts) -> DirectorySync:
    """Keeps the agencies as the axes list them."""
    return DirectorySync(
        axes=[parts.accounts[name].axis for name in configs.directory_accounts(settings)],
        directory=parts.store.directory,
        vendors=parts.vendors,
        interval=timedelta(hours=settings.delivery.directory_hours),
        claim=_claim("directory", parts),
        clock=parts.clock,
    )


def _outbound_accounts(settings: Settings, parts: Parts, sync: DirectorySync) -> dict[AccountName, OutboundAccount]:
    """The ways out, the local one among them: where none is sent by it any more, statuses still go back by it."""
    local = LocalAxis(
        intake_of=partial(_intake, settings, parts, sync, parts.local),
        items=parts.store.items,
        blobs=parts.blobs,
        admission=parts.admission,
        packet_limit=parts.local.policy.packet_limit,
    )
    ways: list[tuple[SubmissionAccount, Axis]] = [
        *((account.for_submission, account.axis) for account in parts.accounts.values()),
        (parts.local, local),
    ]
    return {
        way.policy.name: OutboundAccount(
            axis=axis, translator=way.translator, policy=way.policy, breaker=_breaker(parts, way.policy)
        )
        for way, axis in ways
    }


def _breaker(parts: Parts, account: AccountPolicy) -> Breaker:
    return Breaker(
        account=account, outbox=parts.store.outbox, clock=parts.clock, metrics=parts.metrics, draw=random.random
    )


def _outbound(settings: Settings, parts: Parts, accounts: Mapping[AccountName, OutboundAccount]) -> Outbound:
    return Outbound(
        outbox=parts.store.outbox,
        accounts=accounts,
        policy=configs.outbound_policy(settings),
        clock=parts.clock,
        metrics=parts.metrics,
        wakeups=parts.wakeups,
        draw=random.random,
    )


def _worker(settings: Settings, parts: Parts, account: OutboundAccount, outbound: Outbound) -> Worker:
    """Works off the outbox of one account."""
    return Worker(
        owner=parts.owner,
        account=account.policy,
        breaker=account.breaker,
        outbox=parts.store.outbox,
        deliver=outbound.deliver,
        policy=configs.outbound_policy(settings),
        clock=parts.clock,
        wakeups=parts.wakeups,
    )


def _failover(settings: Settings, parts: Parts, accounts: Mapping[AccountName, OutboundAccount]) -> Failover:
    return Failover(
        outbox=parts.store.outbox,
        breakers={name: accounts[name].breaker for name in parts.accounts},
        after=timedelta(seconds=settings.delivery.failover_seconds),
        clock=parts.clock,
        metrics=parts.metrics,
        wakeups=parts.wakeups,
    )


def _intake(settings: Settings, parts: Parts, sync: DirectorySync, account: SubmissionAccount, axis: Axis) -> Intake:
    """Takes in single items of one account."""
    return Intake(
        axis=axis,
        account=account.policy,
        receipt=configs.receipt_at(settings),
        items=parts.store.items,
        directory=parts.store.directory,
        translator=account.translator,
        signatures=parts.signatures,
        signature_policy=configs.signature_policy(settings),
        blobs=parts.blobs,
        clock=parts.clock,
        metrics=parts.metrics,
        wakeups=parts.wakeups,
        refresh_directory=sync.refresh,
    )


def _poller(settings: Settings, parts: Parts, account: Account, way_in: Intake, sync: DirectorySync) -> Poller:
    """Takes in what waits for one account."""
    return Poller(
        axis=account.axis,
        intake=way_in,
        fetcher=_fetcher(settings, parts, account),
        admission=parts.admission,
        items=parts.store.items,
        blobs=parts.blobs,
        discrepancies=parts.store.discrepancies,
        claim=_claim(f"poll:{account.policy.name}", parts),
        policy=configs.inbound_policy(settings.axis[account.policy.name]),
        clock=parts.clock,
        ready=lambda: sync.loaded,
    )


def _reconciler(settings: Settings, parts: Parts, account: Account, way_in: Intake) -> Reconciler:
    """Compares one account's lists with what is recorded here."""
    return Reconciler(
        axis=account.axis,
        intake=way_in,
        fetcher=_fetcher(settings, parts, account),
        blobs=parts.blobs,
        items=parts.store.items,
        outbox=parts.store.outbox,
        records=parts.store.reconciliation,
        discrepancies=parts.store.discrepancies,
        claim=_claim(f"reconcile:{account.policy.name}", parts),
        policy=configs.reconcile_policy(settings.axis[account.policy.name]),
        clock=parts.clock,
        metrics=parts.metrics,
        wakeups=parts.wakeups,
    )


def _fetcher(settings: Settings, parts: Parts, account: Account) -> Fetcher:
    return Fetcher(
        axis=account.axis,
        blobs=parts.blobs,
        admission=parts.admission,
        packet_limit=settings.limits.packet_bytes,
    )


def _claim(job: str, parts: Parts) -> Claim:
    return Claim(claims=parts.store.claims, name=job, owner=parts.owner, clock=parts.clock)


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
        routes={*parts.accounts, LOCAL},
        blob_index=parts.store.blobs,
        blobs=parts.blobs,
        policy=configs.upkeep_policy(settings),
        clock=parts.clock,
        metrics=parts.metrics,
    )


def submissions(settings: Settings, parts: Parts) -> SubmissionFlow:
    """Takes documents over, whichever listener they come through."""
    return SubmissionFlow(
        documents=parts.store.documents,
        directory=parts.store.directory,
        blob_index=parts.store.blobs,
        blobs=parts.blobs,
        admission=parts.admission,
        signatures=parts.signatures,
        table=configs.route_table(settings),
        accounts=_ways(parts),
        local=settings.delivery.local == "direct",
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


def inbox(settings: Settings, parts: Parts) -> InboxFlow:
    """What vendor systems do with received documents, whichever listener they use."""
    return InboxFlow(
        receptions=parts.store.receptions,
        directory=parts.store.directory,
        receipt=configs.receipt_at(settings),
        dialects={name: way.policy.dialect for name, way in _ways(parts).items()},
        clock=parts.clock,
        wakeups=parts.wakeups,
    )


def _ways(parts: Parts) -> dict[AccountName, SubmissionAccount]:
    return {name: account.for_submission for name, account in parts.accounts.items()} | {LOCAL: parts.local}


def rpc_server(settings: Settings, parts: Parts) -> RpcServer:
    """The vendor systems' listener."""
    return RpcServer(
        config=configs.rpc_config(settings),
        submissions=submissions(settings, parts),
        inbox=inbox(settings, parts),
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
