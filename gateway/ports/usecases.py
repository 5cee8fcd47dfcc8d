"""Use cases that rpc calls; flows implement them."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.domain.agency import Agency
from gateway.domain.document import Document, StaffInfo
from gateway.domain.ids import Digest, ReceptionId, VendorId
from gateway.domain.packet import PacketWarning, StoredObject
from gateway.domain.status import StatusReport
from gateway.ports.outbound import SentDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A document as a vendor system asks for it, converted and nothing more."""

    vendor: VendorId
    agency: Agency
    """The acting agency, permission already checked."""
    request_id: str
    """UUID in canonical lower-case form."""
    document: Document
    """Attachments have size -1 where the request named only a digest."""
    inline: Mapping[Digest, StoredObject]
    """Attachments that came with the request, stored but in no row."""
    validate_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionResult:
    """The answer to a submission."""

    sent: SentDocument
    repeated: bool
    warnings: tuple[PacketWarning, ...]
    """path is a field path of the contract."""


class Submissions(Protocol):
    """Taking documents over."""

    @abstractmethod
    async def submit(self, submission: Submission) -> SubmissionResult:
        """Check, complete and accept a document. Raises GatewayError for everything that must be mended."""


class Inbox(Protocol):
    """What vendor systems do with received documents; every change of state makes the status that follows from it."""

    @abstractmethod
    async def acknowledge(self, vendor: VendorId, reception: ReceptionId, ack_id: str | None) -> None:
        """Without an `ack_id`, whoever may have the document leased. Repeating is harmless.

        Raises GatewayError DOCUMENT_UNKNOWN (also for foreign ones), LEASE_LOST, ALREADY_REFUSED.
        """

    @abstractmethod
    async def refuse(
        self, vendor: VendorId, reception: ReceptionId, ack_id: str | None, *, reason: str, staff: StaffInfo
    ) -> None:
        """Without an `ack_id`, whoever may have the document leased. Repeating is harmless.

        Raises GatewayError INVALID_FIELD (no reason), DOCUMENT_UNKNOWN, LEASE_LOST, ALREADY_ACKNOWLEDGED.
        """

    @abstractmethod
    async def refuse_acknowledged(
        self, vendor: VendorId, reception: ReceptionId, *, reason: str, staff: StaffInfo
    ) -> bool:
        """Tell the sender 02 of a document that was acknowledged, which it stays; True if it was told before.

        Raises GatewayError INVALID_FIELD (no reason), DOCUMENT_UNKNOWN.
        """

    @abstractmethod
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
        """True if reported before.

        Raises GatewayError STATUS_NOT_ALLOWED, DOCUMENT_UNKNOWN, NOT_ACKNOWLEDGED, ALREADY_REFUSED, INVALID_FIELD (16
        without a description), REQUEST_ID_REUSED.
        """


class StatusPackets(Protocol):
    """Status packets as vendor systems write them that speak the national SDK: they name documents, not receptions."""

    @abstractmethod
    async def take(self, vendor: VendorId, report: StatusReport) -> bool:
        """Do what the status says, on our side and towards whom it is for; True if it was taken before.

        01 acknowledges, 02 refuses, 03 to 06, 15 and 16 are reported and acknowledge on the way, 13 asks the recipient
        of a sent document to give it back.

        Raises GatewayError AGENCY_NOT_PERMITTED (of the reporter), DOCUMENT_UNKNOWN, STATUS_NOT_ALLOWED, INVALID_FIELD,
        ALREADY_REFUSED.
        """
