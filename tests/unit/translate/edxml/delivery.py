"""Archives, and attachments brought to the reader's attachment code without a packet around them."""

import base64
import io
import zipfile
from collections.abc import Sequence

from gateway.domain.ids import ObjectKey
from gateway.domain.packet import PacketDefect
from gateway.translate.edxml.contents.attachments import Carried, Made, Unwrapper, link
from gateway.translate.edxml.contents.content import open_content
from gateway.translate.edxml.contents.objects import AttachmentObjects
from gateway.translate.edxml.findings import Findings, RefusedError
from gateway.translate.edxml.tree import Node
from gateway.xmlsafe import Limits

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"


class _Unseekable(io.RawIOBase):
    """A sink that makes zipfile write sizes behind the data, as Java does."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, piece) -> int:
        self.data += bytes(piece)
        return len(piece)


def archive(
    *entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, behind: bool = False, comment: bytes = b""
) -> bytes:
    """A ZIP of these entries; `behind` puts the sizes behind the data."""
    sink = _Unseekable() if behind else io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as made:
        made.comment = comment
        for name, data in entries:
            made.writestr(name, data)
    return sink.data if isinstance(sink, _Unseekable) else sink.getvalue()


def leaf(parent: Node, name: str, text: str) -> Node:
    node = Node(name, parent)
    node.append(text)
    return node


class Delivery:
    """Brings files as the content of Attachment elements, one after another."""

    def __init__(self, objects: AttachmentObjects, limits: Limits | None = None) -> None:
        self.objects = objects
        self.limits = limits or Limits()
        self.findings = Findings()
        self.outer = Node("AttachmentEncoded", Node("edXML", None))
        self.carried: list[Carried] = []
        self.at = 1000

    async def bring(
        self,
        name: str,
        data: bytes,
        *,
        net: bool = False,
        cut: int = 4096,
        text: bytes | None = None,
        fields: Sequence[tuple[str, str]] = (),
    ) -> Carried:
        """One attachment; `net` puts its name behind its content, `cut` is the size of the text's pieces."""
        attachment = Node("Attachment", self.outer)
        for field, value in fields or (("ContentId", f"cid:{len(self.carried)}"),):
            leaf(attachment, field, value)
        if not net:
            leaf(attachment, "AttachmentName", name)
        node = Node("ContentTransferEncoded", attachment)
        written = base64.b64encode(data) if text is None else text
        inflated = sum(item.inflated for item in self.carried)
        async with open_content(node, objects=self.objects, limits=self.limits, inflated=inflated) as content:
            for start in range(0, len(written), cut):
                content.take(written[start : start + cut], self.at + start)
                await content.flush()
            made = await content.finish()
        self.at += len(written) + 100
        if net:
            leaf(attachment, "AttachmentName", name)
        self.carried.append(made)
        return made

    async def link(self, references: Sequence[Node] = ()) -> list[Made] | PacketDefect:
        """The attachments, or the defect, after which nothing is left."""
        created: set[ObjectKey] = {key for item in self.carried for key in item.keys}
        unwrapper = Unwrapper(objects=self.objects, limits=self.limits, findings=self.findings, created=created)
        try:
            made = [await unwrapper.attachment(one) for one in link(self.carried, references, self.findings)]
        except RefusedError as refused:
            await self.objects.discard(sorted(created))
            return refused.defect
        assert created == {one.stored.key for one in made}
        return made

    @property
    def codes(self) -> list[str]:
        """What was said, but for the missing References."""
        said = [one.code for one in self.findings.all()]
        return [code for code in said if code != "ATTACHMENT_WITHOUT_REFERENCE"]
