"""Signed calls to one account: parameters in, the axis's answer out."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx

from gateway.adapters.envelopes import read_envelope
from gateway.adapters.http import Broken, Call, HttpClient, PacketBody, Repeat, Timeouts
from gateway.adapters.replies import Listing, read_listing
from gateway.adapters.vxp.config import VxpAccount
from gateway.adapters.vxp.signing import ordered, sign, timestamp
from gateway.ports import Clock

_Row = TypeVar("_Row")
_Read = TypeVar("_Read")

JSON = "application/json"
OCTETS = "application/octet-stream"


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
            return await read_listing(response, read_row, read_envelope, limit=limit)

        return await self.exchange(operation, parameters, read, timeouts=timeouts, repeat=Repeat.ANY_TIME)
