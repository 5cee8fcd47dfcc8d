"""A packet out as SendDocument and in again as the answer to GetDocument, without a wire."""

from collections.abc import AsyncIterator
from functools import partial

import httpx
from lxml import etree

from gateway.adapters.soap.config import Attachments
from gateway.adapters.soap.envelopes import Envelopes
from gateway.adapters.soap.faults import Answer
from gateway.adapters.soap.outgoing import read_draft
from gateway.adapters.soap.receiving import read_document
from gateway.adapters.soap.sending import Outgoing, make_request
from gateway.domain.outcome import Unavailable
from gateway.domain.packet import Draft
from gateway.ports import Fetched
from gateway.translate.edxml.translator import EdxmlTranslator
from tests.fakes.blobs import MemoryBlobs

ENVELOPES = Envelopes(organ_id="H99.01", token="dummy", token_header=False, secure=lambda envelope: None)
LIMIT = 16 << 20


async def request_of(
    draft: Draft, translator: EdxmlTranslator, attachments: Attachments, envelopes: Envelopes = ENVELOPES
) -> tuple[Outgoing, bytes]:
    """SendDocument of a draft, and its body's bytes."""
    sealed = await translator.seal(draft)
    packet = partial(translator.stream, draft)
    made = await make_request(read_draft(draft), sealed, packet, envelopes=envelopes, attachments=attachments)
    data = b"".join([chunk async for chunk in made.body.stream()])
    assert len(data) == made.body.length + len(made.body.trailer)
    return made, data


async def answered(
    content_type: str, data: bytes, blobs: MemoryBlobs, *, status: int = 200
) -> bytes | Answer | Unavailable:
    """The packet that an answer to GetDocument gives, or what else it is."""

    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 1000):
            yield data[start : start + 1000]

    response = httpx.Response(status, headers={"Content-Type": content_type}, content=stream())
    async with blobs.writer(limit=1 << 30) as writer:
        found = await read_document(response, writer, limit=LIMIT)
    return blobs.objects[found.stored.key] if isinstance(found, Fetched) else found


def parts_of(made: Outgoing, data: bytes) -> list[tuple[bytes, bytes]]:
    """Headers and content of the parts, cut by hand."""
    boundary = made.content_type.rpartition("boundary=")[2].encode()
    assert data.endswith(b"\r\n--" + boundary + b"--\r\n")
    first, *parts = (b"\r\n" + data).split(b"\r\n--" + boundary)
    assert first == b""
    return [part.removeprefix(b"\r\n").split(b"\r\n\r\n", 1) for part in parts[:-1]]  # type: ignore[misc]


def canonical(xml: bytes | str) -> str:
    """Exclusive of prefixes and of white space between elements."""
    return etree.canonicalize(etree.fromstring(xml), strip_text=True, rewrite_prefixes=True)
