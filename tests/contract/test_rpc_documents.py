"""DocumentService over real TLS, store, blobs and flows: uploads, submissions, lists."""

import asyncio
from datetime import timedelta
from hashlib import sha256
from uuid import uuid4

import grpc
import pytest

from gateway.domain.errors import ErrorCode
from gateway.domain.verdict import Verdict
from gateway.pb.lgsp.gateway.v1 import document_pb2
from gateway.pb.lgsp.gateway.v1 import document_service_pb2 as pb
from gateway.pb.lgsp.gateway.v1 import inbox_service_pb2 as inbox_pb
from gateway.rpc import interceptors
from gateway.rpc.attachments import Uploads
from tests.fakes.rpc_world import OLD_CODE, UNCLAIMED, UNIT, make_request, refusal, running, upload_of
from tests.make import NOW, RECIPIENT, SENDER, make_digest, make_document, make_organization

SECOND = timedelta(seconds=1)
CONTENT = b"%PDF-1.7 " + bytes(range(256)) * 4000


@pytest.fixture
async def world(tmp_path):
    async with running(tmp_path, config={"attachment_limit": 2 * 1024 * 1024}) as world:
        yield world


def _files(tmp_path):
    return [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]


async def test_an_uploaded_file_can_be_submitted_and_read_back(world):
    """Upload, submit by digest, get, download: the same bytes, size and digest, and the first PDF is the main file."""
    stub = world.documents()
    uploaded = await stub.UploadAttachment(upload_of(CONTENT))
    assert (uploaded.sha256, uploaded.size_bytes) == (sha256(CONTENT).hexdigest(), len(CONTENT))
    assert (uploaded.expire_time.ToDatetime(tzinfo=NOW.tzinfo) - NOW).total_seconds() == 24 * 3600
    request = make_request()
    request.document.attachments[0].ClearField("content")
    request.document.attachments[0].sha256 = uploaded.sha256
    answer = await stub.SubmitDocument(request)
    assert answer.document.document_id.startswith(f"{SENDER},2026/03/02,")
    document = await stub.GetDocument(pb.GetDocumentRequest(agency=SENDER, name=answer.document.name))
    attachment = document.attachments[0]
    assert (attachment.size_bytes, attachment.role) == (len(CONTENT), document_pb2.ATTACHMENT_ROLE_MAIN)
    assert [(d.organ_id, d.state) for d in document.deliveries] == [(RECIPIENT, document_pb2.DELIVERY_STATE_QUEUED)]
    chunks = [
        answer.chunk
        async for answer in world.inbox("vendor-a").DownloadAttachment(
            inbox_pb.DownloadAttachmentRequest(name=attachment.name)
        )
    ]
    assert b"".join(chunks) == CONTENT
    assert max(map(len, chunks)) <= 256 * 1024


async def test_the_same_bytes_are_stored_once(world, tmp_path):
    """A second upload of the same bytes, also by another vendor system, leaves one object."""
    await world.documents().UploadAttachment(upload_of(CONTENT))
    await world.documents("vendor-b").UploadAttachment(upload_of(CONTENT, agency=RECIPIENT))
    assert len(_files(tmp_path)) == 1


