"""Documents over a real database: acceptance once, whatever races, and finding again."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from gateway.domain.document import BusinessType
from gateway.domain.ids import DocumentUid
from gateway.domain.lifecycle import DeliveryState
from gateway.domain.status import DeliveryChange
from gateway.ports.outbound import DocumentFilter, DocumentReused, RequestReused, Taken
from tests.contract.conftest import OTHER, VENDOR_A, VENDOR_B
from tests.make import NOW, RECIPIENT, ROUTE, SENDER, make_attachment, make_digest, make_stored


async def test_an_accepted_document_is_found_whole(world):
    """What was accepted is read back equal: header, attachments, one queued delivery per recipient, the bytes' keys."""
    wanted = world.acceptance()
    taken = await world.store.documents.accept(wanted, at=NOW)
    assert isinstance(taken, Taken)
    assert not taken.repeated
    assert taken.redundant == ()
    sent = await world.store.documents.get(taken.sent.uid)
    assert sent == taken.sent
    assert (sent.document, sent.agency, sent.accepted_at) == (wanted.document, world.id(SENDER), NOW)
    assert [(d.recipient, d.state, d.attempts) for d in sent.deliveries] == [
        (RECIPIENT, DeliveryState.QUEUED, 0),
        (OTHER, DeliveryState.QUEUED, 0),
    ]
    assert await world.store.documents.attachment(sent.uid, 0) == wanted.objects[0]
    assert await world.store.documents.attachment(sent.uid, 1) is None
    assert await world.store.documents.get(DocumentUid("nobody")) is None


async def test_acceptance_writes_one_event_per_recipient(world):
    """The sender's watcher learns that each delivery is queued."""
    taken = await world.store.documents.accept(world.acceptance(), at=NOW)
    page = await world.store.events.read(VENDOR_A, under=None, after=0, limit=10)
    queued = DeliveryChange(state="queued", attempts=0, reason="")
    assert [(e.position, e.recipient_code, e.change) for e in page.events] == [
        (1, RECIPIENT, queued),
        (2, OTHER, queued),
    ]
    assert {(e.agency_code, e.resource, e.document_id, e.at) for e in page.events} == {
        (SENDER, f"documents/{taken.sent.uid}", taken.sent.document.document_id, NOW)
    }


async def test_a_repeated_request_gets_the_first_answer(world):
    """The same request id with the same content returns the first document and hands the new objects back."""
    wanted = world.acceptance()
    first = await world.store.documents.accept(wanted, at=NOW)
    again = replace(wanted, objects=(make_stored(b"%PDF-1.7 main"),))
    second = await world.store.documents.accept(again, at=NOW + timedelta(hours=1))
    assert second == Taken(sent=first.sent, repeated=True, redundant=(again.objects[0].key,))
    assert await world.store.documents.repetition(VENDOR_A, wanted.request_id, wanted.request_digest) == Taken(
        sent=first.sent, repeated=True
    )


async def test_a_request_id_with_other_content_is_refused(world):
    """The same request id with other content is a reuse; another vendor's request ids are its own."""
    wanted = world.acceptance()
    await world.store.documents.accept(wanted, at=NOW)
    other = replace(wanted, request_digest=make_digest("other"))
    assert await world.store.documents.accept(other, at=NOW) == RequestReused()
    assert await world.store.documents.repetition(VENDOR_A, wanted.request_id, other.request_digest) == RequestReused()
    assert await world.store.documents.repetition(VENDOR_B, wanted.request_id, wanted.request_digest) is None
    foreign = world.acceptance(vendor=VENDOR_B, request_id=wanted.request_id)
    assert (await world.store.documents.accept(foreign, at=NOW)).repeated is False


async def test_a_document_id_again_is_the_first_document_or_a_reuse(world):
    """Under a new request id equal content is the first document and the id is used up; other content is refused."""
    wanted = world.acceptance()
    first = await world.store.documents.accept(wanted, at=NOW)
    same = replace(wanted, request_id=str(uuid4()))
    assert await world.store.documents.accept(same, at=NOW) == Taken(sent=first.sent, repeated=True)
    reused = await world.store.documents.accept(replace(same, request_digest=make_digest("x")), at=NOW)
    assert reused == RequestReused()
    other = replace(wanted, request_id=str(uuid4()), content_digest=make_digest("other"))
    assert await world.store.documents.accept(other, at=NOW) == DocumentReused()
    corrected = world.acceptance(request_id=other.request_id)
    assert (await world.store.documents.accept(corrected, at=NOW)).repeated is False


async def test_a_document_id_is_free_for_other_business_types(world):
    """Only new documents own their document id: an update may come under the same one."""
    wanted = world.acceptance()
    await world.store.documents.accept(wanted, at=NOW)
    update = replace(wanted.document, business_type=BusinessType.UPDATE)
    taken = await world.store.documents.accept(world.acceptance(document=update), at=NOW)
    assert not taken.repeated


