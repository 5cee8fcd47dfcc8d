"""Business statuses (trạng thái xử lý, Decision 28/2018/QĐ-TTg): who reports what about which document."""

from dataclasses import dataclass
from datetime import datetime

from gateway.domain.document import Organization, ResponseFor, StaffInfo

ARRIVED = "01"
REFUSED = "02"
ACCEPTED = "03"
ASSIGNED = "04"
IN_PROCESS = "05"
FINISHED = "06"
TAKE_BACK_ASKED = "13"
AGREED = "15"
NOT_AGREED = "16"

KNOWN = frozenset({ARRIVED, REFUSED, ACCEPTED, ASSIGNED, IN_PROCESS, FINISHED, TAKE_BACK_ASKED, AGREED, NOT_AGREED})
"""The nine codes of the decision."""

REPORTABLE = frozenset({ACCEPTED, ASSIGNED, IN_PROCESS, FINISHED, AGREED, NOT_AGREED})
"""Codes a vendor reports itself; 01 and 02 come from acknowledging and refusing, 13 from the sender's side."""

REPEATABLE = frozenset({IN_PROCESS, TAKE_BACK_ASKED, AGREED, NOT_AGREED})
"""Codes that may rightly come more than once for one document and recipient (edXML 5.7 item 6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """One status packet, either direction."""

    sender: Organization
    """Element From: who reports."""
    response_for: ResponseFor
    """The document; its organ_id is the packet's addressee (edXML 6.2, 6.4)."""
    status_code: str
    """Two digits; codes outside the known nine are kept as they came."""
    timestamp: str
    """`yyyy/MM/dd HH:mm:ss`, Vietnam time, as written."""
    description: str = ""
    staff_info: StaffInfo = StaffInfo()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryChange:
    """A delivery moved to another state."""

    state: str
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the status log, kept in order of position."""

    position: int
    """Grows by one per event within an epoch of the store; no gaps become visible late."""
    at: datetime
    agency_code: str
    """Whose event it is: the sender's for its documents, the recipient's for a take-back."""
    resource: str
    """`documents/...` or `receivedDocuments/...`."""
    document_id: str
    recipient_code: str
    change: DeliveryChange | StatusReport
