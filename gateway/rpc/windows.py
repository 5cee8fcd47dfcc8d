"""How many documents a stream may have handed out and not yet got an answer for."""

from datetime import datetime

from gateway.domain.ids import ReceptionId
from gateway.ports import ReceivedEntry


class Window:
    """The documents leased on one stream."""

    def __init__(self, size: int) -> None:
        """`size` documents at most."""
        self._size = size
        self._outstanding: dict[ReceptionId, datetime] = {}

    def room(self, now: datetime) -> int:
        """How many more may go out; documents whose lease has ended no longer count."""
        self._outstanding = {each: deadline for each, deadline in self._outstanding.items() if deadline > now}
        return self._size - len(self._outstanding)

    def add(self, entry: ReceivedEntry) -> None:
        """Note a document that goes out under a lease."""
        if entry.ack_deadline is not None:
            self._outstanding[entry.id] = entry.ack_deadline

    def release(self, reception: ReceptionId) -> None:
        """The document was acknowledged or refused; harmless for those of other streams."""
        self._outstanding.pop(reception, None)
