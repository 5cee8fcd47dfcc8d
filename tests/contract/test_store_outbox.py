"""OutboxQueue over a real database: leases, order, ends of attempts."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from gateway.domain.document import OtherInfo, Priority
from gateway.domain.ids import AccountName, AxisDocId, MessageId
from gateway.domain.lifecycle import DeliveryState, MessageState
from gateway.ports.outbound import DocumentReused, Settlement
from gateway.store.messages import NewMessage, document_order, enqueue, status_message
from gateway.store.moves import IllegalMoveError
from tests.contract.conftest import OTHER, VENDOR_A, VENDOR_B
from tests.make import NOW, RECIPIENT, ROUTE, SENDER, make_digest, make_organization, make_status

LEASE = timedelta(seconds=60)
TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)


async def lease(world, at=NOW, limit=10, **how):
    how = {"route": ROUTE} | how
    return await world.store.outbox.lease("worker-1", limit=limit, lease_for=LEASE, at=at, **how)


async def lease_one(world, at=NOW):
    (message,) = await lease(world, at)
    return message


def settlement(state, **overrides):
    due = NOW + MINUTE if state in (MessageState.QUEUED, MessageState.UNCERTAIN) else None
    values = {"state": state, "due_at": due, "reason": "", "counted": True, "axis_doc_id": None}
    return Settlement(**(values | overrides))


async def submit(world, state, at=NOW, **overrides):
    """Lease the only message, begin and settle."""
    message = await lease_one(world, at)
    assert await world.store.outbox.begin_submit(message, at=at)
    assert await world.store.outbox.settle(message, settlement(state, **overrides), at=at)
    return message


async def put(world, *reports, at=NOW):
    await world.store.database.write(
        lambda conn: enqueue(conn, [status_message(ROUTE, report) for report in reports], at=at)
    )


async def changes(world, after=0):
    page = await world.store.events.read(VENDOR_A, under=None, after=after, limit=99)
    return [(e.recipient_code, e.change.state, e.change.attempts, e.change.reason) for e in page.events]


async def test_a_leased_message_carries_all_its_packet_needs(world):
    """A document message brings document, objects and its share of recipients; a status message its report."""
    wanted = world.acceptance()
    await world.store.documents.accept(wanted, at=NOW)
    report = make_status()
    await put(world, report)
    document, status = await lease(world)
    assert (document.document, document.objects) == (wanted.document, wanted.objects)
    assert document.recipients == wanted.document.to
    assert (document.report, document.route, document.attempts, document.state) == (
        None,
        ROUTE,
        0,
        MessageState.QUEUED,
    )
    assert (document.created_at, document.first_submitted_at, document.settle_after) == (NOW, None, None)
    assert (status.report, status.document, status.recipients, status.objects) == (report, None, (), ())


async def test_a_message_is_leased_by_one_worker_at_a_time(world):
    """Concurrent workers share the due messages out without overlap."""
    for _ in range(6):
        await world.store.documents.accept(world.acceptance(), at=NOW)
    taken = await asyncio.gather(*(lease(world, limit=2) for _ in range(5)))
    ids = [message.id for messages in taken for message in messages]
    assert len(ids) == len(set(ids)) == 6


async def test_a_lease_ends_after_its_last_microsecond(world):
    """At its end a lease still holds; one microsecond later the message is handed out again, the old proof is void."""
    await world.store.documents.accept(world.acceptance(), at=NOW)
    first = await lease_one(world)
    assert await lease(world, at=NOW + LEASE) == ()
    second = await lease_one(world, at=NOW + LEASE + TICK)
    outbox = world.store.outbox
    assert second.lease != first.lease
    assert not await outbox.begin_submit(first, at=NOW)
    assert not await outbox.renew(first, lease_for=LEASE, at=NOW)
    assert not await outbox.settle(first, settlement(MessageState.QUEUED), at=NOW)
    assert await outbox.begin_submit(second, at=NOW)


async def test_what_a_killed_process_held_is_free_at_its_restart(world):
    """The leases of an owner that is gone end at once and count as cut short; another owner's hold."""
    for _ in range(2):
        await world.store.documents.accept(world.acceptance(), at=NOW)
    (first,) = await lease(world, limit=1)
    (other,) = await world.store.outbox.lease("other", route=ROUTE, limit=1, lease_for=LEASE, at=NOW)
    assert await world.store.outbox.abandon("worker-1", at=NOW) == 1
    assert await world.store.outbox.abandon("worker-1", at=NOW) == 0
    (again,) = await lease(world, limit=2)
    assert (again.id, again.interruptions) == (first.id, 1)
    assert again.id != other.id


