"""Operations over a real database: what an operator sees, may do, and what is recorded of it."""

from datetime import timedelta

import pytest

from gateway.domain.ids import AxisDocId, MessageId
from gateway.domain.lifecycle import MESSAGE_MOVES, UNSETTLED, DeliveryState, ItemState, MessageState
from gateway.domain.operating import RULES, Action, Objection, Order
from gateway.domain.packet import PacketDefect
from gateway.ports.inbound import Stored
from gateway.ports.operations import Done, MessageFilter, NotDone
from gateway.ports.outbound import Settlement, Taken
from tests.contract.conftest import VENDOR_A
from tests.make import NOW, RECIPIENT, ROUTE, make_arrival, make_document, make_received

LEASE = timedelta(seconds=60)
HOUR = timedelta(hours=1)
EVERY = MessageFilter(states=frozenset(MessageState))


def order(action, **overrides):
    return Order(**({"action": action, "operator": "anna", "axis_doc_id": AxisDocId("ax-9")} | overrides))


async def leased(world, at=NOW):
    (message,) = await world.store.outbox.lease("w", route=ROUTE, limit=9, lease_for=LEASE, at=at)
    return message


async def message_in(world, state, **overrides):
    """Accept a document and bring its message into a state."""
    taken = await world.store.documents.accept(world.acceptance(**overrides), at=NOW)
    message = await leased(world)
    if state is MessageState.SUBMITTING:
        assert await world.store.outbox.begin_submit(message, at=NOW)
        return message, taken
    await world.store.outbox.begin_submit(message, at=NOW)
    waits = state in (MessageState.QUEUED, MessageState.UNCERTAIN)
    settlement = Settlement(
        state=state, due_at=NOW + HOUR if waits else None, reason="as it was", counted=True, axis_doc_id=None
    )
    assert await world.store.outbox.settle(message, settlement, at=NOW)
    return message, taken


async def carry_out(world, message, action, at=NOW, **overrides):
    return await world.store.operations.carry_out(message.id, order(action, **overrides), at=at)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("state", MessageState)
async def test_an_order_is_carried_out_where_its_rule_and_the_lifecycle_allow(world, action, state):
    """Whatever the state: the move is one of both tables and told to the vendor, or nothing changes at all."""
    message, taken = await message_in(world, state)
    later = NOW + 2 * LEASE
    before = await world.store.operations.message(message.id, at=later)
    head = (await world.store.events.head()).last
    result = await carry_out(world, message, action, at=later, may_repeat=True)
    after = await world.store.operations.message(message.id, at=later)
    rule = RULES[action]
    if state not in rule.before:
        assert result == NotDone(objection=Objection.WRONG_STATE, state=state)
        assert after == before
        assert (await world.store.events.head()).last == head
        return
    assert rule.after in MESSAGE_MOVES[state]
    assert result == Done(before=state, after=rule.after)
    assert (after.line.state, after.line.reason) == (rule.after, f"{rule.said} by operator anna")
    assert after.line.due_at == (later if rule.after is MessageState.QUEUED else None)
    assert after.axis_doc_id == ("ax-9" if rule.after is MessageState.SENT else None)
    assert (after.line.attempts, after.attempts[:-1]) == (1, before.attempts)
    made = after.attempts[-1]
    assert (made.state, made.reason, made.counted, made.started_at) == (rule.after, after.line.reason, False, None)
    page = await world.store.events.read(VENDOR_A, under=None, after=head, limit=99)
    shown = {view.state for view in (await world.store.documents.get(taken.sent.uid)).deliveries}
    assert {event.change.state for event in page.events} <= {state.value for state in shown}
    assert len(shown) == 1


