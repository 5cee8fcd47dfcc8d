"""What vendor systems that come through the door ask about documents they sent, beyond the port Documents."""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from gateway.domain.ids import DocumentUid, VendorId
from gateway.domain.status import StatusReport


class Correspondence(Protocol):
    """Sent documents by vendor system, and the take-back of one (status 13)."""

    @abstractmethod
    async def latest(self, vendor: VendorId, *, skip: int, limit: int) -> tuple[DocumentUid, ...]:
        """The newest documents of agencies this vendor serves or acts for now, newest first.

        Only among the gateway's newest two thousand: what is older is asked for by its id.
        """

    @abstractmethod
    async def take_back(self, asked: StatusReport, *, at: datetime) -> bool | None:
        """Put a status 13 into the outbox, by the route that the named recipient's packet took and after that packet.

        `asked.sender` is the document's sender, `asked.response_for.organ_id` the recipient. False if the same was
        asked before (document, recipient, timestamp); None if no document that may have left matches.
        """