async def test_a_digest_is_no_password(world):
    """A vendor system that neither uploaded nor received some bytes cannot name them."""
    await world.documents("vendor-b").UploadAttachment(upload_of(CONTENT, agency=RECIPIENT))
    request = make_request()
    request.document.attachments[0].ClearField("content")
    request.document.attachments[0].sha256 = sha256(CONTENT).hexdigest()
    told = await refusal(world.documents().SubmitDocument(request))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "ATTACHMENT_UNKNOWN")
    assert set(told.violations) == {"document.attachments[0].sha256"}


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "UPLOAD_MALFORMED"),
        ([pb.UploadAttachmentRequest()], "UPLOAD_MALFORMED"),
        ([pb.UploadAttachmentRequest(chunk=b"x")], "UPLOAD_MALFORMED"),
        ([*upload_of(b"abc"), pb.UploadAttachmentRequest(metadata=pb.UploadMetadata())], "UPLOAD_MALFORMED"),
        ([*upload_of(b"abc"), pb.UploadAttachmentRequest()], "UPLOAD_MALFORMED"),
        (list(upload_of(b"x" * (1024 * 1024 + 1), chunk=1024 * 1024 + 1)), "UPLOAD_MALFORMED"),
        (list(upload_of(b"abc", sha256="")), "INVALID_FIELD"),
        (list(upload_of(b"abc", size_bytes=0)), "INVALID_FIELD"),
        (list(upload_of(b"abc", size_bytes=-1)), "INVALID_FIELD"),
        (list(upload_of(b"abc", size_bytes=2 * 1024 * 1024 + 1)), "ATTACHMENT_TOO_LARGE"),
        (list(upload_of(b"abc", size_bytes=2)), "SIZE_MISMATCH"),
        (list(upload_of(b"abc", sha256=make_digest("other"))), "DIGEST_MISMATCH"),
        (list(upload_of(b"abc", agency=RECIPIENT)), "AGENCY_NOT_PERMITTED"),
    ],
    ids=[
        "nothing",
        "empty message",
        "chunk first",
        "metadata twice",
        "empty message later",
        "chunk too large",
        "no digest",
        "no size",
        "negative size",
        "too large",
        "more than declared",
        "other content",
        "foreign agency",
    ],
)
async def test_bad_uploads_are_refused_and_leave_nothing(world, tmp_path, messages, reason):
    """Every way to get an upload wrong has its reason, and no byte stays behind."""
    assert (await refusal(world.documents().UploadAttachment(iter(messages)))).reason == reason
    assert not _files(tmp_path)


async def test_a_refusal_waits_for_what_is_still_being_sent(world):
    """A client in the middle of a file is told our reason; cut off, one of four told its own error instead."""
    content = bytes(2 * 1024 * 1024)
    for _ in range(20):
        told = await refusal(world.documents().UploadAttachment(upload_of(content, agency=RECIPIENT)))
        assert told.reason == "AGENCY_NOT_PERMITTED"


async def test_a_refusal_does_not_wait_for_ever(world, monkeypatch):
    """A client that never ends its refused upload gets the reason all the same, and its messages go nowhere."""
    monkeypatch.setattr(interceptors, "LINGER_SECONDS", 0.2)
    released = asyncio.Event()

    async def messages():
        for message in list(upload_of(CONTENT, agency=RECIPIENT))[:2]:
            yield message
        await released.wait()

    try:
        async with asyncio.timeout(10):
            told = await refusal(world.documents().UploadAttachment(messages()))
    finally:
        released.set()
    assert told.reason == "AGENCY_NOT_PERMITTED"


async def test_a_silent_upload_is_ended(tmp_path):
    """A client that stops sending is told so after the idle limit instead of holding a writer for ever."""
    async with running(tmp_path, config={"upload_idle": timedelta(milliseconds=200)}) as world:
        released = asyncio.Event()

        async def messages():
            for message in list(upload_of(CONTENT))[:2]:
                yield message
            await released.wait()

        try:
            told = await refusal(world.documents().UploadAttachment(messages()))
        finally:
            released.set()
        assert told.reason == "UPLOAD_MALFORMED"
        assert "0.2 s" in told.message
        assert not _files(tmp_path)


async def test_a_cut_upload_leaves_nothing(world, tmp_path, monkeypatch):
    """A client that goes away in the middle leaves no object."""
    started, ended = asyncio.Event(), asyncio.Event()
    receive = Uploads.receive

    async def watched(self, requests, context):
        started.set()
        try:
            return await receive(self, requests, context)
        finally:
            ended.set()

    monkeypatch.setattr(Uploads, "receive", watched)

    async def messages():
        for message in list(upload_of(CONTENT))[:3]:
            yield message
        await asyncio.Event().wait()

    call = world.documents().UploadAttachment(messages())
    async with asyncio.timeout(10):
        await started.wait()
        call.cancel()
        await ended.wait()
    assert not _files(tmp_path)


async def test_a_malformed_submission_names_every_field(world):
    """Presence and form are judged in one round, in both languages, before anything is stored."""
    request = make_request(agency="", request_id="7")
    request.document.promulgation_date = "hôm nay"
    told = await refusal(world.documents().SubmitDocument(request))
    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert set(told.violations) == {"agency", "request_id", "document.promulgation_date"}
    assert all(en and vi and en != vi for en, vi in told.violations.values())
    bare = await refusal(world.documents().SubmitDocument(pb.SubmitDocumentRequest(agency=SENDER)))
    assert {"request_id", "document"} <= set(bare.violations)


