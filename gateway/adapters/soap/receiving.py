"""GetDocument's answer as a packet, streamed: envelope first, then every part as an attachment (axis.md 9.1).

The envelope must be the first part, as deployed stacks write it. What its parts hold is told by the parts: those that
an xop:Include names are binary; others are base64 text if they look so, whatever their headers say, since deployed
services send base64 text under any; else they are taken as they are.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

import httpx
import pybase64

from gateway.adapters.answers import clip
from gateway.adapters.http import CHUNK
from gateway.adapters.soap.envelopes import Envelope, MalformedEnvelopeError, read_envelope
from gateway.adapters.soap.faults import Answer
from gateway.adapters.soap.multipart import (
    MalformedMultipartError,
    MultipartReader,
    PartData,
    PartEnd,
    PartStart,
    read_media_type,
)
from gateway.adapters.soap.names import content_id
from gateway.adapters.soap.packets import PacketText, Reference, is_document, is_media_type, place_id, read_references
from gateway.domain.outcome import Unavailable
from gateway.ports import BlobWriter, Fetched
from gateway.xmlsafe import UnwritableTextError

_MULTIPART = "multipart/"
_SNIFF = 4096
"""Bytes of a part that are looked at."""
_SPACES = b" \t\r\n"
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_MASK = bytes(byte if byte in _ALPHABET else ord("*") for byte in range(256))
"""What is no base64 in the midst of it stays visible as such: the packet's reader quarantines it for that."""
_TRIPLE = 3
_QUANTUM = 4
_DEFAULT_TYPE = "application/octet-stream"


async def read_answer(response: httpx.Response, *, limit: int) -> Answer:
    """An answer that is an envelope and nothing else that matters, of at most `limit` bytes."""
    try:
        data = await _Body(response).envelope(limit)
        envelope = await read_envelope(data)
    except (MalformedEnvelopeError, MalformedMultipartError) as error:
        return describe(response, None, flaw=_named(response, str(error)))
    return describe(response, envelope)


async def read_document(response: httpx.Response, writer: BlobWriter, *, limit: int) -> Fetched | Answer | Unavailable:
    """Store the document as a packet; an answer without one is given as it is. Raises what `writer` raises."""
    body = _Body(response)
    try:
        envelope = await read_envelope(await body.envelope(limit))
        if response.status_code != httpx.codes.OK or not is_document(envelope):
            return describe(response, envelope)
        return await _write(envelope, body, writer)
    except (MalformedEnvelopeError, MalformedMultipartError) as error:
        return describe(response, None, flaw=_named(response, str(error)))
    except UnwritableTextError as error:
        return Unavailable(reason=f"the document cannot be written as a packet: {error}")


def describe(response: httpx.Response, envelope: Envelope | None, *, flaw: str = "") -> Answer:
    """The answer without its document."""
    return Answer(
        http_status=response.status_code,
        retry_after=response.headers.get("Retry-After", ""),
        envelope=envelope,
        flaw=flaw,
    )


async def _write(envelope: Envelope, body: "_Body", writer: BlobWriter) -> Fetched:
    references = read_references(envelope)
    text = PacketText()
    text.document(envelope, references)
    writing = _Attachments(references, text)
    async for event in body.parts():
        for chunk in writing.take(event):
            await writer.write(chunk)
    for chunk in writing.inline():
        await writer.write(chunk)
    await writer.write(text.finish())
    return Fetched(stored=await writer.finish())


class _Body:
    """An answer's body: its envelope, then the parts behind it."""

    def __init__(self, response: httpx.Response) -> None:
        kind, parameters = read_media_type(response.headers.get("Content-Type", ""))
        self._chunks = response.aiter_raw(CHUNK)
        self._boundary = parameters.get("boundary", "") if kind.startswith(_MULTIPART) else None
        self._events: AsyncIterator[PartStart | PartData | PartEnd] | None = None

    async def envelope(self, limit: int) -> bytes:
        """The first part, or the whole body where there are no parts."""
        data = bytearray()
        if self._boundary is None:
            async for chunk in self._chunks:
                _append(data, chunk, limit)
            return bytes(data)
        self._events = self._read(self._boundary)
        async for event in self._events:
            if isinstance(event, PartData):
                _append(data, event.data, limit)
            elif isinstance(event, PartEnd):
                return bytes(data)
        raise MalformedMultipartError("the multipart answer has no part")

    async def parts(self) -> AsyncIterator[PartStart | PartData | PartEnd]:
        """What comes behind the envelope, to the end."""
        if self._events is not None:
            async for event in self._events:
                yield event

    async def _read(self, boundary: str) -> AsyncIterator[PartStart | PartData | PartEnd]:
        reader = MultipartReader(boundary)
        async for chunk in self._chunks:
            for event in reader.feed(chunk):
                yield event
        reader.finish()


