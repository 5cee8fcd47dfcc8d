"""OutboxQueue over a real database: routes, fairness, caps, halves, the end of an outage, legal deadlines."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from gateway.domain.document import OtherInfo, Priority
from gateway.domain.ids import AccountName
from gateway.domain.lifecycle import DeliveryState, MessageState
from gateway.ports.outbound import Settlement
from gateway.store.moves import IllegalMoveError
from tests.contract.conftest import VENDOR_A
from tests.make import NOW, ROUTE, make_digest, make_organization

LEASE = timedelta(seconds=60)
TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


async def lease(world, at=NOW, limit=10, route=ROUTE, **how):
    return await world.store.outbox.lease("w", route=route, limit=limit, lease_for=LEASE, at=at, **how)


async def settle(world, message, state, at=NOW, **overrides):
    values = {"state": state, "due_at": None, "reason": "", "counted": True, "axis_doc_id": None}
    assert await world.store.outbox.begin_submit(message, at=at)
    assert await world.store.outbox.settle(message, Settlement(**(values | overrides)), at=at)


async def submit(world, at=NOW, recipients=1, priority=Priority.NORMAL, **overrides):
    to = tuple(make_organization(f"{n:03d}.H97") for n in range(recipients))
    document = world.document(to=to, other_info=OtherInfo(priority=priority))
    taken = await world.store.documents.accept(world.acceptance(document=document, **overrides), at=at)
    return taken.sent.uid


async def depth(world, at):
    found = await world.store.outbox.depth(at=at, near=HOUR)
    return found.deadline_near, found.deadline_missed


async def test_a_lease_is_of_one_route(world):
    """What waits for another account is not handed out."""
    other = AccountName("other")
    await submit(world)
    await submit(world, via=(other,))
    assert [m.route for m in await lease(world)] == [ROUTE]
    assert [m.route for m in await lease(world, route=other)] == [other]


async def test_the_longest_waiting_goes_first_when_asked(world):
    """By due time alone, urgency left aside: what was put back behind urgent ones gets its turn."""
    await submit(world, at=NOW, priority=Priority.NORMAL)
    await submit(world, at=NOW + TICK, priority=Priority.FLASH)
    await submit(world, at=NOW + TICK * 2, priority=Priority.NORMAL)
    (oldest,) = await lease(world, at=NOW + MINUTE, limit=1, longest_waiting=True)
    assert oldest.created_at == NOW
    rest = await lease(world, at=NOW + MINUTE, longest_waiting=True)
    assert [m.created_at for m in rest] == [NOW + TICK, NOW + TICK * 2]


async def test_a_cap_counts_every_lease_of_the_route(world):
    """However many ask at once, no more leases hold than the cap; another route's and overdue ones do not count."""
    for _ in range(9):
        await submit(world)
    await submit(world, via=(AccountName("other"),))
    await lease(world, route=AccountName("other"))
    taken = [m for batch in await asyncio.gather(*(lease(world, limit=2, cap=3) for _ in range(6))) for m in batch]
    assert len({m.id for m in taken}) == len(taken) == 3
    assert await lease(world, at=NOW + LEASE, cap=3) == ()
    assert len(await lease(world, at=NOW + LEASE, cap=4)) == 1
    await settle(world, taken[0], MessageState.SENT)
    assert len(await lease(world, at=NOW, cap=4)) == 1
    assert await lease(world, at=NOW, cap=0) == ()
    assert len(await lease(world, at=NOW + LEASE + TICK, cap=3)) == 2


@pytest.mark.parametrize("begun", [False, True])
async def test_a_divided_message_is_two_that_wait_for_nobody(world, begun):
    """Both halves are due at once and have all of the whole but its recipients, who are told as after a refusal."""
    uid = await submit(world, recipients=5, deadline_at=NOW + HOUR)
    (whole,) = await lease(world)
    if begun:
        assert await world.store.outbox.begin_submit(whole, at=NOW)
    assert await world.store.outbox.divide(whole, reason="18: one of them", at=NOW + TICK)
    halves = await lease(world, at=NOW + TICK)
    assert [[o.organ_id for o in half.recipients] for half in halves] == [
        ["000.H97", "001.H97", "002.H97"],
        ["003.H97", "004.H97"],
    ]
    assert halves[0].id == whole.id != halves[1].id
    for half in halves:
        same = replace(half, id=whole.id, lease=whole.lease, recipients=whole.recipients)
        assert same == replace(whole, attempts=1)
    sent = await world.store.documents.get(uid)
    assert {(d.state, d.attempts, d.reason) for d in sent.deliveries} == {(DeliveryState.DELAYED, 1, "18: one of them")}
    page = await world.store.events.read(VENDOR_A, under=None, after=5, limit=99)
    assert [(e.recipient_code, e.change.state) for e in page.events] == [(f"{n:03d}.H97", "delayed") for n in range(5)]


