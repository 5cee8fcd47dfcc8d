"""What the conformance suites share: one dialect on both sides of the axis, and what is sent between them."""

import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from gateway.adapters.http import Timeouts
from gateway.domain.document import Attachment, AttachmentRole, Document
from gateway.domain.ids import AxisDocId
from gateway.domain.outcome import Accepted
from gateway.domain.packet import UnpackedDocument
from tests.contract.axis_worlds import A, AxisWorld, B, Can, Correspondent, Spoken, axis_world
from tests.make import make_document, make_organization

PATIENT = Timeouts(connect=5, read=60, write=60, total=120)
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 40 + b"\n%%EOF\n"
NOBODYS = AxisDocId("66f0a1b2c3d4e5f601234567")
"""An id that the axis gave to no item."""


def make_xlsx() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as book:
        book.writestr("[Content_Types].xml", "<Types/>")
        book.writestr("xl/workbook.xml", "<workbook/>")
    return made.getvalue()


FILES = (
    ("van-ban.pdf", "application/pdf", PDF),
    ("Bảng kê kèm theo, quý I.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", make_xlsx()),
    ("Phụ lục số 1 (Ủy ban).pdf", "application/pdf", PDF[:300]),
    ("một-byte.txt", "text/plain", b"\n"),
)


@dataclass(kw_only=True)
class Pair:
    """One dialect on both sides of the axis."""

    world: AxisWorld
    spoken: Spoken
    a: Correspondent
    b: Correspondent

    def can(self, what: Can) -> bool:
        return what in self.spoken.can


@asynccontextmanager
async def pair_running(spoken: Spoken) -> AsyncIterator[Pair]:
    """The two on a fresh axis."""
    async with axis_world() as world:
        a, b = await world.correspondent(spoken, A), await world.correspondent(spoken, B)
        yield Pair(world=world, spoken=spoken, a=a, b=b)


def letter(*to: str, sender: str = A.unit, **overrides) -> Document:
    to = to or (B.unit,)
    document = make_document(
        sender=make_organization(sender), to=tuple(make_organization(code) for code in to), attachments=(), **overrides
    )
    number = f"{document.code_number}/{document.code_notation}"
    return replace(document, document_id=f"{sender},2026/03/02,{number}")


def attach(document, correspondent, *files):
    objects = correspondent.put(*(content for _, _, content in files))
    attachments = tuple(
        Attachment(
            name=name,
            media_type=media_type,
            size=stored.size,
            sha256=stored.digest,
            role=AttachmentRole.MAIN if place == 0 else AttachmentRole.ANNEX,
        )
        for place, ((name, media_type, _), stored) in enumerate(zip(files, objects, strict=True))
    )
    return replace(document, attachments=attachments), objects


async def send_letters(pair, count):
    documents = [letter() for _ in range(count)]
    for document in documents:
        assert isinstance(await pair.a.send(*attach(document, pair.a, FILES[0])), Accepted)
    return documents


async def read_documents(correspondent):
    return [read.document for read in await correspondent.read_all() if isinstance(read, UnpackedDocument)]
