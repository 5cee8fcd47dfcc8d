"""OutboxQueue.fail_over over a real database: what goes to another account, what stays, and what is told of it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.domain.document import BusinessType
from gateway.domain.ids import AccountName, AxisDocId
from gateway.domain.lifecycle import DeliveryState, MessageState
from gateway.domain.operating import Action, Order
from gateway.domain.routing import Share
from gateway.ports.outbound import Settlement
from gateway.store import failover, open_store
from gateway.store.messages import enqueue, status_message
from gateway.store.tables import messages
from tests.contract.conftest import VENDOR_A, on_postgres
from tests.make import NOW, ROUTE, make_attachment, make_document, make_organization, make_status

B, C = AccountName("other"), AccountName("third")
ALL = (ROUTE, B, C)
LEASE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)


async def submit(world, via=ALL, at=NOW, **overrides):
    taken = await world.store.documents.accept(world.acceptance(via=via, **overrides), at=at)
    return taken.sent.uid


async def lease(world, route, at=NOW, limit=9):
    return await world.store.outbox.lease("w", route=route, limit=limit, lease_for=LEASE, at=at)


async def settle(world, message, state, at=NOW, **overrides):
    values = {"state": state, "due_at": None, "reason": "", "counted": True, "axis_doc_id": None}
    assert await world.store.outbox.begin_submit(message, at=at)
    assert await world.store.outbox.settle(message, Settlement(**(values | overrides)), at=at)


async def move(world, route, *among, at=NOW):
    return await world.store.outbox.fail_over(route, among=set(among), at=at)


async def facts(world, message, at=NOW):
    return await world.store.operations.message(message.id, at=at)


async def test_the_next_healthy_account_takes_over_and_may_give_back(world):
    """Of the alternatives the first healthy one carries it; the account left comes last, and can get it back."""
    await submit(world)
    assert await move(world, ROUTE, C) == {C: 1}
    assert await lease(world, ROUTE) == ()
    (message,) = await lease(world, C)
    found = await facts(world, message)
    assert (found.line.route, found.alternatives) == (C, (B, ROUTE))
    await world.store.outbox.abandon("w", at=NOW)
    later = NOW + failover.STAYS
    assert await move(world, C, ROUTE, B, at=later) == {B: 1}
    assert await move(world, B, ROUTE, at=later + failover.STAYS) == {ROUTE: 1}
    (message,) = await lease(world, ROUTE, later + failover.STAYS)
    assert (await facts(world, message)).alternatives == (C, B)


async def test_nothing_moves_without_a_healthy_alternative(world):
    """What has no alternatives, or none that is healthy, waits where it is; so do statuses."""
    await submit(world, via=(ROUTE,))
    await submit(world, via=(ROUTE, B))
    report = status_message(ROUTE, make_status())
    await world.store.database.write(lambda conn: enqueue(conn, [report], at=NOW))
    assert await move(world, ROUTE, C) == {}
    assert await move(world, ROUTE) == {}
    assert len(await lease(world, ROUTE)) == 3


async def test_a_hopeless_message_hides_no_other(world, monkeypatch):
    """However many wait longer for an account that is down as well, those that can go, go; bounded by each call."""
    monkeypatch.setattr(failover, "HANDED_OVER", 2)
    for _ in range(3):
        await submit(world, via=(ROUTE, C))
    for n in range(5):
        await submit(world, via=(ROUTE, B), at=NOW + TICK * n)
    assert [await move(world, ROUTE, B) for _ in range(4)] == [{B: 2}, {B: 2}, {B: 1}, {}]


async def test_a_put_off_message_is_due_at_once_and_a_first_attempt_again(world):
    """An attempt that certainly did not arrive is no obstacle; the new account has seen nothing of it."""
    uid = await submit(world)
    (message,) = await lease(world, ROUTE)
    await settle(world, message, MessageState.QUEUED, due_at=NOW + timedelta(hours=1), reason="down")
    assert await move(world, ROUTE, B, at=NOW + LEASE) == {B: 1}
    (again,) = await lease(world, B, NOW + LEASE)
    assert (again.id, again.attempts, again.first_submitted_at, again.interruptions) == (message.id, 1, None, 0)
    before = await world.store.documents.get(uid)
    assert {d.state for d in before.deliveries} == {DeliveryState.DELAYED}
    await settle(world, again, MessageState.SENT, at=NOW + LEASE, axis_doc_id=AxisDocId("b-1"))
    after = await world.store.documents.get(uid)
    assert {d.state for d in after.deliveries} == {DeliveryState.SENT}


async def test_a_move_is_recorded_and_no_vendor_hears_of_it(world):
    """An auditor finds who carried it when; deliveries and events stay as they are."""
    await submit(world)
    events = (await world.store.events.head()).last
    await move(world, ROUTE, B)
    (message,) = await lease(world, B)
    found = await facts(world, message)
    (line,) = found.attempts
    assert (line.number, line.started_at, line.ended_at, line.counted) == (1, None, NOW, False)
    assert (line.state, line.reason) == (MessageState.QUEUED, f"account {ROUTE} is down; goes by {B}")
    assert (found.line.reason, found.line.attempts) == (line.reason, 0)
    assert (await world.store.events.head()).last == events
    assert {one.state for one in found.recipients} == {DeliveryState.QUEUED}
    await world.store.outbox.abandon("w", at=NOW)
    await move(world, B, C, at=NOW + failover.STAYS)
    assert [one.number for one in (await facts(world, message)).attempts] == [1, 2]


async def test_replicas_that_disagree_do_not_toss_a_message_to_and_fro(world):
    """What was handed over stays until it was tried there, or for a minute."""
    at = NOW + timedelta(seconds=1)
    await submit(world)
    assert await move(world, ROUTE, B, at=at) == {B: 1}
    assert await move(world, B, ROUTE, at=at) == {}
    assert await move(world, B, ROUTE, at=at + failover.STAYS - TICK) == {}
    (message,) = await lease(world, B, at)
    await settle(world, message, MessageState.QUEUED, at=at, due_at=at + LEASE, reason="down")
    assert await move(world, B, ROUTE, at=at) == {ROUTE: 1}
    assert await move(world, ROUTE, B, at=at) == {}
    assert await move(world, ROUTE, B, at=at + failover.STAYS) == {B: 1}


async def test_one_message_is_handed_over_where_one_is_asked_for(world):
    """A scout goes alone, the one that has been due longest."""
    for n in range(3):
        await submit(world, at=NOW + TICK * n)
    assert await world.store.outbox.fail_over(ROUTE, among={B, C}, at=NOW + LEASE, most=1) == {B: 1}
    (scout,) = await lease(world, B, NOW + LEASE)
    assert scout.created_at == NOW


@pytest.mark.parametrize("state", [MessageState.UNCERTAIN, MessageState.HELD, MessageState.FAILED, MessageState.SENT])
async def test_what_may_have_been_sent_or_is_settled_stays(world, state):
    """Only what is certainly not at the account goes."""
    await submit(world)
    (message,) = await lease(world, ROUTE)
    due = NOW if state is MessageState.UNCERTAIN else None
    await settle(world, message, state, due_at=due, axis_doc_id=AxisDocId("x") if state is MessageState.SENT else None)
    assert await move(world, ROUTE, B) == {}


async def test_a_running_attempt_stays_and_a_lease_that_ran_out_does_not_begin(world):
    """A leased message stays; once its lease has run out it goes, counted as cut short; its late holder has lost it."""
    await submit(world)
    (message,) = await lease(world, ROUTE)
    assert await move(world, ROUTE, B, at=NOW + LEASE) == {}
    late = NOW + LEASE + TICK
    assert await move(world, ROUTE, B, at=late) == {B: 1}
    assert not await world.store.outbox.begin_submit(message, at=late)
    assert not await world.store.outbox.renew(message, lease_for=LEASE, at=late)
    (again,) = await lease(world, B, late)
    assert again.interruptions == 1
    await world.store.outbox.begin_submit(again, at=late)
    assert await move(world, B, ROUTE, at=late + LEASE * 2) == {}


async def test_a_late_proof_is_not_taken_for_another_accounts_packet(world):
    """The id that one account gave is not written to a message that another is sending by now."""
    await submit(world)
    (late,) = await lease(world, ROUTE)
    moved = NOW + LEASE + TICK
    await move(world, ROUTE, B, at=moved)
    (message,) = await lease(world, B, moved)
    assert await world.store.outbox.begin_submit(message, at=moved)
    sent = Settlement(state=MessageState.SENT, due_at=None, reason="", counted=True, axis_doc_id=AxisDocId("here"))
    assert not await world.store.outbox.settle(late, sent, at=moved)
    assert await world.store.outbox.settle(message, replace(sent, axis_doc_id=AxisDocId("there")), at=moved)
    found = await facts(world, message)
    assert (found.line.route, found.axis_doc_id) == (B, "there")


async def test_what_is_sent_again_without_knowing_is_bound_to_its_account(world):
    """Sent again by the rule or by an operator though it may have arrived: another account would not notice it."""
    await submit(world)
    await submit(world)
    first, second = await lease(world, ROUTE)
    await settle(world, first, MessageState.QUEUED, due_at=NOW, counted=False, bound=True)
    await settle(world, second, MessageState.HELD)
    again = Order(action=Action.REQUEUE, operator="an", may_repeat=True)
    await world.store.operations.carry_out(second.id, again, at=NOW)
    assert await move(world, ROUTE, B) == {}
    assert (await facts(world, second)).alternatives == ()


async def test_what_an_operator_did_not_find_may_go_by_another(world):
    """A held message that is not at the axis, and a failed one, keep their alternatives."""
    for state, action in ((MessageState.HELD, Action.MARK_NOT_SENT), (MessageState.FAILED, Action.REQUEUE)):
        await submit(world)
        (message,) = await lease(world, ROUTE)
        await settle(world, message, state)
        await world.store.operations.carry_out(message.id, Order(action=action, operator="an"), at=NOW)
        assert await move(world, ROUTE, B) == {B: 1}


async def test_halves_of_a_divided_message_have_its_alternatives(world):
    """Either half can go on by another account."""
    to = tuple(make_organization(f"{n:03d}.H97") for n in range(2))
    await submit(world, document=world.document(to=to))
    (whole,) = await lease(world, ROUTE)
    await world.store.outbox.begin_submit(whole, at=NOW)
    assert await world.store.outbox.divide(whole, reason="18", at=NOW)
    assert await move(world, ROUTE, B) == {B: 2}


async def test_one_document_goes_by_several_accounts_and_is_one_document(world):
    """Each share has packets of its own, in lanes of their own; the view has every recipient, in their order."""
    to = tuple(make_organization(f"{n:03d}.H97") for n in range(7))
    document = world.document(to=to)
    shares = (
        Share(accounts=(ROUTE, C), places=(0, 2, 4, 6), together=3),
        Share(accounts=(B,), places=(1, 3, 5), together=2),
    )
    uid = await submit(world, document=document, shares=shares)
    here, there = await lease(world, ROUTE), await lease(world, B)
    assert [[o.organ_id[:3] for o in m.recipients] for m in here] == [["000", "002", "004"], ["006"]]
    assert [[o.organ_id[:3] for o in m.recipients] for m in there] == [["001", "003"], ["005"]]
    assert [(await facts(world, m)).alternatives for m in (here[0], there[0])] == [(C,), ()]
    for message in (*here, *there):
        await settle(world, message, MessageState.SENT, axis_doc_id=AxisDocId(f"id-{message.id}"))
    sent = await world.store.documents.get(uid)
    assert [(d.recipient, d.state) for d in sent.deliveries] == [(o.organ_id, DeliveryState.SENT) for o in to]
    (entry,) = await world.store.operations.audit(document.document_id)
    told = [(one["recipient"], one["account"], one["axis_doc_id"] is not None) for one in entry.facts["recipients"]]
    assert told == [(o.organ_id, B if n % 2 else ROUTE, True) for n, o in enumerate(to)]


async def test_a_recall_waits_for_packets_on_every_route(world):
    """It leaves by another account only after the document's packets, those that were handed over as well."""
    document = world.document()
    shares = tuple(Share(accounts=(a, C), places=(n,), together=1) for n, a in enumerate((ROUTE, B)))
    uid = await submit(world, document=document, shares=shares)
    recall = make_document(business_type=BusinessType.RECALL, to=document.to, attachments=())
    await submit(world, document=recall, via=(C,), follows=uid)
    assert await lease(world, C) == ()
    assert await move(world, ROUTE, C) == {C: 1}
    (moved,) = await lease(world, C)
    assert moved.document.business_type == BusinessType.NEW
    await settle(world, moved, MessageState.SENT, axis_doc_id=AxisDocId("1"))
    assert await lease(world, C) == ()
    (other,) = await lease(world, B)
    await settle(world, other, MessageState.SENT, axis_doc_id=AxisDocId("2"))
    (last,) = await lease(world, C)
    assert last.document.business_type == BusinessType.RECALL


