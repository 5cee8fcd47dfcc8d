"""Packets out of answers, streamed: raw from downloadEdoc, base64 inside JSON from getEdoc."""

from collections.abc import AsyncIterator

import httpx

from gateway.adapters.envelopes import Answer, read_envelope
from gateway.adapters.http import CHUNK
from gateway.adapters.jsonstream import EnvelopeReader, Malformed
from gateway.adapters.replies import PacketMember, describe, read_embedded
from gateway.domain.outcome import Unavailable
from gateway.ports import BlobWriter, Fetched

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


async def read_in_data(response: httpx.Response, writer: BlobWriter) -> Fetched | Answer:
    """Store the base64 member `data` of getEdoc."""
    return await read_embedded(response, writer, read_envelope, PacketMember())


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
        return describe(response, reader, read_envelope, flaw=str(error))
    return describe(response, reader, read_envelope)
