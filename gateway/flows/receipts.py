"""Builds the status reports that go back to a document's sender (edXML 6.2). Pure."""

from datetime import datetime

from gateway.domain.agency import Agency
from gateway.domain.document import Document, Organization, ResponseFor, StaffInfo
from gateway.domain.status import StatusReport
from gateway.domain.vntime import edxml_timestamp


def report_on(
    document: Document,
    recipient: Agency,
    *,
    status_code: str,
    at: datetime,
    description: str = "",
    staff: StaffInfo = StaffInfo(),
) -> StatusReport:
    """What `recipient` tells the sender about `document`.

    The sender's code, the number, the date and the document id are copied as the document has them: other systems match
    a status by them, character for character.
    """
    return StatusReport(
        sender=Organization(organ_id=recipient.code, organ_name=recipient.name),
        response_for=ResponseFor(
            organ_id=document.sender.organ_id,
            code=document.code,
            promulgation_date=document.promulgation_date,
            document_id=document.document_id,
        ),
        status_code=status_code,
        timestamp=edxml_timestamp(at),
        description=description,
        staff_info=staff,
    )