async def test_a_recall_waits_for_packets_that_an_earlier_release_queued(world):
    """Its ordering key is the one its document's messages have, with their route in it, whatever way it goes itself."""
    document = world.document()
    uid = await submit(world, document=document, via=(ROUTE,))
    old = f"{ROUTE}|{document.sender.organ_id}|{document.document_id}"
    await world.store.database.write(
        lambda conn: conn.execute(sa.update(messages).where(messages.c.document == uid).values(ordering_key=old))
    )
    recall = make_document(business_type=BusinessType.RECALL, to=document.to, attachments=())
    second = make_document(business_type=BusinessType.RECALL, to=document.to, attachments=(), subject="again")
    recalled = await submit(world, document=recall, via=(B,), follows=uid)
    await submit(world, document=second, via=(C,), follows=recalled)
    assert (await lease(world, B), await lease(world, C)) == ((), ())
    (first,) = await lease(world, ROUTE)
    await settle(world, first, MessageState.SENT, axis_doc_id=AxisDocId("1"))
    (then,) = await lease(world, B)
    assert await lease(world, C) == ()
    await settle(world, then, MessageState.SENT, axis_doc_id=AxisDocId("2"))
    assert len(await lease(world, C)) == 1


async def test_shares_that_leave_somebody_out_are_a_mistake(world):
    """A recipient without a packet would never be told; nothing is written."""
    with pytest.raises(AssertionError):
        await submit(world, shares=(Share(accounts=(ROUTE,), places=(0,), together=9),))
    assert await lease(world, ROUTE) == ()


