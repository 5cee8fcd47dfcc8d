"""Whether there is room for more bytes."""

from abc import abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from gateway.ports.content import BlobWriter


class Admission(Protocol):
    """Puts new work off before a disk is full, so that what was accepted can always be finished.

    Only what makes the gateway take something over asks: acknowledging, reporting, settling and reading never do.
    """

    @abstractmethod
    def admitted(self, announced: int) -> AbstractAsyncContextManager[None]:
        """Room for `announced` bytes, set aside until the context ends; left without an error, they count as kept.

        Raises GatewayError STORAGE_FULL on entering.
        """

    @abstractmethod
    async def has_room(self) -> bool:
        """Whether anything new may be taken over now."""

    @abstractmethod
    def guarded(self, writer: BlobWriter) -> BlobWriter:
        """The writer, for bytes whose number nobody announced: `write` raises STORAGE_FULL once room has ended."""
