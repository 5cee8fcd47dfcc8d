"""Around every call: request ids, metrics, the last resort, an unavailable store, limits; and the health listener."""

import asyncio
import re

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.pb.lgsp.gateway.v1 import agency_service_pb2, agency_service_pb2_grpc, document_service_pb2_grpc
from gateway.pb.lgsp.gateway.v1 import document_service_pb2 as pb
from gateway.ports import Submission, SubmissionResult, Submissions
from gateway.rpc.health import ALIVE, HealthServer
from gateway.sandbox.demo.processes import until
from tests.fakes.rpc_world import first_of, make_request, refusal, running, upload_of
from tests.make import SENDER

SUBMIT = "/lgsp.gateway.v1.DocumentService/SubmitDocument"


@pytest.fixture
async def world(tmp_path):
    async with running(tmp_path) as world:
        yield world


class _Broken(Submissions):
    async def submit(self, submission: Submission) -> SubmissionResult:
        raise KeyError("a secret detail")


class _Stuck(Submissions):
    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def submit(self, submission: Submission) -> SubmissionResult:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        raise AssertionError


def _calls(world, code, method=SUBMIT):
    labels = {"method": method, "code": code}
    return world.metrics.registry.get_sample_value("lgsp_rpc_seconds_count", labels) or 0


async def test_a_bug_is_answered_with_nothing_but_an_id_to_quote(tmp_path):
    """An unexpected error becomes INTERNAL: its detail stays in the log, the request id is in the answer."""
    async with running(tmp_path, parts={"submissions": _Broken()}) as world:
        told = await refusal(world.documents().SubmitDocument(make_request(), metadata=(("x-request-id", "ticket-7"),)))
        assert (told.code, told.reason, told.request_id) == (grpc.StatusCode.INTERNAL, "INTERNAL", "ticket-7")
        assert "ticket-7" in told.message
        assert "ticket-7" in told.vietnamese
        assert "secret" not in repr(told)

        async def counted():
            return _calls(world, "INTERNAL") == 1

        await until(counted, within=10, what="the call is counted, which it is once its answer has left")


@pytest.mark.parametrize("given", [None, "bad id", "x" * 65])
async def test_calls_without_a_good_id_get_one(world, given):
    """A missing or malformed x-request-id is replaced by a fresh UUID, in answers as in refusals."""
    metadata = () if given is None else (("x-request-id", given),)
    told = await refusal(world.documents().SubmitDocument(make_request(agency=""), metadata=metadata))
    assert re.fullmatch(r"[0-9a-f-]{36}", told.request_id)
    call = world.documents().SubmitDocument(make_request(), metadata=metadata)
    await call
    assert re.fullmatch(r"[0-9a-f-]{36}", dict(await call.trailing_metadata())["x-request-id"])


async def test_calls_are_timed_by_method_and_outcome(world):
    """Good and refused calls of all four shapes are counted under their method and status."""
    stub = world.documents()
    await stub.SubmitDocument(make_request())
    await refusal(stub.SubmitDocument(make_request(agency="")))
    await refusal(stub.UploadAttachment(upload_of(b"abc", size_bytes=2)))
    await refusal(first_of(aiter(stub.WatchEvents(pb.WatchEventsRequest(resume_token="x"))), 1))
    assert (_calls(world, "OK"), _calls(world, "INVALID_ARGUMENT")) == (1, 1)
    assert _calls(world, "INVALID_ARGUMENT", SUBMIT.replace("SubmitDocument", "UploadAttachment")) == 1
    assert _calls(world, "INVALID_ARGUMENT", SUBMIT.replace("SubmitDocument", "WatchEvents")) == 1


async def test_an_unavailable_store_asks_callers_to_come_back(world):
    """UNAVAILABLE, STORE_UNAVAILABLE with a delay; nothing was taken over."""
    stub = world.documents()
    await world.store.close()
    told = await refusal(stub.SubmitDocument(make_request()))
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert told.retry_seconds == 5


async def test_a_callers_deadline_ends_the_work(tmp_path):
    """Past the deadline the caller has its answer and the work for it is cancelled here."""
    stuck = _Stuck()
    async with running(tmp_path, parts={"submissions": stuck}) as world:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await world.documents().SubmitDocument(make_request(), timeout=0.5)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        async with asyncio.timeout(10):
            await stuck.ended.wait()


async def test_messages_above_the_limit_are_refused(world):
    """A request beyond 4 MiB is refused by the transport before anything reads it."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.documents().SubmitDocument(make_request(content=b"x" * (4 * 1024 * 1024)))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    too_much = await refusal(world.documents().SubmitDocument(make_request(content=b"x" * (1024 * 1024 + 1))))
    assert set(too_much.violations) == {"document.attachments"}


async def test_a_taken_port_is_not_shared(world, tmp_path):
    """A second gateway on the same address fails instead of taking half of the calls."""
    (tmp_path / "second").mkdir()
    with pytest.raises(OSError, match="cannot listen on"):
        async with running(tmp_path / "second", config={"listen": f"127.0.0.1:{world.port}"}):
            pass


async def test_health_is_all_the_plaintext_listener_serves():
    """Alive from the start, ready when told, unknown services unknown, and no way to the contract."""
    health = HealthServer(listen="127.0.0.1:0")
    port = await health.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)

            async def status(service):
                return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status

            serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
            assert (await status(""), await status(ALIVE)) == (not_serving, serving)
            await health.set_ready(ready=True)
            assert await status("") == serving
            await health.set_ready(ready=False)
            assert (await status(""), await status(ALIVE)) == (not_serving, serving)
            for call in (
                agency_service_pb2_grpc.AgencyServiceStub(channel).ResolveAgency(
                    agency_service_pb2.ResolveAgencyRequest(code=SENDER)
                ),
                document_service_pb2_grpc.DocumentServiceStub(channel).SubmitDocument(make_request()),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call
                assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    finally:
        await health.stop()
