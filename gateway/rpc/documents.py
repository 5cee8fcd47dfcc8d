"""DocumentService: documents going out."""

from collections.abc import AsyncIterator, Mapping

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import Digest, DocumentUid, OrganId
from gateway.domain.lifecycle import DeliveryState
from gateway.domain.packet import StoredObject
from gateway.pb.lgsp.gateway.v1 import document_pb2, document_service_pb2_grpc
from gateway.pb.lgsp.gateway.v1 import document_service_pb2 as pb
from gateway.ports import (
    Admission,
    Blobs,
    Directory,
    DocumentFilter,
    DocumentPage,
    Documents,
    PageKey,
    Submission,
    Submissions,
)
from gateway.rpc.attachments import Uploads
from gateway.rpc.config import ANSWER_TARGET
from gateway.rpc.convert.form import Form
from gateway.rpc.convert.incoming import document_in
from gateway.rpc.convert.outgoing import DELIVERY_STATES, sent_document_out, warning_out
from gateway.rpc.events import EventStreams
from gateway.rpc.identity import Callers, Context, find_agency
from gateway.rpc.tokens import document_page_key, document_page_token, filter_digest

_STATES: Mapping[int, DeliveryState | None] = {
    document_pb2.DELIVERY_STATE_UNSPECIFIED: None,
    **{shown: state for state, shown in DELIVERY_STATES.items()},
}


class DocumentService(document_service_pb2_grpc.DocumentServiceServicer):
    """Converts, calls a port, renders."""

    def __init__(
        self,
        *,
        callers: Callers,
        directory: Directory,
        submissions: Submissions,
        documents: Documents,
        blobs: Blobs,
        admission: Admission,
        uploads: Uploads,
        streams: EventStreams,
    ) -> None:
        self._callers = callers
        self._directory = directory
        self._submissions = submissions
        self._documents = documents
        self._blobs = blobs
        self._admission = admission
        self._uploads = uploads
        self._streams = streams

    async def UploadAttachment(  # noqa: N802 - named by the contract
        self, request_iterator: AsyncIterator[pb.UploadAttachmentRequest], context: Context
    ) -> pb.UploadAttachmentResponse:
        """Store one file."""
        return await self._uploads.receive(request_iterator, context)

    async def SubmitDocument(  # noqa: N802 - named by the contract
        self, request: pb.SubmitDocumentRequest, context: Context
    ) -> pb.SubmitDocumentResponse:
        """Take a document over."""
        form = Form()
        form.required("agency", request.agency)
        request_id = form.request_id("request_id", request.request_id)
        if not request.HasField("document"):
            form.wrong("document", "is required", "là trường bắt buộc")
        submitted = document_in(form, request.document)
        form.check()
        vendor, agency = await self._callers.acting(context, request.agency)
        result = await self._submissions.submit(
            Submission(
                vendor=vendor,
                agency=agency,
                request_id=request_id,
                document=submitted.document,
                inline=await self._stored(submitted.inline),
                validate_only=request.validate_only,
            )
        )
        return pb.SubmitDocumentResponse(
            document=sent_document_out(result.sent),
            repeated_request=result.repeated,
            warnings=[warning_out(each) for each in result.warnings],
        )

    async def GetDocument(  # noqa: N802 - named by the contract
        self, request: pb.GetDocumentRequest, context: Context
    ) -> document_pb2.Document:
        """One document of the acting agency or of a unit below it; of all others nothing is said but "unknown"."""
        form = Form()
        form.required("agency", request.agency)
        uid = DocumentUid(form.resource("name", request.name, "documents"))
        form.check()
        _, agency = await self._callers.acting(context, request.agency)
        sent = await self._documents.get(uid)
        if sent is None or agency.id not in {unit.id for unit in await self._directory.lineage(sent.agency)}:
            raise GatewayError(ErrorCode.DOCUMENT_UNKNOWN, name=request.name)
        return sent_document_out(sent)

    async def ListDocuments(  # noqa: N802 - named by the contract
        self, request: pb.ListDocumentsRequest, context: Context
    ) -> pb.ListDocumentsResponse:
        """A page of documents."""
        form = Form()
        form.required("agency", request.agency)
        limit = form.count("page_size", request.page_size, default=50, highest=500)
        state = form.choice("state", request.state, _STATES, None)
        accepted_from = form.instant("accepted_from", request.accepted_from)
        accepted_before = form.instant("accepted_before", request.accepted_before)
        form.check()
        vendor, agency = await self._callers.acting(context, request.agency)
        bound_to = filter_digest(vendor, request, paging=("page_size", "page_token"))
        after = document_page_key(request.page_token, bound_to)
        wanted = DocumentFilter(
            agencies=None if request.include_subtree else frozenset({agency.id}),
            root=agency.id,
            document_id=request.document_id,
            state=state,
            recipient=await self._current_code(request.recipient),
            accepted_from=accepted_from,
            accepted_before=accepted_before,
        )
        found = await self._documents.list(wanted, after=after, limit=limit)
        return _page(found, bound_to)

    def WatchEvents(  # noqa: N802 - named by the contract
        self, request: pb.WatchEventsRequest, context: Context
    ) -> AsyncIterator[pb.WatchEventsResponse]:
        """Everything that becomes of documents."""
        return self._streams.watch(request, context)

    async def _current_code(self, code: str) -> OrganId | None:
        if not code:
            return None
        agency = await find_agency(self._directory, code)
        if agency is None:
            raise GatewayError(ErrorCode.AGENCY_UNKNOWN, agency=code)
        return agency.code

    async def _stored(self, inline: Mapping[Digest, bytes]) -> Mapping[Digest, StoredObject]:
        """Small files that came inside the request; should a later step fail, the sweep finds them."""
        objects: dict[Digest, StoredObject] = {}
        if not inline:
            return objects
        async with self._admission.admitted(sum(len(content) for content in inline.values())):
            for digest, content in inline.items():
                async with self._blobs.writer(limit=len(content)) as writer:
                    await writer.write(content)
                    objects[digest] = await writer.finish()
        return objects


def _page(found: DocumentPage, bound_to: str) -> pb.ListDocumentsResponse:
    """As many of the documents found as fit into an answer, at least one."""
    page = pb.ListDocumentsResponse()
    size = 0
    after = found.after
    for i, sent in enumerate(found.documents):
        message = sent_document_out(sent)
        size += message.ByteSize()
        if i > 0 and size > ANSWER_TARGET:
            last = found.documents[i - 1]
            after = PageKey(accepted_at=last.accepted_at, uid=last.uid)
            break
        page.documents.append(message)
    if after is not None:
        page.next_page_token = document_page_token(after, bound_to)
    return page
