"""Answers of REST dialects off the wire: a verdict alone, a list with it, a packet as base64 inside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx

from gateway.adapters.envelopes import Answer, ReadEnvelope
from gateway.adapters.faultwords import fault_words
from gateway.adapters.http import CHUNK
from gateway.adapters.jsonstream import Base64Decoder, EnvelopeReader, Malformed
from gateway.ports import BlobWriter, Fetched

_Row = TypeVar("_Row")

_ENDLESS = 1 << 62
"""Bytes; an embedded packet is bounded by its writer and by the deadline."""

_HEAD = 4096
"""Bytes in which a platform's fault says what it has to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[_Row]):
    """An answer with the rows of its list."""

    answer: Answer
    members: Mapping[str, object]
    rows: tuple[_Row, ...]
    listed: bool
    """True if the list was there and was one."""
    skipped: int
    """Rows that could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketMember:
    """Where an answer holds a packet as base64."""

    name: str = "data"
    inside: str = ""
    """The object that holds it; "" = the answer itself."""
    passed_over: frozenset[str] = frozenset()
    """Members beside it that are of no use and may be of any size."""


def describe(
    response: httpx.Response, reader: EnvelopeReader, read_envelope: ReadEnvelope, *, flaw: str = "", head: bytes = b""
) -> Answer:
    """The answer, its envelope included if `reader` read one whole; `head` may hold a platform's fault instead."""
    content_type = response.headers.get("Content-Type", "")
    envelope = None if flaw else read_envelope(reader.members)
    fault = fault_words(head, content_type) if response.is_error and envelope is None else ""
    return Answer(
        http_status=response.status_code,
        content_type=content_type,
        retry_after=response.headers.get("Retry-After", ""),
        envelope=envelope,
        flaw=fault or flaw,
    )


async def read_answer(response: httpx.Response, read_envelope: ReadEnvelope, *, limit: int = CHUNK) -> Answer:
    """Read an answer that is an envelope and nothing else, of at most `limit` bytes."""
    reader = EnvelopeReader(limit=limit)
    flaw, head = await _feed_all(response, reader)
    return describe(response, reader, read_envelope, flaw=flaw, head=head)


async def read_listing(
    response: httpx.Response,
    read_row: Callable[[Mapping[str, object]], _Row | None],
    read_envelope: ReadEnvelope,
    *,
    limit: int,
    bare: bool = False,
) -> Listing[_Row]:
    """Read an answer whose member `data` is a list; `read_row` gives None for a row to be skipped.

    `bare`: a list without an envelope around it is read as well.
    """
    rows: list[_Row] = []
    skipped = 0

    def take(row: object) -> None:
        nonlocal skipped
        value = read_row(row) if isinstance(row, dict) else None
        if value is None:
            skipped += 1
        else:
            rows.append(value)

    reader = EnvelopeReader(limit=limit, on_row=take, bare=bare)
    flaw, head = await _feed_all(response, reader)
    return Listing(
        answer=describe(response, reader, read_envelope, flaw=flaw, head=head),
        members=reader.members,
        rows=tuple(rows),
        listed=reader.handed_on and not flaw,
        skipped=skipped,
    )


async def read_embedded(
    response: httpx.Response, writer: BlobWriter, read_envelope: ReadEnvelope, member: PacketMember
) -> Fetched | Answer:
    """Store a packet that travels as base64 inside an answer; the members around it decide whether it counts."""
    decoder = Base64Decoder()
    reader = EnvelopeReader(
        limit=_ENDLESS,
        on_text=decoder.feed,
        member=member.name,
        inside=member.inside,
        passed_over=member.passed_over,
    )
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
        return describe(response, reader, read_envelope, flaw=str(error))
    answer = describe(response, reader, read_envelope)
    if size and answer.envelope is not None and answer.envelope.good:
        return Fetched(stored=await writer.finish())
    return answer


async def _feed_all(response: httpx.Response, reader: EnvelopeReader) -> tuple[str, bytes]:
    """What is wrong with the answer, "" if nothing is; and its beginning, where it is an error of HTTP."""
    head = b""
    try:
        async for chunk in response.aiter_raw(CHUNK):
            if response.is_error and len(head) < _HEAD:
                head += chunk[:_HEAD]
            reader.feed(chunk)
        reader.finish()
    except Malformed as error:
        return str(error), head
    return "", head
