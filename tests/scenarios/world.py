"""One gateway in one process, over a real SQLite file, real blobs and the real translator; its axis is in memory.

`World` outlives the gateway: a test starts a gateway, lets it crash, and starts the next one on the same files.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from prometheus_client import CollectorRegistry

from gateway.blobs.content import LocalBlobs
from gateway.domain import rules
from gateway.domain.backoff import Backoff
from gateway.domain.circuit import CircuitRules
from gateway.domain.dialect import NATIONAL
from gateway.domain.document import Document, Organization, TraceHeader
from gateway.domain.ids import AccountName, Digest, OrganId, VendorId
from gateway.domain.mandate import VendorSystem
from gateway.domain.packet import Draft, Misfit, StoredObject
from gateway.domain.routing import LOCAL, Route, RouteTable
from gateway.domain.signing import SignaturePolicy
from gateway.domain.status import StatusReport
from gateway.flows.breaker import Breaker
from gateway.flows.claim import Claim
from gateway.flows.config import (
    AccountPolicy,
    InboundPolicy,
    OnUnknown,
    OutboundPolicy,
    ReceiptAt,
    ReconcilePolicy,
    UpkeepPolicy,
)
from gateway.flows.directory import DirectorySync
from gateway.flows.failover import Failover
from gateway.flows.fetching import Fetcher
from gateway.flows.inbound import Intake
from gateway.flows.local import LocalAxis
from gateway.flows.outbound import Outbound, OutboundAccount
from gateway.flows.polling import Poller
from gateway.flows.reconcile import Reconciler
from gateway.flows.routing import SubmissionAccount
from gateway.flows.statuses import InboxFlow
from gateway.flows.submission import SubmissionFlow
from gateway.flows.upkeep import Upkeep
from gateway.flows.wakeups import LocalWakeups
from gateway.flows.worker import Worker
from gateway.observability.metrics import Metrics
from gateway.ports import Submission, SubmissionResult
from gateway.store.store import Store, open_store
from gateway.translate.edxml.translator import EdxmlTranslator
from gateway.xmlsafe import Limits
from tests.fakes.admission import Disk, make_admission
from tests.fakes.axis import FakeAxis
from tests.fakes.clock import SettableClock
from tests.fakes.fuse import Crash, Fuse, Fused
from tests.fakes.migrated import new_store
from tests.fakes.signatures import FakeSignatures
from tests.make import ROUTE, make_attachment, make_digest, make_directory_row, make_document, make_organization

OURS, OURS_TOO, THEIRS, THEIRS_TOO = (OrganId(code) for code in ("H98.01", "H98.02", "H99.01", "H99.02"))
VENDOR = VendorId("vendor-a")
PDF = b"%PDF-1.7 the letter"
PACKET_LIMIT = 1_000_000
SETTLING = timedelta(minutes=2)
LEASE = timedelta(minutes=1)
MINUTE = timedelta(minutes=1)


def make_letter(**overrides: Any) -> Document:
    """A letter from one of our agencies to two of theirs."""
    values: dict[str, Any] = {
        "sender": make_organization(OURS),
        "to": (make_organization(THEIRS), make_organization(THEIRS_TOO)),
        "subject": f"letter-{uuid4().hex}",
        "attachments": (make_attachment(PDF),),
    }
    return make_document(**(values | overrides))


@dataclass(frozen=True, kw_only=True)
class Way:
    """What belongs to one account."""

    breaker: Breaker
    intake: Intake
    poller: Poller
    reconciler: Reconciler


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """The flows of one process, on one store."""

    store: Store
    blobs: LocalBlobs
    outbox: Any
    outbound: Outbound
    worker: Worker
    breaker: Breaker
    poller: Poller
    reconciler: Reconciler
    intake: Intake
    more: Mapping[AccountName, Way]
    """The other accounts."""
    routes: tuple[AccountName, ...]
    """Those that something leaves by."""
    local: LocalAxis
    failover: Failover
    submissions: SubmissionFlow
    inbox: InboxFlow
    directory: DirectorySync
    upkeep: Upkeep
    metrics: Metrics
    clock: SettableClock

    async def send_due(self) -> int:
        """Lease what is due and deliver it, one after the other; how many."""
        leased = 0
        for route in self.routes:
            for message in await self.outbox.lease("w", route=route, limit=10, lease_for=LEASE, at=self.clock.now()):
                await self.outbound.deliver(message)
                leased += 1
        return leased

    def count(self, name: str, **labels: str) -> float:
        """Value of a counter."""
        return self.metrics.registry.get_sample_value(f"lgsp_{name}_total", labels) or 0.0


class World:
    """Files, axis and clock, which outlive every gateway."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = ""
        """URL of a PostgreSQL database; empty = a file in the folder."""
        self.clock = SettableClock()
        self.disk = Disk()
        self.axis = FakeAxis(clock=self.clock)
        self.axis.rows = tuple(
            make_directory_row(code, parent_axis_id="" if "." not in code else f"axis-{code[:3]}", aliases=aliases)
            for code, aliases in (
                ("H98", ()),
                (OURS, (OrganId("000.00.01.H98"),)),
                (OURS_TOO, ()),
                ("H99", ()),
                (THEIRS, (OrganId("000.00.01.H99"),)),
                (THEIRS_TOO, ()),
            )
        )
        self.more: dict[AccountName, FakeAxis] = {}
        """Axes of the accounts after the first."""
        self.table = RouteTable(routes=(Route(roots=(), accounts=(ROUTE,)),))
        self.local = False
        """True: documents between agencies served here go directly."""
        self.directory_accounts = [ROUTE]
        self.failover_after = MINUTE
        self.signatures = FakeSignatures()
        self.on_unknown = OnUnknown.HOLD
        self.outbound = OUTBOUND
        self.inbound = INBOUND
        self.divided_codes: frozenset[str] = frozenset()
        self.circuit = CircuitRules()
        self.receipt = ReceiptAt.VENDOR_ACK
        self.recipients_per_message = 100
        self.packet_limit = PACKET_LIMIT
        self.dialect = NATIONAL
        self.local_roots = frozenset({OrganId("H98")})
        self.serves: tuple[OrganId, ...] = (OrganId("H98"),)

    @asynccontextmanager
    async def gateway(self, fuse: Fuse | None = None, *, ready: bool = True) -> AsyncIterator[Gateway]:
        """A gateway process. A Crash leaves it silently, as a kill does; the next one finds what was durable."""
        store = await open_store(self.database or new_store(self.folder / "gateway.db"))
        try:
            gateway = self._build(store, fuse or Fuse(), ready=ready)
            if ready:
                await self._build(store, Fuse(), ready=ready).directory.sync()
            yield gateway
        except Crash:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.wait([*others, asyncio.ensure_future(asyncio.sleep(0))])
        finally:
            await store.close()

    async def packet(self, draft_of: Any) -> bytes:
        """The bytes of a packet as another gateway would send it; `draft_of` gets a translator and stored PDF."""
        blobs = LocalBlobs(self.folder / "elsewhere", clock=self.clock)
        translator = EdxmlTranslator(blobs=blobs, limits=Limits(), dialect=self.dialect)
        draft: Draft = draft_of(translator, await store_bytes(blobs, PDF))
        return b"".join([chunk async for chunk in translator.stream(draft)])

    async def document_packet(self, document: Document, to: Sequence[Organization] = ()) -> bytes:
        """The packet of a document with the one PDF."""
        hop = TraceHeader(organ_id=document.sender.organ_id, timestamp="2026/03/02 09:30:00")
        return await self.packet(
            lambda translator, stored: translator.draft_document(
                document, [stored], recipients=to or document.to, hop=hop
            )
        )

    async def status_packet(self, report: StatusReport) -> bytes:
        """The packet of a status."""
        return await self.packet(lambda translator, _: translator.draft_status(report))

    def _policy(self, name: AccountName) -> AccountPolicy:
        return AccountPolicy(
            name=name,
            local_roots=self.local_roots,
            hop=OrganId("H98"),
            packet_limit=self.packet_limit,
            recipients_per_message=self.recipients_per_message,
            settling_time=SETTLING,
            dialect=self.dialect,
            on_unknown=self.on_unknown,
            divided_codes=self.divided_codes,
            circuit=self.circuit,
        )

    def _build(self, store: Store, fuse: Fuse, *, ready: bool) -> Gateway:
        blobs = LocalBlobs(self.folder / "blobs", clock=self.clock)
        wired: Any = Fused(blobs, fuse)
        items, directory, outbox, documents, receptions, index = (
            Fused(port, fuse)
            for port in (store.items, store.directory, store.outbox, store.documents, store.receptions, store.blobs)
        )
        translator: Any = Fused(EdxmlTranslator(blobs=wired, limits=Limits(), dialect=self.dialect), fuse)
        metrics, wakeups = Metrics(CollectorRegistry()), LocalWakeups()
        admission = make_admission(self.disk, blob_index=store.blobs, metrics=metrics)
        axes: dict[AccountName, Any] = {ROUTE: Fused(self.axis, fuse)}
        axes |= {name: Fused(axis, fuse) for name, axis in self.more.items()}
        policies = {name: self._policy(name) for name in axes}
        policies[LOCAL] = replace(
            self._policy(LOCAL),
            settling_time=timedelta(0),
            on_unknown=OnUnknown.RESEND,
            divided_codes=frozenset({Misfit.NO_LOCAL_RECIPIENT}),
        )
        common: Any = {"clock": self.clock, "metrics": metrics, "wakeups": wakeups}

        def claim(job: str) -> Claim:
            # Long: these gateways crash and follow one another in no time, under one name.
            hold_for = timedelta(hours=1)
            return Claim(claims=store.claims, name=job, owner="w", clock=self.clock, hold_for=hold_for)

        sync = DirectorySync(
            axes=[axes[name] for name in self.directory_accounts],
            directory=directory,
            vendors=[VendorSystem(id=VENDOR, uri_sans=frozenset(), certificate_sha256=frozenset(), serves=self.serves)],
            interval=MINUTE,
            claim=claim("directory"),
            clock=self.clock,
        )

        def intake_of(name: AccountName, axis: Any) -> Intake:
            return Intake(
                axis=axis,
                account=policies[name],
                receipt=self.receipt,
                items=items,
                directory=directory,
                translator=translator,
                signatures=self.signatures,
                signature_policy=SignaturePolicy(),
                blobs=wired,
                refresh_directory=sync.refresh,
                **common,
            )

        def way_of(name: AccountName, axis: Any) -> Way:
            fetcher = Fetcher(axis=axis, blobs=wired, admission=admission, packet_limit=PACKET_LIMIT)
            lists: Any = {"axis": axis, "intake": intake_of(name, axis), "fetcher": fetcher, "items": items}
            lists |= {"blobs": wired, "discrepancies": store.discrepancies}
            return Way(
                breaker=breakers[name],
                intake=lists["intake"],
                poller=Poller(
                    admission=admission,
                    claim=claim(f"poll:{name}"),
                    policy=self.inbound,
                    clock=self.clock,
                    ready=lambda: ready or sync.loaded,
                    **lists,
                ),
                reconciler=Reconciler(
                    outbox=outbox,
                    records=store.reconciliation,
                    claim=claim(f"reconcile:{name}"),
                    policy=RECONCILE,
                    **lists,
                    **common,
                ),
            )

        breakers = {
            name: Breaker(account=policy, outbox=outbox, clock=self.clock, metrics=metrics, draw=lambda: 0.0)
            for name, policy in policies.items()
        }
        ways = {name: way_of(name, axis) for name, axis in axes.items()}
        local = LocalAxis(
            intake_of=lambda axis: intake_of(LOCAL, axis),
            items=items,
            blobs=wired,
            admission=admission,
            packet_limit=PACKET_LIMIT,
        )
        axes[LOCAL] = local
        outbound = Outbound(
            outbox=outbox,
            accounts={
                name: OutboundAccount(axis=axis, translator=translator, policy=policies[name], breaker=breakers[name])
                for name, axis in axes.items()
            },
            policy=self.outbound,
            draw=lambda: 0.0,
            **common,
        )
        first = ways.pop(ROUTE)
        return Gateway(
            store=store,
            blobs=blobs,
            outbox=outbox,
            outbound=outbound,
            worker=Worker(
                owner="w",
                account=policies[ROUTE],
                breaker=first.breaker,
                outbox=outbox,
                deliver=outbound.deliver,
                policy=self.outbound,
                clock=self.clock,
                wakeups=wakeups,
            ),
            breaker=first.breaker,
            poller=first.poller,
            reconciler=first.reconciler,
            intake=first.intake,
            more=ways,
            routes=(ROUTE, *ways, *((LOCAL,) if self.local else ())),
            local=local,
            failover=Failover(
                outbox=outbox,
                breakers={name: breaker for name, breaker in breakers.items() if name != LOCAL},
                after=self.failover_after,
                **common,
            ),
            submissions=SubmissionFlow(
                documents=documents,
                directory=directory,
                blob_index=index,
                blobs=wired,
                admission=admission,
                signatures=self.signatures,
                table=self.table,
                accounts={
                    name: SubmissionAccount(policy=policy, translator=translator) for name, policy in policies.items()
                },
                local=self.local,
                signature_policy=SignaturePolicy(),
                limits=rules.Limits(),
                is_working_day=lambda day: day.weekday() < 5,
                **common,
            ),
            inbox=InboxFlow(
                receptions=receptions,
                directory=directory,
                receipt=self.receipt,
                dialects=dict.fromkeys(policies, self.dialect),
                clock=self.clock,
                wakeups=wakeups,
            ),
            directory=sync,
            upkeep=Upkeep(
                outbox=outbox,
                routes=policies.keys(),
                blob_index=index,
                blobs=wired,
                policy=UPKEEP,
                clock=self.clock,
                metrics=metrics,
            ),
            metrics=metrics,
            clock=self.clock,
        )


