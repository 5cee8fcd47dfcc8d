"""Reading a packet: chunks in, a document or status out, or the one reason why not."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import islice

from gateway.domain.dialect import NATIONAL, Dialect
from gateway.domain.document import Document
from gateway.domain.ids import ObjectKey
from gateway.domain.packet import PacketDefect, PacketKind, Unpacked, UnpackedDocument, UnpackedStatus
from gateway.translate.edxml.codes import CONTENT, NS102
from gateway.translate.edxml.contents.attachments import Carried, Unwrapper, link, with_roles
from gateway.translate.edxml.contents.content import Content, open_content
from gateway.translate.edxml.contents.objects import AttachmentObjects
from gateway.translate.edxml.findings import (
    WARNING_LIMIT,
    Defect,
    Findings,
    RefusedError,
    Tolerance,
    refusal,
    xml_refusal,
)
from gateway.translate.edxml.reading.header import Header, read_header
from gateway.translate.edxml.reading.prefixes import misprefixed
from gateway.translate.edxml.reading.shape import BOM, OPENING, Shape, look
from gateway.translate.edxml.tree import Node
from gateway.xmlsafe import Bulk, End, Event, Limits, PacketParser, Start, Text, XmlRefusedError

_UTF8 = frozenset({"", "utf-8", "utf8"})
"""Encodings a declaration may name, in lower case, and none."""
_TURN = 2000
"""Events after which other tasks get their turn."""
_PARENTS = ("Attachment", "AttachmentEncoded")


async def read_packet(
    chunks: AsyncIterator[bytes],
    *,
    objects: AttachmentObjects,
    limits: Limits,
    said: PacketKind | None,
    dialect: Dialect = NATIONAL,
) -> Unpacked | PacketDefect:
    """Read one packet; attachments go to `objects`. Never raises for what a peer may send.

    `said` is what the transport called the packet, None if nothing did; `dialect` is that of the peer it came from.
    After a defect, and after a failure of the store, everything written is discarded.
    """
    return await PacketReading(objects=objects, limits=limits, dialect=dialect).read(chunks, said)


class PacketReading:
    """One reading of one packet; what it came across can be looked at afterwards."""

    def __init__(
        self,
        *,
        objects: AttachmentObjects,
        limits: Limits,
        dialect: Dialect = NATIONAL,
        warnings: int | None = WARNING_LIMIT,
    ) -> None:
        """At most `warnings` are kept; None = all."""
        self.opening = b""
        """The packet's first bytes."""
        self.carried: list[Carried] = []
        """The contents in document order, those that mean nothing included."""
        self._objects = objects
        self._limits = limits
        self._dialect = dialect
        self._findings = Findings(limit=warnings)
        self._shape = Shape(self._findings)
        self._created: set[ObjectKey] = set()
        self._begun = False
        self._content: Content | None = None
        self._parser = PacketParser(limits, bulk=frozenset({f"{{{NS102}}}{CONTENT}"}))

    @property
    def root(self) -> Node:
        """The tree of a packet that was read without a defect."""
        return self._shape.finish()

    async def read(self, chunks: AsyncIterator[bytes], said: PacketKind | None) -> Unpacked | PacketDefect:
        """As `read_packet`."""
        try:
            return await self._read(chunks, said)
        except RefusedError as refused:
            await self._forget()
            return refused.defect
        except BaseException:
            await self._forget()
            raise

    async def _read(self, chunks: AsyncIterator[bytes], said: PacketKind | None) -> Unpacked:
        """Chunks to events to values."""
        async with AsyncExitStack() as writers:
            async for chunk in self._opened(chunks):
                await self._take(self._parser.feed(chunk), writers)
                await asyncio.sleep(0)  # a store that answers from memory must not make this one long turn
            await self._take(self._parser.finish(), writers)
        root = self._shape.finish()
        for node, wanted in islice(misprefixed(root), 1):
            self._findings.add(Tolerance.PREFIX, node, found=node.typed, wanted=wanted)
        await asyncio.sleep(0)  # either may take a while where there are thousands of recipients
        header = read_header(root, self._limits, self._findings, self._dialect)
        self._compare(header, said)
        if not isinstance(header, Document):
            if self.carried:
                self._findings.add(Tolerance.ATTACHMENT_IN_STATUS, self.carried[0].node)
                await self._forget()
            return UnpackedStatus(report=header, warnings=self._findings.all())
        return await self._with_attachments(header)

    async def _forget(self) -> None:
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
                await self._start(event, writers)
            case Text(text):
                self._shape.text(text)
            case Bulk(data, offset):
                if self._content is not None:
                    self._content.take(data, offset)
            case End():
                if self._content is not None:
                    await self._end(self._content)
                    await writers.aclose()
                self._shape.end()

    async def _start(self, event: Start, writers: AsyncExitStack) -> None:
        if self._content is not None:
            raise refusal(Defect.ATTACHMENT_BASE64, self._content.node.path, detail="there is an element in it")
        if not self._begun:
            self._note_declaration()
        self._shape.start(event)
        if self._shape.inside(CONTENT, *_PARENTS):
            await self._begin(writers)
        elif self._shape.inside(CONTENT):
            self._findings.add(Tolerance.ELEMENT_UNKNOWN, self._shape.current, what=CONTENT)

    def _note_declaration(self) -> None:
        self._begun = True
        declared = self._parser.declared
        if self.opening.startswith(BOM) or declared is None or declared.lower() not in _UTF8:
            self._findings.once(Tolerance.DECLARATION, "")

    async def _begin(self, writers: AsyncExitStack) -> None:
        node = self._shape.current
        if len(self.carried) >= self._limits.attachments:
            raise refusal(Defect.ATTACHMENTS_TOO_MANY, node.path, limit=self._limits.attachments)
        inflated = sum(item.inflated for item in self.carried)
        content = open_content(node, objects=self._objects, limits=self._limits, inflated=inflated)
        self._content = await writers.enter_async_context(content)

    async def _end(self, content: Content) -> None:
        self._content = None
        carried = await content.finish()
        self._created.update(carried.keys)
        self.carried.append(carried)

    async def _with_attachments(self, header: Document) -> UnpackedDocument:
        references = self._shape.references()
        if len(references) > self._limits.attachments:
            raise refusal(Defect.ATTACHMENTS_TOO_MANY, references[-1].path, limit=self._limits.attachments)
        unwrapper = Unwrapper(
            objects=self._objects, limits=self._limits, findings=self._findings, created=self._created
        )
        wanted = await self._wanted()
        self._note_contentless()
        made = [await unwrapper.attachment(one) for one in link(wanted, references, self._findings)]
        return UnpackedDocument(
            document=replace(header, attachments=with_roles([one.attachment for one in made])),
            objects=tuple(one.stored for one in made),
            warnings=self._findings.all(),
            spans=tuple(one.span for one in made if one.span is not None),
        )

    def _note_contentless(self) -> None:
        with_content = {id(item.node) for item in self.carried}
        for node in self._shape.attachments():
            if id(node) not in with_content:
                self._findings.add(Tolerance.ATTACHMENT_WITHOUT_CONTENT, node)

    async def _wanted(self) -> list[Carried]:
        """One content an Attachment, the first with any bytes; none where there are neither bytes nor words."""
        wanted: dict[int, Carried] = {}
        for item in self.carried:
            before = wanted.get(id(item.node))
            if before is None or not before.filled:
                wanted[id(item.node)] = item
            elif item.filled:
                self._findings.add(Tolerance.ELEMENT_REPEATED, item.node, CONTENT, what=CONTENT)
        kept = [item for item in wanted.values() if item.filled or not item.node.is_empty()]
        keys = {key for item in kept for key in item.keys}
        await self._objects.discard(sorted(self._created - keys))
        self._created.intersection_update(keys)
        return kept

    async def _opened(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The chunks, the first one long enough to be looked at, and looked at."""
        opening: bytes | None = b""
        async for chunk in chunks:
            if opening is None:
                yield chunk
                continue
            opening += chunk
            if len(opening) >= OPENING:
                yield self._look(opening)
                opening = None
        if opening is not None:
            yield self._look(opening)

    def _look(self, opening: bytes) -> bytes:
        look(opening)
        self.opening = opening[:OPENING]
        return opening
