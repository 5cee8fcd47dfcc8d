"""Claims in memory, by the steady clock of the process."""

import asyncio
from datetime import datetime, timedelta

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.ports import Claims


class FakeClaims(Claims):
    """`down`: the store cannot be used."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, float]] = {}
        self.takes = 0
        self.down = False

    async def take(self, name: str, owner: str, *, hold_for: timedelta, at: datetime) -> bool:
        self.takes += 1
        if self.down:
            raise GatewayError(ErrorCode.STORE_UNAVAILABLE)
        now = asyncio.get_running_loop().time()
        holder, until = self.held.get(name, (owner, 0.0))
        if holder != owner and until > now:
            return False
        self.held[name] = (owner, now + hold_for.total_seconds())
        return True

    async def give_up(self, name: str, owner: str) -> None:
        if self.held.get(name, ("", 0.0))[0] == owner:
            del self.held[name]
