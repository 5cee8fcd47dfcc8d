"""The Translator port for edXML: ties writer, packet and reader to the blob store."""

from collections.abc import AsyncIterator, Collection, Sequence

from gateway.domain.dialect import Dialect
from gateway.domain.document import Document, Organization, TraceHeader
from gateway.domain.packet import (
    ContentSpan,
    Draft,
    PacketDefect,
    Received,
    Sealed,
    SplitPacket,
    StoredObject,
    Unpacked,
)
from gateway.domain.status import StatusReport
from gateway.ports import Blobs, Translator
from gateway.translate.edxml.contents.mistakable import mistakable
from gateway.translate.edxml.reading.reader import read_packet
from gateway.translate.edxml.splitting import join, split
from gateway.translate.edxml.writing.packet import packet_bytes, packet_length, seal
from gateway.translate.edxml.writing.writer import write_document, write_status
from gateway.xmlsafe import Limits


class EdxmlTranslator(Translator):
    """Documents and statuses to QCVN 102 packets and back, for one peer."""

    def __init__(self, *, blobs: Blobs, limits: Limits, dialect: Dialect) -> None:
        self._blobs = blobs
        self._limits = limits
        self._dialect = dialect

    def draft_document(
        self,
        document: Document,
        objects: Sequence[StoredObject],
        *,
        recipients: Sequence[Organization],
        hop: TraceHeader,
        wrap: Collection[int] = (),
    ) -> Draft | PacketDefect:
        """The packet of a document. Raises UnwritableTextError, which domain rules exclude."""
        return write_document(document, objects, recipients=recipients, hop=hop, dialect=self._dialect, wrap=wrap)

    async def mistakable(self, document: Document, objects: Sequence[StoredObject]) -> frozenset[int]:
        """Attachments that the receiver would take for wrapping ZIPs."""
        return await mistakable(document.attachments, objects, self._blobs, self._dialect)

    def draft_status(self, report: StatusReport) -> Draft:
        """The packet of a status. Raises UnwritableTextError as `draft_document`."""
        return write_status(report, dialect=self._dialect)

    def length(self, draft: Draft) -> int:
        """Exact bytes of the packet."""
        return packet_length(draft)

    async def seal(self, draft: Draft) -> Sealed:
        """Exact length and digest."""
        return await seal(draft, self._blobs)

    def stream(self, draft: Draft) -> AsyncIterator[bytes]:
        """The packet's bytes."""
        return packet_bytes(draft, self._blobs)

    async def read(self, received: Received) -> Unpacked | PacketDefect:
        """What is in a packet; attachments are stored on the way, and discarded again after a defect."""
        raw = self._blobs.stream(received.raw)
        return await read_packet(
            raw, objects=self._blobs, limits=self._limits, said=received.item.kind, dialect=self._dialect
        )

    async def split(self, received: Received, spans: Sequence[ContentSpan]) -> SplitPacket | None:
        """The raw packet without these contents."""
        return await split(received.raw, spans, self._blobs)

    def join(self, split_packet: SplitPacket) -> AsyncIterator[bytes]:
        """The raw packet again."""
        return join(split_packet, self._blobs)
