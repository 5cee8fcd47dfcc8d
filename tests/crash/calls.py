"""Calls as a vendor's system makes them: to any of its gateways, again and again until one answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

import grpc

from gateway.sandbox.demo.province import Province
from gateway.sandbox.demo.vendors import Vendor
from tests.fakes.vendor_calls import PASSING

T = TypeVar("T")

AGAIN = PASSING | {grpc.StatusCode.RESOURCE_EXHAUSTED}
_PATIENCE = 180
_PAUSE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[T]):
    """What came, from whom, and when the attempt that was answered began."""

    value: T
    gateway: str
    asked_at: float


class Caller:
    """One vendor system's connections; a gateway that does not answer is left for the next."""

    def __init__(self, vendors: Sequence[tuple[str, Vendor]], *, first: int) -> None:
        """Take open connections with the names of their gateways; calls begin with the `first`."""
        self._vendors = vendors
        self._now = first % len(vendors)

    @classmethod
    def connect(cls, gateways: Sequence[Province], *, agency: str, first: int = 0) -> Self:
        """Connect to every gateway."""
        return cls([(g.home.name, Vendor.connect(g, agency=agency)) for g in gateways], first=first)

    async def close(self) -> None:
        """Close the connections."""
        for _, vendor in self._vendors:
            await vendor.close()

    @property
    def current(self) -> tuple[str, Vendor]:
        """The gateway that the next call goes to."""
        return self._vendors[self._now]

    def move_on(self) -> None:
        """Let the next call go to the next gateway."""
        self._now = (self._now + 1) % len(self._vendors)

    async def call(self, act: Callable[[Vendor], Awaitable[T]]) -> Answer[T]:
        """Repeat a call until it is answered; raises AioRpcError for a refusal, or after three minutes."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            gateway, vendor = self.current
            asked_at = time.monotonic()
            try:
                return Answer(value=await act(vendor), gateway=gateway, asked_at=asked_at)
            except grpc.aio.AioRpcError as error:
                if error.code() not in AGAIN or time.monotonic() > deadline:
                    raise
            self.move_on()
            await asyncio.sleep(_PAUSE)