async def test_an_expired_lease_nobody_took_still_counts(world):
    """The holder of an overdue lease may settle as long as the message was not handed out again."""
    await world.store.documents.accept(world.acceptance(), at=NOW)
    message = await lease_one(world)
    late = NOW + LEASE + MINUTE
    assert await world.store.outbox.begin_submit(message, at=late)
    assert await world.store.outbox.settle(message, settlement(MessageState.SENT), at=late)


@pytest.mark.parametrize("meanwhile", [None, MessageState.UNCERTAIN, MessageState.HELD])
async def test_a_proof_holds_without_the_lease(world, meanwhile):
    """SENT with an axis id settles what another has leased or put aside since; that one has lost its lease then."""
    await world.store.documents.accept(world.acceptance(), at=NOW)
    outbox, late = world.store.outbox, NOW + LEASE + MINUTE
    first = await lease_one(world)
    assert await outbox.begin_submit(first, at=NOW)
    second = await lease_one(world, at=late)
    if meanwhile is not None:
        assert await outbox.settle(second, settlement(meanwhile), at=late)
    if meanwhile is MessageState.UNCERTAIN:
        second = await lease_one(world, at=late)
    assert not await outbox.settle(first, settlement(MessageState.SENT), at=late)
    assert not await outbox.settle(first, settlement(MessageState.FAILED), at=late)
    proof = settlement(MessageState.SENT, axis_doc_id=AxisDocId("x-1"))
    assert await outbox.settle(first, proof, at=late)
    assert not await outbox.renew(second, lease_for=LEASE, at=late)
    assert not await outbox.begin_submit(second, at=late)
    assert not await outbox.settle(second, settlement(MessageState.QUEUED), at=late)
    other = settlement(MessageState.SENT, axis_doc_id=AxisDocId("x-2"))
    assert not await outbox.settle(second, other, at=late)
    assert await outbox.known_axis_ids(ROUTE, since=NOW) == {"x-1"}
    assert await lease(world, at=late + LEASE + MINUTE) == ()


@pytest.mark.parametrize("state", [MessageState.QUEUED, MessageState.FAILED])
async def test_a_proof_changes_nothing_that_was_decided_since(world, state):
    """What was put back, or given up, since the lease was lost stays so."""
    await world.store.documents.accept(world.acceptance(), at=NOW)
    outbox, late = world.store.outbox, NOW + LEASE + MINUTE
    first = await lease_one(world)
    assert await outbox.begin_submit(first, at=NOW)
    assert await outbox.settle(await lease_one(world, at=late), settlement(state), at=late)
    assert not await outbox.settle(first, settlement(MessageState.SENT, axis_doc_id=AxisDocId("x-1")), at=late)
    assert (await outbox.depth(at=late, near=MINUTE)).outbox == {state: 1}


async def test_renewing_moves_the_end(world):
    """A renewed lease holds from the renewal on."""
    await world.store.documents.accept(world.acceptance(), at=NOW)
    message = await lease_one(world)
    assert await world.store.outbox.renew(message, lease_for=LEASE, at=NOW + MINUTE)
    assert await lease(world, at=NOW + MINUTE + LEASE) == ()
    assert await lease(world, at=NOW + MINUTE + LEASE + TICK)


