"""Judges attachments as a test says, by their digest."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from gateway.domain.ids import Digest
from gateway.domain.packet import StoredObject, UnpackedDocument, VerifiedDocument
from gateway.domain.verdict import SignatureVerdict, Verdict
from gateway.ports import SignatureCheck
from tests.make import make_verdict


class FakeSignatures(SignatureCheck):
    """`verdicts` says what a digest is worth; everything else is trusted."""

    def __init__(self) -> None:
        self.verdicts: dict[Digest, Verdict] = {}

    async def check(self, objects: Sequence[StoredObject], *, at: datetime) -> tuple[SignatureVerdict | None, ...]:
        return tuple(make_verdict(verdict=self.verdicts.get(o.digest, Verdict.TRUSTED), checked_at=at) for o in objects)

    async def verify(self, unpacked: UnpackedDocument, *, at: datetime) -> VerifiedDocument:
        verdicts = await self.check(unpacked.objects, at=at)
        judged = tuple(replace(a, verdict=v) for a, v in zip(unpacked.document.attachments, verdicts, strict=True))
        return VerifiedDocument(
            document=replace(unpacked.document, attachments=judged),
            objects=unpacked.objects,
            warnings=unpacked.warnings,
        )