@on_postgres
async def test_replicas_hand_over_while_others_lease(world, store_path):
    """Two gateways move to and fro while workers of both accounts drain: each message is sent once, by one account."""
    other = await open_store(store_path)
    both, total, sent = (world.store, other), 40, []
    attachment = (make_attachment(b"x"),)
    for _ in range(total):
        await submit(world, via=(ROUTE, B), document=world.document(attachments=attachment))

    async def drain(store, route):
        while len(sent) < total:
            for message in await store.outbox.lease("w", route=route, limit=2, lease_for=LEASE, at=NOW):
                assert message.route == route
                assert await store.outbox.begin_submit(message, at=NOW)
                end = Settlement(state=MessageState.SENT, due_at=None, reason="", counted=True, axis_doc_id=None)
                assert await store.outbox.settle(message, end, at=NOW)
                sent.append(message.id)

    async def turn(store, route, to):
        while len(sent) < total:
            await store.outbox.fail_over(route, among={to}, at=NOW)

    work = [drain(store, route) for store in both for route in (ROUTE, B)]
    turns = [turn(both[0], ROUTE, B), turn(both[1], B, ROUTE)]
    await asyncio.wait_for(asyncio.gather(*work, *turns), 60)
    await other.close()
    assert len(sent) == len(set(sent)) == total
    page = await world.store.events.read(VENDOR_A, under=None, after=0, limit=9999)
    assert sum(event.change.state == DeliveryState.SENT for event in page.events) == 2 * total
