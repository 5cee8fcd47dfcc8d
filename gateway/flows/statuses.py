"""What vendor systems do with received documents, and the status reports that follow from it."""

from collections.abc import Mapping

import structlog

from gateway.domain import rules
from gateway.domain.dialect import NATIONAL, Dialect
from gateway.domain.document import StaffInfo
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AccountName, ReceptionId, VendorId
from gateway.domain.lifecycle import ReceptionState
from gateway.domain.status import ARRIVED, NOT_AGREED, REFUSED, REPORTABLE
from gateway.flows.config import ReceiptAt
from gateway.flows.receipts import report_on
from gateway.ports import Clock, Directory, Inbox, ReceivedEntry, Receptions, RequestReused, Wakeups

_log = structlog.get_logger()

_LATE_REFUSAL = "refused-after-acknowledgement"
"""Stands for the request id of a report that is made once at most."""


class InboxFlow(Inbox):
    """Acknowledgements, refusals and reports of the vendor system that serves the recipient now."""

    def __init__(
        self,
        *,
        receptions: Receptions,
        directory: Directory,
        receipt: ReceiptAt,
        dialects: Mapping[AccountName, Dialect],
        clock: Clock,
        wakeups: Wakeups,
    ) -> None:
        """`dialects` are those of the peers which statuses go to."""
        self._receptions = receptions
        self._directory = directory
        self._receipt = receipt
        self._dialects = dialects
        self._clock = clock
        self._wakeups = wakeups

    async def acknowledge(self, vendor: VendorId, reception: ReceptionId, ack_id: str | None) -> None:
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
        self, vendor: VendorId, reception: ReceptionId, ack_id: str | None, *, reason: str, staff: StaffInfo
    ) -> None:
        """The agency refuses (từ chối tiếp nhận); QĐ 28/2018, art. 5.4 demands a reason.

        Raises GatewayError INVALID_FIELD, DOCUMENT_UNKNOWN, LEASE_LOST, ALREADY_ACKNOWLEDGED.
        """
        entry = await self._own(vendor, reception)
        self._check_text("reason", reason, staff, account=entry.account, required=True)
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

    async def refuse_acknowledged(
        self, vendor: VendorId, reception: ReceptionId, *, reason: str, staff: StaffInfo
    ) -> bool:
        """See Inbox: systems of the national SDK acknowledge what they have, and their clerks refuse later.

        Raises GatewayError INVALID_FIELD, DOCUMENT_UNKNOWN.
        """
        entry = await self._own(vendor, reception)
        self._check_text("reason", reason, staff, account=entry.account, required=True)
        added = await self._send(entry, REFUSED, vendor, request_id=_LATE_REFUSAL, description=reason, staff=staff)
        return not added

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
        entry = await self._own(vendor, reception)
        self._check_text("description", description, staff, account=entry.account, required=status_code == NOT_AGREED)
        if entry.state is ReceptionState.REFUSED:
            raise GatewayError(ErrorCode.ALREADY_REFUSED)
        if entry.state is not ReceptionState.ACKNOWLEDGED:
            raise GatewayError(ErrorCode.NOT_ACKNOWLEDGED)
        return not await self._send(
            entry, status_code, vendor, request_id=request_id, description=description, staff=staff
        )

    async def _send(
        self,
        entry: ReceivedEntry,
        status_code: str,
        vendor: VendorId,
        *,
        request_id: str,
        description: str,
        staff: StaffInfo,
    ) -> bool:
        """Put a status on an acknowledged document into the outbox; False if it was before."""
        now = self._clock.now()
        report = report_on(
            entry.document, entry.recipient, status_code=status_code, at=now, description=description, staff=staff
        )
        added = await self._receptions.report(entry.id, request_id, report, at=now)
        if isinstance(added, RequestReused):
            raise GatewayError(ErrorCode.REQUEST_ID_REUSED, request_id=request_id)
        if added:
            _log.info(
                "status.reported",
                reception_id=entry.id,
                document_id=entry.document.document_id,
                vendor=vendor,
                status=status_code,
            )
            self._wakeups.notify("outbox")
        return added

    def _check_text(self, path: str, text: str, staff: StaffInfo, *, account: AccountName, required: bool) -> None:
        dialect = self._dialects.get(account, NATIONAL)  # an account may have been taken out of the settings since
        violations = rules.check_status_text(path=path, text=text, required=required, staff=staff, dialect=dialect)
        if violations:
            raise GatewayError(ErrorCode.INVALID_FIELD, violations=violations)

    async def _own(self, vendor: VendorId, reception: ReceptionId) -> ReceivedEntry:
        entry = await self._receptions.get(reception)
        if entry is None or not await self._directory.serves(vendor, entry.recipient.id):
            raise GatewayError(ErrorCode.DOCUMENT_UNKNOWN, name=f"receivedDocuments/{reception}")
        return entry