async def test_validate_only_stores_nothing(world, tmp_path):
    """A checked document has no name; neither a row nor a byte is kept, and the request id stays free."""
    stub = world.documents()
    request = make_request(validate_only=True)
    checked = await stub.SubmitDocument(request)
    assert (checked.document.name, checked.repeated_request) == ("", False)
    assert checked.document.document_id
    assert not _files(tmp_path)
    assert not (await stub.ListDocuments(pb.ListDocumentsRequest(agency=SENDER))).documents
    request.validate_only = False
    assert not (await stub.SubmitDocument(request)).repeated_request


async def test_a_signature_policy_refusal_says_which_file(world):
    """An unsigned main file: FAILED_PRECONDITION, SIGNATURE_MISSING, the attachment named in both languages."""
    request = make_request(content=b"%PDF-1.7 unsigned")
    world.signatures.verdicts[make_digest(b"%PDF-1.7 unsigned")] = Verdict.UNSIGNED
    told = await refusal(world.documents().SubmitDocument(request))
    assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SIGNATURE_MISSING")
    assert "Văn bản.pdf" in told.message
    assert "Văn bản.pdf" in told.vietnamese


async def test_an_unknown_recipient_is_named(world):
    """NOT_FOUND with the path of the recipient."""
    request = make_request()
    request.document.to.append(document_pb2.Organization(organ_id="000.00.00.H00"))
    told = await refusal(world.documents().SubmitDocument(request))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "RECIPIENT_UNKNOWN")
    assert set(told.violations) == {"document.to[1].organ_id"}


def make_recall(original, **overrides):
    """A recall of a document as the service showed it, without files."""
    request = make_request(**overrides)
    recall = request.document
    recall.business_type = document_pb2.BUSINESS_TYPE_RECALL
    recall.ClearField("attachments")
    recall.response_for.add(document_id=original.document_id)
    recall.business.reason = "Gửi nhầm nơi nhận"
    return request


async def test_a_document_is_recalled(world):
    """A recall names the document by its id and comes back naming it whole; repeated, it is the first one."""
    stub = world.documents()
    original = (await stub.SubmitDocument(make_request())).document
    request = make_recall(original)
    answer = await stub.SubmitDocument(request)
    (reference,) = answer.document.response_for
    assert (reference.organ_id, reference.document_id) == (SENDER, original.document_id)
    assert reference.code == f"{original.code_number}/{original.code_notation}"
    assert reference.promulgation_date == original.promulgation_date
    shown = await stub.GetDocument(pb.GetDocumentRequest(agency=SENDER, name=answer.document.name))
    assert (shown.business_type, len(shown.attachments)) == (document_pb2.BUSINESS_TYPE_RECALL, 0)
    assert [d.state for d in shown.deliveries] == [document_pb2.DELIVERY_STATE_QUEUED]
    for request_id in (request.request_id, str(uuid4())):
        request.request_id = request_id
        again = await stub.SubmitDocument(request)
        assert (again.repeated_request, again.document.name) == (True, answer.document.name)


async def test_a_recall_that_names_nothing_of_ours_is_refused(world):
    """INVALID_ARGUMENT at the field, in both languages: unknown document, no reason, a recipient without it."""
    stub = world.documents()
    original = (await stub.SubmitDocument(make_request())).document

    async def refused(change):
        request = make_recall(original)
        change(request.document)
        told = await refusal(stub.SubmitDocument(request))
        assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert all(en and vi and en != vi for en, vi in told.violations.values())
        return set(told.violations)

    def unknown(document):
        document.response_for[0].document_id = "nothing"

    assert await refused(unknown) == {"document.response_for[0]"}
    assert await refused(lambda document: document.business.ClearField("reason")) == {"document.business.reason"}
    assert await refused(lambda document: document.to.add(organ_id=UNCLAIMED)) == {"document.to[1].organ_id"}


