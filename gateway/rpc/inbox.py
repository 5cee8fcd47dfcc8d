"""InboxService: documents coming in, leased until they are acknowledged or refused."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import ReceptionId
from gateway.pb.lgsp.gateway.v1 import inbox_service_pb2 as pb
from gateway.pb.lgsp.gateway.v1 import inbox_service_pb2_grpc
from gateway.ports import Clock, Directory, Inbox, Receptions, Wakeups
from gateway.rpc.attachments import Downloads
from gateway.rpc.config import ANSWER_TARGET
from gateway.rpc.convert.form import Form
from gateway.rpc.convert.incoming import staff_in
from gateway.rpc.convert.outgoing import received_document_out
from gateway.rpc.identity import Callers, Context
from gateway.rpc.pauses import INBOX, Pauses
from gateway.rpc.windows import Window

HEARTBEAT = timedelta(seconds=30)
"""Longest silence of a stream."""

_BATCH = 10
_DEFAULT_COUNT = 10
_HIGHEST_COUNT = 100
_DEFAULT_LEASE = timedelta(seconds=60)
_SHORTEST_LEASE = timedelta(seconds=10)
_LONGEST_LEASE = timedelta(seconds=600)


class InboxService(inbox_service_pb2_grpc.InboxServiceServicer):
    """Converts, calls a port, renders; keeps the windows of the streams it serves."""

    def __init__(
        self,
        *,
        callers: Callers,
        directory: Directory,
        receptions: Receptions,
        inbox: Inbox,
        downloads: Downloads,
        pauses: Pauses,
        wakeups: Wakeups,
        clock: Clock,
    ) -> None:
        self._callers = callers
        self._directory = directory
        self._receptions = receptions
        self._inbox = inbox
        self._downloads = downloads
        self._pauses = pauses
        self._wakeups = wakeups
        self._clock = clock
        self._windows: set[Window] = set()

    async def PullDocuments(  # noqa: N802 - named by the contract
        self, request: pb.PullDocumentsRequest, context: Context
    ) -> pb.PullDocumentsResponse:
        """Lease what is waiting, as far as it fits into one answer; the rest of a batch comes after its lease."""
        form = Form()
        wanted = form.count("max_documents", request.max_documents, default=_DEFAULT_COUNT, highest=_HIGHEST_COUNT)
        lease_for = _lease(form, request.ack_deadline)
        form.check()
        vendor, under = await self._callers.acting_if_named(context, request.agency)
        answer = pb.PullDocumentsResponse()
        size = 0
        while len(answer.documents) < wanted:
            limit = min(wanted - len(answer.documents), _BATCH)
            entries = await self._receptions.lease(
                vendor, under=under, limit=limit, lease_for=lease_for, at=self._clock.now()
            )
            for entry in entries:
                message = received_document_out(entry, with_lease=True)
                size += message.ByteSize()
                if answer.documents and size > ANSWER_TARGET:
                    return answer
                answer.documents.append(message)
            if len(entries) < limit:
                break
        return answer

    async def StreamDocuments(  # noqa: N802 - named by the contract
        self, request: pb.StreamDocumentsRequest, context: Context
    ) -> AsyncIterator[pb.StreamDocumentsResponse]:
        """Lease what is waiting and what arrives.

        A document acknowledged through another replica counts as outstanding until its lease ends.
        """
        form = Form()
        size = form.count("max_outstanding", request.max_outstanding, default=_DEFAULT_COUNT, highest=_HIGHEST_COUNT)
        lease_for = _lease(form, request.ack_deadline)
        form.check()
        vendor, under = await self._callers.acting_if_named(context, request.agency)
        window = Window(size)
        self._windows.add(window)
        loop = asyncio.get_running_loop()
        due = loop.time() + HEARTBEAT.total_seconds()
        try:
            while True:
                left = timedelta(seconds=max(due - loop.time(), 0))
                async with self._pauses.listening(INBOX, at_most=left) as news:
                    now = self._clock.now()
                    limit = min(window.room(now), _BATCH)
                    entries = (
                        await self._receptions.lease(vendor, under=under, limit=limit, lease_for=lease_for, at=now)
                        if limit
                        else ()
                    )
                    for entry in entries:
                        window.add(entry)
                    for entry in entries:
                        yield pb.StreamDocumentsResponse(document=received_document_out(entry, with_lease=True))
                        due = loop.time() + HEARTBEAT.total_seconds()
                    if not entries:
                        await news
                if loop.time() >= due:
                    yield pb.StreamDocumentsResponse()
                    due = loop.time() + HEARTBEAT.total_seconds()
        finally:
            self._windows.discard(window)

    async def GetReceivedDocument(  # noqa: N802 - named by the contract
        self, request: pb.GetReceivedDocumentRequest, context: Context
    ) -> pb.ReceivedDocument:
        """One document of an agency that the caller serves; of all others nothing is said but "unknown"."""
        form = Form()
        reception = _reception(form, request.name)
        form.check()
        entry = await self._receptions.get(reception)
        if entry is None or not await self._directory.serves(self._callers.vendor(context), entry.recipient.id):
            raise GatewayError(ErrorCode.DOCUMENT_UNKNOWN, name=request.name)
        return received_document_out(entry, with_lease=False)

    async def AcknowledgeDocument(  # noqa: N802 - named by the contract
        self, request: pb.AcknowledgeDocumentRequest, context: Context
    ) -> pb.AcknowledgeDocumentResponse:
        """The document is durable in the vendor's system."""
        form = Form()
        reception = _reception(form, request.name)
        form.required("ack_id", request.ack_id)
        form.check()
        await self._inbox.acknowledge(self._callers.vendor(context), reception, request.ack_id)
        self._release(reception)
        return pb.AcknowledgeDocumentResponse(state=pb.RECEIVED_STATE_ACKNOWLEDGED)

    async def RefuseDocument(  # noqa: N802 - named by the contract
        self, request: pb.RefuseDocumentRequest, context: Context
    ) -> pb.RefuseDocumentResponse:
        """The agency refuses the document."""
        form = Form()
        reception = _reception(form, request.name)
        form.required("ack_id", request.ack_id)
        form.check()
        await self._inbox.refuse(
            self._callers.vendor(context),
            reception,
            request.ack_id,
            reason=request.reason,
            staff=staff_in(request.staff_info),
        )
        self._release(reception)
        return pb.RefuseDocumentResponse(state=pb.RECEIVED_STATE_REFUSED)

    def DownloadAttachment(  # noqa: N802 - named by the contract
        self, request: pb.DownloadAttachmentRequest, context: Context
    ) -> AsyncIterator[pb.DownloadAttachmentResponse]:
        """The bytes of one attachment."""
        return self._downloads.send(request, context)

    async def ReportStatus(  # noqa: N802 - named by the contract
        self, request: pb.ReportStatusRequest, context: Context
    ) -> pb.ReportStatusResponse:
        """What the agency did with a document."""
        form = Form()
        reception = _reception(form, request.name)
        request_id = form.request_id("request_id", request.request_id)
        form.required("status_code", request.status_code)
        form.check()
        repeated = await self._inbox.report(
            self._callers.vendor(context),
            reception,
            request_id=request_id,
            status_code=request.status_code,
            description=request.description,
            staff=staff_in(request.staff_info),
        )
        return pb.ReportStatusResponse(repeated_request=repeated)

    def _release(self, reception: ReceptionId) -> None:
        for window in self._windows:
            window.release(reception)
        self._wakeups.notify(INBOX)


def _reception(form: Form, name: str) -> ReceptionId:
    return ReceptionId(form.resource("name", name, "receivedDocuments"))


def _lease(form: Form, wish: Duration) -> timedelta:
    return form.span("ack_deadline", wish, default=_DEFAULT_LEASE, lowest=_SHORTEST_LEASE, highest=_LONGEST_LEASE)
