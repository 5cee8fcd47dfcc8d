"""Values that are valid by default, so that a test names only what it is about."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any
from uuid import uuid4

from gateway.domain.agency import Agency, DirectoryRow
from gateway.domain.document import (
    Attachment,
    AttachmentRole,
    Business,
    BusinessType,
    Document,
    DocumentType,
    Organization,
    OtherInfo,
    ReplacementInfo,
    ResponseFor,
    SignerInfo,
    StaffInfo,
)
from gateway.domain.ids import AccountName, AgencyId, AxisDocId, Digest, ObjectKey, OrganId, VendorId
from gateway.domain.packet import AxisItem, PacketKind, Received, StoredObject, VerifiedDocument
from gateway.domain.routing import Share
from gateway.domain.status import ACCEPTED, StatusReport
from gateway.domain.verdict import Signature, SignatureVerdict, Verdict
from gateway.ports.inbound import Arrival
from gateway.ports.outbound import Acceptance

NOW = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)
"""The instant at which tests happen unless they say otherwise."""

ROUTE = AccountName("national")
SENDER = OrganId("000.00.15.H98")
RECIPIENT = OrganId("000.00.22.H99")

_numbers = count(1)


def make_digest(content: bytes | str) -> Digest:
    """The SHA-256 of some content."""
    return Digest(sha256(content.encode() if isinstance(content, str) else content).hexdigest())


def make_stored(content: bytes | str = b"content", **overrides: Any) -> StoredObject:
    """A stored object with a key of its own, as every write makes one."""
    values: dict[str, Any] = {
        "digest": make_digest(content),
        "size": len(content),
        "key": ObjectKey(f"k-{uuid4().hex}"),
    }
    return StoredObject(**(values | overrides))


def make_organization(code: str = SENDER, **overrides: Any) -> Organization:
    """An agency as printed in a packet."""
    values: dict[str, Any] = {
        "organ_id": OrganId(code),
        "organ_name": f"Sở thử nghiệm {code}",
        "organization_in_charge": "UBND tỉnh thử nghiệm",
        "organ_add": "Số 1, đường Thử",
        "email": "vanthu@example.org",
        "telephone": "0200 000 000",
    }
    return Organization(**(values | overrides))


def make_agency(code: str = SENDER, **overrides: Any) -> Agency:
    """An active agency at the top of the tree; its id is derived from its code."""
    values: dict[str, Any] = {
        "id": AgencyId(make_digest(code)[:32]),
        "code": OrganId(code),
        "name": f"Sở thử nghiệm {code}",
        "parent_id": None,
        "parent_code": None,
        "aliases": (),
        "email": "vanthu@example.org",
        "active": True,
    }
    return Agency(**(values | overrides))


def make_directory_row(code: str = SENDER, **overrides: Any) -> DirectoryRow:
    """An agency as the axis lists it, at the top of the tree; its axis id is derived from its code."""
    values: dict[str, Any] = {
        "axis_id": f"axis-{code}",
        "parent_axis_id": "",
        "code": OrganId(code),
        "name": f"Sở thử nghiệm {code}",
        "email": "vanthu@example.org",
        "aliases": (),
    }
    return DirectoryRow(**(values | overrides))


def make_attachment(content: bytes | str = b"%PDF-1.7 main", **overrides: Any) -> Attachment:
    """A main PDF named by the digest of `content`."""
    values: dict[str, Any] = {
        "name": "Văn bản.pdf",
        "media_type": "application/pdf",
        "size": len(content),
        "sha256": make_digest(content),
        "role": AttachmentRole.MAIN,
    }
    return Attachment(**(values | overrides))


def make_document(**overrides: Any) -> Document:
    """An official letter from SENDER to RECIPIENT with one main PDF; every call has a number of its own."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "sender": make_organization(SENDER),
        "to": (make_organization(RECIPIENT),),
        "document_id": f"{SENDER},2026/03/02,{number}/TN-VP",
        "code_number": str(number),
        "code_notation": "TN-VP",
        "promulgation_place": "Thử Nghiệm",
        "promulgation_date": date(2026, 3, 2),
        "subject": "V/v thử nghiệm liên thông văn bản",
        "document_type": DocumentType(type=2, type_detail=1, type_name="Công văn"),
        "content": "Nội dung thử nghiệm",
        "signer_info": SignerInfo(competence="KT. GIÁM ĐỐC", position="Phó Giám đốc", full_name="Người Ký Thử"),
        "other_info": OtherInfo(page_amount=2),
        "attachments": (make_attachment(),),
    }
    return Document(**(values | overrides))


