"""Takes a document over from a vendor system: complete, check, make durable; refuse with everything to be mended."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import structlog

from gateway.domain import rules, signing
from gateway.domain.agency import Agency
from gateway.domain.deadline import legal_deadline
from gateway.domain.digests import request_digest, submission_digest
from gateway.domain.document import Attachment, Document, Organization, Priority
from gateway.domain.errors import ErrorCode, FieldViolation, GatewayError
from gateway.domain.ids import AccountName, AgencyId, Digest, DocumentUid
from gateway.domain.packet import PacketWarning, StoredObject
from gateway.domain.routing import RouteTable, Share
from gateway.domain.vntime import vietnam_date
from gateway.flows.following import follow, owned
from gateway.flows.routing import Router, SubmissionAccount
from gateway.observability.metrics import Metrics
from gateway.ports import (
    Acceptance,
    Admission,
    BlobIndex,
    Blobs,
    Clock,
    Directory,
    DocumentRemoved,
    DocumentReused,
    Documents,
    RequestReused,
    SentDocument,
    SignatureCheck,
    Submission,
    SubmissionResult,
    Submissions,
    Taken,
    Wakeups,
)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A submission that nothing speaks against."""

    document: Document
    """As it will be sent."""
    objects: tuple[StoredObject, ...]
    shares: tuple[Share, ...]
    warnings: tuple[PacketWarning, ...]
    """What should be mended in it."""
    follows: DocumentUid | None