async def test_urgent_first_then_by_due_time(world):
    """Higher priority goes first, unknown values count as normal; within one the longest due goes first."""
    order = [
        (Priority.NORMAL, 1),
        (Priority.FLASH, 2),
        (99, 0),
        (Priority.FLASH_TIMED, 3),
        (Priority.FLASH, 1),
    ]
    for priority, minute in order:
        document = world.document(other_info=OtherInfo(priority=priority), subject=f"{priority} {minute}")
        await world.store.documents.accept(world.acceptance(document=document), at=NOW + minute * MINUTE)
    at = NOW + 5 * MINUTE
    first = await lease(world, at=at, limit=2)
    rest = await lease(world, at=at)
    assert [m.document.subject for m in (*first, *rest)] == ["4 3", "3 1", "3 2", "99 0", "0 1"]


async def test_many_recipients_travel_in_several_messages(world):
    """Recipients are cut into messages of the account's size, which do not wait for each other."""
    to = tuple(make_organization(f"{n:03d}.H97") for n in range(7))
    await world.store.documents.accept(world.acceptance(document=world.document(to=to), together=3), at=NOW)
    messages = await lease(world)
    assert [len(m.recipients) for m in messages] == [3, 3, 1]
    assert tuple(r for m in messages for r in m.recipients) == to


@pytest.mark.parametrize("state", [MessageState.QUEUED, MessageState.UNCERTAIN, MessageState.HELD])
async def test_a_younger_message_waits_for_an_unsettled_older_one(world, state):
    """06 does not overtake a 03 that waits, is uncertain or is held; another document's status passes."""
    early = make_status()
    late = make_status(status_code="06", sender=early.sender, response_for=early.response_for)
    await put(world, early, late)
    first = await lease_one(world)
    assert first.report == early
    assert await world.store.outbox.begin_submit(first, at=NOW)
    await world.store.outbox.settle(first, settlement(state), at=NOW)
    assert await lease(world) == ()
    await put(world, make_status())
    assert (await lease_one(world)).report.status_code == "03"


@pytest.mark.parametrize("state", [MessageState.SENT, MessageState.FAILED])
async def test_a_settled_message_lets_the_next_one_go(world, state):
    """Once the older message is sent or has failed for good, the younger one is due."""
    early = make_status()
    late = make_status(status_code="06", sender=early.sender, response_for=early.response_for)
    await put(world, early, late)
    await submit(world, state)
    assert (await lease_one(world)).report == late


async def test_what_has_no_lane_waits_for_every_chunk_and_holds_what_follows(world):
    """A message without a lane, as that of a recall, waits for all chunks of its document and holds what follows."""
    document = world.document()
    await world.store.documents.accept(world.acceptance(document=document, together=1), at=NOW)
    key = document_order(document.sender.organ_id, document.document_id)
    whole = status_message(ROUTE, make_status(status_code="13"))
    lane = status_message(ROUTE, make_status(status_code="15"))
    follow = [
        NewMessage(kind=m.kind, route=ROUTE, ordering_key=key, lane=lane_of, priority=4, report=m.report)
        for m, lane_of in ((whole, None), (lane, 0))
    ]
    await world.store.database.write(lambda conn: enqueue(conn, follow, at=NOW))
    chunks = await lease(world)
    assert [m.recipients[0].organ_id for m in chunks] == [RECIPIENT, OTHER]
    for chunk in chunks:
        assert await lease(world) == ()
        await world.store.outbox.begin_submit(chunk, at=NOW)
        await world.store.outbox.settle(chunk, settlement(MessageState.SENT), at=NOW)
    assert [m.report.status_code for m in await lease(world)] == ["13"]


async def test_submitting_is_written_before_the_first_byte(world):
    """After begin_submit a worker that finds the message knows that its outcome is open, and since when."""
    await world.store.documents.accept(world.acceptance(), at=NOW)
    message = await lease_one(world)
    assert await world.store.outbox.begin_submit(message, at=NOW + TICK)
    found = await lease_one(world, at=NOW + LEASE + TICK)
    assert (found.state, found.first_submitted_at, found.attempts) == (MessageState.SUBMITTING, NOW + TICK, 0)