def make_follower(document: Document, kind: BusinessType, **overrides: Any) -> Document:
    """A recall, update or replacement of a document, as a vendor submits it; its marks are its own."""
    references: dict[BusinessType, dict[str, Any]] = {
        BusinessType.RECALL: {
            "response_for": (make_response_for(document),),
            "business": Business(reason="Gửi nhầm nơi nhận"),
            "attachments": (),
        },
        BusinessType.UPDATE: {"business": Business(reason="Sửa lỗi", document_id=document.document_id)},
        BusinessType.REPLACE: {"business": Business(replacements=(ReplacementInfo(document_id=document.document_id),))},
    }
    values: dict[str, Any] = {"sender": document.sender, "to": document.to, "business_type": kind}
    return make_document(**(values | references[kind] | overrides))


def make_verdict(**overrides: Any) -> SignatureVerdict:
    """One intact, valid and trusted signature."""
    signature = Signature(
        signer="CN=Sở thử nghiệm", intact=True, valid=True, trusted=True, signed_at=NOW - timedelta(hours=1), reason=""
    )
    values: dict[str, Any] = {"verdict": Verdict.TRUSTED, "signatures": (signature,), "checked_at": NOW}
    return SignatureVerdict(**(values | overrides))


def make_response_for(document: Document, **overrides: Any) -> ResponseFor:
    """The reference by which a status names a document; addressee is the document's sender."""
    values: dict[str, Any] = {
        "organ_id": document.sender.organ_id,
        "code": document.code,
        "promulgation_date": document.promulgation_date,
        "document_id": document.document_id,
    }
    return ResponseFor(**(values | overrides))


def recall_of(document: Document, **overrides: Any) -> Document:
    """The recall of a document, under the marks of the document itself, as vendor systems send it."""
    values: dict[str, Any] = {
        "business_type": BusinessType.RECALL,
        "response_for": (make_response_for(document),),
        "business": Business(reason="Gửi nhầm"),
        "attachments": (),
    }
    return replace(document, **(values | overrides))


def make_status(document: Document | None = None, **overrides: Any) -> StatusReport:
    """Status 03 of the document's first recipient about it."""
    about = document or make_document()
    values: dict[str, Any] = {
        "sender": about.to[0],
        "response_for": make_response_for(about),
        "status_code": ACCEPTED,
        "timestamp": "2026/03/02 09:30:00",
        "staff_info": StaffInfo(department="Văn phòng", staff="Cán Bộ Thử"),
    }
    return StatusReport(**(values | overrides))


def make_item(**overrides: Any) -> AxisItem:
    """A waiting document on the axis, with an id of its own."""
    values: dict[str, Any] = {
        "axis_doc_id": AxisDocId(uuid4().hex),
        "kind": PacketKind.DOCUMENT,
        "recipients": (RECIPIENT,),
    }
    return AxisItem(**(values | overrides))


def make_received(**overrides: Any) -> Received:
    """A raw packet as fetched; its bytes are its own."""
    values: dict[str, Any] = {"account": ROUTE, "item": make_item(), "raw": make_stored(uuid4().hex)}
    return Received(**(values | overrides))


def make_verified(document: Document | None = None, **overrides: Any) -> VerifiedDocument:
    """The document with a trusted verdict on every attachment and one stored object for each."""
    given = document or make_document()
    judged = tuple(replace(a, verdict=a.verdict or make_verdict()) for a in given.attachments)
    values: dict[str, Any] = {
        "document": replace(given, attachments=judged),
        "objects": tuple(objects_for(given)),
        "warnings": (),
    }
    return VerifiedDocument(**(values | overrides))


def make_arrival(document: Document | None = None, **overrides: Any) -> Arrival:
    """A verified document for the agencies of its `to`; override `recipients` with agencies the store knows."""
    given = document or make_document()
    values: dict[str, Any] = {
        "account": ROUTE,
        "item": make_item(),
        "verified": make_verified(given),
        "content_digest": make_digest(repr(replace(given, to=(), trace=()))),
        "recipients": tuple(make_agency(o.organ_id) for o in given.to),
    }
    return Arrival(**(values | overrides))


def make_acceptance(
    document: Document | None = None, *, via: tuple[AccountName, ...] = (ROUTE,), together: int = 100, **overrides: Any
) -> Acceptance:
    """A document as submission hands it to the store, one way for all; override `agency` with one the store knows."""
    given = document or make_document()
    values: dict[str, Any] = {
        "vendor": VendorId("vendor-a"),
        "agency": make_agency(given.sender.organ_id).id,
        "request_id": str(uuid4()),
        "request_digest": make_digest(repr(given)),
        "content_digest": make_digest(repr(given)),
        "document": given,
        "objects": tuple(objects_for(given)),
        "shares": (Share(accounts=via, places=tuple(range(len(given.to))), together=together),),
    }
    return Acceptance(**(values | overrides))


def objects_for(document: Document, key: Callable[[], str] = lambda: f"k-{uuid4().hex}") -> list[StoredObject]:
    """One stored object per attachment, each under a new key."""
    return [StoredObject(digest=a.sha256, size=a.size, key=ObjectKey(key())) for a in document.attachments]
