"""Which attachments are judged, how often, and where the verdicts go."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from gateway.blobs.content import LocalBlobs
from gateway.domain.packet import UnpackedDocument
from gateway.domain.verdict import SignatureVerdict, Verdict
from gateway.observability.metrics import Metrics
from gateway.sandbox.pdf import make_docx
from gateway.security.check import Judge, PdfSignatureCheck
from gateway.security.pdf import judge_pdf
from gateway.security.policy import SignatureRules
from tests.fakes.clock import SettableClock
from tests.make import NOW, make_attachment, make_document


class JudgeInThread(Judge):
    """Judges for real, in this process, and counts."""

    def __init__(self, anchors):
        self.anchors = anchors
        self.calls = 0

    async def judge(self, path: Path, *, at) -> SignatureVerdict:
        self.calls += 1
        return await asyncio.to_thread(judge_pdf, path, self.anchors, at)


@pytest.fixture
def blobs(tmp_path):
    return LocalBlobs(tmp_path / "blobs", clock=SettableClock())


@pytest.fixture
def judge(anchors):
    return JudgeInThread(anchors)


@pytest.fixture
def metrics():
    return Metrics(CollectorRegistry())


@pytest.fixture
def check(blobs, judge, anchors, metrics):
    return PdfSignatureCheck(
        blobs=blobs, judge=judge, anchors=anchors, rules=SignatureRules(), metrics=metrics, remembered=2
    )


@pytest.fixture
def store(blobs):
    async def store_bytes(content):
        async with blobs.writer(limit=10_000_000) as writer:
            await writer.write(content)
            return await writer.finish()

    return store_bytes


async def test_only_pdfs_are_judged(check, store, judge, signed, unsigned):
    """Files are told apart by their first bytes, not by name; one verdict per object, in order."""
    contents = (make_docx(text="x"), signed, b"", unsigned, b"\r\n" * 400 + b"%PDF-broken", b" " * 1021 + b"%PDF")
    objects = [await store(content) for content in contents]
    verdicts = await check.check(objects, at=NOW)
    assert [verdict and verdict.verdict for verdict in verdicts] == [
        None,
        Verdict.TRUSTED,
        None,
        Verdict.UNSIGNED,
        Verdict.INVALID,
        None,
    ]
    assert judge.calls == 3


async def test_verdicts_are_remembered_by_content(check, store, judge, metrics, signed):
    """The same bytes under another key are not judged again within the hour; later they are. Judgements are timed."""
    first, second = await store(signed), await store(signed)
    (verdict,) = await check.check([first], at=NOW)
    assert await check.check([second], at=NOW + timedelta(minutes=59)) == (verdict,)
    assert judge.calls == 1
    (later,) = await check.check([second], at=NOW + timedelta(minutes=61))
    assert later is not None
    assert later.checked_at == NOW + timedelta(minutes=61)
    assert judge.calls == 2
    count = metrics.registry.get_sample_value("lgsp_signature_check_seconds_count", {"verdict": "trusted"})
    assert count == 2


async def test_memory_is_bounded(check, store, judge, unsigned):
    """Only the last verdicts are remembered, by use."""
    one, two, three = [await store(unsigned + b"\n" * number) for number in range(3)]
    for stored in (one, two, one, three, one):
        await check.check([stored], at=NOW)
    assert judge.calls == 3
    await check.check([two], at=NOW)
    assert judge.calls == 4


async def test_verify_puts_verdicts_into_the_document(check, store, signed):
    """The verdict of each object lands on the attachment of the same place; everything else stays."""
    contents = (signed, make_docx(text="x"))
    objects = tuple([await store(content) for content in contents])
    document = make_document(attachments=tuple(make_attachment(content) for content in contents))
    verified = await check.verify(UnpackedDocument(document=document, objects=objects, warnings=()), at=NOW)
    judged, unjudged = [attachment.verdict for attachment in verified.document.attachments]
    assert judged is not None
    assert judged.verdict is Verdict.TRUSTED
    assert unjudged is None
    assert verified.objects == objects
    assert verified.document.subject == document.subject
