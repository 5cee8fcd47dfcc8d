"""Calls to one account: requests in, the service's answer out."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from gateway.adapters.http import CHUNK, Broken, Call, HttpClient, PacketBody, Repeat
from gateway.adapters.soap.config import SoapAccount
from gateway.adapters.soap.faults import Answer
from gateway.adapters.soap.names import Operation
from gateway.adapters.soap.receiving import read_answer
from gateway.adapters.soap.sending import XML

_Read = TypeVar("_Read")

_WSDL_LIMIT = 4 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class SoapClient:
    """What all operations share."""

    account: SoapAccount
    http: HttpClient
    actions: Mapping[Operation, str] = field(default_factory=dict)
    """SOAPActions that the peer's own WSDL wants instead of the operation's name."""

    async def exchange(
        self,
        operation: Operation,
        body: bytes | PacketBody,
        read: Callable[[httpx.Response], Awaitable[_Read]],
        *,
        content_type: str = XML,
        repeat: Repeat,
    ) -> _Read | Broken:
        """Call an operation; the SOAPAction goes bare, as deployed services compare it."""
        action = self.actions.get(operation, operation.value)
        call = Call(
            method="POST",
            url=self.account.endpoint,
            headers=lambda: {"Content-Type": content_type, "SOAPAction": action},
            body=body,
            timeouts=self.account.timeouts,
            repeat=repeat,
        )
        return await self.http.exchange(call, read)

    async def ask(self, operation: Operation, body: bytes, *, limit: int, repeat: Repeat) -> Answer | Broken:
        """Call an operation whose answer is an envelope of at most `limit` bytes."""

        async def read(response: httpx.Response) -> Answer:
            return await read_answer(response, limit=limit)

        return await self.exchange(operation, body, read, repeat=repeat)

    async def get(self, url: str) -> bytes | str:
        """A document of the peer's description, or in words why there is none."""

        async def read(response: httpx.Response) -> bytes | str:
            data = bytearray()
            async for chunk in response.aiter_raw(CHUNK):
                data += chunk
                if len(data) > _WSDL_LIMIT:
                    return f"{url} is longer than {_WSDL_LIMIT} bytes"
            return bytes(data) if response.status_code == httpx.codes.OK else f"HTTP {response.status_code} for {url}"

        call = Call(
            method="GET", url=url, headers=dict, body=None, timeouts=self.account.timeouts, repeat=Repeat.ANY_TIME
        )
        found = await self.http.exchange(call, read)
        return f"{url}: {found.reason}" if isinstance(found, Broken) else found
