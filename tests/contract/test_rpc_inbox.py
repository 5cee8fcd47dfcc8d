"""InboxService over real TLS, store, blobs and flows: leases, windows, answers, downloads."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import grpc
import pytest

from gateway.pb.lgsp.gateway.v1 import document_pb2, signature_pb2
from gateway.pb.lgsp.gateway.v1 import inbox_service_pb2 as pb
from tests.fakes.rpc_world import UNIT, A, first_of, refusal, running
from tests.make import NOW, RECIPIENT, ROUTE, SENDER, make_attachment, make_document, make_organization

CONTENT = b"%PDF-1.7 " + bytes(range(256)) * 3000


@pytest.fixture
async def world(tmp_path):
    async with running(tmp_path) as world:
        yield world


async def _pull(world, **request):
    return (await world.inbox().PullDocuments(pb.PullDocumentsRequest(**request))).documents


async def test_a_pulled_document_is_leased_until_it_is_acknowledged(world):
    """Leased documents do not come again, ended leases do, acknowledged ones never; each answer shows the state."""
    await world.arrive()
    first = (await _pull(world))[0]
    assert (first.recipient, first.state, first.delivery_attempt) == (RECIPIENT, pb.RECEIVED_STATE_LEASED, 1)
    assert first.ack_deadline.ToDatetime(tzinfo=NOW.tzinfo) == NOW + timedelta(seconds=60)
    assert first.document.attachments[0].signature_verdict.verdict == signature_pb2.VERDICT_TRUSTED
    assert not await _pull(world)
    world.clock.advance(timedelta(seconds=61))
    second = (await _pull(world))[0]
    assert (second.name, second.delivery_attempt) == (first.name, 2)
    acknowledge = world.inbox().AcknowledgeDocument
    lost = await refusal(acknowledge(pb.AcknowledgeDocumentRequest(name=first.name, ack_id=first.ack_id)))
    assert (lost.code, lost.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "LEASE_LOST")
    for _ in range(2):
        answer = await acknowledge(pb.AcknowledgeDocumentRequest(name=second.name, ack_id=second.ack_id))
        assert answer.state == pb.RECEIVED_STATE_ACKNOWLEDGED
    world.clock.advance(timedelta(seconds=3600))
    assert not await _pull(world)
    kept = await world.inbox().GetReceivedDocument(pb.GetReceivedDocumentRequest(name=first.name))
    assert (kept.state, kept.ack_id) == (pb.RECEIVED_STATE_ACKNOWLEDGED, "")


async def test_leases_last_as_long_as_wished(world):
    """ack_deadline sets the lease; outside 10 s to 600 s it is refused."""
    await world.arrive()
    pulled = await _pull(world, ack_deadline={"seconds": 600})
    assert pulled[0].ack_deadline.ToDatetime(tzinfo=NOW.tzinfo) == NOW + timedelta(seconds=600)
    for seconds in (9, 601, -1):
        told = await refusal(_pull(world, ack_deadline={"seconds": seconds}))
        assert set(told.violations) == {"ack_deadline"}


async def test_pulling_is_limited_and_narrowed(world):
    """max_documents caps the answer; an agency narrows it to itself and the units below."""
    for _ in range(3):
        await world.arrive()
    assert len(await _pull(world, max_documents=2)) == 2
    await world.arrive(make_document(to=(make_organization(SENDER),)))
    await world.arrive(make_document(to=(make_organization(UNIT),)))
    unit = await world.inbox(A).PullDocuments(pb.PullDocumentsRequest(agency=UNIT))
    assert [each.recipient for each in unit.documents] == [UNIT]
    rest = await world.inbox(A).PullDocuments(pb.PullDocumentsRequest(agency=SENDER))
    assert [each.recipient for each in rest.documents] == [SENDER]


async def test_large_documents_come_in_several_answers(world):
    """An answer stays below the size clients accept by default; what did not fit comes after its lease."""
    for _ in range(5):
        await world.arrive(make_document(content="x" * 900_000))
    first = await _pull(world)
    assert 1 <= len(first) < 5
    seen = {each.name for each in first}
    world.clock.advance(timedelta(seconds=61))
    for each in first:
        await world.inbox().AcknowledgeDocument(pb.AcknowledgeDocumentRequest(name=each.name, ack_id=each.ack_id))
    seen |= {each.name for each in await _pull(world)}
    assert len(seen) == 5


async def test_a_refusal_needs_a_reason_and_is_final(world):
    """Without a reason INVALID_FIELD; with one the document is refused and can no longer be acknowledged."""
    await world.arrive()
    pulled = (await _pull(world))[0]
    stub = world.inbox()
    told = await refusal(stub.RefuseDocument(pb.RefuseDocumentRequest(name=pulled.name, ack_id=pulled.ack_id)))
    assert (told.reason, set(told.violations)) == ("INVALID_FIELD", {"reason"})
    request = pb.RefuseDocumentRequest(
        name=pulled.name,
        ack_id=pulled.ack_id,
        reason="Gửi nhầm nơi nhận",
        staff_info=document_pb2.StaffInfo(staff="Cán Bộ Thử"),
    )
    assert (await stub.RefuseDocument(request)).state == pb.RECEIVED_STATE_REFUSED
    late = await refusal(
        stub.AcknowledgeDocument(pb.AcknowledgeDocumentRequest(name=pulled.name, ack_id=pulled.ack_id))
    )
    assert (late.code, late.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ALREADY_REFUSED")
    message = (
        await world.store.outbox.lease("t", route=ROUTE, limit=9, lease_for=timedelta(minutes=1), at=world.clock.now())
    )[0]
    assert message.report is not None
    assert (message.report.status_code, message.report.description) == ("02", "Gửi nhầm nơi nhận")
    assert message.report.staff_info.staff == "Cán Bộ Thử"


async def test_statuses_are_reported_once_acknowledged(world):
    """03 needs an acknowledgement first; the same request id is a repetition; codes of the gateway are not allowed."""
    await world.arrive()
    pulled = (await _pull(world))[0]
    stub = world.inbox()
    report = pb.ReportStatusRequest(name=pulled.name, request_id=str(uuid4()), status_code="03")
    early = await refusal(stub.ReportStatus(report))
    assert (early.code, early.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_ACKNOWLEDGED")
    await stub.AcknowledgeDocument(pb.AcknowledgeDocumentRequest(name=pulled.name, ack_id=pulled.ack_id))
    assert not (await stub.ReportStatus(report)).repeated_request
    assert (await stub.ReportStatus(report)).repeated_request
    told = await refusal(
        stub.ReportStatus(pb.ReportStatusRequest(name=pulled.name, request_id=str(uuid4()), status_code="01"))
    )
    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "STATUS_NOT_ALLOWED")


@pytest.mark.parametrize("method", ["AcknowledgeDocument", "RefuseDocument", "ReportStatus"])
async def test_answers_about_foreign_documents_are_unknown(world, method):
    """Only the vendor system that serves the recipient can answer for a document."""
    await world.arrive()
    pulled = (await _pull(world))[0]
    request = {
        "AcknowledgeDocument": pb.AcknowledgeDocumentRequest(name=pulled.name, ack_id=pulled.ack_id),
        "RefuseDocument": pb.RefuseDocumentRequest(name=pulled.name, ack_id=pulled.ack_id, reason="x"),
        "ReportStatus": pb.ReportStatusRequest(name=pulled.name, request_id=str(uuid4()), status_code="03"),
    }[method]
    told = await refusal(getattr(world.inbox(A), method)(request))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "DOCUMENT_UNKNOWN")


@pytest.mark.parametrize(
    ("method", "request_", "paths"),
    [
        ("AcknowledgeDocument", pb.AcknowledgeDocumentRequest(), {"name", "ack_id"}),
        ("RefuseDocument", pb.RefuseDocumentRequest(name="documents/x"), {"name", "ack_id"}),
        ("ReportStatus", pb.ReportStatusRequest(), {"name", "request_id", "status_code"}),
        ("GetReceivedDocument", pb.GetReceivedDocumentRequest(name="x"), {"name"}),
        ("PullDocuments", pb.PullDocumentsRequest(max_documents=-1), {"max_documents"}),
    ],
)
async def test_malformed_requests_name_their_fields(world, method, request_, paths):
    """Every wrong field is named in one answer."""
    told = await refusal(getattr(world.inbox(), method)(request_))
    assert (told.reason, set(told.violations)) == ("INVALID_FIELD", paths)


async def test_a_stream_hands_out_no_more_than_its_window(world):
    """max_outstanding holds documents back until one is acknowledged; then the next comes at once."""
    for _ in range(3):
        await world.arrive()
    stub = world.inbox()
    stream = aiter(stub.StreamDocuments(pb.StreamDocumentsRequest(max_outstanding=2)))
    first, second = await first_of(stream, 2)
    third = asyncio.ensure_future(anext(stream))
    done, _ = await asyncio.wait({third}, timeout=0.3)
    assert not done
    await stub.AcknowledgeDocument(
        pb.AcknowledgeDocumentRequest(name=first.document.name, ack_id=first.document.ack_id)
    )
    async with asyncio.timeout(10):
        assert (await third).document.name not in {first.document.name, second.document.name}


async def test_a_stream_gives_documents_as_they_arrive_and_again_after_their_lease(world):
    """What arrives is streamed; what is not acknowledged in time comes again on the same stream."""
    stream = aiter(world.inbox().StreamDocuments(pb.StreamDocumentsRequest(max_outstanding=1)))
    waiting = asyncio.ensure_future(first_of(stream, 1))
    await world.arrive()
    first = (await waiting)[0].document
    world.clock.advance(timedelta(seconds=61))
    world.wakeups.notify("inbox")
    again = (await first_of(stream, 1))[0].document
    assert (again.name, again.delivery_attempt) == (first.name, 2)


async def test_a_drain_ends_the_stream(world):
    """At a stop the stream ends with SHUTTING_DOWN after what was handed out."""
    await world.arrive()
    stream = aiter(world.inbox().StreamDocuments(pb.StreamDocumentsRequest()))
    await first_of(stream, 1)
    stopping = asyncio.create_task(world.server.stop(timedelta(seconds=20)))
    assert (await refusal(first_of(stream, 1))).reason == "SHUTTING_DOWN"
    async with asyncio.timeout(10):
        await stopping


async def test_downloads_go_on_where_they_broke(world):
    """From any offset up to the size the rest of the bytes comes; past the end is INVALID_FIELD."""
    await world.arrive(make_document(attachments=(make_attachment(CONTENT),)), CONTENT)
    name = (await _pull(world))[0].document.attachments[0].name
    stub = world.inbox()
    for offset in (0, 1, 262_144, len(CONTENT) - 1, len(CONTENT)):
        chunks = [
            each.chunk async for each in stub.DownloadAttachment(pb.DownloadAttachmentRequest(name=name, offset=offset))
        ]
        assert b"".join(chunks) == CONTENT[offset:]
    for offset in (-1, len(CONTENT) + 1):
        stream = stub.DownloadAttachment(pb.DownloadAttachmentRequest(name=name, offset=offset))
        assert set((await refusal(first_of(aiter(stream), 1))).violations) == {"offset"}
    missing = name.removesuffix("0") + "1"
    stream = stub.DownloadAttachment(pb.DownloadAttachmentRequest(name=missing))
    assert (await refusal(first_of(aiter(stream), 1))).reason == "DOCUMENT_UNKNOWN"
