"""One axis item on its way in: keep it raw, read, verify, store, tell the axis. After a crash any step resumes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

import structlog

from gateway.domain import signing
from gateway.domain.agency import Agency, same_code
from gateway.domain.digests import content_digest
from gateway.domain.document import Document
from gateway.domain.ids import AgencyId, OrganId
from gateway.domain.lifecycle import ItemState
from gateway.domain.outcome import Accepted, Rejected
from gateway.domain.packet import (
    AxisItem,
    ContentSpan,
    Misfit,
    PacketDefect,
    PacketKind,
    Received,
    UnpackedDocument,
    UnpackedStatus,
    VerifiedDocument,
)
from gateway.domain.status import ARRIVED, KNOWN, REFUSED, StatusReport
from gateway.flows.config import AccountPolicy, ReceiptAt
from gateway.flows.receipts import report_on
from gateway.observability.metrics import Metrics
from gateway.ports import (
    Arrival,
    Axis,
    Blobs,
    Clock,
    ContentConflict,
    Directory,
    InboundItems,
    ReportedOn,
    SignatureCheck,
    StatusPlaced,
    StatusUnplaced,
    Stored,
    Translator,
    Wakeups,
)

_log = structlog.get_logger()

_FOR_NOBODY = PacketDefect(
    code=Misfit.NO_LOCAL_RECIPIENT,
    path="edXML/edXMLEnvelope/edXMLHeader/MessageHeader/To",
    message="no recipient is an agency of this account",
)

TOLD_DONE: Mapping[ItemState, bool | None] = MappingProxyType(
    {
        ItemState.FETCHED: None,
        ItemState.STORED: True,
        ItemState.QUARANTINED: False,
        ItemState.SETTLED: True,
        ItemState.REJECTED: False,
    },
)
"""What the axis is told of an item: True = done, False = fail, None = nothing yet.

