"""A vendor's document system (QLVB) as the gateway sees it: a gRPC client with a certificate of its own.

What a vendor's engineer writes in an afternoon; docs/vendors.md walks through it.
"""

import hashlib
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

import grpc

from gateway.pb.lgsp.gateway.v1 import (
    document_pb2,
    document_service_pb2,
    document_service_pb2_grpc,
    inbox_service_pb2,
    inbox_service_pb2_grpc,
)
from gateway.sandbox.demo.province import Province

_CHUNK = 256 * 1024
_CALL_SECONDS = 60
_RECONNECT = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a document."""

    name: str
    media_type: str
    path: Path

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size

    @property
    def sha256(self) -> str:
        """Digest of the bytes, read in chunks."""
        with self.path.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()


class Vendor:
    """One connection of a vendor system to its province's gateway."""

    def __init__(self, channel: grpc.aio.Channel, *, agency: str) -> None:
        """Act for `agency` over an open channel."""
        self.agency = agency
        self._channel = channel
        self._documents = document_service_pb2_grpc.DocumentServiceStub(channel)
        self._inbox = inbox_service_pb2_grpc.InboxServiceStub(channel)

    @classmethod
    def connect(cls, province: Province, *, agency: str) -> Self:
        """Connect with the certificate of the province's vendor system."""
        certificate, key = province.vendor_files
        credentials = grpc.ssl_channel_credentials(
            root_certificates=province.servers_ca.read_bytes(),
            private_key=key.read_bytes(),
            certificate_chain=certificate.read_bytes(),
        )
        return cls(grpc.aio.secure_channel(province.address, credentials, options=_RECONNECT), agency=agency)

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    async def upload(self, file: File) -> None:
        """Store a file in the gateway."""

        async def messages() -> AsyncIterator[document_service_pb2.UploadAttachmentRequest]:
            metadata = document_service_pb2.UploadMetadata(
                agency=self.agency,
                attachment_name=file.name,
                media_type=file.media_type,
                size_bytes=file.size,
                sha256=file.sha256,
            )
            yield document_service_pb2.UploadAttachmentRequest(metadata=metadata)
            with file.path.open("rb") as source:
                while chunk := source.read(_CHUNK):
                    yield document_service_pb2.UploadAttachmentRequest(chunk=chunk)

        await self._documents.UploadAttachment(messages(), timeout=_CALL_SECONDS)

    async def submit(
        self,
        document: document_pb2.Document,
        *,
        request_id: str = "",
    ) -> document_service_pb2.SubmitDocumentResponse:
        """Hand a document over; the same `request_id` again is the same document."""
        request = document_service_pb2.SubmitDocumentRequest(
            agency=self.agency,
            request_id=request_id or str(uuid.uuid4()),
            document=document,
        )
        return await self._documents.SubmitDocument(request, timeout=_CALL_SECONDS)

    async def get(self, name: str) -> document_pb2.Document:
        """One sent document with its deliveries."""
        request = document_service_pb2.GetDocumentRequest(name=name, agency=self.agency)
        return await self._documents.GetDocument(request, timeout=_CALL_SECONDS)

    async def watch(
        self,
        *,
        resume_token: str = "",
        from_beginning: bool = False,
    ) -> AsyncIterator[document_service_pb2.WatchEventsResponse]:
        """Events and heartbeats until the stream is closed."""
        request = document_service_pb2.WatchEventsRequest(resume_token=resume_token, from_beginning=from_beginning)
        async for response in self._documents.WatchEvents(request):
            yield response

    async def pull(
        self, *, most: int = 10, ack_deadline: timedelta = timedelta(seconds=60)
    ) -> Sequence[inbox_service_pb2.ReceivedDocument]:
        """Lease what is waiting; what is not acknowledged within `ack_deadline` comes again."""
        request = inbox_service_pb2.PullDocumentsRequest(max_documents=most)
        request.ack_deadline.FromTimedelta(ack_deadline)
        return (await self._inbox.PullDocuments(request, timeout=_CALL_SECONDS)).documents

    async def download(self, name: str, target: Path) -> str:
        """Write one attachment to `target`; the digest of what came."""
        digest = hashlib.sha256()
        request = inbox_service_pb2.DownloadAttachmentRequest(name=name)
        with target.open("wb") as sink:
            async for response in self._inbox.DownloadAttachment(request, timeout=_CALL_SECONDS):
                digest.update(response.chunk)
                sink.write(response.chunk)
        return digest.hexdigest()

    async def acknowledge(self, received: inbox_service_pb2.ReceivedDocument) -> None:
        """The document is safe in this system."""
        request = inbox_service_pb2.AcknowledgeDocumentRequest(name=received.name, ack_id=received.ack_id)
        await self._inbox.AcknowledgeDocument(request, timeout=_CALL_SECONDS)

    async def report(
        self, received: inbox_service_pb2.ReceivedDocument, status_code: str, *, request_id: str = ""
    ) -> None:
        """Tell the sender what the agency did; the same `request_id` again is the same report."""
        request = inbox_service_pb2.ReportStatusRequest(
            name=received.name,
            request_id=request_id or str(uuid.uuid4()),
            status_code=status_code,
            staff_info=document_pb2.StaffInfo(department="Văn thư", staff="Nguyễn Văn B"),
        )
        await self._inbox.ReportStatus(request, timeout=_CALL_SECONDS)


def compose(
    *,
    number: str,
    subject: str,
    recipients: Sequence[str],
    files: Sequence[File],
    issued: str,
) -> document_pb2.Document:
    """An official dispatch (công văn) with these files; `issued` is the date of issue, `yyyy-MM-dd`."""
    return document_pb2.Document(
        to=[document_pb2.Organization(organ_id=code) for code in recipients],
        code_number=number,
        code_notation="UBND-VP",
        promulgation_place="Tỉnh A",
        promulgation_date=issued,
        document_type=document_pb2.DocumentType(type=2, type_detail=18, type_name="Công văn"),
        subject=subject,
        signer_info=document_pb2.SignerInfo(position="Chủ tịch", full_name="Trần Thị A"),
        other_info=document_pb2.OtherInfo(priority=document_pb2.PRIORITY_FLASH, page_amount=1),
        attachments=[
            document_pb2.Attachment(attachment_name=file.name, media_type=file.media_type, sha256=file.sha256)
            for file in files
        ],
    )