async def test_a_sent_message_settles_its_deliveries(world):
    """Sent: deliveries are SENT with one attempt and one event each, the axis id is known, nothing is due."""
    taken = await world.store.documents.accept(world.acceptance(), at=NOW)
    await submit(world, MessageState.SENT, axis_doc_id=AxisDocId("axis-1"), at=NOW + MINUTE)
    sent = await world.store.documents.get(taken.sent.uid)
    assert {(d.state, d.attempts, d.updated_at) for d in sent.deliveries} == {(DeliveryState.SENT, 1, NOW + MINUTE)}
    assert await changes(world, after=2) == [(RECIPIENT, "sent", 1, ""), (OTHER, "sent", 1, "")]
    assert await world.store.outbox.known_axis_ids(ROUTE, since=NOW + MINUTE) == {"axis-1"}
    assert await world.store.outbox.known_axis_ids(ROUTE, since=NOW + MINUTE + TICK) == frozenset()
    assert await world.store.outbox.known_axis_ids("other", since=NOW) == frozenset()
    assert await lease(world, at=NOW + timedelta(days=9)) == ()


async def test_an_id_is_anothers_where_another_message_of_the_route_was_sent_under_it(world):
    """Its own proof is nobody else's, and ids of other routes mean nothing."""
    await world.store.documents.accept(world.acceptance(), at=NOW)
    first = await lease_one(world)
    assert await world.store.outbox.begin_submit(first, at=NOW)
    known = AxisDocId("axis-1")
    assert not await world.store.outbox.is_anothers(first, known)
    assert await world.store.outbox.settle(first, settlement(MessageState.SENT, axis_doc_id=known), at=NOW)
    assert not await world.store.outbox.is_anothers(first, known)
    second = replace(first, id=MessageId("another"))
    assert await world.store.outbox.is_anothers(second, known)
    assert not await world.store.outbox.is_anothers(second, AxisDocId("axis-2"))
    assert not await world.store.outbox.is_anothers(replace(second, route=AccountName("else")), known)


async def test_retries_make_one_event_not_many(world):
    """Vendors hear once that a document is delayed, however many attempts follow; attempts and reason stay current."""
    taken = await world.store.documents.accept(world.acceptance(), at=NOW)
    for attempt in range(1, 4):
        at = NOW + attempt * MINUTE
        await submit(world, MessageState.QUEUED, at=at, due_at=at + MINUTE, reason=f"down {attempt}")
    assert await changes(world, after=2) == [(RECIPIENT, "delayed", 1, "down 1"), (OTHER, "delayed", 1, "down 1")]
    sent = await world.store.documents.get(taken.sent.uid)
    assert {(d.state, d.attempts, d.reason) for d in sent.deliveries} == {(DeliveryState.DELAYED, 3, "down 3")}
    assert (await lease_one(world, at=NOW + 5 * MINUTE)).attempts == 3


async def test_an_interruption_is_no_attempt_and_vendors_see_nothing(world):
    """A drained attempt counts neither for the limit nor for vendors; the message is due again."""
    taken = await world.store.documents.accept(world.acceptance(), at=NOW)
    message = await lease_one(world)
    await world.store.outbox.settle(message, settlement(MessageState.QUEUED, counted=False, due_at=NOW), at=NOW)
    assert await world.store.documents.get(taken.sent.uid) == taken.sent
    assert await changes(world, after=2) == []
    assert (await lease_one(world)).attempts == 0


async def test_a_find_that_is_no_attempt_still_reaches_the_vendor(world):
    """A message found as sent without a new attempt settles its deliveries all the same."""
    taken = await world.store.documents.accept(world.acceptance(), at=NOW)
    await submit(world, MessageState.UNCERTAIN, due_at=NOW, settle_after=NOW + MINUTE)
    message = await lease_one(world)
    assert (message.state, message.settle_after) == (MessageState.UNCERTAIN, NOW + MINUTE)
    await world.store.outbox.settle(message, settlement(MessageState.SENT, counted=False), at=NOW)
    sent = await world.store.documents.get(taken.sent.uid)
    assert {(d.state, d.attempts) for d in sent.deliveries} == {(DeliveryState.SENT, 1)}


