"""Reading a packet: chunks in, a document or status out, or the one reason why not."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace

from gateway.domain.document import Document
from gateway.domain.ids import ObjectKey
from gateway.domain.packet import PacketDefect, PacketKind, StoredObject, Unpacked, UnpackedDocument, UnpackedStatus
from gateway.ports import BlobWriter
from gateway.translate.edxml.attachments import HEAD, Carried, Unwrapper, link, with_roles
from gateway.translate.edxml.base64text import Base64Decoder, Base64Error
from gateway.translate.edxml.codes import NS102
from gateway.translate.edxml.findings import Defect, Findings, RefusedError, Tolerance, refusal, xml_refusal
from gateway.translate.edxml.header import Header, read_header
from gateway.translate.edxml.objects import AttachmentObjects
from gateway.translate.edxml.shape import OPENING, Shape, look
from gateway.translate.edxml.tree import Node
from gateway.xmlsafe import End, Event, Limits, PacketParser, Start, Text, XmlRefusedError

_CONTENT = "ContentTransferEncoded"
_TURN = 2000
"""Events after which other tasks get their turn."""
_CONTENT_PARENTS = ("Attachment", "AttachmentEncoded")


async def read_packet(
    chunks: AsyncIterator[bytes],
    *,
    objects: AttachmentObjects,
    limits: Limits,
    said: PacketKind | None,
) -> Unpacked | PacketDefect:
    """Read one packet; attachments go to `objects`. Never raises for what a peer may send.

    `said` is what the transport called the packet, None if nothing did. After a defect, and after a failure of the
    store, everything written is discarded.
    """
    reader = _Reader(objects=objects, limits=limits)
    try:
        return await reader.read(chunks, said)
    except RefusedError as refused:
        await reader.forget()
        return refused.defect
    except BaseException:
        await reader.forget()
        raise


class _Reader:
    """The state of one reading."""

    def __init__(self, *, objects: AttachmentObjects, limits: Limits) -> None:
        self._objects = objects
        self._limits = limits
        self._findings = Findings()
        self._shape = Shape(self._findings)
        self._carried: list[Carried] = []
        self._created: set[ObjectKey] = set()
        self._content: _Content | None = None
        self._parser = PacketParser(limits, bulk=frozenset({f"{{{NS102}}}{_CONTENT}"}))

    async def read(self, chunks: AsyncIterator[bytes], said: PacketKind | None) -> Unpacked:
        """Chunks to events to values."""
        async with AsyncExitStack() as writers:
            async for chunk in _opened(chunks):
                await self._take(self._parser.feed(chunk), writers)
                await asyncio.sleep(0)  # a store that answers from memory must not make this one long turn
            await self._take(self._parser.finish(), writers)
        header = read_header(self._shape.finish(), self._limits, self._findings)
        self._compare(header, said)
        if not isinstance(header, Document):
            if self._carried:
                self._findings.add(Tolerance.ATTACHMENT_IN_STATUS, self._carried[0].node)
                await self.forget()
            return UnpackedStatus(report=header, warnings=self._findings.all())
        return await self._with_attachments(header)

    async def forget(self) -> None:
        """Discard every object written."""
        await self._objects.discard(sorted(self._created))

    def _compare(self, header: Header, said: PacketKind | None) -> None:
        found = PacketKind.DOCUMENT if isinstance(header, Document) else PacketKind.STATUS
        if said is not None and said is not found:
            self._findings.add(Tolerance.KIND_DIFFERS, "edXML", said=said, found=found)

    async def _take(self, events: Iterator[Event], writers: AsyncExitStack) -> None:
        try:
            for count, event in enumerate(events, 1):
                await self._event(event, writers)
                if not count % _TURN:
                    await asyncio.sleep(0)
        except XmlRefusedError as error:
            raise xml_refusal(error) from None
        if self._content is not None:
            await self._content.flush()

    async def _event(self, event: Event, writers: AsyncExitStack) -> None:
        match event:
            case Start():
                if self._content is not None:
                    path = self._content.node.path
                    raise refusal(Defect.ATTACHMENT_BASE64, path, detail="there is an element in it")
                self._shape.start(event)
                if self._shape.inside(_CONTENT, *_CONTENT_PARENTS):
                    await self._begin(writers)
            case Text(text):
                if self._content is not None:
                    self._content.pieces.append(text)
                elif self._shape.current_name != _CONTENT:
                    self._shape.text(text)
            case End():
                if self._content is not None:
                    await self._end(self._content)
                    await writers.aclose()
                self._shape.end()

    async def _begin(self, writers: AsyncExitStack) -> None:
        node = self._shape.current
        if len(self._carried) >= self._limits.attachments:
            raise refusal(Defect.ATTACHMENTS_TOO_MANY, node.path, limit=self._limits.attachments)
        writer = await writers.enter_async_context(self._objects.writer(limit=self._limits.attachment))
        self._content = _Content(node, writer, self._limits.attachment)

    async def _end(self, content: "_Content") -> None:
        self._content = None
        stored = await content.finish()
        self._created.add(stored.key)
        attachment = content.node.parent
        assert attachment is not None
        self._carried.append(Carried(node=attachment, stored=stored, head=content.head))

    async def _with_attachments(self, header: Document) -> UnpackedDocument:
        references = self._shape.references()
        if len(references) > self._limits.attachments:
            raise refusal(Defect.ATTACHMENTS_TOO_MANY, references[-1].path, limit=self._limits.attachments)
        unwrapper = Unwrapper(
            objects=self._objects, limits=self._limits, findings=self._findings, created=self._created
        )
        wanted = await self._without_hollow()
        self._note_contentless()
        made = [await unwrapper.attachment(one) for one in link(wanted, references, self._findings)]
        document = replace(header, attachments=with_roles([attachment for attachment, _ in made]))
        return UnpackedDocument(
            document=document, objects=tuple(stored for _, stored in made), warnings=self._findings.all()
        )

    def _note_contentless(self) -> None:
        with_content = {id(item.node) for item in self._carried}
        for node in self._shape.attachments():
            if id(node) not in with_content:
                self._findings.add(Tolerance.ATTACHMENT_WITHOUT_CONTENT, node)

    async def _without_hollow(self) -> list[Carried]:
        """Drop Attachment elements with neither bytes nor words: they occur and mean nothing."""
        hollow = [item for item in self._carried if not item.stored.size and item.node.is_empty()]
        for item in hollow:
            self._created.discard(item.stored.key)
            await self._objects.discard([item.stored.key])
        return [item for item in self._carried if item not in hollow]


async def _opened(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks, the first one long enough to be looked at, and looked at."""
    opening: bytes | None = b""
    async for chunk in chunks:
        if opening is None:
            yield chunk
            continue
        opening += chunk
        if len(opening) >= OPENING:
            look(opening)
            yield opening
            opening = None
    if opening is not None:
        look(opening)
        yield opening


class _Content:
    """The text of one ContentTransferEncoded on its way into an object."""

    def __init__(self, node: Node, writer: BlobWriter, limit: int) -> None:
        self.node = node
        self.pieces: list[str] = []
        self.head = b""
        self._writer = writer
        self._limit = limit
        self._size = 0
        self._decoder = Base64Decoder()

    async def flush(self) -> None:
        """Decode and write what has come since the last time."""
        text, self.pieces = "".join(self.pieces), []
        try:
            data = self._decoder.feed(text)
        except Base64Error as error:
            raise refusal(Defect.ATTACHMENT_BASE64, self.node.path, detail=error) from None
        if not data:
            return
        self._size += len(data)
        if self._size > self._limit:
            raise refusal(Defect.ATTACHMENT_TOO_LARGE, self.node.path, limit=self._limit)
        self.head += data[: HEAD - len(self.head)]
        await self._writer.write(data)

    async def finish(self) -> StoredObject:
        """The object, durable."""
        await self.flush()
        try:
            self._decoder.finish()
        except Base64Error as error:
            raise refusal(Defect.ATTACHMENT_BASE64, self.node.path, detail=error) from None
        return await self._writer.finish()
