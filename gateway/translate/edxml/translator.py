"""The Translator port for edXML: ties writer, packet and reader to the blob store."""

from collections.abc import AsyncIterator, Sequence

from gateway.domain.document import Document, Organization, TraceHeader
from gateway.domain.packet import Draft, PacketDefect, Received, Sealed, StoredObject, Unpacked
from gateway.domain.status import StatusReport
from gateway.ports import Blobs, Translator
from gateway.translate.edxml.packet import packet_bytes, seal
from gateway.translate.edxml.reader import read_packet
from gateway.translate.edxml.writer import write_document, write_status
from gateway.xmlsafe import Limits


class EdxmlTranslator(Translator):
    """Documents and statuses to QCVN 102 packets and back."""

    def __init__(self, *, blobs: Blobs, limits: Limits) -> None:
        self._blobs = blobs
        self._limits = limits

    def draft_document(
        self,
        document: Document,
        objects: Sequence[StoredObject],
        *,
        recipients: Sequence[Organization],
        hop: TraceHeader,
    ) -> Draft:
        """The packet of a document. Raises UnwritableTextError, which domain rules exclude."""
        return write_document(document, objects, recipients=recipients, hop=hop)

    def draft_status(self, report: StatusReport) -> Draft:
        """The packet of a status. Raises UnwritableTextError as `draft_document`."""
        return write_status(report)

    async def seal(self, draft: Draft) -> Sealed:
        """Exact length and digest."""
        return await seal(draft, self._blobs)

    def stream(self, draft: Draft) -> AsyncIterator[bytes]:
        """The packet's bytes."""
        return packet_bytes(draft, self._blobs)

    async def read(self, received: Received) -> Unpacked | PacketDefect:
        """What is in a packet; attachments are stored on the way, and discarded again after a defect."""
        raw = self._blobs.stream(received.raw)
        return await read_packet(raw, objects=self._blobs, limits=self._limits, said=received.item.kind)
