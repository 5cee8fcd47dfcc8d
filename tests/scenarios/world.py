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
from gateway.domain.dialect import NATIONAL
from gateway.domain.document import Document, Organization, TraceHeader
from gateway.domain.ids import Digest, OrganId, VendorId
from gateway.domain.mandate import VendorSystem
from gateway.domain.packet import Draft, StoredObject
from gateway.domain.signing import SignaturePolicy
from gateway.domain.status import StatusReport
from gateway.flows.config import (
    AccountPolicy,
    InboundPolicy,
    OnUnknown,
    OutboundPolicy,
    ReceiptAt,
    UpkeepPolicy,
)
from gateway.flows.directory import DirectorySync
from gateway.flows.inbound import Intake
from gateway.flows.outbound import Outbound, OutboundAccount
from gateway.flows.polling import Poller
from gateway.flows.statuses import InboxFlow
from gateway.flows.submission import SubmissionFlow
from gateway.flows.upkeep import Upkeep
from gateway.flows.wakeups import LocalWakeups
from gateway.observability.metrics import Metrics
from gateway.ports import Submission, SubmissionResult
from gateway.store.store import Store, open_store
from gateway.translate.edxml.translator import EdxmlTranslator
from gateway.xmlsafe import Limits
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
    poller: Poller
    intake: Intake
    submissions: SubmissionFlow
    inbox: InboxFlow
    directory: DirectorySync
    upkeep: Upkeep
    metrics: Metrics
    clock: SettableClock

    async def send_due(self) -> int:
        """Lease what is due and deliver it, one after the other; how many."""
        leased = await self.outbox.lease("w", limit=10, lease_for=LEASE, at=self.clock.now())
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
        self.axis = FakeAxis()
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
        self.receipt = ReceiptAt.VENDOR_ACK
        self.recipients_per_message = 100
        self.packet_limit = PACKET_LIMIT
        self.dialect = NATIONAL
        self.serves: tuple[OrganId, ...] = (OrganId("H98"),)

    def copy_to(self, folder: Path) -> "World":
        """A world of its own in the same state, so that one preparation serves many crashes."""
        shutil.copytree(self.folder, folder)
        other = copy.copy(self)
        other.folder, other.axis, other.clock = folder, copy.deepcopy(self.axis), copy.deepcopy(self.clock)
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
        account = AccountPolicy(
            name=ROUTE,
            local_roots=frozenset({OrganId("H98")}),
            hop=OrganId("H98"),
            packet_limit=self.packet_limit,
            recipients_per_message=self.recipients_per_message,
            settling_time=SETTLING,
            dialect=self.dialect,
            on_unknown=self.on_unknown,
        )
        common: Any = {"clock": self.clock, "metrics": metrics, "wakeups": wakeups}
        sync = DirectorySync(
            axis=axis,
            directory=directory,
            vendors=[VendorSystem(id=VENDOR, uri_sans=frozenset(), certificate_sha256=frozenset(), serves=self.serves)],
            interval=MINUTE,
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
        return Gateway(
            store=store,
            blobs=blobs,
            outbox=outbox,
            outbound=Outbound(
                outbox=outbox,
                translator=translator,
                accounts={ROUTE: OutboundAccount(axis=axis, policy=account)},
                policy=OUTBOUND,
                draw=lambda: 0.0,
                **common,
            ),
            poller=Poller(
                axis=axis,
                intake=intake,
                items=items,
                blobs=wired,
                policy=InboundPolicy(poll_interval=MINUTE, concurrency=4, packet_limit=PACKET_LIMIT),
                clock=self.clock,
                ready=lambda: ready or sync.loaded,
            ),
            intake=intake,
            submissions=SubmissionFlow(
                documents=documents,
                directory=directory,
                blob_index=index,
                blobs=wired,
                signatures=self.signatures,
                translator=translator,
                account=account,
                signature_policy=SignaturePolicy(),
                limits=rules.Limits(),
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
UPKEEP = UpkeepPolicy(
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