OUTBOUND = OutboundPolicy(
    backoff=Backoff(first=MINUTE, factor=2, ceiling=60 * MINUTE, jitter=0.5, give_up_after=timedelta(hours=72)),
    lease_for=LEASE,
    concurrency=2,
    poll_interval=MINUTE,
    drain_grace=MINUTE,
)
INBOUND = InboundPolicy(poll_interval=MINUTE, concurrency=4, status_concurrency=4)
RECONCILE = ReconcilePolicy(interval=15 * MINUTE, window=timedelta(days=7), settling_time=SETTLING)
UPKEEP = UpkeepPolicy(
    deadline_near=timedelta(hours=2),
    measure_interval=MINUTE,
    clean_interval=MINUTE,
    unreferenced_for=timedelta(days=1),
    orphaned_for=timedelta(days=1),
)


async def store_bytes(blobs: LocalBlobs, data: bytes) -> StoredObject:
    """Put bytes into a blob store."""
    async with blobs.writer(limit=PACKET_LIMIT) as writer:
        await writer.write(data)
        return await writer.finish()


async def submit(gateway: Gateway, document: Document, *, request_id: str = "", **overrides: Any) -> SubmissionResult:
    """Submit a document whose PDF comes with the request, as rpc would."""
    found = await gateway.store.directory.resolve([OURS])
    contents = {make_digest(PDF): PDF}
    inline: dict[Digest, StoredObject] = {}
    for attachment in document.attachments:
        if attachment.sha256 in contents:
            inline[attachment.sha256] = await store_bytes(gateway.blobs, contents[attachment.sha256])
    values: dict[str, Any] = {
        "vendor": VENDOR,
        "agency": found[OURS],
        "request_id": request_id or str(uuid4()),
        "document": document,
        "inline": inline,
        "validate_only": False,
    }
    return await gateway.submissions.submit(Submission(**(values | overrides)))


async def stored_keys(gateway: Gateway) -> set[str]:
    """Every object in the blob store, whatever its age."""
    found: set[str] = set()
    async for keys in gateway.blobs.keys(older_than=gateway.clock.now() + timedelta(days=36500)):
        found.update(keys)
    return found


async def send_all(gateway: Gateway) -> None:
    """Deliver until nothing is due."""
    while await gateway.send_due():
        pass


async def run_until_idle(gateway: Gateway, *, turns: int = 20) -> None:
    """Deliver and let time pass until nothing has been due for long."""
    idle = 0
    for _ in range(turns):
        idle = 0 if await gateway.send_due() else idle + 1
        if idle == 3:
            return
        gateway.clock.advance(SETTLING)
    raise AssertionError("the outbox does not come to rest")