@pytest.mark.parametrize("kind", [document_pb2.BUSINESS_TYPE_UPDATE, document_pb2.BUSINESS_TYPE_REPLACE])
async def test_a_document_is_updated_or_replaced(world, kind):
    """Both name the earlier document in their own place and are taken; without it they are refused."""
    stub = world.documents()
    original = (await stub.SubmitDocument(make_request())).document
    request = make_request()
    request.document.business_type = kind
    told = await refusal(stub.SubmitDocument(request))
    business = request.document.business
    if kind == document_pb2.BUSINESS_TYPE_UPDATE:
        assert set(told.violations) == {"document.business.document_id"}
        business.document_id = original.document_id
    else:
        assert set(told.violations) == {"document.business.replacements"}
        business.replacements.add(document_id=original.document_id)
    answer = await stub.SubmitDocument(request)
    assert (answer.repeated_request, answer.document.business_type) == (False, kind)


async def test_pages_cover_everything_once_newest_first(world):
    """Following next_page_token shows each document once, in order, also when the page size changes on the way."""
    names = []
    for _ in range(7):
        names.append(await world.accept())
        world.clock.advance(SECOND)
    stub, seen, token, size = world.documents(), [], "", 2
    while True:
        page = await stub.ListDocuments(pb.ListDocumentsRequest(agency=SENDER, page_size=size, page_token=token))
        assert len(page.documents) <= size
        seen += [document.name for document in page.documents]
        token, size = page.next_page_token, 3
        if not token:
            break
    assert seen == list(reversed(names))


async def test_a_page_token_is_bound_to_its_filters(world):
    """The same token with other filters, or a made-up one, is INVALID_PAGE_TOKEN."""
    for _ in range(3):
        await world.accept()
    stub = world.documents()
    page = await stub.ListDocuments(pb.ListDocumentsRequest(agency=SENDER, page_size=1))
    for request in (
        pb.ListDocumentsRequest(agency=SENDER, page_token=page.next_page_token, document_id="x"),
        pb.ListDocumentsRequest(agency=SENDER, page_token=page.next_page_token, include_subtree=True),
        pb.ListDocumentsRequest(agency=SENDER, page_token="bogus"),
    ):
        told = await refusal(stub.ListDocuments(request))
        assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")


async def test_large_pages_end_early_but_lose_nothing(world):
    """A page stops below the size clients accept by default, and the next one goes on where it stopped."""
    to = tuple(make_organization(code, organ_add="x" * 900_000) for code in (RECIPIENT, UNCLAIMED))
    names = []
    for _ in range(4):
        names.append(await world.accept(make_document(to=to)))
        world.clock.advance(SECOND)
    stub, seen, token, pages = world.documents(), [], "", 0
    while token or not pages:
        page = await stub.ListDocuments(pb.ListDocumentsRequest(agency=SENDER, page_token=token))
        assert page.ByteSize() < 4 * 1024 * 1024
        seen += [document.name for document in page.documents]
        token, pages = page.next_page_token, pages + 1
    assert seen == list(reversed(names))
    assert pages > 1


async def test_filters_narrow_the_list(world):
    """Document id, state, recipient in any known form, time and subtree each select what they say."""
    first = make_document()
    one = await world.accept(first)
    world.clock.advance(SECOND)
    two = await world.accept(make_document(to=(make_organization(UNCLAIMED),)))
    below = await world.accept(make_document(sender=make_organization(UNIT)))
    stub = world.documents()

    async def listed(**filters):
        page = await stub.ListDocuments(pb.ListDocumentsRequest(**({"agency": SENDER} | filters)))
        return {document.name for document in page.documents}

    assert await listed() == {one, two}
    assert await listed(agency=OLD_CODE) == {one, two}
    assert await listed(include_subtree=True) == {one, two, below}
    assert await listed(document_id=first.document_id) == {one}
    assert await listed(recipient=UNCLAIMED.lower()) == {two}
    assert await listed(state=document_pb2.DELIVERY_STATE_SENT) == set()
    assert await listed(state=document_pb2.DELIVERY_STATE_QUEUED) == {one, two}
    later = {"seconds": int(NOW.timestamp()) + 1}
    assert await listed(accepted_from=later) == {two}
    assert await listed(accepted_before=later) == {one}
    told = await refusal(stub.ListDocuments(pb.ListDocumentsRequest(agency=SENDER, recipient="000.00.00.H00")))
    assert told.reason == ErrorCode.AGENCY_UNKNOWN