async def test_what_a_gateway_works_on_is_left_alone(world):
    """A leased message is refused whatever its state; once the lease has run out it is not."""
    await world.store.documents.accept(world.acceptance(), at=NOW)
    message = await leased(world)
    assert await carry_out(world, message, Action.GIVE_UP) == NotDone(
        objection=Objection.LEASED, state=MessageState.QUEUED
    )
    assert isinstance(await carry_out(world, message, Action.GIVE_UP, at=NOW + LEASE + HOUR), Done)
    assert not await world.store.outbox.begin_submit(message, at=NOW + LEASE + HOUR)


async def test_a_held_message_is_not_resent_unawares(world):
    """Requeuing what may have arrived needs the operator's word; then it is leased and goes out again."""
    message, _ = await message_in(world, MessageState.HELD)
    refused = await carry_out(world, message, Action.REQUEUE)
    assert refused == NotDone(objection=Objection.MAY_ARRIVE_TWICE, state=MessageState.HELD)
    assert isinstance(await carry_out(world, message, Action.REQUEUE, may_repeat=True), Done)
    assert (await leased(world)).id == message.id


async def test_a_document_submitted_again_is_not_requeued(world):
    """After the vendor system submitted a failed document again, sending the old one too would double it."""
    document = world.document()
    message, _ = await message_in(world, MessageState.FAILED, document=document)
    again = await world.store.documents.accept(world.acceptance(document=document), at=NOW)
    assert isinstance(again, Taken)
    refused = await carry_out(world, message, Action.REQUEUE)
    assert refused == NotDone(objection=Objection.SUPERSEDED, state=MessageState.FAILED)


async def test_a_requeued_document_keeps_its_id(world):
    """The other way round: while a requeued one waits, a second submission of its id finds it."""
    document = world.document()
    message, first = await message_in(world, MessageState.FAILED, document=document)
    await carry_out(world, message, Action.REQUEUE)
    again = await world.store.documents.accept(world.acceptance(document=document), at=NOW)
    assert (again.repeated, again.sent.uid) == (True, first.sent.uid)
    assert {view.state for view in again.sent.deliveries} == {DeliveryState.DELAYED}


async def test_unknown_messages_are_told(world):
    """A wrong id changes nothing and is said to be unknown."""
    wrong = await world.store.operations.carry_out(MessageId("none"), order(Action.REQUEUE), at=NOW)
    assert wrong == NotDone(objection=Objection.UNKNOWN_MESSAGE)
    assert await world.store.operations.message(MessageId("none"), at=NOW) is None


async def test_lists_are_bounded_and_newest_last(world):
    """The newest that match, in the order in which they were accepted; a lease is shown while it holds."""
    ids = []
    for minute in range(3):
        at = NOW + timedelta(minutes=minute)
        taken = await world.store.documents.accept(world.acceptance(), at=at)
        ids.append(taken.sent.document.document_id)
    operations = world.store.operations
    lines = await operations.messages(EVERY, limit=2, at=NOW)
    assert [line.document_id for line in lines] == ids[1:]
    assert (lines[0].recipients, lines[0].first_recipients) == (2, (RECIPIENT, "000.00.23.H99"))
    old = MessageFilter(states=UNSETTLED, created_before=NOW + timedelta(minutes=1))
    assert [line.document_id for line in await operations.messages(old, limit=9, at=NOW)] == ids[:1]
    assert await operations.messages(MessageFilter(states=UNSETTLED, route="other"), limit=9, at=NOW) == ()
    assert await operations.messages(MessageFilter(states=frozenset({MessageState.SENT})), limit=9, at=NOW) == ()
    await world.store.outbox.lease("w", route=ROUTE, limit=1, lease_for=LEASE, at=NOW + HOUR)
    lines = await operations.messages(EVERY, limit=9, at=NOW + HOUR)
    assert [line.leased for line in lines] == [True, False, False]


async def quarantined(world, *, told):
    document = make_document()
    arrival = make_arrival(document, recipients=(world.agencies[RECIPIENT],))
    received = make_received(item=arrival.item)
    await world.store.items.record(received, at=NOW)
    await world.store.items.quarantine(received, PacketDefect(code="NO_LOCAL_RECIPIENT", path="p", message="m"))
    if told:
        await world.store.items.told(ROUTE, [arrival.item.axis_doc_id], at=NOW)
    return arrival, received