@dataclass(slots=True)
class _Part:
    """The part that is being read."""

    binary: bool | None
    """None: not known before some of it was seen."""
    seen: bytes = b""
    """Held back for that, or bytes that are no triple yet."""


class _Attachments:
    """Parts to attachments, in the order in which they come."""

    def __init__(self, references: tuple[Reference, ...], text: PacketText) -> None:
        self._references = list(references)
        self._unused = dict(enumerate(references, 1))
        self._text = text
        self._place = 0
        self._part = _Part(binary=None)

    def take(self, event: PartStart | PartData | PartEnd) -> Iterator[bytes]:
        """What is to be written because of it."""
        match event:
            case PartStart(headers):
                yield self._begin(headers)
            case PartData(data):
                yield from self._content(data)
            case PartEnd():
                yield from self._end()

    def inline(self) -> Iterator[bytes]:
        """The contents that the envelope itself carries."""
        for place, reference in self._unused.items():
            if reference.text is not None:
                yield self._text.begin_attachment(
                    reference.content_id or place_id(place), reference.name, reference.media_type, reference.others
                )
                yield reference.text.encode().translate(None, _SPACES).translate(_MASK)
                self._text.end_attachment()

    def _begin(self, headers: Mapping[str, str]) -> bytes:
        self._place += 1
        named = content_id(headers.get("content-id", ""))
        kind, parameters = read_media_type(headers.get("content-type", ""))
        kind = kind if is_media_type(kind) else _DEFAULT_TYPE
        place, reference = self._reference(named)
        self._part = _Part(binary=True if reference and named and reference.included == named else None)
        if reference is None:
            named = clip(named) or place_id(self._place)
            return self._text.begin_attachment(named, clip(parameters.get("name", "")) or named, kind, {})
        return self._text.begin_attachment(
            reference.content_id or place_id(place),
            reference.name,
            reference.media_type or kind,
            reference.others,
        )

    def _reference(self, named: str) -> tuple[int, Reference | None]:
        """The Reference of a part: by content id, else the one in its place, if no other part had it."""
        for place, reference in self._unused.items():
            if named and named in {reference.content_id, reference.included}:
                del self._unused[place]
                return place, reference
        known = {each.content_id for each in self._references} if named else set()
        taken = self._unused.get(self._place)
        if taken is None or taken.text is not None or named in known:
            return self._place, None
        del self._unused[self._place]
        return self._place, taken

    def _content(self, data: bytes) -> Iterator[bytes]:
        part = self._part
        if part.binary is None:
            part.seen += data
            if len(part.seen) < _SNIFF:
                return
            part.binary = not _looks_encoded(part.seen[:_SNIFF])  # the same however the answer was cut into chunks
            data, part.seen = part.seen, b""
        if part.binary:
            whole = part.seen + data
            end = len(whole) - len(whole) % _TRIPLE
            part.seen = whole[end:]
            yield pybase64.b64encode(whole[:end])
        else:
            yield data.translate(None, _SPACES).translate(_MASK)

    def _end(self) -> Iterator[bytes]:
        part = self._part
        if part.binary is None:
            part.binary = not _looks_encoded(part.seen) or bool(len(part.seen.translate(None, _SPACES)) % _QUANTUM)
        if part.binary:
            yield pybase64.b64encode(part.seen)
        else:
            yield part.seen.translate(None, _SPACES).translate(_MASK)
        self._text.end_attachment()


def _looks_encoded(seen: bytes) -> bool:
    """True if this is how base64 text begins."""
    digits = seen.translate(None, _SPACES)
    return not digits.translate(None, _ALPHABET) and b"=" not in digits.rstrip(b"=")


def _append(data: bytearray, chunk: bytes, limit: int) -> None:
    data += chunk
    if len(data) > limit:
        raise MalformedEnvelopeError(f"the envelope is longer than {limit} bytes")


def _named(response: httpx.Response, flaw: str) -> str:
    return "an HTML page" if "html" in response.headers.get("Content-Type", "").lower() else flaw
