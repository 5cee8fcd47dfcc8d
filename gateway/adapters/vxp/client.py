"""Signed calls to one account: parameters in, the axis's answer out."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx

from gateway.adapters.http import CHUNK, Broken, Call, HttpClient, PacketBody, Repeat, Timeouts
from gateway.adapters.vxp.config import VxpAccount
from gateway.adapters.vxp.envelope import EnvelopeReader, Malformed
from gateway.adapters.vxp.faults import Answer, read_envelope
from gateway.adapters.vxp.signing import ordered, sign, timestamp
from gateway.ports import Clock

_Row = TypeVar("_Row")
_Read = TypeVar("_Read")

JSON = "application/json"
OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[_Row]):
    """An answer with the rows of its `data`."""

    answer: Answer
    members: Mapping[str, object]
    rows: tuple[_Row, ...]
    listed: bool
    """True if `data` was there and was a list."""
    skipped: int
    """Rows that could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VxpClient:
    """What all operations share."""

    account: VxpAccount
    clock: Clock
    http: HttpClient

    async def exchange(
        self,
        operation: str,
        parameters: Mapping[str, str],
        read: Callable[[httpx.Response], Awaitable[_Read]],
        *,
        method: str = "POST",
        body: bytes | PacketBody | None = b"",
        timeouts: Timeouts,
        repeat: Repeat,
    ) -> _Read | Broken:
        """Call an operation; system id, timestamp and Content-Type are added and everything is signed, per attempt."""
        content_type = OCTETS if isinstance(body, PacketBody) else JSON

        def headers() -> Mapping[str, str]:
            always = {
                "systemid": self.account.system_id,
                "timestamp": timestamp(self.clock.now()),
                "Content-Type": content_type,
            }
            return sign(ordered({**parameters, **always}), self.account.secret)

        call = Call(
            method=method,
            url=f"{self.account.endpoint.rstrip('/')}/{operation}",
            headers=headers,
            body=body,
            timeouts=timeouts,
            repeat=repeat,
        )
        return await self.http.exchange(call, read)

    async def list_rows(
        self,
        operation: str,
        parameters: Mapping[str, str],
        read_row: Callable[[Mapping[str, object]], _Row | None],
        *,
        timeouts: Timeouts,
        limit: int,
    ) -> Listing[_Row] | Broken:
        """Call an operation that lists; `read_row` gives None for a row to be skipped."""

        async def read(response: httpx.Response) -> Listing[_Row]:
            return await _read_listing(response, read_row, limit=limit)

        return await self.exchange(operation, parameters, read, timeouts=timeouts, repeat=Repeat.ANY_TIME)


def describe(response: httpx.Response, reader: EnvelopeReader, *, flaw: str = "") -> Answer:
    """The answer, its envelope included if `reader` read one whole."""
    return Answer(
        http_status=response.status_code,
        content_type=response.headers.get("Content-Type", ""),
        retry_after=response.headers.get("Retry-After", ""),
        envelope=None if flaw else read_envelope(reader.members),
        flaw=flaw,
    )


async def read_answer(response: httpx.Response, *, limit: int = CHUNK) -> Answer:
    """Read an answer that is an envelope and nothing else, of at most `limit` bytes."""
    reader = EnvelopeReader(limit=limit)
    try:
        async for chunk in response.aiter_raw(CHUNK):
            reader.feed(chunk)
        reader.finish()
    except Malformed as error:
        return describe(response, reader, flaw=str(error))
    return describe(response, reader)


async def _read_listing(
    response: httpx.Response,
    read_row: Callable[[Mapping[str, object]], _Row | None],
    *,
    limit: int,
) -> Listing[_Row]:
    rows: list[_Row] = []
    skipped = 0

    def take(row: object) -> None:
        nonlocal skipped
        value = read_row(row) if isinstance(row, dict) else None
        if value is None:
            skipped += 1
        else:
            rows.append(value)

    reader = EnvelopeReader(limit=limit, on_row=take)
    flaw = ""
    try:
        async for chunk in response.aiter_raw(CHUNK):
            reader.feed(chunk)
        reader.finish()
    except Malformed as error:
        flaw = str(error)
    return Listing(
        answer=describe(response, reader, flaw=flaw),
        members=reader.members,
        rows=tuple(rows),
        listed=reader.handed_on and not flaw,
        skipped=skipped,
    )