async def test_illegal_moves_are_bugs_and_write_nothing(world):
    """SENT without SUBMITTING, a second begin, and waiting without a due time raise; the message stays as it was."""
    await world.store.documents.accept(world.acceptance(), at=NOW)
    message = await lease_one(world)
    outbox = world.store.outbox
    with pytest.raises(IllegalMoveError):
        await outbox.settle(message, settlement(MessageState.SENT), at=NOW)
    with pytest.raises(IllegalMoveError):
        await outbox.settle(message, settlement(MessageState.QUEUED, due_at=None), at=NOW)
    assert await outbox.begin_submit(message, at=NOW)
    with pytest.raises(IllegalMoveError):
        await outbox.begin_submit(message, at=NOW)
    assert await outbox.settle(message, settlement(MessageState.SENT), at=NOW)
    assert not await outbox.settle(message, settlement(MessageState.FAILED), at=NOW)


async def test_depth_counts_what_waits(world):
    """Unsettled and failed messages are counted by state, sent ones are not; the longest overdue one is named."""
    await world.store.documents.accept(world.acceptance(), at=NOW)
    await submit(world, MessageState.SENT)
    await world.store.documents.accept(world.acceptance(), at=NOW)
    await submit(world, MessageState.FAILED)
    await world.store.documents.accept(world.acceptance(), at=NOW + MINUTE)
    await world.store.documents.accept(world.acceptance(), at=NOW + 3 * MINUTE)
    depth = await world.store.outbox.depth(at=NOW + 2 * MINUTE, near=timedelta(hours=1))
    assert depth.outbox == {MessageState.QUEUED: 2, MessageState.FAILED: 1}
    assert depth.oldest_due == NOW + MINUTE
    assert (depth.inbox_waiting, depth.inbox_unclaimed, depth.quarantined) == (0, 0, 0)
    assert (await world.store.outbox.depth(at=NOW, near=timedelta(hours=1))).oldest_due is None


async def test_foreign_watchers_see_no_delivery_events(world):
    """A vendor without a mandate over the sender hears nothing of its deliveries; one that may act does."""
    document = world.document(sender=make_organization("H98"))
    await world.store.documents.accept(world.acceptance(document=document, agency=world.id("H98")), at=NOW)
    assert (await world.store.events.read(VENDOR_B, under=None, after=0, limit=9)).events == ()
    await world.store.documents.accept(world.acceptance(), at=NOW)
    seen = (await world.store.events.read(VENDOR_B, under=None, after=0, limit=9)).events
    assert {event.agency_code for event in seen} == {SENDER}


async def test_a_document_that_failed_for_all_frees_its_id(world):
    """Mended or not, it can be submitted again under a new request id, and the first stays as it was."""
    wanted = world.acceptance()
    first = await world.store.documents.accept(wanted, at=NOW)
    again = replace(wanted, request_id=str(uuid4()), content_digest=make_digest("mended"))
    assert await world.store.documents.accept(again, at=NOW) == DocumentReused()
    assert await submit(world, MessageState.FAILED, reason="18: unknown receiver")
    second = await world.store.documents.accept(again, at=NOW + timedelta(hours=1))
    assert not second.repeated
    assert second.sent.uid != first.sent.uid
    kept = await world.store.documents.get(first.sent.uid)
    assert {delivery.state for delivery in kept.deliveries} == {DeliveryState.FAILED}
    assert (await lease_one(world, at=NOW + timedelta(hours=1))).document == second.sent.document


async def test_a_document_that_reached_somebody_keeps_its_id(world):
    """One delivery that did not fail is enough: other content under the id stays refused."""
    wanted = world.acceptance(together=1)
    await world.store.documents.accept(wanted, at=NOW)
    failing, _ = await lease(world)
    assert await world.store.outbox.begin_submit(failing, at=NOW)
    assert await world.store.outbox.settle(failing, settlement(MessageState.FAILED), at=NOW)
    other = replace(wanted, request_id=str(uuid4()), content_digest=make_digest("other"))
    assert await world.store.documents.accept(other, at=NOW) == DocumentReused()
