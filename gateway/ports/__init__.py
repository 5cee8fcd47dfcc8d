"""The joints: what each part offers to the flows and to rpc. Parts know only this package and `domain`.

Implementers inherit a Protocol explicitly, so that mypy compares signatures at the class and a forgotten method fails
at construction. Reading order: `content` and `axis` (the way of the bytes), `agencies`, `outbound`, `inbound` (the
store), then `usecases` (what rpc calls).
"""

from gateway.ports.agencies import Directory
from gateway.ports.axis import Axis, DirectoryListing, Fetched, Waiting
from gateway.ports.claims import Claims
from gateway.ports.content import Blobs, BlobWriter, Clock, SignatureCheck, Translator
from gateway.ports.inbound import (
    Arrival,
    ContentConflict,
    EventLog,
    EventPage,
    InboundItems,
    ItemRecord,
    LogHead,
    Original,
    ReceivedEntry,
    Receptions,
    StatusPlaced,
    StatusUnplaced,
    Stored,
    Wakeups,
)
from gateway.ports.outbound import (
    Acceptance,
    BlobIndex,
    DeliveryView,
    DocumentFilter,
    DocumentReused,
    Documents,
    LeasedMessage,
    OutboxQueue,
    PageKey,
    QueueDepth,
    RequestReused,
    SentDocument,
    Settlement,
    Taken,
    Upload,
)
from gateway.ports.usecases import Inbox, Submission, SubmissionResult, Submissions

__all__ = [
    "Acceptance",
    "Arrival",
    "Axis",
    "BlobIndex",
    "BlobWriter",
    "Blobs",
    "Claims",
    "Clock",
    "ContentConflict",
    "DeliveryView",
    "Directory",
    "DirectoryListing",
    "DocumentFilter",
    "DocumentReused",
    "Documents",
    "EventLog",
    "EventPage",
    "Fetched",
    "InboundItems",
    "Inbox",
    "ItemRecord",
    "LeasedMessage",
    "LogHead",
    "Original",
    "OutboxQueue",
    "PageKey",
    "QueueDepth",
    "ReceivedEntry",
    "Receptions",
    "RequestReused",
    "SentDocument",
    "Settlement",
    "SignatureCheck",
    "StatusPlaced",
    "StatusUnplaced",
    "Stored",
    "Submission",
    "SubmissionResult",
    "Submissions",
    "Taken",
    "Translator",
    "Upload",
    "Waiting",
    "Wakeups",
]
