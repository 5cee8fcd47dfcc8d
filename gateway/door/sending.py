"""sendEdoc: packets of the national form into the flows that every vendor system's documents take."""

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from gateway.domain.agency import Agency, code_key, is_hub, same_code
from gateway.domain.document import BusinessType, Document, Organization, ResponseFor, TraceHeader
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AccountName, AgencyId, AxisDocId, Digest, OrganId
from gateway.domain.packet import (
    AxisItem,
    PacketDefect,
    PacketKind,
    Received,
    StoredObject,
    UnpackedDocument,
    UnpackedStatus,
)
from gateway.domain.status import StatusReport
from gateway.door.answers import DoorCode, Refusal, refusal_of, refusal_of_defect
from gateway.door.bodies import Bodies
from gateway.door.calls import Answer, Call, authorise, find_agency
from gateway.ports import Admission, Blobs, Directory, StatusPackets, Submission, Submissions, Translator

_log = structlog.get_logger()

_DOOR = AccountName("door")
"""Stands where a packet from an axis names its account; no row ever holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Takes packets over."""

    bodies: Bodies
    submissions: Submissions
    statuses: StatusPackets
    translator: Translator
    directory: Directory
    blobs: Blobs
    admission: Admission

    async def send(self, call: Call) -> Answer:
        """Take one packet over; DocId is the document's name here. Sent again, the same document gives the same DocId.

        Raises GatewayError for what must be mended, BrokenBodyError.
        """
        kind = _kind(call.get("messagetype"))
        if kind is None or not call.get("hash-file"):
            return Refusal(
                code=DoorCode.PROCESSING, sentence="messagetype phải là edoc hoặc status, hash-file không được để trống"
            )
        raw = await self.bodies.packet(call.request, call.get("hash-file"))
        if isinstance(raw, Refusal):
            return raw
        try:
            item = AxisItem(axis_doc_id=AxisDocId(""), kind=kind, recipients=())
            async with self.admission.admitted(0):  # the files in it take the room of the packet, which goes
                unpacked = await self.translator.read(Received(account=_DOOR, item=item, raw=raw))
        finally:
            await self.blobs.discard([raw.key])
        if isinstance(unpacked, PacketDefect):
            return refusal_of_defect(unpacked)
        if unpacked.warnings:
            _log.info("door.packet_odd", warnings=sorted({warning.code for warning in unpacked.warnings}))
        if isinstance(unpacked, UnpackedStatus):
            return await self._status(call, unpacked.report)
        return await self._document(call, unpacked)

    async def _status(self, call: Call, report: StatusReport) -> Answer:
        await self._acting(call, report.sender.organ_id)
        await self.statuses.take(call.vendor, report)
        # A name of its own for each packet, which the client keeps; nothing can be asked by it.
        told = f"{report.sender.organ_id}|{report.response_for}|{report.status_code}|{report.timestamp}"
        return {"DocId": uuid.uuid5(uuid.NAMESPACE_OID, told).hex}

    async def _document(self, call: Call, unpacked: UnpackedDocument) -> Answer:
        lost = first_loss(unpacked)
        if lost is not None:
            await self.blobs.discard([stored.key for stored in unpacked.objects])
            return refusal_of_defect(lost)
        inline, spare = _by_digest(unpacked.objects)
        await self.blobs.discard([stored.key for stored in spare])
        try:
            submission = await self._submission(call, unpacked, inline)
        except GatewayError:
            await self.blobs.discard([stored.key for stored in inline.values()])
            raise
        if isinstance(submission, Refusal):
            await self.blobs.discard([stored.key for stored in inline.values()])
            return submission
        try:
            result = await self.submissions.submit(submission)
        except GatewayError as error:
            return await self._told(error)
        return {"DocId": result.sent.uid}

    async def _submission(
        self, call: Call, unpacked: UnpackedDocument, inline: dict[Digest, StoredObject]
    ) -> Submission | Refusal:
        document = naming_its_original(unpacked.document)
        agency = await self._acting(call, document.sender.organ_id)
        to = await self._recipients(call.get("to"), document.to)
        if isinstance(to, Refusal):
            return to
        return Submission(
            vendor=call.vendor,
            agency=agency,
            request_id=str(uuid.uuid4()),
            document=replace(document, to=to, trace=await self._passages(document)),
            inline=inline,
            validate_only=False,
        )

    async def _passages(self, document: Document) -> tuple[TraceHeader, ...]:
        """The trace without the sender's own entry, which the SDK writes: the packet has passed through the others."""
        sender = await find_agency(self.directory, document.sender.organ_id)
        own = {code_key(document.sender.organ_id)}
        if sender is not None:
            own |= {code_key(code) for code in (sender.code, *sender.aliases)}
        return tuple(hop for hop in document.trace if code_key(hop.organ_id) not in own)

    async def _acting(self, call: Call, printed: str) -> Agency:
        """The agency that the call is for: header `from`, unless that names the system or its centre.

        Raises GatewayError AGENCY_NOT_PERMITTED.
        """
        said = call.get("from")
        own = not said or said == call.signed.vendor.system_id or is_hub(said)
        return await authorise(self.directory, call.vendor, printed if own else said)

    async def _recipients(self, header: str, printed: Sequence[Organization]) -> tuple[Organization, ...] | Refusal:
        """Those of the packet's To that the header names, under any of their codes; all where there is no header."""
        codes = read_codes(header)
        if codes is None:
            return Refusal(
                code=DoorCode.UNKNOWN_RECEIVER, sentence="Header to phải là mảng JSON gồm các mã đơn vị, không lặp"
            )
        if not codes:
            return tuple(printed)
        found = await self.directory.resolve([*codes, *(each.organ_id for each in printed)])

        def known(code: str) -> AgencyId | str:
            return found[code].id if code in found else code.upper()

        named = {known(code): code for code in codes}
        kept = tuple(each for each in printed if known(each.organ_id) in named)
        others = named.keys() - {known(each.organ_id) for each in kept}
        if others:
            stray = ", ".join(sorted(named[each] for each in others)[:5])
            return Refusal(
                code=DoorCode.UNKNOWN_RECEIVER,
                sentence=f"Header to có nơi nhận không nằm trong phần To của gói tin: {stray}",
            )
        return kept

    async def _told(self, error: GatewayError) -> Refusal:
        """What the caller is told; a recipient that is closed has a code of its own."""
        refusal = refusal_of(error)
        if error.code is ErrorCode.DOCUMENT_ID_REUSED:  # by clients that send to one recipient after the other
            return replace(refusal, sentence=f"{refusal.sentence.rstrip('.')} hoặc nơi nhận khác.")
        if error.code is ErrorCode.RECIPIENT_UNKNOWN:
            agency = await find_agency(self.directory, error.facts.get("recipient", ""))
            if agency is not None and not agency.active:
                return replace(refusal, code=DoorCode.LOCKED_RECEIVER)
        return refusal


