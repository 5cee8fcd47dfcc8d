"""What provincial axes lack of the national one's interface, answered so wherever it is asked for."""

from gateway.domain.agency import AgencyEntry
from gateway.domain.ids import AxisDocId, OrganId
from gateway.domain.outcome import NOT_OFFERED, CannotTell, Finding, Outcome, Rejected, SentQuery
from gateway.domain.sentlist import SentEntries
from gateway.ports import Axis

_NO_SENT_LIST = CannotTell(reason="this kind of axis has no list of what was sent")
_NO_REGISTRATION = Rejected(code=NOT_OFFERED, reason="this kind of axis takes no units by its interface")


class WithoutSentList(Axis):
    """Cannot be asked whether a packet arrived."""

    async def find(self, query: SentQuery) -> Finding:
        """CannotTell."""
        del query
        return _NO_SENT_LIST

    async def sent_list(self) -> SentEntries | CannotTell:
        """CannotTell."""
        return _NO_SENT_LIST

    async def sent_packet(self, axis_doc_id: AxisDocId) -> SentEntries | CannotTell:
        """CannotTell."""
        del axis_doc_id
        return _NO_SENT_LIST


class WithoutRegistration(Axis):
    """Takes no units."""

    async def register(self, unit: AgencyEntry) -> Outcome:
        """NOT_OFFERED."""
        del unit
        return _NO_REGISTRATION

    async def deregister(self, code: OrganId) -> Outcome:
        """NOT_OFFERED."""
        del code
        return _NO_REGISTRATION