class SubmissionFlow(Submissions):
    """Submissions, each to the accounts that its recipients' routes lead through.

    Objects that came with a request are discarded whenever the request ends without them; where it is not known whether
    they were registered (the store failed while accepting) they stay for the sweep.
    """

    def __init__(
        self,
        *,
        documents: Documents,
        directory: Directory,
        blob_index: BlobIndex,
        blobs: Blobs,
        admission: Admission,
        signatures: SignatureCheck,
        table: RouteTable,
        accounts: Mapping[AccountName, SubmissionAccount],
        local: bool,
        signature_policy: signing.SignaturePolicy,
        limits: rules.Limits,
        is_working_day: Callable[[date], bool],
        clock: Clock,
        metrics: Metrics,
        wakeups: Wakeups,
    ) -> None:
        """`accounts` are all that the table names, and LOCAL where `local`: documents between agencies served here."""
        self._documents = documents
        self._directory = directory
        self._blob_index = blob_index
        self._blobs = blobs
        self._admission = admission
        self._signatures = signatures
        self._router = Router(table=table, accounts=accounts, local=local, directory=directory)
        self._signature_policy = signature_policy
        self._limits = limits
        self._is_working_day = is_working_day
        self._clock = clock
        self._metrics = metrics
        self._wakeups = wakeups

    async def submit(self, submission: Submission) -> SubmissionResult:
        """Check, complete and accept a document.

        Raises GatewayError REQUEST_ID_REUSED; AGENCY_UNKNOWN, AGENCY_NOT_PERMITTED (of the issuing agency);
        RECIPIENT_UNKNOWN, INVALID_FIELD, ATTACHMENT_UNKNOWN, NO_ROUTE, PACKET_TOO_LARGE, SIGNATURE_*;
        DOCUMENT_ID_REUSED, DOCUMENT_REMOVED (sent before, no longer kept);
        STORAGE_FULL, though not for a repetition of what was accepted.
        """
        digest = request_digest(submission.agency, submission.document)
        try:
            earlier = await self._repetition(submission, digest)
            if earlier is not None:
                await self._discard_inline(submission)
                return self._repeated(earlier)
            async with self._admission.admitted(0):  # the files themselves were admitted as they came
                prepared = await self._prepare(submission)
        except GatewayError as error:
            await self._discard_inline(submission)
            self._metrics.refused.labels(submission.vendor, error.code).inc()
            raise
        if submission.validate_only:
            await self._discard_inline(submission)
            sent = self._as_if_sent(submission, prepared.document)
            return SubmissionResult(sent=sent, repeated=False, warnings=prepared.warnings)
        return await self._accept(submission, digest, prepared)

    async def _repetition(self, submission: Submission, digest: Digest) -> Taken | None:
        found = await self._documents.repetition(submission.vendor, submission.request_id, digest)
        if isinstance(found, RequestReused):
            raise GatewayError(ErrorCode.REQUEST_ID_REUSED, request_id=submission.request_id)
        if isinstance(found, DocumentRemoved):
            raise GatewayError(ErrorCode.DOCUMENT_REMOVED, document_id=found.document_id)
        return found

    def _repeated(self, earlier: Taken) -> SubmissionResult:
        self._metrics.duplicates.labels("vendor").inc()
        return SubmissionResult(sent=earlier.sent, repeated=True, warnings=())

    async def _prepare(self, submission: Submission) -> _Prepared:
        now = self._clock.now()
        document, agencies = await self._complete(submission)
        ways = await self._router.ways(agencies)
        violations, warnings = rules.check(
            document, today=vietnam_date(now), limits=self._limits, dialect=self._router.strictest(ways)
        )
        if violations:
            raise GatewayError(ErrorCode.INVALID_FIELD, violations=violations)
        document, follows = await follow(document, self._documents, self._directory)
        objects = await self._objects(submission, document.attachments)
        sized = [replace(a, size=o.size) for a, o in zip(document.attachments, objects, strict=True)]
        document = replace(document, attachments=tuple(sized))
        shares = await self._router.shares(document, objects, ways, at=now)
        verdicts = await self._signatures.check(objects, at=now)
        judged = tuple(replace(a, verdict=verdict) for a, verdict in zip(sized, verdicts, strict=True))
        document = replace(document, attachments=judged)
        objection = signing.objection(self._signature_policy, document)
        if objection is not None:
            raise objection.as_error()
        return _Prepared(document=document, objects=objects, shares=shares, warnings=warnings, follows=follows)

    async def _complete(self, submission: Submission) -> tuple[Document, Sequence[AgencyId]]:
        """The document with everything the gateway fills in, and its recipients; none if they are too many."""
        asked = submission.document
        sender = await self._sender(submission.agency, asked.sender)
        many = len(asked.to) > self._limits.recipients
        to, agencies = (asked.to, ()) if many else await self._recipients(asked.to)
        document = replace(asked, sender=sender, to=to)
        if not document.document_id:
            document = replace(document, document_id=rules.default_document_id(document))
        return await owned(document, sender, self._directory), agencies

    async def _sender(self, acting: Agency, asked: Organization) -> Organization:
        if not asked.organ_id.strip():
            return _printed(asked, acting)
        found = (await self._directory.resolve([asked.organ_id])).get(asked.organ_id)
        if found is None or not found.active:
            raise GatewayError(
                ErrorCode.AGENCY_UNKNOWN,
                violations=[_unknown("document.from.organ_id", asked.organ_id)],
                agency=asked.organ_id,
            )
        above = await self._directory.lineage(found.id)
        if acting.id not in {unit.id for unit in above}:
            violation = FieldViolation(
                path="document.from.organ_id",
                en=f"neither the acting agency {acting.code} nor a unit below it",
                vi=f"Không phải cơ quan {acting.code} hoặc đơn vị trực thuộc.",
            )
            raise GatewayError(ErrorCode.AGENCY_NOT_PERMITTED, violations=[violation], agency=asked.organ_id)
        return _printed(asked, found)

    async def _recipients(self, asked: Sequence[Organization]) -> tuple[tuple[Organization, ...], Sequence[AgencyId]]:
        """The recipients as printed, and which agencies they are; one without a code is refused by the rules."""
        named = [organization.organ_id for organization in asked if organization.organ_id.strip()]
        found = await self._directory.resolve(named)
        printed: list[Organization] = []
        agencies: list[AgencyId] = []
        unknown: list[str] = []
        bad: list[FieldViolation] = []
        for i, organization in enumerate(asked):
            agency = found.get(organization.organ_id)
            if agency is not None and agency.active:
                printed.append(_printed(organization, agency))
                agencies.append(agency.id)
            elif organization.organ_id.strip():
                unknown.append(organization.organ_id)
                bad.append(_unknown(f"document.to[{i}].organ_id", organization.organ_id))
            else:
                printed.append(organization)
        if bad:
            raise GatewayError(ErrorCode.RECIPIENT_UNKNOWN, violations=bad, recipient=unknown[0])
        return tuple(printed), agencies

    async def _objects(self, submission: Submission, attachments: Sequence[Attachment]) -> tuple[StoredObject, ...]:
        named = {a.sha256 for a in attachments} - submission.inline.keys()
        referable: Mapping[Digest, StoredObject] = {}
        if named:
            referable = await self._blob_index.referable(submission.vendor, named, at=self._clock.now())
        known = {**referable, **submission.inline}
        bad = [(i, a.name) for i, a in enumerate(attachments) if a.sha256 not in known]
        if bad:
            violations = [
                FieldViolation(
                    path=f"document.attachments[{i}].sha256",
                    en="neither uploaded nor received by this vendor system",
                    vi="Hệ thống này chưa tải lên và chưa từng nhận nội dung này.",
                )
                for i, _ in bad
            ]
            raise GatewayError(ErrorCode.ATTACHMENT_UNKNOWN, violations=violations, attachment=bad[0][1])
        return tuple(known[a.sha256] for a in attachments)

    async def _accept(self, submission: Submission, digest: Digest, prepared: _Prepared) -> SubmissionResult:
        now, document = self._clock.now(), prepared.document
        acceptance = Acceptance(
            vendor=submission.vendor,
            agency=submission.agency.id,
            request_id=submission.request_id,
            request_digest=digest,
            content_digest=submission_digest(document),
            document=document,
            objects=prepared.objects,
            shares=prepared.shares,
            deadline_at=legal_deadline(document, now, self._is_working_day),
            follows=prepared.follows,
        )
        taken = await self._documents.accept(acceptance, at=now)
        if not isinstance(taken, Taken):
            await self._discard_inline(submission)
            error = _reused(taken, submission, document)
            self._metrics.refused.labels(submission.vendor, error.code).inc()
            raise error
        await self._blobs.discard(taken.redundant)
        if taken.repeated:
            return self._repeated(taken)
        self._metrics.accepted.labels(submission.vendor, Priority(document.other_info.priority).name.lower()).inc()
        _log.info(
            "document.accepted",
            name=f"documents/{taken.sent.uid}",
            document_id=document.document_id,
            vendor=submission.vendor,
            recipients=len(document.to),
        )
        self._wakeups.notify("outbox")
        self._wakeups.notify("events")
        return SubmissionResult(sent=taken.sent, repeated=False, warnings=prepared.warnings)

    async def _discard_inline(self, submission: Submission) -> None:
        if submission.inline:
            await self._blobs.discard([stored.key for stored in submission.inline.values()])

    def _as_if_sent(self, submission: Submission, document: Document) -> SentDocument:
        return SentDocument(
            uid=DocumentUid(""),
            agency=submission.agency.id,
            document=document,
            accepted_at=self._clock.now(),
            deliveries=(),
        )


def _printed(asked: Organization, agency: Agency) -> Organization:
    return replace(asked, organ_id=agency.code, organ_name=asked.organ_name or agency.name[: rules.NAME_LIMIT])


def _unknown(path: str, code: str) -> FieldViolation:
    return FieldViolation(
        path=path, en=f"{code!r} is unknown or closed", vi=f"Mã {code} không tồn tại hoặc đã ngừng hoạt động."
    )


def _reused(
    found: RequestReused | DocumentReused | DocumentRemoved, submission: Submission, document: Document
) -> GatewayError:
    if isinstance(found, DocumentRemoved):
        return GatewayError(ErrorCode.DOCUMENT_REMOVED, document_id=found.document_id)
    if isinstance(found, RequestReused):
        return GatewayError(ErrorCode.REQUEST_ID_REUSED, request_id=submission.request_id)
    return GatewayError(ErrorCode.DOCUMENT_ID_REUSED, document_id=document.document_id)