@pytest.mark.parametrize("told", [False, True])
async def test_a_packet_in_quarantine_is_taken_again(world, told):
    """It is listed with its defect; retaken, the poller finds it unfinished, stores it and tells the axis done."""
    arrival, received = await quarantined(world, told=told)
    item = arrival.item.axis_doc_id
    operations, items = world.store.operations, world.store.items
    (problem,) = await operations.problems(limit=9)
    assert (problem.axis_doc_id, problem.code, problem.told_at) == (item, "NO_LOCAL_RECIPIENT", NOW if told else None)
    before = await operations.retake(ROUTE, item, operator="anna", reason="agency added", at=NOW)
    assert before is (ItemState.REJECTED if told else ItemState.QUARANTINED)
    assert await operations.problems(limit=9) == ()
    (record,) = await items.unfinished(ROUTE, limit=9)
    assert (record.state, record.received) == (ItemState.FETCHED, received)
    assert isinstance(await items.store(arrival, receipts=(), at=NOW), Stored)
    await items.told(ROUTE, [item], at=NOW)
    assert await items.states(ROUTE, [item]) == {item: ItemState.SETTLED}


async def test_a_packet_retaken_too_early_is_quarantined_again(world):
    """What was not mended comes back with its new defect, and may be retaken again."""
    arrival, received = await quarantined(world, told=True)
    item = arrival.item.axis_doc_id
    for _ in range(2):
        assert await world.store.operations.retake(ROUTE, item, operator="a", reason="", at=NOW) is ItemState.REJECTED
        await world.store.items.quarantine(received, PacketDefect(code="NOT_XML", path="", message="n"))
        await world.store.items.told(ROUTE, [item], at=NOW)
    (problem,) = await world.store.operations.problems(limit=9)
    assert problem.code == "NOT_XML"


async def test_only_quarantine_is_retaken(world):
    """A settled item stays settled, an unknown one is unknown."""
    arrival = make_arrival(make_document(), recipients=(world.agencies[RECIPIENT],))
    item = arrival.item.axis_doc_id
    await world.store.items.record(make_received(item=arrival.item), at=NOW)
    await world.store.items.store(arrival, receipts=(), at=NOW)
    await world.store.items.told(ROUTE, [item], at=NOW)
    operations = world.store.operations
    assert await operations.retake(ROUTE, item, operator="a", reason="", at=NOW) is ItemState.SETTLED
    assert await operations.retake(ROUTE, AxisDocId("none"), operator="a", reason="", at=NOW) is None
    assert await world.store.items.states(ROUTE, [item]) == {item: ItemState.SETTLED}


async def test_the_audit_tells_both_directions(world):
    """One id, sent here and received here: who, when, states, digests, attachments, whatever the spelling."""
    document = world.document()
    message, taken = await message_in(world, MessageState.HELD, document=document)
    await carry_out(world, message, Action.MARK_SENT)
    arrival = make_arrival(document, recipients=(world.agencies[RECIPIENT],))
    await world.store.items.record(make_received(item=arrival.item), at=NOW)
    await world.store.items.store(arrival, receipts=(), at=NOW)
    sent, received = await world.store.operations.audit(f" {document.document_id.lower()} ")
    assert (sent.kind, sent.key, sent.removed_at) == ("document", taken.sent.uid, None)
    assert {(one["state"], one["axis_doc_id"]) for one in sent.facts["recipients"]} == {("sent", "ax-9")}
    assert sent.facts["attachments"][0]["sha256"] == document.attachments[0].sha256
    assert (received.kind, received.facts["axis_doc_id"]) == ("inbound_document", arrival.item.axis_doc_id)
    assert received.facts["attachments"][0]["signatures"]["verdict"] == "trusted"
    assert await world.store.operations.audit("unheard of") == ()
