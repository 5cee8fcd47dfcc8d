"""What vendor systems do with received documents, and the status reports that follow from it."""

import structlog

from gateway.domain import rules
from gateway.domain.dialect import Dialect
from gateway.domain.document import StaffInfo
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import ReceptionId, VendorId
from gateway.domain.lifecycle import ReceptionState
from gateway.domain.status import ARRIVED, NOT_AGREED, REFUSED, REPORTABLE
from gateway.flows.config import ReceiptAt
from gateway.flows.receipts import report_on
from gateway.ports import Clock, Directory, Inbox, ReceivedEntry, Receptions, RequestReused, Wakeups

_log = structlog.get_logger()


class InboxFlow(Inbox):
    """Acknowledgements, refusals and reports of the vendor system that serves the recipient now."""

    def __init__(
        self,
        *,
        receptions: Receptions,
        directory: Directory,
        receipt: ReceiptAt,
        dialect: Dialect,
        clock: Clock,
        wakeups: Wakeups,
    ) -> None:
        """`dialect` is that of the peer which statuses go to."""
        self._receptions = receptions
        self._directory = directory
        self._receipt = receipt
        self._dialect = dialect
        self._clock = clock
        self._wakeups = wakeups

    async def acknowledge(self, vendor: VendorId, reception: ReceptionId, ack_id: str) -> None:
        """The document is durable in the vendor's system; status 01 goes out unless it did when it was stored.

        Raises GatewayError DOCUMENT_UNKNOWN (also for foreign ones), LEASE_LOST, ALREADY_REFUSED.
        """
        entry = await self._own(vendor, reception)
        now = self._clock.now()
        receipt = None
        if self._receipt is ReceiptAt.VENDOR_ACK:
            receipt = report_on(entry.document, entry.recipient, status_code=ARRIVED, at=now)
        found = await self._receptions.acknowledge(reception, ack_id, receipt=receipt, at=now)
        if found is ReceptionState.REFUSED:
            raise GatewayError(ErrorCode.ALREADY_REFUSED)
        if found is not ReceptionState.ACKNOWLEDGED:
            raise GatewayError(ErrorCode.LEASE_LOST)
        _log.info(
            "document.acknowledged", reception_id=reception, document_id=entry.document.document_id, vendor=vendor
        )
        self._wakeups.notify("outbox")

    async def refuse(
        self, vendor: VendorId, reception: ReceptionId, ack_id: str, *, reason: str, staff: StaffInfo
    ) -> None:
        """The agency refuses (từ chối tiếp nhận); QĐ 28/2018, art. 5.4 demands a reason.

        Raises GatewayError INVALID_FIELD, DOCUMENT_UNKNOWN, LEASE_LOST, ALREADY_ACKNOWLEDGED.
        """
        self._check_text("reason", reason, staff, required=True)
        entry = await self._own(vendor, reception)
        now = self._clock.now()
        receipt = report_on(
            entry.document, entry.recipient, status_code=REFUSED, at=now, description=reason, staff=staff
        )
        found = await self._receptions.refuse(reception, ack_id, reason=reason, receipt=receipt, at=now)
        if found is ReceptionState.ACKNOWLEDGED:
            raise GatewayError(ErrorCode.ALREADY_ACKNOWLEDGED)
        if found is not ReceptionState.REFUSED:
            raise GatewayError(ErrorCode.LEASE_LOST)
        _log.info("document.refused", reception_id=reception, document_id=entry.document.document_id, vendor=vendor)
        self._wakeups.notify("outbox")

    async def report(
        self,
        vendor: VendorId,
        reception: ReceptionId,
        *,
        request_id: str,
        status_code: str,
        description: str,
        staff: StaffInfo,
    ) -> bool:
        """Report 03, 04, 05, 06, 15 or 16 to the sender; True if it was reported before.

        Raises GatewayError STATUS_NOT_ALLOWED, INVALID_FIELD, DOCUMENT_UNKNOWN, NOT_ACKNOWLEDGED, ALREADY_REFUSED,
        REQUEST_ID_REUSED (used before for another status).
        """
        if status_code not in REPORTABLE:
            allowed = ", ".join(sorted(REPORTABLE))
            raise GatewayError(ErrorCode.STATUS_NOT_ALLOWED, status=status_code, allowed=allowed)
        self._check_text("description", description, staff, required=status_code == NOT_AGREED)
        entry = await self._own(vendor, reception)
        if entry.state is ReceptionState.REFUSED:
            raise GatewayError(ErrorCode.ALREADY_REFUSED)
        if entry.state is not ReceptionState.ACKNOWLEDGED:
            raise GatewayError(ErrorCode.NOT_ACKNOWLEDGED)
        now = self._clock.now()
        report = report_on(
            entry.document, entry.recipient, status_code=status_code, at=now, description=description, staff=staff
        )
        added = await self._receptions.report(reception, request_id, report, at=now)
        if isinstance(added, RequestReused):
            raise GatewayError(ErrorCode.REQUEST_ID_REUSED, request_id=request_id)
        if added:
            _log.info(
                "status.reported",
                reception_id=reception,
                document_id=entry.document.document_id,
                vendor=vendor,
                status=status_code,
            )
            self._wakeups.notify("outbox")
        return not added

    def _check_text(self, path: str, text: str, staff: StaffInfo, *, required: bool) -> None:
        violations = rules.check_status_text(
            path=path, text=text, required=required, staff=staff, dialect=self._dialect
        )
        if violations:
            raise GatewayError(ErrorCode.INVALID_FIELD, violations=violations)

    async def _own(self, vendor: VendorId, reception: ReceptionId) -> ReceivedEntry:
        entry = await self._receptions.get(reception)
        if entry is None or not await self._directory.serves(vendor, entry.recipient.id):
            raise GatewayError(ErrorCode.DOCUMENT_UNKNOWN, name=f"receivedDocuments/{reception}")
        return entry
