"""One gateway in one process, over a real SQLite file, real blobs and the real translator; its axis is in memory.

`World` outlives the gateway: a test starts a gateway, lets it crash, and starts the next one on the same files.
"""

import asyncio
import copy
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
from gateway.domain.ids import Digest, OrganId, VendorId
from gateway.domain.mandate import VendorSystem
from gateway.domain.packet import Draft, StoredObject
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
from gateway.flows.fetching import Fetcher
from gateway.flows.inbound import Intake
from gateway.flows.outbound import Outbound, OutboundAccount
from gateway.flows.polling import Poller
from gateway.flows.reconcile import Reconciler
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
    submissions: SubmissionFlow
    inbox: InboxFlow
    directory: DirectorySync
    upkeep: Upkeep
    metrics: Metrics
    clock: SettableClock

    async def send_due(self) -> int:
        """Lease what is due and deliver it, one after the other; how many."""
        leased = await self.outbox.lease("w", route=ROUTE, limit=10, lease_for=LEASE, at=self.clock.now())
        for message in leased:
            await self.outbound.deliver(message)
        return len(leased)

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
        self.serves: tuple[OrganId, ...] = (OrganId("H98"),)

    def copy_to(self, folder: Path) -> "World":
        """A world of its own in the same state, so that one preparation serves many crashes."""
        shutil.copytree(self.folder, folder)
        other = copy.copy(self)
        other.folder = folder
        other.axis, other.clock = copy.deepcopy((self.axis, self.clock))
        return other

    @asynccontextmanager
    async def gateway(self, fuse: Fuse | None = None, *, ready: bool = True) -> AsyncIterator[Gateway]:
        """A gateway process. A Crash leaves it silently, as a kill does; the next one finds what was durable."""
        store = await open_store(self.database or self.folder / "gateway.db")
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

    def _build(self, store: Store, fuse: Fuse, *, ready: bool) -> Gateway:
        blobs = LocalBlobs(self.folder / "blobs", clock=self.clock)
        wired: Any = Fused(blobs, fuse)
        axis: Any = Fused(self.axis, fuse)
        items, directory, outbox, documents, receptions, index = (
            Fused(port, fuse)
            for port in (store.items, store.directory, store.outbox, store.documents, store.receptions, store.blobs)
        )
        translator: Any = Fused(EdxmlTranslator(blobs=wired, limits=Limits(), dialect=self.dialect), fuse)
        metrics, wakeups = Metrics(CollectorRegistry()), LocalWakeups()
        admission = make_admission(self.disk, blob_index=store.blobs, metrics=metrics)
        account = AccountPolicy(
            name=ROUTE,
            local_roots=frozenset({OrganId("H98")}),
            hop=OrganId("H98"),
            packet_limit=self.packet_limit,
            recipients_per_message=self.recipients_per_message,
            settling_time=SETTLING,
            dialect=self.dialect,
            on_unknown=self.on_unknown,
            divided_codes=self.divided_codes,
            circuit=self.circuit,
        )
        breaker = Breaker(account=account, outbox=outbox, clock=self.clock, metrics=metrics, draw=lambda: 0.0)
        common: Any = {"clock": self.clock, "metrics": metrics, "wakeups": wakeups}

        def claim(job: str) -> Claim:
            # Long: these gateways crash and follow one another in no time, under one name.
            hold_for = timedelta(hours=1)
            return Claim(claims=store.claims, name=f"{job}:{ROUTE}", owner="w", clock=self.clock, hold_for=hold_for)

        sync = DirectorySync(
            axis=axis,
            directory=directory,
            vendors=[VendorSystem(id=VENDOR, uri_sans=frozenset(), certificate_sha256=frozenset(), serves=self.serves)],
            interval=MINUTE,
            claim=claim("directory"),
            clock=self.clock,
        )
        intake = Intake(
            axis=axis,
            account=account,
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
        outbound = Outbound(
            outbox=outbox,
            translator=translator,
            accounts={ROUTE: OutboundAccount(axis=axis, policy=account, breaker=breaker)},
            policy=self.outbound,
            draw=lambda: 0.0,
            **common,
        )
        fetcher = Fetcher(axis=axis, blobs=wired, admission=admission, packet_limit=PACKET_LIMIT)
        return Gateway(
            store=store,
            blobs=blobs,
            outbox=outbox,
            outbound=outbound,
            worker=Worker(
                owner="w",
                account=account,
                breaker=breaker,
                outbox=outbox,
                deliver=outbound.deliver,
                policy=self.outbound,
                clock=self.clock,
                wakeups=wakeups,
            ),
            breaker=breaker,
            poller=Poller(
                axis=axis,
                intake=intake,
                fetcher=fetcher,
                admission=admission,
                items=items,
                blobs=wired,
                discrepancies=store.discrepancies,
                claim=claim("poll"),
                policy=self.inbound,
                clock=self.clock,
                ready=lambda: ready or sync.loaded,
            ),
            reconciler=Reconciler(
                axis=axis,
                intake=intake,
                fetcher=fetcher,
                items=items,
                outbox=outbox,
                records=store.reconciliation,
                discrepancies=store.discrepancies,
                claim=claim("reconcile"),
                policy=RECONCILE,
                **common,
            ),
            intake=intake,
            submissions=SubmissionFlow(
                documents=documents,
                directory=directory,
                blob_index=index,
                blobs=wired,
                admission=admission,
                signatures=self.signatures,
                translator=translator,
                account=account,
                signature_policy=SignaturePolicy(),
                limits=rules.Limits(),
                is_working_day=lambda day: day.weekday() < 5,
                **common,
            ),
            inbox=InboxFlow(
                receptions=receptions,
                directory=directory,
                receipt=self.receipt,
                dialect=self.dialect,
                clock=self.clock,
                wakeups=wakeups,
            ),
            directory=sync,
            upkeep=Upkeep(
                outbox=outbox, blob_index=index, blobs=wired, policy=UPKEEP, clock=self.clock, metrics=metrics
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


async def run_until_idle(gateway: Gateway, *, turns: int = 20) -> None:
    """Deliver and let time pass until nothing has been due for long."""
    idle = 0
    for _ in range(turns):
        idle = 0 if await gateway.send_due() else idle + 1
        if idle == 3:
            return
        gateway.clock.advance(SETTLING)
    raise AssertionError("the outbox does not come to rest")