async def test_halves_end_each_for_itself(world):
    """One half fails, the other is divided again and sent: every recipient ends as its own message did."""
    uid = await submit(world, recipients=4)
    (whole,) = await lease(world)
    assert await world.store.outbox.divide(whole, reason="18", at=NOW)
    first, second = await lease(world)
    await settle(world, first, MessageState.FAILED, reason="18")
    assert await world.store.outbox.divide(second, reason="18", at=NOW)
    for quarter in await lease(world):
        assert len(quarter.recipients) == 1
        await settle(world, quarter, MessageState.SENT)
    sent = await world.store.documents.get(uid)
    ends = {str(d.recipient): (d.state, d.attempts) for d in sent.deliveries}
    failed, went = (DeliveryState.FAILED, 2), (DeliveryState.SENT, 3)
    assert ends == {"000.H97": failed, "001.H97": failed, "002.H97": went, "003.H97": went}


async def test_only_the_holder_divides_and_only_what_has_parts(world):
    """A lost lease divides nothing; a message of one recipient cannot be divided and stays as it was."""
    await submit(world, recipients=2)
    (lost,) = await lease(world)
    (held,) = await lease(world, at=NOW + LEASE + TICK)
    assert not await world.store.outbox.divide(lost, reason="", at=NOW)
    await settle(world, held, MessageState.SENT)
    await submit(world)
    (single,) = await lease(world)
    with pytest.raises(IllegalMoveError):
        await world.store.outbox.divide(single, reason="", at=NOW)
    await settle(world, single, MessageState.SENT)


async def test_the_end_of_an_outage_hastens_what_waits(world):
    """Everything put off is due now, once; what is uncertain no earlier than it may be judged; nothing else moves."""
    for _ in range(4):
        await submit(world)
    put_off, early, late, leased = await lease(world)
    later = NOW + HOUR
    await settle(world, put_off, MessageState.QUEUED, due_at=later)
    await settle(world, early, MessageState.UNCERTAIN, due_at=later, settle_after=NOW)
    await settle(world, late, MessageState.UNCERTAIN, due_at=later, settle_after=NOW + 2 * MINUTE)
    await submit(world, at=later)
    assert await world.store.outbox.hasten(AccountName("other"), at=NOW + TICK) == 0
    assert await world.store.outbox.hasten(ROUTE, at=NOW + TICK) == 3
    assert await world.store.outbox.hasten(ROUTE, at=NOW + TICK) == 0
    assert {m.id for m in await lease(world, at=NOW + TICK)} == {put_off.id, early.id}
    assert leased.id in {m.id for m in await lease(world, at=NOW + 2 * MINUTE - TICK)}
    assert {m.id for m in await lease(world, at=NOW + 2 * MINUTE)} == {late.id}


async def test_the_legal_deadline_goes_with_the_message(world):
    """It comes back with the lease; depth counts what nobody has yet, near and missed, and what is sent no more."""
    deadline = NOW + 2 * HOUR
    await submit(world, deadline_at=deadline)
    await submit(world)
    assert await depth(world, NOW) == (0, 0)
    assert await depth(world, NOW + HOUR) == (1, 0)
    assert await depth(world, deadline) == (1, 0)
    assert await depth(world, deadline + TICK) == (0, 1)
    first, second = await lease(world)
    assert (first.deadline_at, second.deadline_at) == (deadline, None)
    await settle(world, first, MessageState.SENT)
    assert await depth(world, deadline) == await depth(world, deadline + TICK) == (0, 0)


@pytest.mark.parametrize("state", [MessageState.FAILED, MessageState.HELD])
async def test_what_stopped_can_miss_its_deadline(world, state):
    """Nobody has a document that failed or is held; once it is submitted again, only the new one counts."""
    wanted = world.acceptance(deadline_at=NOW + HOUR)
    await world.store.documents.accept(wanted, at=NOW)
    (message,) = await lease(world)
    await settle(world, message, state)
    assert await depth(world, NOW + HOUR + TICK) == (0, 1)
    if state is MessageState.FAILED:
        later = replace(wanted, request_id=str(uuid4()), content_digest=make_digest("m"), deadline_at=NOW + 3 * HOUR)
        await world.store.documents.accept(later, at=NOW)
        assert await depth(world, NOW + 2 * HOUR) == (1, 0)
