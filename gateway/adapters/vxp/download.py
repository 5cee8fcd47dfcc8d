"""Packets out of answers, streamed: raw from downloadEdoc, base64 inside JSON from getEdoc."""

from collections.abc import AsyncIterator

import httpx

from gateway.adapters.http import CHUNK
from gateway.adapters.vxp.client import describe
from gateway.adapters.vxp.envelope import Base64Decoder, EnvelopeReader, Malformed
from gateway.adapters.vxp.faults import Answer
from gateway.domain.outcome import Unavailable
from gateway.ports import BlobWriter, Fetched

_ENDLESS = 1 << 62
"""Bytes; an embedded packet is bounded by its writer and by the deadline."""
_SNIFF = 1024
_UTF16 = (b"\xff\xfe<\x00", b"\xfe\xff\x00<")
_MIME = (b"mime-version:", b"content-type:", b"--")
"""How packets of the older form begin: they are taken in, so that they are refused by name."""


async def read_raw(response: httpx.Response, writer: BlobWriter) -> Fetched | Answer | Unavailable:
    """Store the body of downloadEdoc byte for byte; anything but XML is read as an answer instead."""
    chunks = response.aiter_raw(CHUNK)
    first = await anext(chunks, b"")
    if response.status_code != httpx.codes.OK or not looks_like_packet(first):
        return await _read_refusal(response, first, chunks)
    tail = b""
    await writer.write(first)
    async for chunk in chunks:
        await writer.write(chunk)
        tail = (tail + chunk)[-_SNIFF:]
    if not _is_delimited(response) and not (first + tail).rstrip().lower().endswith((b"edxml>", b"--")):
        return Unavailable(reason="the packet is cut: the connection ended within it")
    return Fetched(stored=await writer.finish())


async def read_embedded(response: httpx.Response, writer: BlobWriter) -> Fetched | Answer:
    """Store the base64 member `data` of getEdoc; the members around it decide whether it counts."""
    decoder = Base64Decoder()
    reader = EnvelopeReader(limit=_ENDLESS, on_text=decoder.feed)
    size = 0
    try:
        async for chunk in response.aiter_raw(CHUNK):
            reader.feed(chunk)
            if decoded := decoder.take():
                await writer.write(decoded)
                size += len(decoded)
        reader.finish()
        decoder.finish()
    except Malformed as error:
        return describe(response, reader, flaw=str(error))
    answer = describe(response, reader)
    if size and answer.envelope is not None and answer.envelope.good:
        return Fetched(stored=await writer.finish())
    return answer


def looks_like_packet(first: bytes) -> bool:
    """True if a body that begins so is XML and not a web page, or a packet of the older MIME form."""
    start = first[:_SNIFF].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if first.startswith(_UTF16):
        return True
    if start.startswith(_MIME):
        return True
    return start.startswith(b"<") and b"<html" not in start and not start.startswith(b"<!doctype html")


def _is_delimited(response: httpx.Response) -> bool:
    """True if HTTP itself says where the body ends, so that a cut one is noticed below."""
    return "Content-Length" in response.headers or "Transfer-Encoding" in response.headers


async def _read_refusal(response: httpx.Response, first: bytes, chunks: AsyncIterator[bytes]) -> Answer:
    reader = EnvelopeReader(limit=CHUNK)
    try:
        reader.feed(first)
        async for chunk in chunks:
            reader.feed(chunk)
        reader.finish()
    except Malformed as error:
        return describe(response, reader, flaw=str(error))
    return describe(response, reader)