_LOSSES = frozenset({"ATTACHMENT_WITHOUT_CONTENT", "DATE_IMPOSSIBLE", "DATE_UNREADABLE"})
"""Warnings of the reader about what it leaves out: borne in what comes from far away, but never sent on as whole."""
_FILE_ABSENT = "REFERENCE_WITHOUT_ATTACHMENT"
_ELEMENT_ABSENT = "ELEMENT_ABSENT"
_RECIPIENT = re.compile(r".*/MessageHeader/To(\[[0-9]+\])?", re.ASCII)


def first_loss(unpacked: UnpackedDocument) -> PacketDefect | None:
    """A recipient, file or date that the packet has and the document would go out without; None where all is there."""
    recall = unpacked.document.business_type == BusinessType.RECALL
    for warning in unpacked.warnings:
        if (
            warning.code in _LOSSES
            or (warning.code == _FILE_ABSENT and not recall)  # recalls repeat the manifest, with or without the files
            or (warning.code == _ELEMENT_ABSENT and _RECIPIENT.fullmatch(warning.path))
        ):
            return PacketDefect(code=warning.code, path=warning.path, message=warning.message)
    return None


def naming_its_original(document: Document) -> Document:
    """A recall or update that names what it follows by repeating its header alone, as some systems do, names it."""
    business = document.business
    if document.business_type == BusinessType.RECALL and not document.response_for:
        original = ResponseFor(
            organ_id=document.sender.organ_id,
            code=document.code,
            promulgation_date=document.promulgation_date,
            document_id=document.document_id,
        )
        return replace(document, response_for=(original,))
    if document.business_type == BusinessType.UPDATE and not business.document_id.strip():
        return replace(document, business=replace(business, document_id=document.document_id))
    return document


def read_codes(text: str) -> tuple[OrganId, ...] | None:
    """A header that holds one code or a JSON array of distinct ones; None for anything else."""
    if not text.startswith("["):
        return (OrganId(text),) if text else ()
    try:
        codes = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(codes, list) or not all(isinstance(code, str) and _is_code(code.strip()) for code in codes):
        return None
    if any(same_code(one, two) for one, two in zip(sorted(codes), sorted(codes)[1:], strict=False)):
        return None
    return tuple(OrganId(code.strip()) for code in codes)


def _is_code(text: str) -> bool:
    """False for what no store takes as text."""
    return text != "" and text.isprintable()


def _kind(messagetype: str) -> PacketKind | None:
    try:
        return PacketKind(messagetype.lower())
    except ValueError:
        return None


def _by_digest(objects: Sequence[StoredObject]) -> tuple[dict[Digest, StoredObject], list[StoredObject]]:
    """The objects by their content, and those whose content is there twice."""
    found: dict[Digest, StoredObject] = {}
    spare = [stored for stored in objects if found.setdefault(stored.digest, stored) is not stored]
    return found, spare