async def test_concurrent_identical_requests_make_one_document(world):
    """Of many concurrent submissions with one request id exactly one is new and all get the same document."""
    wanted = world.acceptance()
    answers = await asyncio.gather(*(world.store.documents.accept(wanted, at=NOW) for _ in range(12)))
    assert sorted(answer.repeated for answer in answers) == [False] + [True] * 11
    assert len({answer.sent.uid for answer in answers}) == 1
    assert len((await world.store.events.read(VENDOR_A, under=None, after=0, limit=99)).events) == 2


async def test_concurrent_submissions_of_one_document_id(world):
    """Of concurrent submissions with one document id and two contents, one content wins, the other is told so."""
    document = world.document()
    many = [
        world.acceptance(document=document, content_digest=make_digest(f"{n % 2}"), request_digest=make_digest(f"{n}"))
        for n in range(12)
    ]
    answers = await asyncio.gather(*(world.store.documents.accept(each, at=NOW) for each in many))
    taken = [answer for answer in answers if isinstance(answer, Taken)]
    assert len(taken) == 6
    assert len({answer.sent.uid for answer in taken}) == 1
    assert [answer for answer in answers if not isinstance(answer, Taken)] == [DocumentReused()] * 6


async def test_bytes_stored_before_are_kept_once(world):
    """An inline attachment whose bytes are known is handed back, and the document refers to the older object."""
    first = await world.store.documents.accept(world.acceptance(), at=NOW)
    again = world.acceptance()
    second = await world.store.documents.accept(again, at=NOW)
    assert second.redundant == (again.objects[0].key,)
    kept = await world.store.documents.attachment(first.sent.uid, 0)
    assert await world.store.documents.attachment(second.sent.uid, 0) == kept


async def test_one_file_twice_in_a_document(world):
    """Two attachments with the same bytes share one object."""
    files = (make_attachment(), make_attachment(name="copy.pdf"))
    wanted = world.acceptance(document=world.document(attachments=files))
    taken = await world.store.documents.accept(wanted, at=NOW)
    assert taken.redundant == (wanted.objects[1].key,)
    assert await world.store.documents.attachment(taken.sent.uid, 1) == wanted.objects[0]


async def test_a_document_without_attachments(world):
    """What recalls look like: nothing attached, accepted, sent and listed all the same."""
    bare = world.document(attachments=())
    taken = await world.store.documents.accept(world.acceptance(document=bare), at=NOW)
    assert taken.sent.document == bare
    (message,) = await world.store.outbox.lease("w", route=ROUTE, limit=1, lease_for=timedelta(seconds=9), at=NOW)
    assert (message.document, message.objects) == (bare, ())


async def test_lists_are_newest_first_and_pages_join_up(world):
    """Pages of documents join without gap or repetition, also where several share an instant."""
    uids = []
    for minute in (0, 1, 1, 1, 2):
        taken = await world.store.documents.accept(world.acceptance(), at=NOW + timedelta(minutes=minute))
        uids.append(taken.sent.uid)
    wanted = DocumentFilter(agencies=None, root=world.id("H98"))
    seen = []
    after = None
    sizes = []
    while not sizes or after is not None:
        page = await world.store.documents.list(wanted, after=after, limit=2)
        sizes.append(len(page.documents))
        seen.extend(page.documents)
        after = page.after
    assert sizes == [2, 2, 1]
    assert [each.accepted_at for each in seen] == sorted((each.accepted_at for each in seen), reverse=True)
    assert sorted(each.uid for each in seen) == sorted(uids)
    assert all(each.deliveries == () and each.document.attachments for each in seen)


async def test_lists_filter(world):
    """Agency, subtree, document id, delivery state, recipient and time each narrow the list."""
    early = await world.store.documents.accept(world.acceptance(), at=NOW)
    to_one = world.document(to=world.document().to[:1])
    late = await world.store.documents.accept(world.acceptance(document=to_one), at=NOW + timedelta(hours=1))
    both = {early.sent.uid, late.sent.uid}
    whole = DocumentFilter(agencies=None, root=world.id("H98"))

    async def found(**narrow):
        page = await world.store.documents.list(replace(whole, **narrow), after=None, limit=9)
        assert page.after is None
        return {each.uid for each in page.documents}

    assert await found() == both
    assert await found(root=world.id("H99")) == set()
    assert await found(agencies=frozenset({world.id(SENDER)})) == both
    assert await found(agencies=frozenset({world.id("H98")})) == set()
    assert await found(document_id=to_one.document_id) == {late.sent.uid}
    assert await found(recipient=f" {OTHER.lower()}") == {early.sent.uid}
    assert await found(state=DeliveryState.QUEUED) == both
    assert await found(state=DeliveryState.SENT, recipient=OTHER) == set()
    assert await found(accepted_from=NOW + timedelta(hours=1)) == {late.sent.uid}
    assert await found(accepted_before=NOW + timedelta(hours=1)) == {early.sent.uid}
