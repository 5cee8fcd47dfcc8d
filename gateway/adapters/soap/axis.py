"""One account on a provincial axis that speaks eDoc SOAP, as port Axis."""

import asyncio
from datetime import datetime

import httpx
import structlog

from gateway.adapters.answers import TOO_LARGE, as_unavailable, judge_broken, refuse_too_large, usable_doc_id
from gateway.adapters.calls import Calls
from gateway.adapters.http import Access, Broken, HttpClient, Repeat
from gateway.adapters.lacking import WithoutRegistration, WithoutSentList
from gateway.adapters.soap.binding import Binding, read_binding
from gateway.adapters.soap.client import SoapClient
from gateway.adapters.soap.config import INLINE_LIMIT, Attachments, SoapAccount
from gateway.adapters.soap.envelopes import Envelope, Envelopes
from gateway.adapters.soap.faults import Answer, judge, read_report
from gateway.adapters.soap.names import Operation
from gateway.adapters.soap.outgoing import Message, UnreadablePacketError, read_draft
from gateway.adapters.soap.receiving import read_answer, read_document
from gateway.adapters.soap.rows import read_organizations, read_pending, read_traces
from gateway.adapters.soap.sending import make_request, too_large
from gateway.adapters.soap.traces import KeptTraces, is_trace, read_statuses
from gateway.adapters.soap.wssecurity import securing
from gateway.domain.errors import GatewayError
from gateway.domain.ids import AccountName, AxisDocId
from gateway.domain.outcome import (
    Accepted,
    Outcome,
    Rejected,
    Unavailable,
)
from gateway.domain.packet import AxisItem, PacketKind, Sealed
from gateway.domain.vntime import edxml_timestamp
from gateway.observability.metrics import Metrics
from gateway.ports import BlobWriter, Clock, DirectoryListing, Fetched, PacketBytes, Waiting

_log = structlog.get_logger()
_UNREADABLE = "packet-unreadable"
_NOT_KEPT = Unavailable(reason="a status comes with the list only, and this one is no longer kept")


