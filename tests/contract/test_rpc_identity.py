"""Who may connect, and what each vendor system may see, over real sockets."""

import hashlib

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs

from gateway.domain.mandate import VendorSystem
from gateway.pb.lgsp.gateway.v1 import agency_service_pb2 as agency_pb
from gateway.pb.lgsp.gateway.v1 import agency_service_pb2_grpc, inbox_service_pb2
from gateway.pb.lgsp.gateway.v1 import document_service_pb2 as pb
from gateway.pb.lgsp.gateway.v1.document_service_pb2_grpc import DocumentServiceStub
from gateway.pb.lgsp.gateway.v1.inbox_service_pb2_grpc import InboxServiceStub
from gateway.rpc.config import InsecureListenerError
from gateway.sandbox.pki import VENDOR_URI
from tests.fakes.rpc_world import NOBODY, OLD_CODE, UNIT, A, B, first_of, make_request, pki, refusal, running
from tests.make import RECIPIENT, SENDER, make_document, make_organization


@pytest.fixture
async def world(tmp_path):
    async with running(tmp_path) as world:
        yield world


async def test_without_a_certificate_there_is_no_connection(world):
    """A client that presents none fails in the handshake."""
    stub = agency_service_pb2_grpc.AgencyServiceStub(world.channel(None))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ResolveAgency(agency_pb.ResolveAgencyRequest(code=SENDER), timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_digest_identifies_too(tmp_path):
    """A vendor system configured by the SHA-256 of its certificate is known without any URI SAN."""
    der = pki().vendors[NOBODY].certificate.public_bytes(Encoding.DER)
    vendor = VendorSystem(
        id=A, uri_sans=frozenset(), certificate_sha256=frozenset({hashlib.sha256(der).hexdigest()}), serves=(SENDER,)
    )
    async with running(tmp_path, parts={"vendors": (vendor,)}) as world:
        answer = await world.documents(NOBODY).SubmitDocument(make_request())
        assert answer.document.name.startswith("documents/")
        told = await refusal(world.documents(A).SubmitDocument(make_request()))
        assert told.reason == "IDENTITY_UNKNOWN"


@pytest.mark.parametrize("code", [UNIT, OLD_CODE, SENDER.lower()])
async def test_units_below_and_old_codes_may_be_acted_for(world, code):
    """The mandate over an agency holds for the units below it and for every known form of its code."""
    request = make_request(agency=code)
    request.document.ClearField("from")
    answer = await world.documents().SubmitDocument(request)
    assert getattr(answer.document, "from").organ_id == (UNIT if code == UNIT else SENDER)


async def test_an_unknown_acting_agency_is_refused_like_a_foreign_one(world):
    """Probing for agencies by acting for them tells nothing."""
    told = await refusal(world.documents().SubmitDocument(make_request(agency="000.00.00.H00")))
    assert (told.code, told.reason) == (grpc.StatusCode.PERMISSION_DENIED, "AGENCY_NOT_PERMITTED")


@pytest.mark.parametrize("method", ["list", "get", "watch", "pull", "stream"])
async def test_every_method_checks_the_acting_agency(world, method):
    """Naming a foreign agency is PERMISSION_DENIED wherever an agency can be named."""
    documents, inbox = world.documents(), world.inbox(A)
    call = {
        "list": lambda: documents.ListDocuments(pb.ListDocumentsRequest(agency=RECIPIENT)),
        "get": lambda: documents.GetDocument(pb.GetDocumentRequest(agency=RECIPIENT, name="documents/x")),
        "watch": lambda: first_of(aiter(documents.WatchEvents(pb.WatchEventsRequest(agency=RECIPIENT))), 1),
        "pull": lambda: inbox.PullDocuments(inbox_service_pb2.PullDocumentsRequest(agency=RECIPIENT)),
        "stream": lambda: first_of(
            aiter(inbox.StreamDocuments(inbox_service_pb2.StreamDocumentsRequest(agency=RECIPIENT))), 1
        ),
    }[method]
    told = await refusal(call)
    assert (told.code, told.reason) == (grpc.StatusCode.PERMISSION_DENIED, "AGENCY_NOT_PERMITTED")


async def test_foreign_documents_are_simply_unknown(world):
    """Documents of others, sent or received, and their attachments are answered like names that do not exist."""
    sent = await world.accept()
    await world.arrive()
    pulled = await world.inbox(B).PullDocuments(inbox_service_pb2.PullDocumentsRequest())
    received = pulled.documents[0].name
    documents, inbox = world.documents(B), world.inbox(A)
    get, download = inbox_service_pb2.GetReceivedDocumentRequest, inbox_service_pb2.DownloadAttachmentRequest
    calls = {
        sent: documents.GetDocument(pb.GetDocumentRequest(agency=RECIPIENT, name=sent)),
        received: inbox.GetReceivedDocument(get(name=received)),
        f"{sent}/attachments/0": first_of(
            aiter(world.inbox(B).DownloadAttachment(download(name=f"{sent}/attachments/0"))), 1
        ),
        f"{received}/attachments/0": first_of(
            aiter(inbox.DownloadAttachment(download(name=f"{received}/attachments/0"))), 1
        ),
        "documents/none": documents.GetDocument(pb.GetDocumentRequest(agency=RECIPIENT, name="documents/none")),
    }
    for name, call in calls.items():
        told = await refusal(call)
        assert (told.code, told.reason, told.facts) == (grpc.StatusCode.NOT_FOUND, "DOCUMENT_UNKNOWN", {"name": name})


async def test_documents_of_the_parent_are_unknown_to_a_unit(world):
    """Acting for a unit shows the unit's documents, not those of the agency above it; the other way round it does."""
    above = await world.accept()
    below = await world.accept(make_document(sender=make_organization(UNIT)))
    stub = world.documents()
    assert (await stub.GetDocument(pb.GetDocumentRequest(agency=SENDER, name=below))).name == below
    assert (
        await refusal(stub.GetDocument(pb.GetDocumentRequest(agency=UNIT, name=above)))
    ).reason == "DOCUMENT_UNKNOWN"


async def test_plaintext_is_refused_beyond_loopback(tmp_path):
    """Without TLS files only a loopback address is served, and only when the vendor system is named."""
    for config in (
        {"tls": None, "listen": "0.0.0.0:0", "loopback_vendor": A},
        {"tls": None, "listen": "127.0.0.1:0", "loopback_vendor": None},
    ):
        with pytest.raises(InsecureListenerError):
            async with running(tmp_path, config=config):
                pass


async def test_plaintext_on_loopback_is_the_configured_vendor(tmp_path):
    """A newcomer's trial: every caller is the one vendor system that the settings name."""
    async with (
        running(tmp_path, config={"tls": None, "loopback_vendor": B}) as world,
        grpc.aio.insecure_channel(f"127.0.0.1:{world.port}") as channel,
    ):
        inbox, documents = InboxServiceStub(channel), DocumentServiceStub(channel)
        await world.arrive()
        assert (await inbox.PullDocuments(inbox_service_pb2.PullDocumentsRequest())).documents[0].recipient == RECIPIENT
        assert (await refusal(documents.SubmitDocument(make_request()))).reason == "AGENCY_NOT_PERMITTED"


async def test_the_loopback_vendor_means_nothing_under_tls(tmp_path):
    """With TLS the certificate decides, whatever else is configured."""
    async with running(tmp_path, config={"loopback_vendor": A}) as world:
        told = await refusal(world.documents(NOBODY).SubmitDocument(make_request()))
        assert told.reason == "IDENTITY_UNKNOWN"


async def test_reflection_lists_the_contract_to_known_vendors_only(world):
    """A known vendor system can list the services; an unknown one learns nothing, not even that."""

    async def services(vendor):
        stub = reflection_pb2_grpc.ServerReflectionStub(world.channel(pki().vendors[vendor]))
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        answer = (await first_of(aiter(stub.ServerReflectionInfo(iter([asked]))), 1))[0]
        return {service.name for service in answer.list_services_response.service}

    assert await services(A) == {
        "lgsp.gateway.v1.DocumentService",
        "lgsp.gateway.v1.InboxService",
        "lgsp.gateway.v1.AgencyService",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert (await refusal(services(NOBODY))).reason == "IDENTITY_UNKNOWN"


async def test_an_unknown_caller_is_named_in_the_log(world):
    """Operators learn the digest and the URIs to register; the certificate's holder learns nothing."""
    der = pki().vendors[NOBODY].certificate.public_bytes(Encoding.DER)
    with capture_logs() as lines:
        told = await refusal(world.documents(NOBODY).SubmitDocument(make_request()))
    assert told.reason == "IDENTITY_UNKNOWN"
    (line,) = [line for line in lines if line["event"] == "caller.unknown"]
    assert line["certificate_sha256"] == hashlib.sha256(der).hexdigest()
    assert line["uri_sans"] == [f"{VENDOR_URI}{NOBODY}"]
