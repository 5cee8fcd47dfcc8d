"""The route between agencies that this gateway serves: what is sent by it comes in as from any axis, without one."""

from collections.abc import Callable
from datetime import datetime

import structlog

from gateway.domain.agency import AgencyEntry
from gateway.domain.errors import GatewayError
from gateway.domain.ids import AccountName, AxisDocId, OrganId
from gateway.domain.lifecycle import ItemState
from gateway.domain.outcome import (
    NOT_OFFERED,
    REASON_LIMIT,
    Accepted,
    CannotTell,
    Finding,
    Outcome,
    Rejected,
    SentQuery,
    Unavailable,
)
from gateway.domain.packet import AxisItem, Misfit, PacketKind, Received, Sealed
from gateway.domain.routing import LOCAL
from gateway.domain.sentlist import SentEntries
from gateway.flows.inbound import Intake
from gateway.flows.outages import is_outage
from gateway.flows.tenure import LeaseEndedError
from gateway.ports import (
    Admission,
    Axis,
    Blobs,
    BlobWriter,
    DirectoryListing,
    Fetched,
    InboundItems,
    PacketBytes,
    Waiting,
)

_log = structlog.get_logger()

_BROKE = "gateway"
"""Code of an answer about one packet on which our own work breaks: the route itself is up."""

_TAKEN_IN = (ItemState.STORED, ItemState.SETTLED)
_NO_AXIS = CannotTell(reason="the local route keeps no list")


class LocalAxis(Axis):
    """Hands packets to the intake of this very gateway.

    Repeating is harmless: a packet's id comes from its bytes, and one that was taken in is answered without being taken
    in again. So what a crash cut short is repaired by being sent again, and so is what ended in quarantine, once the
    message is requeued; nothing polls or compares here.
    """

    def __init__(
        self,
        *,
        intake_of: Callable[[Axis], Intake],
        items: InboundItems,
        blobs: Blobs,
        admission: Admission,
        packet_limit: int,
    ) -> None:
        """`intake_of` makes the intake that tells this axis what became of an item; `packet_limit` is bytes."""
        self._intake = intake_of(self)
        self._items = items
        self._blobs = blobs
        self._admission = admission
        self._packet_limit = packet_limit

    @property
    def account(self) -> AccountName:
        """See Axis."""
        return LOCAL

    async def submit(self, sealed: Sealed, body: PacketBytes) -> Outcome:
        """See Axis. Rejected where the packet ended in quarantine, and where a recipient is not served here any more.

        Raises LeaseEndedError from the body, as every axis does.
        """
        draft = sealed.draft
        item = AxisItem(axis_doc_id=AxisDocId(sealed.sha256), kind=draft.kind, recipients=draft.recipients)
        try:
            state = (await self._items.states(LOCAL, [item.axis_doc_id])).get(item.axis_doc_id)
            if state not in _TAKEN_IN:
                refusal = await self._refusal(item)
                if refusal is not None:
                    return refusal
                if state is not None:  # requeued by an operator, who may have mended what kept it from being read
                    await self._items.reopen(LOCAL, item.axis_doc_id)
                state = await self._hand_over(item, body)
            await self._intake.tell(item, state)
            return await self._outcome(item.axis_doc_id, state)
        except LeaseEndedError:
            raise
        except GatewayError as error:
            if is_outage(error):
                return Unavailable(reason="the gateway's store cannot take it at the moment")
            return _broke(item, error)
        except Exception as error:  # noqa: BLE001 - repeating is harmless, so it waits like any failure and comes again
            return _broke(item, error)

    async def _refusal(self, item: AxisItem) -> Rejected | Unavailable | None:
        """Why an item cannot be taken now, or at all."""
        if item.kind is PacketKind.DOCUMENT:
            strangers = await self._intake.strangers(item.recipients)
            if strangers:
                reason = f"not served by this gateway any more: {', '.join(strangers)}"
                return Rejected(code=Misfit.NO_LOCAL_RECIPIENT, reason=reason[:REASON_LIMIT])
        if not await self._admission.has_room():
            return Unavailable(reason="the gateway has no room for it at the moment")
        return None

    async def _hand_over(self, item: AxisItem, body: PacketBytes) -> ItemState:
        async with self._blobs.writer(limit=self._packet_limit) as writer:
            guarded = self._admission.guarded(writer)
            async for chunk in body():
                await guarded.write(chunk)
            raw = await guarded.finish()
        return await self._intake.accept(Received(account=LOCAL, item=item, raw=raw))

    async def _outcome(self, axis_doc_id: AxisDocId, state: ItemState) -> Outcome:
        if state in _TAKEN_IN:
            return Accepted(axis_doc_id=axis_doc_id)
        defect = await self._items.defect(LOCAL, axis_doc_id)
        if defect is None:
            return Unavailable(reason="it is just being taken in again", code=_BROKE)
        words = f"{defect.path}: {defect.message}" if defect.path else defect.message
        return Rejected(code=defect.code, reason=words[:REASON_LIMIT])

    async def find(self, query: SentQuery) -> Finding:  # noqa: ARG002 - the signature is the port's
        """See Axis. Sending again answers the question."""
        return _NO_AXIS

    async def waiting(self, kind: PacketKind) -> Waiting | Unavailable:  # noqa: ARG002 - the signature is the port's
        """See Axis."""
        return Waiting(items=())

    async def acknowledged(self, kind: PacketKind, *, since: datetime) -> Waiting | Unavailable:  # noqa: ARG002 - port's
        """See Axis."""
        return Waiting(items=())

    async def sent_list(self) -> SentEntries | CannotTell:
        """See Axis."""
        return _NO_AXIS

    async def sent_packet(self, axis_doc_id: AxisDocId) -> SentEntries | CannotTell:  # noqa: ARG002 - port's
        """See Axis."""
        return _NO_AXIS

    async def fetch(self, item: AxisItem, writer: BlobWriter) -> Fetched | Rejected | Unavailable:  # noqa: ARG002 - port's
        """See Axis."""
        return _not_offered()

    async def settle(self, axis_doc_id: AxisDocId, *, done: bool) -> Outcome:  # noqa: ARG002 - the signature is the port's
        """See Axis."""
        return Accepted(axis_doc_id=axis_doc_id)

    async def register(self, unit: AgencyEntry) -> Outcome:  # noqa: ARG002 - the signature is the port's
        """See Axis."""
        return _not_offered()

    async def deregister(self, code: OrganId) -> Outcome:  # noqa: ARG002 - the signature is the port's
        """See Axis."""
        return _not_offered()

    async def agencies(self) -> DirectoryListing | Unavailable:
        """See Axis."""
        return Unavailable(reason="the local route has no directory")


def _not_offered() -> Rejected:
    return Rejected(code=NOT_OFFERED, reason="the local route has no such operation")


def _broke(item: AxisItem, error: Exception) -> Unavailable:
    _log.error("local.broke", axis_doc_id=item.axis_doc_id, exc_info=error)
    return Unavailable(reason="unexpected error in the gateway; see its log at local.broke", code=_BROKE)