class SoapAxis(WithoutSentList, WithoutRegistration):
    """Speaks eDoc SOAP as deployed by Bkav. Operations and their habits: axis.md section 9."""

    def __init__(self, *, account: SoapAccount, clock: Clock, metrics: Metrics, access: Access | None = None) -> None:
        """Open nothing yet; `access` opens a platform in front of the axis.

        Raises OSError or ssl.SSLError if a file of the account cannot be used.
        """
        self._account = account
        self._clock = clock
        self._calls = Calls(account=account.name, metrics=metrics)
        self._envelopes = Envelopes(
            organ_id=account.organ_id,
            token=account.token,
            token_header=account.token_header,
            secure=securing(username=account.username, signing=account.signing, clock=clock),
        )
        self._http = HttpClient(
            connection=account.connection, concurrency=account.concurrency, retry=account.retry, access=access
        )
        self._client = SoapClient(account=account, http=self._http)
        self._kept = KeptTraces()

    @property
    def account(self) -> AccountName:
        """The account's name in the settings."""
        return self._account.name

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def bind(self) -> Binding:
        """Read the peer's own WSDL, where there is one, and go by its SOAPActions."""
        if not self._account.wsdl:
            return Binding()
        binding = await read_binding(self._account.wsdl, self._client.get)
        self._client.actions = binding.actions
        return binding

    async def check_permission(self) -> Outcome:
        """Ask whether the account's organ and token are good."""
        return await self._calls.observed(Operation.PERMISSION, self._act(Operation.PERMISSION, self._account.organ_id))

    async def submit(self, sealed: Sealed, body: PacketBytes) -> Outcome:
        """Send a document with SendDocument, a status with UpdateTraces.

        Raises what `body` raises, and GatewayError if it is not as long as sealed. Rejected without sending: a packet
        whose contents do not fit into an envelope where they are to travel in it.
        """
        if sealed.draft.kind is PacketKind.STATUS:
            return await self._calls.observed(Operation.UPDATE, self._tell(sealed))
        return await self._calls.observed(Operation.SEND, self._send(sealed, body))

    async def waiting(self, kind: PacketKind) -> Waiting | Unavailable:
        """Documents that are pending; statuses not yet read, with their packets.

        Statuses are read once: the service marks them as read when it gives them. `acknowledged` gives them again.
        """
        if kind is PacketKind.STATUS:
            return await self._calls.observed(Operation.TRACES, self._traces())
        return await self._calls.observed(Operation.PENDING, self._pending())

    async def acknowledged(self, kind: PacketKind, *, since: datetime) -> Waiting | Unavailable:
        """Statuses since then, read or not, with their packets; the service has no list of confirmed documents."""
        if kind is PacketKind.STATUS:
            return await self._calls.observed(Operation.TRACES, self._traces(TimeStamp=edxml_timestamp(since)))
        return Waiting(items=())

    async def fetch(self, item: AxisItem, writer: BlobWriter) -> Fetched | Rejected | Unavailable:
        """Download a document with GetDocument and write it as a QCVN packet; a status as far as it is kept.

        Rejected if longer than `writer` takes. Raises what else `writer` raises.
        """
        if is_trace(item.axis_doc_id):
            packet = self._kept.get(item.axis_doc_id)
            if packet is None:
                return _NOT_KEPT
            await writer.write(packet)
            return Fetched(stored=await writer.finish())
        return await self._calls.observed(Operation.GET, self._fetch(item, writer))

    async def settle(self, axis_doc_id: AxisDocId, *, done: bool) -> Outcome:
        """Confirm a document with ConfirmReceived; a status was confirmed by being read.

        The dialect has no word for what cannot be read: unconfirmed it would stay pending for ever, so it is confirmed
        too. The service then tells the sender that it arrived; here it stays in quarantine for the operator.
        """
        if is_trace(axis_doc_id):
            return Accepted(axis_doc_id=axis_doc_id)
        if not done:
            _log.warning("soap.confirmed_unread", account=self.account, axis_doc_id=axis_doc_id)
        work = self._act(Operation.CONFIRM, axis_doc_id, DocumentId=axis_doc_id)
        return await self._calls.observed(Operation.CONFIRM, work)

    async def agencies(self) -> DirectoryListing | Unavailable:
        """The directory; an empty one is Unavailable: believing it would close every agency."""
        return await self._calls.observed(Operation.ORGANIZATIONS, self._agencies())

    async def _send(self, sealed: Sealed, body: PacketBytes) -> Outcome:
        try:
            message = await asyncio.to_thread(read_draft, sealed.draft)
        except UnreadablePacketError as error:
            return Rejected(code=_UNREADABLE, reason=str(error))
        way = self._account.attachments
        if too_large(message, way):
            return Rejected(code=TOO_LARGE, reason=f"the files have more than {INLINE_LIMIT} bytes together")
        request = await make_request(message, sealed, body, envelopes=self._envelopes, attachments=way)

        async def read(response: httpx.Response) -> Answer:
            return await read_answer(response, limit=self._account.max_envelope_bytes)

        reply = await self._client.exchange(
            Operation.SEND, request.body, read, content_type=request.content_type, repeat=Repeat.UNPROCESSED
        )
        return self._judge(reply, _named(message, sealed))

    async def _tell(self, sealed: Sealed) -> Outcome:
        try:
            status = read_draft(sealed.draft).header("Status", "MessageHeader")
        except UnreadablePacketError as error:
            return Rejected(code=_UNREADABLE, reason=str(error))
        if status is None:
            return Rejected(code=_UNREADABLE, reason="the packet has no status")
        reply = await self._client.ask(
            Operation.UPDATE,
            self._envelopes.with_status(status),
            limit=self._account.max_envelope_bytes,
            repeat=Repeat.UNPROCESSED,
        )
        return self._judge(reply, AxisDocId(sealed.sha256))

    async def _pending(self) -> Waiting | Unavailable:
        envelope = await self._list(Operation.PENDING)
        if isinstance(envelope, Unavailable):
            return envelope
        items = read_pending(envelope)
        if items is None:
            return _unlisted(envelope)
        return Waiting(items=items)

    async def _traces(self, **members: str) -> Waiting | Unavailable:
        envelope = await self._list(Operation.TRACES, **members)
        if isinstance(envelope, Unavailable):
            return envelope
        statuses = read_traces(envelope)
        if statuses is None:
            return _unlisted(envelope)
        traces = await asyncio.to_thread(read_statuses, statuses)
        if traces.unwritable:
            _log.error("soap.traces_unwritable", account=self.account, statuses=traces.unwritable)
        self._kept.keep(traces.waiting)
        return traces.waiting

    async def _agencies(self) -> DirectoryListing | Unavailable:
        envelope = await self._list(Operation.ORGANIZATIONS)
        if isinstance(envelope, Unavailable):
            return envelope
        read = await asyncio.to_thread(lambda: list(read_organizations(envelope)))
        rows = tuple(row for row in read if row is not None)
        if len(rows) < len(read):
            _log.warning(
                "axis.rows_skipped",
                account=self.account,
                operation=Operation.ORGANIZATIONS.value,
                rows=len(read) - len(rows),
            )
        return DirectoryListing(rows=rows) if rows else Unavailable(reason="the service listed no organization")

    async def _fetch(self, item: AxisItem, writer: BlobWriter) -> Fetched | Rejected | Unavailable:
        inline = self._account.attachments is Attachments.INLINE
        limit = self._account.max_list_bytes if inline else self._account.max_envelope_bytes

        async def read(response: httpx.Response) -> Fetched | Answer | Unavailable:
            return await read_document(response, writer, limit=limit)

        request = self._envelopes.request(Operation.GET, DocumentId=item.axis_doc_id)
        try:
            reply = await self._client.exchange(Operation.GET, request, read, repeat=Repeat.UNANSWERED)
        except GatewayError as error:
            return refuse_too_large(error)
        if isinstance(reply, Fetched | Unavailable):
            return reply
        outcome = self._judge(reply, item.axis_doc_id)
        if isinstance(outcome, Accepted):
            return Unavailable(reason="the service reports success but gave no document")
        return outcome if isinstance(outcome, Rejected) else as_unavailable(outcome)

    async def _list(self, operation: Operation, **members: str) -> Envelope | Unavailable:
        """An envelope that reports nothing bad."""
        request = self._envelopes.request(operation, **members)
        # A list that was given counts as read: asking again would give an empty one and hide that it was lost.
        once = operation is Operation.TRACES and not members
        repeat = Repeat.UNPROCESSED if once else Repeat.ANY_TIME
        reply = await self._client.ask(operation, request, limit=self._account.max_list_bytes, repeat=repeat)
        if isinstance(reply, Broken):
            return as_unavailable(judge_broken(reply))
        if reply.envelope is not None and reply.envelope.content is not None:
            report = read_report(reply.envelope)
            outcome = self._judge(reply, self._own_id()) if report or _is_fault(reply.envelope) else None
            if outcome is None or isinstance(outcome, Accepted):
                return reply.envelope
            return as_unavailable(outcome)
        return as_unavailable(self._judge(reply, self._own_id()))

    async def _act(self, operation: Operation, about: str, **members: str) -> Outcome:
        """A call that may be repeated without harm."""
        reply = await self._client.ask(
            operation,
            self._envelopes.request(operation, **members),
            limit=self._account.max_envelope_bytes,
            repeat=Repeat.ANY_TIME,
        )
        return self._judge(reply, AxisDocId(about))

    def _own_id(self) -> AxisDocId:
        return AxisDocId(self._account.organ_id)

    def _judge(self, reply: Answer | Broken, document_id: AxisDocId) -> Outcome:
        if isinstance(reply, Broken):
            return judge_broken(reply)
        return judge(reply, now=self._clock.now(), document_id=document_id)


def _named(message: Message, sealed: Sealed) -> AxisDocId:
    """What the document is called where the service does not say: its own id, so far as an axis id can be that."""
    return usable_doc_id(message.document_id[:64].strip()) or AxisDocId(sealed.sha256)


def _is_fault(envelope: Envelope) -> bool:
    return envelope.content is not None and envelope.content.tag.endswith("}Fault")


def _unlisted(envelope: Envelope) -> Waiting | Unavailable:
    """An answer without a list is an empty one only if the service says that all is well."""
    report = read_report(envelope)
    if report is not None and report.success:
        return Waiting(items=())
    return Unavailable(reason="the service gave neither a list nor a report: is the account's token right?")
