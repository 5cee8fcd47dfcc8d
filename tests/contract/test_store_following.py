"""Recalls, updates and replacements over a real database: found what they follow, taken once, leased behind it."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest

from gateway.domain.document import Business, BusinessType, ResponseFor
from gateway.domain.ids import DocumentUid
from gateway.domain.lifecycle import MessageState
from gateway.domain.operating import Action, Objection, Order
from gateway.domain.packet import PacketKind
from gateway.ports.inbound import StatusPlaced
from gateway.ports.operations import Done, NotDone
from gateway.ports.outbound import Settlement
from tests.contract.conftest import OTHER, VENDOR_A
from tests.make import (
    NOW,
    RECIPIENT,
    ROUTE,
    SENDER,
    make_directory_row,
    make_item,
    make_organization,
    make_received,
    make_response_for,
    make_status,
    recall_of,
)

LEASE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


async def accept(world, document, *, at=NOW, **overrides):
    return await world.store.documents.accept(world.acceptance(document=document, **overrides), at=at)


async def lease(world, at=NOW):
    return await world.store.outbox.lease("w", route=ROUTE, limit=9, lease_for=LEASE, at=at)


async def end(world, message, state, at=NOW):
    assert await world.store.outbox.begin_submit(message, at=at)
    settlement = Settlement(state=state, due_at=None, reason="", counted=True, axis_doc_id=None)
    assert await world.store.outbox.settle(message, settlement, at=at)


def kinds(leased):
    return [(message.document.business_type, tuple(o.organ_id for o in message.recipients)) for message in leased]


async def test_a_document_is_found_by_its_marks(world):
    """By document id as written or normalised, else by number and day of issue; under any code of its sender."""
    document = world.document(document_id=f"{SENDER},2026/03/02,7/A", code_number="7", code_notation="A")
    older = replace(document, document_id="another", promulgation_date=date(2025, 3, 2), to=document.to[:1])
    uid = (await accept(world, document)).sent.uid
    old = (await accept(world, older, at=NOW + HOUR)).sent.uid

    async def found(**marks):
        named = ResponseFor(**({"organ_id": SENDER} | marks))
        followed = await world.store.documents.followed(named)
        return followed and followed.uid

    assert await found(document_id=document.document_id) == uid
    assert await found(document_id=f" {SENDER},2026-3-2,7/a") == uid
    assert await found(document_id=document.document_id, organ_id="15.01.h98") == uid
    assert await found(code=" 7/a/", promulgation_date=document.promulgation_date) == uid
    assert await found(code="7/A", promulgation_date=older.promulgation_date) == old
    assert await found(code="7/A", promulgation_date=date(2024, 3, 2)) is None
    assert await found(document_id="nothing", code="7/A", promulgation_date=document.promulgation_date) is None
    assert await found(document_id=document.document_id, organ_id="H98") is None
    whole = await world.store.documents.followed(make_response_for(document))
    assert (whole.document, whole.recipients) == (replace(document, attachments=()), {RECIPIENT, OTHER})


async def test_an_update_counts_and_a_recall_does_not(world):
    """Of several documents of one name the newest is meant, sent to all who got one of them; never a recall."""
    document = world.document()
    await accept(world, document)
    update = replace(document, business_type=BusinessType.UPDATE, to=(make_organization("H99"),))
    newest = (await accept(world, update, at=NOW + HOUR)).sent.uid
    await accept(world, recall_of(document), at=NOW + 2 * HOUR)
    found = await world.store.documents.followed(make_response_for(document))
    assert (found.uid, found.recipients) == (newest, {RECIPIENT, OTHER, "H99"})


async def test_a_recall_waits_for_every_chunk_and_holds_what_follows(world):
    """It goes once all chunks are settled, failed ones too, its own chunks at once; an update of it goes after it."""
    document = world.document()
    uid = (await accept(world, document, together=1)).sent.uid
    recall = await accept(world, recall_of(document), follows=uid, together=1)
    update = world.document(business_type=BusinessType.UPDATE, business=Business(document_id=document.document_id))
    update_uid = (await accept(world, update, follows=uid)).sent.uid
    last = recall_of(update, business=Business(reason="lại nhầm"))
    await accept(world, last, follows=update_uid)
    chunks = await lease(world)
    assert kinds(chunks) == [(0, (RECIPIENT,)), (0, (OTHER,))]
    await end(world, chunks[0], MessageState.FAILED)
    assert await lease(world) == ()
    await end(world, chunks[1], MessageState.SENT)
    recalls = await lease(world)
    assert kinds(recalls) == [(1, (RECIPIENT,)), (1, (OTHER,))]
    await end(world, recalls[0], MessageState.SENT)
    assert await lease(world) == ()
    await end(world, recalls[1], MessageState.HELD)
    assert await lease(world) == ()
    assert [d.state for d in (await world.store.documents.get(recall.sent.uid)).deliveries] == ["sent", "held"]


async def test_what_follows_a_follower_goes_after_it(world):
    """The recall of an update waits for the update, which has an id of its own, and that for its document."""
    document = world.document()
    uid = (await accept(world, document)).sent.uid
    update = world.document(business_type=BusinessType.UPDATE, business=Business(document_id=document.document_id))
    update_uid = (await accept(world, update, follows=uid)).sent.uid
    await accept(world, recall_of(update), follows=update_uid)
    for kind in (BusinessType.NEW, BusinessType.UPDATE, BusinessType.RECALL):
        (message,) = await lease(world)
        assert message.document.business_type == kind
        assert await lease(world) == ()
        await end(world, message, MessageState.SENT)


async def test_a_divided_document_still_goes_first(world):
    """Both halves of a document's message go before its recall; the halves of a recall go before what follows it."""
    document = world.document()
    uid = (await accept(world, document)).sent.uid
    for reason in ("one", "two"):
        await accept(world, recall_of(document, business=Business(reason=reason)), follows=uid)
    for kind in (BusinessType.NEW, BusinessType.RECALL, BusinessType.RECALL):
        (message,) = await lease(world)
        assert await world.store.outbox.divide(message, reason="18", at=NOW)
        halves = await lease(world)
        assert sorted(kinds(halves)) == [(kind, (RECIPIENT,)), (kind, (OTHER,))]
        await end(world, halves[1], MessageState.SENT)
        assert await lease(world) == ()
        await end(world, halves[0], MessageState.SENT)