The state alone decides, so that the answer after a crash is the one before it. Items already told are told again when
the axis still lists them.
"""


class Intake:
    """Takes in the items of one account."""

    def __init__(
        self,
        *,
        axis: Axis,
        account: AccountPolicy,
        receipt: ReceiptAt,
        items: InboundItems,
        directory: Directory,
        translator: Translator,
        signatures: SignatureCheck,
        signature_policy: signing.SignaturePolicy,
        blobs: Blobs,
        clock: Clock,
        metrics: Metrics,
        wakeups: Wakeups,
        refresh_directory: Callable[[], Awaitable[bool]],
    ) -> None:
        self._axis = axis
        self._account = account
        self._receipt = receipt
        self._items = items
        self._directory = directory
        self._translator = translator
        self._signatures = signatures
        self._signature_policy = signature_policy
        self._blobs = blobs
        self._clock = clock
        self._metrics = metrics
        self._wakeups = wakeups
        self._refresh_directory = refresh_directory

    async def accept(self, received: Received) -> ItemState:
        """Make a raw packet durable before anything in it is believed, then take it; the state the item then has."""
        redundant = await self._items.record(received, at=self._clock.now())
        try:
            return await self.take(received)
        finally:
            # Only now: where the same bytes were kept before, this object was still the one to read.
            await self._blobs.discard(redundant)

    async def take(self, received: Received) -> ItemState:
        """Read a recorded packet and store what is in it; the state the item then has."""
        unpacked = await self._translator.read(received)
        if isinstance(unpacked, PacketDefect):
            return await self._quarantine(received, unpacked)
        if isinstance(unpacked, UnpackedStatus):
            return await self._take_status(received, unpacked.report)
        return await self._take_document(received, unpacked)

    async def read_status(self, received: Received) -> StatusReport | None:
        """The status in a packet; None if it is none, or cannot be read. Nothing is recorded."""
        unpacked = await self._translator.read(received)
        if isinstance(unpacked, UnpackedDocument):
            await self._blobs.discard([stored.key for stored in unpacked.objects])
        return unpacked.report if isinstance(unpacked, UnpackedStatus) else None

    async def place_statuses(self, batch: Sequence[tuple[Received, StatusReport]]) -> list[ItemState]:
        """Record and place what `read_status` gave, in this order, all or none; the states the items then have."""
        taken = await self._items.take_statuses(batch, at=self._clock.now())
        await self._blobs.discard(taken.redundant)
        return [
            self._note_status(received, report, outcome)
            for (received, report), outcome in zip(batch, taken.outcomes, strict=True)
        ]

    async def split(self, received: Received) -> None:
        """Keep a stored packet as its parts, where a crash kept that from being done once it was stored."""
        unpacked = await self._translator.read(received)
        if isinstance(unpacked, UnpackedDocument):
            await self._split(received, unpacked.spans)
            await self._blobs.discard([stored.key for stored in unpacked.objects])

    async def strangers(self, codes: Sequence[OrganId]) -> tuple[OrganId, ...]:
        """Codes of those that this account does not receive for."""
        found = await self._directory.resolve(codes)
        ours = {agency.id for agency in await self._ours(list(found.values()))}
        return tuple([code for code in codes if code not in found or found[code].id not in ours])

    async def tell(self, item: AxisItem, state: ItemState) -> None:
        """Tell the axis what became of an item, and note that. If it cannot be told now, the next poll does."""
        if await self.announce(item, state):
            await self.note_told([item])

    async def note_told(self, items: Sequence[AxisItem]) -> None:
        """Note that the axis needs to be told nothing more of these."""
        ids = [item.axis_doc_id for item in items]
        await self._items.told(self._account.name, ids, at=self._clock.now())

    async def announce(self, item: AxisItem, state: ItemState) -> bool:
        """Tell the axis what became of an item; True if it needs to be told nothing more."""
        done = TOLD_DONE[state]
        if done is None:
            return False
        outcome = await self._axis.settle(item.axis_doc_id, done=done)
        if not isinstance(outcome, Accepted):
            _log.warning("axis.not_told", axis_doc_id=item.axis_doc_id, outcome=type(outcome).__name__)
        # After a refusal repeating cannot help; should the item stay listed, the next poll tells it again.
        return isinstance(outcome, Accepted | Rejected)

    async def _take_document(self, received: Received, unpacked: UnpackedDocument) -> ItemState:
        recipients = await self._local_recipients(received.item, unpacked.document)
        if not recipients and await self._refresh_directory():
            # A unit registered since the last synchronisation is ours all the same.
            recipients = await self._local_recipients(received.item, unpacked.document)
        if not recipients:
            await self._blobs.discard([stored.key for stored in unpacked.objects])
            return await self._quarantine(received, _FOR_NOBODY)
        verified = await self._signatures.verify(unpacked, at=self._clock.now())
        # Our own words, unlike a vendor's, are shortened to what the peer takes: nobody is there to mend them.
        longest = self._account.dialect.limit("StatusReport.description")
        refusal = signing.refusal(self._signature_policy, verified.document)[:longest]
        stored = await self._store(received, verified, recipients, refusal)
        if isinstance(stored, Stored):
            await self._split(received, unpacked.spans)
        # Only now: what this reading stored is the same bytes as what is kept, and the parts were tried with it.
        await self._blobs.discard(stored.redundant)
        return ItemState.STORED if isinstance(stored, Stored) else ItemState.QUARANTINED

    async def _store(
        self, received: Received, verified: VerifiedDocument, recipients: tuple[Agency, ...], refusal: str
    ) -> Stored | ContentConflict:
        arrival = Arrival(
            account=received.account,
            item=received.item,
            verified=verified,
            content_digest=content_digest(verified.document),
            recipients=recipients,
            refusal=refusal,
        )
        receipts = self._receipts(verified.document, recipients, refusal)
        stored = await self._items.store(arrival, receipts=receipts, at=self._clock.now())
        if isinstance(stored, ContentConflict):
            self._note_quarantine(received, Misfit.CONTENT_CONFLICT, "")
            return stored
        if stored.added:
            self._metrics.received.labels(received.account).inc(stored.added)
            self._wakeups.notify("inbox")
            self._wakeups.notify("outbox")
        else:
            self._metrics.duplicates.labels("axis").inc()
        _log.info(
            "document.stored",
            axis_doc_id=received.item.axis_doc_id,
            document_id=verified.document.document_id,
            added=stored.added,
            refused=bool(refusal),
        )
        return stored

    async def _split(self, received: Received, spans: Sequence[ContentSpan]) -> None:
        """Keep the packet as parts of what is stored anyway. What goes wrong leaves it whole and changes nothing."""
        if not spans:
            return
        try:
            parts = await self._translator.split(received, spans)
            if parts is not None:
                await self._blobs.discard(await self._items.split(received, parts))
                return
            reason = "the parts do not give its bytes"
        except Exception as error:  # noqa: BLE001 - the document is stored and stays so
            reason = type(error).__name__
        _log.warning("packet.not_split", axis_doc_id=received.item.axis_doc_id, reason=reason)

    def _receipts(self, document: Document, recipients: Sequence[Agency], refusal: str) -> tuple[StatusReport, ...]:
        if not refusal and self._receipt is not ReceiptAt.STORED:
            return ()
        code = REFUSED if refusal else ARRIVED
        at = self._clock.now()
        return tuple(report_on(document, r, status_code=code, at=at, description=refusal) for r in recipients)

    async def _take_status(self, received: Received, report: StatusReport) -> ItemState:
        placed = await self._items.place_status(received, report, at=self._clock.now())
        return self._note_status(received, report, placed)

    def _note_status(
        self, received: Received, report: StatusReport, placed: StatusPlaced | StatusUnplaced
    ) -> ItemState:
        if isinstance(placed, StatusUnplaced):
            _log.warning("status.unplaced", axis_doc_id=received.item.axis_doc_id, reason=placed.reason)
            self._note_quarantine(received, Misfit.STATUS_UNPLACED, "")
            return ItemState.QUARANTINED
        if placed.repeated:
            self._metrics.duplicates.labels("axis").inc()
        else:
            self._metrics.statuses.labels("in", _known_code(report.status_code)).inc()
            self._wakeups.notify("events")
        if placed.sent is not None:
            self._note_sent(placed.sent, report)
        _log.info(
            "status.placed",
            axis_doc_id=received.item.axis_doc_id,
            document_id=report.response_for.document_id,
            status=report.status_code,
        )
        return ItemState.STORED

    def _note_sent(self, sent: ReportedOn, report: StatusReport) -> None:
        """A message whose answer was lost turned out to have arrived; what waits behind it may go."""
        self._metrics.delivered.labels(sent.route, PacketKind.DOCUMENT).inc()
        _log.info(
            "message.reported_on",
            message_id=sent.message,
            document_id=report.response_for.document_id,
            route=sent.route,
            was=sent.was,
            status=report.status_code,
        )
        self._wakeups.notify("events")
        self._wakeups.notify("outbox")

    async def _quarantine(self, received: Received, defect: PacketDefect) -> ItemState:
        await self._items.quarantine(received, defect)
        self._note_quarantine(received, defect.code, defect.path)
        return ItemState.QUARANTINED

    def _note_quarantine(self, received: Received, code: str, path: str) -> None:
        self._metrics.quarantined.labels(received.account, code).inc()
        _log.warning("packet.quarantined", axis_doc_id=received.item.axis_doc_id, code=code, path=path)

    async def _local_recipients(self, item: AxisItem, document: Document) -> tuple[Agency, ...]:
        """Agencies of ours among the packet's recipients, narrowed by what the axis's list says of the item.

        A list entry that names none of them (a centre, a system id) narrows nothing.
        """
        printed = [organization.organ_id for organization in document.to]
        found = await self._directory.resolve([*printed, *item.recipients])
        addressed = {agency.id: agency for code in printed if (agency := found.get(code)) is not None}
        hinted = {agency.id for code in item.recipients if (agency := found.get(code)) is not None}
        wanted = [agency for agency in addressed.values() if agency.id in hinted] or list(addressed.values())
        return await self._ours(wanted)

    async def _ours(self, agencies: Sequence[Agency]) -> tuple[Agency, ...]:
        served = await self._directory.served([agency.id for agency in agencies])
        return tuple([agency for agency in agencies if agency.id in served or await self._is_local(agency.id)])

    async def _is_local(self, agency: AgencyId) -> bool:
        lineage = await self._directory.lineage(agency)
        codes = [code for unit in lineage for code in (unit.code, *unit.aliases)]
        return any(same_code(code, root) for code in codes for root in self._account.local_roots)


def _known_code(code: str) -> str:
    """The code as a metric label; what a peer invents must not make new series."""
    return code if code in KNOWN else "other"
