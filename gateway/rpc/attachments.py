"""Bytes in and out: uploads are checked against what was declared, downloads name an attachment, never a digest."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import Digest, DocumentUid, ReceptionId, VendorId
from gateway.domain.packet import StoredObject
from gateway.pb.lgsp.gateway.v1 import document_service_pb2 as pb
from gateway.pb.lgsp.gateway.v1 import inbox_service_pb2
from gateway.ports import Admission, BlobIndex, Blobs, Clock, Directory, Documents, Receptions
from gateway.rpc.config import CHUNK_LIMIT, RpcConfig
from gateway.rpc.convert.form import Form
from gateway.rpc.convert.outgoing import timestamp
from gateway.rpc.identity import Callers, Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What an upload declares before its first byte."""

    size: int
    sha256: Digest


class Uploads:
    """Takes files over chunk by chunk; memory does not grow with the file."""

    def __init__(
        self,
        *,
        config: RpcConfig,
        callers: Callers,
        blobs: Blobs,
        blob_index: BlobIndex,
        admission: Admission,
        clock: Clock,
    ) -> None:
        self._config = config
        self._callers = callers
        self._blobs = blobs
        self._blob_index = blob_index
        self._admission = admission
        self._clock = clock

    async def receive(
        self, requests: AsyncIterator[pb.UploadAttachmentRequest], context: Context
    ) -> pb.UploadAttachmentResponse:
        """Store one file. Answers after it is durable.

        Raises GatewayError UPLOAD_MALFORMED, INVALID_FIELD, AGENCY_NOT_PERMITTED, ATTACHMENT_TOO_LARGE, SIZE_MISMATCH,
        DIGEST_MISMATCH; STORAGE_FULL before the first byte is taken.
        """
        first = await self._next(requests)
        if first is None or first.WhichOneof("payload") != "metadata":
            raise _malformed("metadata must come first")
        announced = self._announcement(first.metadata)
        vendor, _ = await self._callers.acting(context, first.metadata.agency)
        async with self._admission.admitted(announced.size):
            stored = await self._store(requests, announced)
            upload = await self._blob_index.register_upload(
                vendor, stored, expires_at=self._clock.now() + self._config.upload_expiry
            )
        if upload.stored.key != stored.key:
            await self._blobs.discard([stored.key])
        return pb.UploadAttachmentResponse(
            sha256=stored.digest, size_bytes=stored.size, expire_time=timestamp(upload.expires_at)
        )

    def _announcement(self, metadata: pb.UploadMetadata) -> Announcement:
        form = Form()
        form.required("metadata.agency", metadata.agency)
        form.required("metadata.attachment_name", metadata.attachment_name)
        digest = form.digest("metadata.sha256", metadata.sha256)
        if metadata.size_bytes < 1:
            form.wrong("metadata.size_bytes", "must be at least 1", "phải từ 1 trở lên")
        form.check()
        if metadata.size_bytes > self._config.attachment_limit:
            raise GatewayError(ErrorCode.ATTACHMENT_TOO_LARGE, limit=self._config.attachment_limit)
        return Announcement(size=metadata.size_bytes, sha256=digest)

    async def _store(
        self, requests: AsyncIterator[pb.UploadAttachmentRequest], announced: Announcement
    ) -> StoredObject:
        received = 0
        async with self._blobs.writer(limit=announced.size) as writer:
            while (request := await self._next(requests)) is not None:
                if request.WhichOneof("payload") != "chunk" or len(request.chunk) > CHUNK_LIMIT:
                    raise _malformed("after metadata only chunks of at most 1 MiB may come")
                received += len(request.chunk)
                if received > announced.size:
                    raise GatewayError(ErrorCode.SIZE_MISMATCH, declared=announced.size, received=f"> {announced.size}")
                await writer.write(request.chunk)
            if received != announced.size:
                raise GatewayError(ErrorCode.SIZE_MISMATCH, declared=announced.size, received=received)
            stored = await writer.finish()
        if stored.digest != announced.sha256:
            await self._blobs.discard([stored.key])
            raise GatewayError(ErrorCode.DIGEST_MISMATCH, declared=announced.sha256, received=stored.digest)
        return stored

    async def _next(self, requests: AsyncIterator[pb.UploadAttachmentRequest]) -> pb.UploadAttachmentRequest | None:
        try:
            async with asyncio.timeout(self._config.upload_idle.total_seconds()):
                return await anext(requests, None)
        except TimeoutError:
            raise _malformed(f"nothing arrived for {self._config.upload_idle.total_seconds():g} s") from None


class Downloads:
    """Hands out the bytes of attachments of documents the caller may see."""

    def __init__(
        self, *, callers: Callers, directory: Directory, documents: Documents, receptions: Receptions, blobs: Blobs
    ) -> None:
        self._callers = callers
        self._directory = directory
        self._documents = documents
        self._receptions = receptions
        self._blobs = blobs

    async def send(
        self, request: inbox_service_pb2.DownloadAttachmentRequest, context: Context
    ) -> AsyncIterator[inbox_service_pb2.DownloadAttachmentResponse]:
        """The bytes from the offset on, in chunks of at most 256 KiB.

        Raises GatewayError INVALID_FIELD, and DOCUMENT_UNKNOWN for foreign documents too.
        """
        form = Form()
        collection, document, index = form.attachment("name", request.name)
        if request.offset < 0:
            form.wrong("offset", "is negative", "là số âm")
        form.check()
        vendor = self._callers.vendor(context)
        if collection == "documents":
            stored = await self._of_sent(vendor, DocumentUid(document), index)
        else:
            stored = await self._of_received(vendor, ReceptionId(document), index)
        if stored is None:
            raise GatewayError(ErrorCode.DOCUMENT_UNKNOWN, name=request.name)
        if request.offset > stored.size:
            form.wrong("offset", f"is past the end, {stored.size}", f"vượt quá kích thước {stored.size}")
            form.check()
        async for chunk in self._blobs.stream(stored, offset=request.offset):
            yield inbox_service_pb2.DownloadAttachmentResponse(chunk=chunk)

    async def _of_sent(self, vendor: VendorId, uid: DocumentUid, index: int) -> StoredObject | None:
        sent = await self._documents.get(uid)
        if sent is None or not await self._directory.may_act(vendor, sent.agency):
            return None
        return await self._documents.attachment(uid, index)

    async def _of_received(self, vendor: VendorId, reception: ReceptionId, index: int) -> StoredObject | None:
        entry = await self._receptions.get(reception)
        if entry is None or not await self._directory.serves(vendor, entry.recipient.id):
            return None
        return await self._receptions.attachment(reception, index)


def _malformed(detail: str) -> GatewayError:
    return GatewayError(ErrorCode.UPLOAD_MALFORMED, detail=detail)
