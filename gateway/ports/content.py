"""Content: stored bytes, packets made of them, signatures found in them."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gateway.domain.document import Document, Organization, TraceHeader
from gateway.domain.ids import ObjectKey
from gateway.domain.packet import (
    ContentSpan,
    Draft,
    PacketDefect,
    Received,
    Sealed,
    SplitPacket,
    StoredObject,
    Unpacked,
    UnpackedDocument,
    VerifiedDocument,
)
from gateway.domain.status import StatusReport
from gateway.domain.verdict import SignatureVerdict


class Clock(Protocol):
    """The only source of the present."""

    @abstractmethod
    def now(self) -> datetime:
        """The present instant, aware, UTC."""


class BlobWriter(Protocol):
    """One object being written. Nothing of it can be seen before `finish`."""

    @abstractmethod
    async def write(self, chunk: bytes) -> None:
        """Append bytes. Raises GatewayError ATTACHMENT_TOO_LARGE past the writer's limit."""

    @abstractmethod
    async def finish(self) -> StoredObject:
        """Make the object durable (file and directory synced) and name it by its digest. Call once."""


class Blobs(Protocol):
    """Bytes of attachments and raw packets. Objects have opaque keys; rows of the store refer to them.

    An object no row refers to is garbage: `discard` it when known, the sweep finds the rest.
    """

    @abstractmethod
    def writer(self, *, limit: int) -> AbstractAsyncContextManager[BlobWriter]:
        """A writer for one object of at most `limit` bytes; leaving the context without `finish` removes everything."""

    @abstractmethod
    def stream(self, stored: StoredObject, *, offset: int = 0) -> AsyncIterator[bytes]:
        """The object's bytes from `offset` on, in chunks of at most 256 KiB."""

    @abstractmethod
    def local_path(self, stored: StoredObject) -> AbstractAsyncContextManager[Path]:
        """A readable file with the object's bytes, for the length of the context."""

    @abstractmethod
    async def discard(self, keys: Iterable[ObjectKey]) -> None:
        """Remove objects that no row refers to; unknown keys are ignored."""

    @abstractmethod
    def keys(self, *, older_than: datetime) -> AsyncIterator[Sequence[ObjectKey]]:
        """All keys of objects last modified before an instant, in batches, for the sweep."""


class Translator(Protocol):
    """Domain values to packets of one wire format and back."""

    @abstractmethod
    def draft_document(
        self,
        document: Document,
        objects: Sequence[StoredObject],
        *,
        recipients: Sequence[Organization],
        hop: TraceHeader,
        wrap: Collection[int] = (),
    ) -> Draft | PacketDefect:
        """The packet of a document for these recipients (one message's share); `hop` is the trace entry.

        `wrap`: places of attachments as `mistakable` tells them, which get a wrapper of their own.
        A defect says why it must not be sent: the hop stands in the document's trace already.
        """

    @abstractmethod
    async def mistakable(self, document: Document, objects: Sequence[StoredObject]) -> frozenset[int]:
        """Places of attachments that the receiver would take for wrappers and open: other bytes would arrive."""

    @abstractmethod
    def draft_status(self, report: StatusReport) -> Draft:
        """The packet of a status; its addressee is report.response_for.organ_id."""

    @abstractmethod
    def length(self, draft: Draft) -> int:
        """Exact bytes of the packet, without reading anything."""

    @abstractmethod
    async def seal(self, draft: Draft) -> Sealed:
        """Exact length and digest, found in one pass over the parts."""

    @abstractmethod
    def stream(self, draft: Draft) -> AsyncIterator[bytes]:
        """The packet's bytes, the same at every call."""

    @abstractmethod
    async def read(self, received: Received) -> Unpacked | PacketDefect:
        """What is in a packet; attachments are written to the blobs on the way. Never raises for what a peer may send.

        After a PacketDefect nothing written stays behind.
        """

    @abstractmethod
    async def split(self, received: Received, spans: Sequence[ContentSpan]) -> SplitPacket | None:
        """The raw packet without these contents, its skeleton stored; None where the parts do not give its digest.

        The bytes that the parts give are digested before it is answered, so that the raw object may then go.
        """

    @abstractmethod
    def join(self, split_packet: SplitPacket) -> AsyncIterator[bytes]:
        """The raw packet again, byte for byte."""


class SignatureCheck(Protocol):
    """Judges the signatures inside attachments."""

    @abstractmethod
    async def check(self, objects: Sequence[StoredObject], *, at: datetime) -> tuple[SignatureVerdict | None, ...]:
        """One verdict per object, None for what is no PDF. An unreadable PDF has one too; never raises for content."""

    @abstractmethod
    async def verify(self, unpacked: UnpackedDocument, *, at: datetime) -> VerifiedDocument:
        """The document with a verdict on every attachment."""
