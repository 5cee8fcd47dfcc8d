"""Jobs that one gateway of several does at a time."""

from abc import abstractmethod
from datetime import datetime, timedelta
from typing import Protocol


class Claims(Protocol):
    """Who does which job now. A claim ends by itself, so that a job outlives whoever did it."""

    @abstractmethod
    async def take(self, name: str, owner: str, *, hold_for: timedelta, at: datetime) -> bool:
        """Claim a job, or keep it longer; False while another owner's claim holds."""

    @abstractmethod
    async def give_up(self, name: str, owner: str) -> None:
        """End a claim, so that another may begin at once; nothing happens if it is another's."""
