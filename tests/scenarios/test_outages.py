"""Want of room and outages of the object store, over real stores, as vendors, operators and the axis see them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import grpc
import pytest
from structlog.testing import capture_logs

from gateway.blobs.content import LocalBlobs
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.lifecycle import DeliveryState
from gateway.domain.packet import PacketKind, StoredObject
from gateway.flows import admission
from gateway.pb.lgsp.gateway.v1 import document_pb2, inbox_service_pb2
from tests.fakes.rpc_world import first_of, make_request, refusal, running, upload_of
from tests.make import make_attachment, make_document, make_organization
from tests.scenarios.world import OURS, PDF, SETTLING, THEIRS, World, make_letter, run_until_idle, stored_keys, submit


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def make_incoming(**overrides):
    values = {
        "sender": make_organization(THEIRS),
        "to": (make_organization(OURS),),
        "attachments": (make_attachment(PDF),),
    }
    return make_document(**(values | overrides))


async def arrive(world, content):
    attachment = make_attachment(content)
    await world.arrive(make_document(attachments=(attachment,)), content)


async def keys_of(world):
    later = datetime.now(UTC) + timedelta(days=1)
    return {key async for keys in world.blobs.keys(older_than=later) for key in keys}


async def test_without_room_nothing_new_is_taken_from_vendors(tmp_path):
    """Uploads, files inside a request and submissions: RESOURCE_EXHAUSTED, STORAGE_FULL, come back in a minute."""
    async with running(tmp_path) as world:
        stub = world.documents()
        uploaded = await stub.UploadAttachment(upload_of(b"%PDF-1.7 before"))
        before = await keys_of(world)
        world.disk.fill()
        by_reference = make_request()
        by_reference.document.attachments[0].ClearField("content")
        by_reference.document.attachments[0].sha256 = uploaded.sha256
        for call in (
            lambda: stub.UploadAttachment(upload_of(b"%PDF-1.7 during")),
            lambda: stub.SubmitDocument(make_request()),
            lambda: stub.SubmitDocument(by_reference),
        ):
            told = await refusal(call)
            assert (told.code, told.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")
            assert told.retry_seconds == 60
        assert await keys_of(world) == before
        world.disk.clear()
        assert (await stub.SubmitDocument(by_reference)).document.name


async def test_without_room_what_was_taken_goes_on(tmp_path):
    """A repeated request, reading, pulling, downloading, acknowledging and reporting need no room."""
    async with running(tmp_path) as world:
        stub, inbox = world.documents(), world.inbox()
        uploaded = await stub.UploadAttachment(upload_of(b"%PDF-1.7 before"))
        request = make_request()
        request.document.attachments[0].ClearField("content")
        request.document.attachments[0].sha256 = uploaded.sha256
        accepted = await stub.SubmitDocument(request)
        await arrive(world, b"%PDF-1.7 inbound")
        world.disk.fill()
        again = await stub.SubmitDocument(request)
        assert (again.repeated_request, again.document.name) == (True, accepted.document.name)
        (received,) = (await inbox.PullDocuments(inbox_service_pb2.PullDocumentsRequest(max_documents=1))).documents
        name = received.document.attachments[0].name
        download = inbox.DownloadAttachment(inbox_service_pb2.DownloadAttachmentRequest(name=name))
        (answer,) = await first_of(aiter(download), 1)
        assert answer.chunk == b"%PDF-1.7 inbound"
        acknowledge = inbox_service_pb2.AcknowledgeDocumentRequest(name=received.name, ack_id=received.ack_id)
        await inbox.AcknowledgeDocument(acknowledge)
        await inbox.ReportStatus(
            inbox_service_pb2.ReportStatusRequest(
                name=received.name,
                request_id=str(uuid4()),
                status_code="03",
                staff_info=document_pb2.StaffInfo(department="Văn thư", staff="Nguyễn Văn B"),
            )
        )


async def test_without_room_packets_wait_at_the_axis(world):
    """Nothing is fetched or told while there is no room, without a line for each packet; then all is taken in."""
    documents = [make_incoming(subject=f"number {number}") for number in range(5)]
    async with world.gateway() as gateway:
        assert await gateway.poller.poll() == 0
        for document in documents:
            world.axis.put(await world.document_packet(document), kind=PacketKind.DOCUMENT)
        world.disk.fill()
        with capture_logs() as logs:
            for _ in range(10):
                assert await gateway.poller.poll() == 0
        assert logs == []
        assert world.axis.told == []
        assert await stored_keys(gateway) == set()
        world.disk.clear()
        assert await gateway.poller.poll() == len(documents)
        assert [done for _, done in world.axis.told] == [True] * len(documents)


async def test_room_that_ends_while_packets_come_leaves_nothing(world, monkeypatch):
    """A download cut off for want of room leaves no bytes, breaks nothing, and succeeds once there is room."""
    packet = await world.document_packet(make_incoming())
    async with world.gateway() as gateway:
        assert await gateway.poller.poll() == 0
        world.axis.put(packet, kind=PacketKind.DOCUMENT)
        monkeypatch.setattr(admission, "_UNGUARDED", 100)
        world.disk.looks_left = 1
        with capture_logs() as logs:
            assert await gateway.poller.poll() == 0
        assert logs == []
        assert await stored_keys(gateway) == set()
        world.disk.clear()
        assert await gateway.poller.poll() == 1


async def test_a_quota_is_kept_and_room_returns_when_something_goes(tmp_path):
    """Beyond the quota uploads are put off; after expired uploads are swept and counted, they are taken again."""
    async with running(tmp_path, quota=1000) as world:
        stub = world.documents()
        await stub.UploadAttachment(upload_of(bytes(600)))
        told = await refusal(stub.UploadAttachment(upload_of(bytes(401))))
        assert (told.code, told.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL")
        await stub.UploadAttachment(upload_of(bytes(400)))
        await world.admission.count()
        assert (await refusal(stub.UploadAttachment(upload_of(b"x")))).reason == "STORAGE_FULL"
        await world.store.blobs.sweep(unreferenced_since=world.clock.now() + timedelta(days=2), limit=10)
        await world.admission.count()
        await stub.UploadAttachment(upload_of(bytes(1000)))


async def test_files_that_cannot_be_read_put_a_message_off(world, monkeypatch):
    """Object store away before or while a packet is sent: not sent, not uncertain, and sent once it is back."""
    async with world.gateway() as gateway:
        sent = (await submit(gateway, make_letter())).sent
        for chunks in (0, 1):
            stop_after(monkeypatch, chunks)
            gateway.clock.advance(SETTLING)
            assert await gateway.send_due() == 1
            (delivery, *_) = (await gateway.store.documents.get(sent.uid)).deliveries
            assert delivery.state in {DeliveryState.QUEUED, DeliveryState.DELAYED}
            assert "files of the document" in delivery.reason
            monkeypatch.undo()
        await run_until_idle(gateway)
        assert len(world.axis.taken) == 1
        assert {d.state for d in (await gateway.store.documents.get(sent.uid)).deliveries} == {DeliveryState.SENT}


async def test_an_outage_ends_a_poll_early(world, monkeypatch):
    """Where the object store is away, of ten packets a few are tried, without a trace each; then all are taken in."""
    async with world.gateway() as gateway:
        assert await gateway.poller.poll() == 0
        for number in range(10):
            document = make_incoming(subject=f"number {number}")
            world.axis.put(await world.document_packet(document), kind=PacketKind.DOCUMENT)
        stop_after(monkeypatch, 0)
        with capture_logs() as logs:
            assert await gateway.poller.poll() == 0
        told = [line["event"] for line in logs if line["log_level"] != "info"]
        assert set(told) == {"item.put_off"}
        assert len(told) <= 4
        monkeypatch.undo()
        gateway.clock.advance(SETTLING)
        await gateway.poller.poll()
        await gateway.poller.poll()
        assert {done for _, done in world.axis.told} == {True}
        assert len(world.axis.told) == 10


async def test_a_download_from_a_store_that_is_away_is_unavailable(tmp_path, monkeypatch):
    """A vendor is told to come back, and the same call then gives the bytes."""
    async with running(tmp_path) as world:
        inbox = world.inbox()
        await arrive(world, b"%PDF-1.7 inbound")
        (received,) = (await inbox.PullDocuments(inbox_service_pb2.PullDocumentsRequest(max_documents=1))).documents
        request = inbox_service_pb2.DownloadAttachmentRequest(name=received.document.attachments[0].name)
        stop_after(monkeypatch, 0)
        told = await refusal(first_of(aiter(inbox.DownloadAttachment(request)), 1))
        assert (told.code, told.reason, told.retry_seconds) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", 5)
        monkeypatch.undo()
        (answer,) = await first_of(aiter(inbox.DownloadAttachment(request)), 1)
        assert answer.chunk == b"%PDF-1.7 inbound"


def stop_after(monkeypatch: pytest.MonkeyPatch, streams: int) -> None:
    """From now on the objects can be read so many times, then the store is out of reach."""
    real, left = LocalBlobs.stream, iter(range(streams))

    async def stream(blobs: LocalBlobs, stored: StoredObject, *, offset: int = 0) -> AsyncIterator[bytes]:
        if next(left, None) is None:
            raise GatewayError(ErrorCode.STORE_UNAVAILABLE)
        async for chunk in real(blobs, stored, offset=offset):
            yield chunk

    monkeypatch.setattr(LocalBlobs, "stream", stream)
