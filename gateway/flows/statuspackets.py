"""Status packets of vendor systems that speak the national SDK, turned into what the gateway's own contract does."""

from dataclasses import replace
from hashlib import sha256

import structlog

from gateway.domain import rules
from gateway.domain.agency import Agency
from gateway.domain.dialect import NATIONAL
from gateway.domain.document import Organization
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import ReceptionId, VendorId
from gateway.domain.status import AGREED, ARRIVED, NOT_AGREED, REFUSED, REPORTABLE, TAKE_BACK_ASKED, StatusReport
from gateway.domain.vntime import edxml_timestamp
from gateway.ports import Clock, Correspondence, Directory, Inbox, Receptions, StatusPackets, Wakeups

_log = structlog.get_logger()
_TAKEN = REPORTABLE | {ARRIVED, REFUSED, TAKE_BACK_ASKED}
"""Unlike over gRPC, the SDK's systems write 01, 02 and 13 themselves."""


class StatusPacketFlow(StatusPackets):
    """Finds the document a status names, and reports on it through the inbox like everybody else."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        receptions: Receptions,
        correspondence: Correspondence,
        directory: Directory,
        clock: Clock,
        wakeups: Wakeups,
    ) -> None:
        self._inbox = inbox
        self._receptions = receptions
        self._correspondence = correspondence
        self._directory = directory
        self._clock = clock
        self._wakeups = wakeups

    async def take(self, vendor: VendorId, report: StatusReport) -> bool:
        """See StatusPackets."""
        code = report.status_code
        if code not in _TAKEN:
            raise GatewayError(ErrorCode.STATUS_NOT_ALLOWED, status=code, allowed=", ".join(sorted(_TAKEN)))
        reporter = await self._reporter(vendor, report)
        if code == TAKE_BACK_ASKED:
            return await self._take_back(vendor, reporter, report)
        reception = await self._reception(reporter, report)
        if code == REFUSED:
            return await self._refuse(vendor, reception, report)
        await self._inbox.acknowledge(vendor, reception, None)
        if code == ARRIVED:
            return False
        return await self._inbox.report(
            vendor,
            reception,
            request_id=_request_id(report),
            status_code=code,
            description=report.description,
            staff=report.staff_info,
        )

    async def _reporter(self, vendor: VendorId, report: StatusReport) -> Agency:
        code = report.sender.organ_id
        found = (await self._directory.resolve([code])).get(code)
        if found is None or not await self._directory.may_act(vendor, found.id):
            raise GatewayError(ErrorCode.AGENCY_NOT_PERMITTED, agency=code)
        return found

    async def _reception(self, reporter: Agency, report: StatusReport) -> ReceptionId:
        recall_first = report.status_code in (AGREED, NOT_AGREED)
        found = await self._receptions.find(reporter.id, report.response_for, recall_first=recall_first)
        if found is None:
            raise _unknown(report)
        return found

    async def _refuse(self, vendor: VendorId, reception: ReceptionId, report: StatusReport) -> bool:
        reason, staff = report.description, report.staff_info
        try:
            await self._inbox.refuse(vendor, reception, None, reason=reason, staff=staff)
        except GatewayError as error:
            if error.code is not ErrorCode.ALREADY_ACKNOWLEDGED:
                raise
            return await self._inbox.refuse_acknowledged(vendor, reception, reason=reason, staff=staff)
        return False

    async def _take_back(self, vendor: VendorId, sender: Agency, report: StatusReport) -> bool:
        """The sender's own words go on; its code and name are the directory's."""
        violations = rules.check_status_text(
            path="description", text=report.description, required=False, staff=report.staff_info, dialect=NATIONAL
        )
        if violations:
            raise GatewayError(ErrorCode.INVALID_FIELD, violations=violations)
        now = self._clock.now()
        printed = Organization(organ_id=sender.code, organ_name=sender.name)
        asked = replace(report, sender=printed, timestamp=report.timestamp or edxml_timestamp(now))
        added = await self._correspondence.take_back(asked, at=now)
        if added is None:
            raise _unknown(report)
        if added:
            _log.info("status.take_back_asked", document_id=report.response_for.document_id, vendor=vendor)
            self._wakeups.notify("outbox")
        return not added


def _request_id(report: StatusReport) -> str:
    """The same for the same packet: sent again, it is no second report."""
    return sha256(f"{report.status_code}|{report.timestamp}".encode()).hexdigest()


def _unknown(report: StatusReport) -> GatewayError:
    about = report.response_for
    return GatewayError(ErrorCode.DOCUMENT_UNKNOWN, name=about.document_id or about.code)