async def test_the_same_recall_again_is_the_first(world):
    """Under another request id it is the first one again; of other content, or once that failed, it is another."""
    document = world.document()
    uid = (await accept(world, document)).sent.uid
    recall = world.acceptance(document=recall_of(document), follows=uid)
    first = await world.store.documents.accept(recall, at=NOW)
    again = await world.store.documents.accept(replace(recall, request_id=str(uuid4())), at=NOW)
    assert (first.repeated, again.repeated, again.sent) == (False, True, first.sent)
    other = await accept(world, recall_of(document, business=Business(reason="khác")), follows=uid)
    assert not other.repeated
    for _ in range(3):
        (message,) = await lease(world)
        await end(world, message, MessageState.FAILED)
    anew = await world.store.documents.accept(replace(recall, request_id=str(uuid4())), at=NOW)
    assert (anew.repeated, anew.sent.uid == first.sent.uid) == (False, False)


async def test_concurrent_recalls_of_one_content_make_one(world):
    """However many come at once, each under a request id of its own."""
    document = world.document()
    uid = (await accept(world, document)).sent.uid
    recall = world.acceptance(document=recall_of(document), follows=uid)
    answers = await asyncio.gather(
        *(world.store.documents.accept(replace(recall, request_id=str(uuid4())), at=NOW) for _ in range(8))
    )
    assert sorted(answer.repeated for answer in answers) == [False] + [True] * 7
    assert len({answer.sent.uid for answer in answers}) == 1


async def test_a_recall_of_what_has_just_been_removed_goes_by_itself(world):
    """What retention removed after it was looked up was settled long ago: there is nothing to wait for."""
    await accept(world, recall_of(world.document()), follows=DocumentUid("gone"))
    assert len(await lease(world)) == 1


@pytest.mark.parametrize(("code", "of_recall"), [("15", True), ("16", True), ("01", False), ("06", False)])
async def test_a_status_finds_the_recall_or_its_document(world, code, of_recall):
    """A recall that bears its document's id gets the consent or refusal; every other status is the document's."""
    document = world.document()
    uid = (await accept(world, document)).sent.uid
    recall = (await accept(world, recall_of(document), follows=uid, at=NOW + HOUR)).sent.uid
    report = make_status(document, status_code=code)
    received = make_received(item=make_item(kind=PacketKind.STATUS))
    await world.store.items.record(received, at=NOW)
    placed = await world.store.items.place_status(received, report, at=NOW + HOUR)
    assert placed == StatusPlaced(repeated=False)
    events = (await world.store.events.read(VENDOR_A, under=None, after=0, limit=99)).events
    assert events[-1].resource == f"documents/{recall if of_recall else uid}"


async def test_a_sender_that_changed_its_code_still_owns_its_documents(world):
    """A document sent under the former code is found under the new one."""
    document = world.document()
    uid = (await accept(world, document)).sent.uid
    row = make_directory_row("H98.15", axis_id=f"axis-{SENDER}", parent_axis_id="axis-H98")
    await world.store.directory.apply([make_directory_row("H98"), row], at=NOW)
    found = await world.store.documents.followed(make_response_for(document, organ_id="H98.15"))
    assert found.uid == uid


async def requeue(world, message):
    return await world.store.operations.carry_out(message.id, Order(action=Action.REQUEUE, operator="anna"), at=NOW)


async def test_what_its_recall_has_overtaken_is_not_requeued(world):
    """A failed packet goes out no more once its recall leaves for the same recipient; others' may."""
    document = world.document()
    uid = (await accept(world, document, together=1)).sent.uid
    failed = {message.recipients[0].organ_id: message for message in await lease(world)}
    for message in failed.values():
        await end(world, message, MessageState.FAILED)
    await accept(world, recall_of(document, to=document.to[:1]), follows=uid)
    (recall,) = await lease(world)
    overtaken = NotDone(objection=Objection.OVERTAKEN, state=MessageState.FAILED)
    assert await requeue(world, failed[RECIPIENT]) == overtaken
    await end(world, recall, MessageState.SENT)
    assert await requeue(world, failed[RECIPIENT]) == overtaken
    assert isinstance(await requeue(world, failed[OTHER]), Done)


async def test_what_its_recall_still_waits_behind_is_requeued(world):
    """A failed packet whose recall has not left goes out again, before the recall."""
    document = world.document()
    uid = (await accept(world, document)).sent.uid
    (failed,) = await lease(world)
    await end(world, failed, MessageState.FAILED)
    await accept(world, recall_of(document), follows=uid)
    assert isinstance(await requeue(world, failed), Done)
    assert kinds(await lease(world)) == [(0, (RECIPIENT, OTHER))]
    assert await lease(world) == ()
