"""What issue 2 promises of refusals: the right code with details, over real TLS, real store, blobs and flows."""

from hashlib import sha256

import grpc
import pytest

from gateway.pb.lgsp.gateway.v1 import document_service_pb2 as pb
from gateway.pb.lgsp.gateway.v1 import document_service_pb2_grpc
from gateway.rpc.tokens import Cursor
from tests.fakes.rpc_world import NOBODY, first_of, make_request, pki, refusal, running, upload_of
from tests.make import RECIPIENT


@pytest.fixture
async def world(tmp_path):
    async with running(tmp_path) as world:
        yield world


async def test_a_wrong_certificate_is_refused(world):
    """A certificate under the vendors' CA that no configured vendor system has: PERMISSION_DENIED, IDENTITY_UNKNOWN."""
    told = await refusal(world.documents(NOBODY).SubmitDocument(make_request()))
    assert (told.code, told.reason) == (grpc.StatusCode.PERMISSION_DENIED, "IDENTITY_UNKNOWN")
    assert "certificate" in told.message
    assert "Chứng thư" in told.vietnamese
    assert told.retry_seconds is None


async def test_a_certificate_of_another_ca_gets_no_connection(world):
    """The same URI SAN under a CA nobody lists ends in the handshake: no call reaches the gateway."""
    stub = document_service_pb2_grpc.DocumentServiceStub(world.channel(pki().stranger))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.SubmitDocument(make_request(), timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert not world.metrics.rpc_seconds.collect()[0].samples


async def test_a_foreign_agency_is_refused(world):
    """Acting for an agency of another vendor system: PERMISSION_DENIED, AGENCY_NOT_PERMITTED, the agency named."""
    told = await refusal(world.documents().SubmitDocument(make_request(agency=RECIPIENT)))
    assert (told.code, told.reason) == (grpc.StatusCode.PERMISSION_DENIED, "AGENCY_NOT_PERMITTED")
    assert told.facts == {"agency": RECIPIENT}
    assert RECIPIENT in told.message
    assert RECIPIENT in told.vietnamese


async def test_a_repeated_request_id_with_other_content_is_refused(world):
    """The same request id: the first answer for the same content, ALREADY_EXISTS with details for other content."""
    stub = world.documents()
    request = make_request()
    first = await stub.SubmitDocument(request)
    again = await stub.SubmitDocument(request)
    assert (first.repeated_request, again.repeated_request) == (False, True)
    assert again.document == first.document
    request.document.subject = "V/v khác"
    told = await refusal(stub.SubmitDocument(request))
    assert (told.code, told.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert told.facts == {"request_id": request.request_id}
    assert request.request_id in told.vietnamese


async def test_an_undersized_stream_is_refused(world, tmp_path):
    """Fewer bytes than declared: INVALID_ARGUMENT, SIZE_MISMATCH with both sizes, and nothing of it stays on disk."""
    content = b"%PDF-1.7 " + b"x" * 100_000
    told = await refusal(world.documents().UploadAttachment(upload_of(content, size_bytes=len(content) + 1)))
    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "SIZE_MISMATCH")
    assert told.facts == {"declared": str(len(content) + 1), "received": str(len(content))}
    assert str(len(content)) in told.vietnamese
    assert not [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    named = make_request()
    named.document.attachments[0].ClearField("content")
    named.document.attachments[0].sha256 = sha256(content).hexdigest()
    assert (await refusal(world.documents().SubmitDocument(named))).reason == "ATTACHMENT_UNKNOWN"


async def test_a_stale_cursor_is_refused(world):
    """A resume token of another epoch of the store: OUT_OF_RANGE, CURSOR_EXPIRED, the way out in both languages."""
    stub = world.documents()
    stale = Cursor(epoch="before the restore", position=0).token()
    stream = stub.WatchEvents(pb.WatchEventsRequest(resume_token=stale))
    told = await refusal(first_of(aiter(stream), 1))
    assert (told.code, told.reason) == (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED")
    assert "list documents" in told.message
    assert "liệt kê văn bản" in told.vietnamese
