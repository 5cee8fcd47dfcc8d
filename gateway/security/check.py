"""Implements SignatureCheck: which objects are PDFs, each judged once while its verdict is fresh."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from gateway.domain.ids import Digest
from gateway.domain.packet import StoredObject, UnpackedDocument, VerifiedDocument
from gateway.domain.verdict import SignatureVerdict
from gateway.observability.metrics import Metrics
from gateway.ports.content import Blobs, SignatureCheck
from gateway.security.header import HEADER, HEADER_WITHIN
from gateway.security.policy import SignatureRules
from gateway.security.trust import TrustAnchors

_FRESH = timedelta(hours=1)
"""How far from the time of a check its verdict still holds: trust depends on the time."""

_Key = tuple[Digest, str, str]


class Judge(Protocol):
    """What gives the verdict on one file; the pool, in production."""

    async def judge(self, path: Path, *, at: datetime) -> SignatureVerdict:
        """The verdict on a PDF."""


class PdfSignatureCheck(SignatureCheck):
    """Judges PDFs through a pool and remembers the last `remembered` verdicts."""

    def __init__(
        self,
        *,
        blobs: Blobs,
        judge: Judge,
        anchors: TrustAnchors,
        rules: SignatureRules,
        metrics: Metrics,
        remembered: int = 1000,
    ) -> None:
        self._blobs = blobs
        self._judge = judge
        self._seal = (anchors.digest, rules.digest)
        self._metrics = metrics
        self._remembered = remembered
        self._verdicts: OrderedDict[_Key, SignatureVerdict] = OrderedDict()

    async def check(self, objects: Sequence[StoredObject], *, at: datetime) -> tuple[SignatureVerdict | None, ...]:
        """One verdict per object, None for what has no PDF header within its first 1024 bytes."""
        return tuple(await asyncio.gather(*(self._verdict(stored, at) for stored in objects)))

    async def verify(self, unpacked: UnpackedDocument, *, at: datetime) -> VerifiedDocument:
        """The document with a verdict on every attachment."""
        verdicts = await self.check(unpacked.objects, at=at)
        attachments = tuple(
            replace(attachment, verdict=verdict)
            for attachment, verdict in zip(unpacked.document.attachments, verdicts, strict=True)
        )
        return VerifiedDocument(
            document=replace(unpacked.document, attachments=attachments),
            objects=unpacked.objects,
            warnings=unpacked.warnings,
        )

    async def _verdict(self, stored: StoredObject, at: datetime) -> SignatureVerdict | None:
        if not await self._is_pdf(stored):
            return None
        key = (stored.digest, *self._seal)
        known = self._verdicts.get(key)
        if known and abs(at - known.checked_at) < _FRESH:
            self._verdicts.move_to_end(key)
            return known
        began = time.perf_counter()
        async with self._blobs.local_path(stored) as path:
            verdict = await self._judge.judge(path, at=at)
        self._metrics.signature_seconds.labels(verdict.verdict).observe(time.perf_counter() - began)
        self._verdicts[key] = verdict
        self._verdicts.move_to_end(key)
        if len(self._verdicts) > self._remembered:
            self._verdicts.popitem(last=False)
        return verdict

    async def _is_pdf(self, stored: StoredObject) -> bool:
        head = b""
        async with aclosing(self._blobs.stream(stored)) as chunks:  # type: ignore[type-var]  # ports promise an iterator, ours is a generator
            async for chunk in chunks:
                head += chunk
                if len(head) >= HEADER_WITHIN:
                    break
        return HEADER in head[:HEADER_WITHIN]
