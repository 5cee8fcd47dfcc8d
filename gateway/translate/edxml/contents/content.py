"""The text of one ContentTransferEncoded on its way into an object; where it may be a wrapping ZIP, into two."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.domain.packet import StoredObject
from gateway.ports import BlobWriter
from gateway.translate.edxml.codes import extension
from gateway.translate.edxml.contents.attachments import HEAD, Carried, Inner
from gateway.translate.edxml.contents.base64text import Base64Decoder, Base64Error, encoded_length
from gateway.translate.edxml.contents.objects import AttachmentObjects
from gateway.translate.edxml.contents.unwrap import Tail, is_wrapper
from gateway.translate.edxml.contents.wrapped import Unpacking
from gateway.translate.edxml.contents.ziprecords import LOCAL_MAGIC
from gateway.translate.edxml.findings import Defect, refusal
from gateway.translate.edxml.tree import Node
from gateway.xmlsafe import Limits


@asynccontextmanager
async def open_content(
    node: Node, *, objects: AttachmentObjects, limits: Limits, inflated: int = 0
) -> AsyncIterator["Content"]:
    """The sink for the content element `node`; `inflated` is what the contents before it inflated to, bytes.

    Leaving the context without `finish` leaves nothing behind.
    """
    async with AsyncExitStack() as writers:
        sinks = _Sinks(objects, writers, limits.attachment)
        yield Content(node, sinks, await sinks.open(), limits=limits, left=limits.inflated - inflated)


class _Sinks:
    """Opens objects that go again unless they are finished."""

    def __init__(self, objects: AttachmentObjects, writers: AsyncExitStack, limit: int) -> None:
        self._objects = objects
        self._writers = writers
        self._limit = limit

    async def open(self) -> BlobWriter:
        return await self._writers.enter_async_context(self._objects.writer(limit=self._limit))

    async def discard(self, stored: StoredObject) -> None:
        await self._objects.discard([stored.key])


class Content:
    """Decodes base64 as it comes and writes the bytes. Raises RefusedError for what is wrong with it."""

    def __init__(self, node: Node, sinks: _Sinks, writer: BlobWriter, *, limits: Limits, left: int) -> None:
        """`left` is what the packet may still inflate to, bytes."""
        assert node.parent is not None
        self.node = node
        self._attachment = node.parent
        self._sinks = sinks
        self._writer = writer
        self._limits = limits
        self._left = left
        self._pieces: list[bytes] = []
        self._text = _Place()
        self._head = b""
        self._size = 0
        self._decoder = Base64Decoder()
        self._archive: Tail | None = None
        self._unpacking: Unpacking | None = None

    def take(self, text: bytes, offset: int) -> None:
        """A piece of the element's text, UTF-8, whose first byte is the packet's byte `offset`; 0 = not known."""
        self._pieces.append(text)
        self._text.add(len(text), offset)

    async def flush(self) -> None:
        """Decode and write what has come since the last time."""
        text, self._pieces = b"".join(self._pieces), []
        try:
            data = self._decoder.feed(text)
        except Base64Error as error:
            raise refusal(Defect.ATTACHMENT_BASE64, self.node.path, detail=error) from None
        if not data:
            return
        self._size += len(data)
        if self._size > self._limits.attachment:
            raise refusal(Defect.ATTACHMENT_TOO_LARGE, self.node.path, limit=self._limits.attachment)
        await self._writer.write(data)
        known = len(self._head)
        self._head += data[: HEAD - known]
        if known < len(LOCAL_MAGIC) and self._head.startswith(LOCAL_MAGIC):
            await self._recognise()
            data = self._head[:known] + data
        if self._archive is not None:
            self._archive.feed(data)
        if self._unpacking is not None:
            await self._unpacking.feed(data)

    async def finish(self) -> Carried:
        """What the Attachment carries, durable; of a ZIP both the ZIP and its entry where the name is still to come."""
        await self.flush()
        try:
            self._decoder.finish()
        except Base64Error as error:
            raise refusal(Defect.ATTACHMENT_BASE64, self.node.path, detail=error) from None
        entry = self._archive.single_entry() if self._archive is not None else None
        name = self._attachment.value("AttachmentName")
        wanted = is_wrapper(name, entry)
        inner = None
        if self._archive is not None and self._unpacking is not None and entry is not None and (wanted or not name):
            inner = await self._unpacking.finish(entry, self._archive)
        return Carried(
            node=self._attachment,
            size=self._size,
            head=self._head,
            stored=None if name and isinstance(inner, Inner) else await self._keep(inner),
            entry=entry,
            inner=inner,
            inflated=self._unpacking.inflated if self._unpacking is not None else 0,
            offset=self._text.start if self._text.length == encoded_length(self._size) else 0,
            spaced=self._decoder.spaced,
        )

    async def _recognise(self) -> None:
        """The content is a ZIP; one that is certainly named so is not looked into."""
        self._archive = Tail()
        if extension(self._attachment.value("AttachmentName")) != "zip":
            self._unpacking = Unpacking(await self._sinks.open(), limits=self._limits, left=self._left)

    async def _keep(self, inner: Inner | Defect | None) -> StoredObject:
        """Finish the content as it came; if that fails, nothing of its entry stays either."""
        try:
            return await self._writer.finish()
        except BaseException:
            if isinstance(inner, Inner):
                await self._sinks.discard(inner.stored)
            raise


class _Place:
    """Where a text stands in the packet, as long as its pieces follow one another."""

    def __init__(self) -> None:
        self.length = 0
        self.start = 0
        """Of the first byte; 0 = not known, or not in one piece."""

    def add(self, length: int, offset: int) -> None:
        if not self.length:
            self.start = offset
        elif offset != self.start + self.length:
            self.start = 0
        self.length += length
