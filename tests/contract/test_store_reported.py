"""A recipient's report settles the message whose answer was lost, over both stores, whichever of them comes first."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.domain.document import Business, BusinessType
from gateway.domain.ids import AccountName, AxisDocId
from gateway.domain.lifecycle import DeliveryState, MessageState
from gateway.domain.operating import Action, Order
from gateway.domain.packet import PacketKind
from gateway.domain.proof import TELLING
from gateway.domain.routing import Share
from gateway.domain.status import DeliveryChange
from gateway.ports.inbound import ReportedOn, StatusPlaced, StatusUnplaced
from gateway.ports.operations import Done
from gateway.ports.outbound import Settlement
from gateway.ports.reconciliation import SentMark
from gateway.ports.retention import Kept
from gateway.store import open_store, restored
from gateway.store.placing import place_all
from gateway.store.reported import REPORTED
from gateway.store.statements import take_numbers
from tests.contract.conftest import OTHER, VENDOR_A, on_postgres
from tests.make import (
    NOW,
    RECIPIENT,
    ROUTE,
    make_item,
    make_organization,
    make_received,
    make_response_for,
    make_status,
    recall_of,
)

LEASE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LATER = NOW + HOUR
STATE = MessageState
UNKNOWN = (STATE.UNCERTAIN, STATE.HELD)
SECOND_WAY = AccountName("second")


def settled(state, **changes):
    due = LATER if state in (STATE.QUEUED, STATE.UNCERTAIN) else None
    values = {"state": state, "due_at": due, "reason": "lost", "counted": True, "axis_doc_id": None}
    return Settlement(**(values | changes))


async def accept(world, document=None, *, at=NOW, **overrides):
    return (await world.store.documents.accept(world.acceptance(document=document, **overrides), at=at)).sent


async def lease(world, at=NOW):
    return await world.store.outbox.lease("w", route=ROUTE, limit=9, lease_for=LEASE, at=at)


async def end(world, message, state, at=NOW, **changes):
    assert await world.store.outbox.begin_submit(message, at=at)
    return await world.store.outbox.settle(message, settled(state, **changes), at=at)


async def send(world, state=STATE.HELD, *, at=NOW, **overrides):
    """A document whose one message ended in a state, or is being submitted."""
    sent = await accept(world, at=at, **overrides)
    (message,) = await lease(world, at)
    if state is STATE.SUBMITTING:
        assert await world.store.outbox.begin_submit(message, at=at)
    else:
        await end(world, message, state, at)
    return sent, message


async def report(world, status, *, at=NOW):
    """Take a status in as the poller does."""
    received = make_received(item=make_item(kind=PacketKind.STATUS))
    await world.store.items.record(received, at=at)
    return await world.store.items.place_status(received, status, at=at)


async def facts(world, message, at=LATER):
    return await world.store.operations.message(message.id, at=at)


async def state_of(world, message):
    return (await facts(world, message)).line.state


async def deliveries(world, sent):
    shown = await world.store.documents.get(sent.uid)
    return [(each.state, each.last_status, each.reason) for each in shown.deliveries]


async def head(world):
    return (await world.store.events.head()).last


def update_of(document):
    business = Business(reason="Sửa", document_id=document.document_id)
    return replace(document, business_type=BusinessType.UPDATE, business=business)


async def follow(world, sent, document, *, at=NOW):
    """What follows a document."""
    return await accept(world, document, follows=sent.uid, at=at)


@pytest.mark.parametrize("code", sorted(TELLING))
@pytest.mark.parametrize("state", UNKNOWN)
async def test_a_report_settles_what_is_unknown(world, state, code):
    """The whole message is SENT under no known id; vendors hear that before the status, operators see why."""
    sent, message = await send(world, state)
    before, status = await head(world), make_status(sent.document, status_code=code)
    placed = await report(world, status, at=LATER)
    assert placed == StatusPlaced(repeated=False, sent=ReportedOn(message=message.id, route=ROUTE, was=state))
    assert await deliveries(world, sent) == [
        (DeliveryState.SENT, code, REPORTED),
        (DeliveryState.SENT, "", REPORTED),
    ]
    events = (await world.store.events.read(VENDOR_A, under=None, after=before, limit=9)).events
    change = DeliveryChange(state="sent", attempts=1, reason=REPORTED)
    assert [(each.recipient_code, each.change) for each in events] == [
        (RECIPIENT, change),
        (OTHER, change),
        (RECIPIENT, status),
    ]
    shown = await facts(world, message)
    assert (shown.line.state, shown.line.reason, shown.line.due_at) == (STATE.SENT, REPORTED, None)
    assert (shown.sent_at, shown.axis_doc_id, shown.line.attempts) == (LATER, None, 1)
    last = shown.attempts[-1]
    assert (last.state, last.reason, last.counted, last.ended_at) == (STATE.SENT, REPORTED, False, LATER)
    assert await lease(world, LATER) == ()
    (entry,) = await world.store.operations.audit(sent.document.document_id)
    assert {each["axis_doc_id"] for each in entry.facts["recipients"]} == {None}


@pytest.mark.parametrize("ended", [STATE.UNCERTAIN, STATE.HELD, STATE.QUEUED])
async def test_a_report_comes_before_the_attempt_ends(world, ended):
    """Noted while the message is leased; an end that does not know becomes SENT, in one step for the vendor system."""
    sent, message = await send(world, STATE.SUBMITTING)
    status = make_status(sent.document)
    assert await report(world, status) == StatusPlaced(repeated=False)
    assert await report(world, replace(status, status_code="05")) == StatusPlaced(repeated=False)
    shown = await facts(world, message)
    assert (shown.line.state, shown.line.leased or shown.line.state) == (STATE.SUBMITTING, STATE.SUBMITTING)
    assert [(each.state, each.reason, each.counted) for each in shown.attempts] == [(STATE.SUBMITTING, REPORTED, False)]
    before = await head(world)
    written = await world.store.outbox.settle(message, settled(ended), at=NOW)
    assert (written.state, written.reason, written.counted) == (STATE.SENT, REPORTED, True)
    assert await deliveries(world, sent) == [
        (DeliveryState.SENT, "05", REPORTED),
        (DeliveryState.SENT, "", REPORTED),
    ]
    assert await head(world) == before + 2
    assert (await facts(world, message)).line.attempts == 1


async def test_an_end_that_knows_more_stands(world):
    """The axis's id is kept where it comes; a refusal of this attempt stays one, and an order after it is obeyed."""
    sent, message = await send(world, STATE.SUBMITTING)
    await report(world, make_status(sent.document))
    written = await world.store.outbox.settle(message, settled(STATE.SENT, axis_doc_id=AxisDocId("ax-1")), at=NOW)
    assert (written.axis_doc_id, (await facts(world, message)).axis_doc_id) == ("ax-1", "ax-1")
    sent, message = await send(world, STATE.SUBMITTING)
    await report(world, make_status(sent.document))
    assert (await world.store.outbox.settle(message, settled(STATE.FAILED), at=NOW)).state is STATE.FAILED
    order = Order(action=Action.REQUEUE, operator="anna")
    assert isinstance(await world.store.operations.carry_out(message.id, order, at=NOW), Done)
    (again,) = await lease(world)
    assert (await end(world, again, STATE.HELD)).state is STATE.HELD


@pytest.mark.parametrize("ended", [STATE.UNCERTAIN, STATE.HELD, STATE.QUEUED, STATE.FAILED])
async def test_a_report_comes_while_the_axis_is_asked(world, ended):
    """Whatever the axis lists, the message is neither sent again nor held nor given up."""
    sent, message = await send(world, STATE.UNCERTAIN)
    (asking,) = await lease(world, LATER)
    assert (await report(world, make_status(sent.document), at=LATER)).sent is None
    assert await state_of(world, message) is STATE.UNCERTAIN
    written = await world.store.outbox.settle(asking, settled(ended, counted=False), at=LATER)
    assert (written.state, written.counted) == (STATE.SENT, False)
    assert {state for state, _, _ in await deliveries(world, sent)} == {DeliveryState.SENT}


async def test_what_waits_to_be_repeated_is_not(world):
    """QUEUED after a lost answer: SENT at once, or, already leased, before a byte of it leaves again."""
    for already_leased in (False, True):
        sent, _ = await send(world, STATE.UNCERTAIN)
        (asking,) = await lease(world, LATER)
        await world.store.outbox.settle(asking, settled(STATE.QUEUED, due_at=LATER, counted=False), at=LATER)
        again = await lease(world, LATER) if already_leased else ()
        placed = await report(world, make_status(sent.document), at=LATER)
        assert (placed.sent is None) is already_leased
        for message in again:
            assert not await world.store.outbox.begin_submit(message, at=LATER)
        assert {state for state, _, _ in await deliveries(world, sent)} == {DeliveryState.SENT}
        assert await lease(world, LATER + 2 * HOUR) == ()


async def test_what_never_left_is_not_reported_on(world):
    """A status about a document whose packet is still here, or did not leave, is placed and proves nothing."""
    sent = await accept(world)
    assert await report(world, make_status(sent.document)) == StatusPlaced(repeated=False)
    (message,) = await lease(world)
    await end(world, message, STATE.QUEUED, due_at=NOW)
    assert await report(world, make_status(sent.document, status_code="04")) == StatusPlaced(repeated=False)
    (again,) = await lease(world)
    assert (again.id, again.state) == (message.id, STATE.QUEUED)
    assert (await end(world, again, STATE.UNCERTAIN)).state is STATE.UNCERTAIN


@pytest.mark.parametrize("state", [STATE.SUBMITTING, STATE.UNCERTAIN])
async def test_the_lease_of_a_dead_gateway_holds_nothing_up(world, state):
    """Once it has run out the report settles the message; what its late holder still says of it is the axis's id."""
    sent, message = await send(world, state)
    if state is STATE.UNCERTAIN:
        (message,) = await lease(world, LATER)
    late = LATER + 2 * LEASE
    assert (await report(world, make_status(sent.document), at=late)).sent.was is state
    assert await world.store.outbox.settle(message, settled(STATE.HELD), at=late) is None
    proof = settled(STATE.SENT, axis_doc_id=AxisDocId("ax-1"))
    elsewhere = replace(message, route=SECOND_WAY)
    assert await world.store.outbox.settle(elsewhere, proof, at=late) is None
    assert (await facts(world, message)).axis_doc_id is None
    assert await world.store.outbox.settle(message, proof, at=late) is None
    assert (await facts(world, message)).axis_doc_id == "ax-1"
    (entry,) = await world.store.operations.audit(sent.document.document_id)
    assert {each["axis_doc_id"] for each in entry.facts["recipients"]} == {"ax-1"}


@pytest.mark.parametrize("state", STATE)
async def test_no_state_is_left_behind(world, state):
    """Whatever a message is in when a report comes, what may have left is SENT then, and what is decided stays."""
    sent, message = await send(world, state)
    status = make_status(sent.document)
    assert not (await report(world, status, at=LATER)).repeated
    assert (await report(world, status, at=LATER)).repeated
    assert await state_of(world, message) is (state if state in (STATE.QUEUED, STATE.FAILED) else STATE.SENT)


async def test_a_repetition_proves_as_much(world):
    """A status that was placed while nothing was known yet is taken at its word when it comes again."""
    sent, message = await send(world, STATE.QUEUED)
    status = make_status(sent.document)
    await report(world, status)
    (again,) = await lease(world, LATER)
    await end(world, again, STATE.HELD, at=LATER)
    before = await head(world)
    placed = await report(world, status, at=LATER)
    assert (placed.repeated, placed.sent.message) == (True, message.id)
    events = (await world.store.events.read(VENDOR_A, under=None, after=before, limit=9)).events
    assert {type(each.change) for each in events} == {DeliveryChange}


async def test_each_packet_is_proven_by_its_own_recipients(world):
    """Of two messages of one document the one whose recipient reported is SENT; of one batch each once."""
    sent = await accept(world, together=1)
    for message in await lease(world):
        await end(world, message, STATE.HELD)
    status = make_status(sent.document)
    other = replace(status, sender=make_organization(OTHER))
    await report(world, status)
    assert [state for state, _, _ in await deliveries(world, sent)] == [DeliveryState.SENT, DeliveryState.HELD]
    batch = [replace(other, status_code=code) for code in ("01", "03")] + [status]
    placed = await world.store.database.write(lambda conn: place_all(conn, batch, at=NOW))
    assert [(each.repeated, each.sent is not None) for each in placed] == [(False, True), (False, False), (True, False)]
    assert [state for state, _, _ in await deliveries(world, sent)] == [DeliveryState.SENT, DeliveryState.SENT]


@pytest.mark.parametrize(
    "changes", [{"status_code": "13"}, {"status_code": "07"}, {"sender": make_organization("H98")}]
)
async def test_what_is_no_recipients_report_proves_nothing(world, changes):
    """A take-back, a code that nobody knows, a stranger's status: the message stays as it is."""
    sent, message = await send(world)
    placed = await report(world, make_status(sent.document, **changes))
    assert isinstance(placed, StatusUnplaced) or placed.sent is None
    assert await state_of(world, message) is STATE.HELD


async def test_of_two_documents_of_one_number_the_named_one_is_proven(world):
    """By id, or by number and day; a number alone, or with another day, may be another year's."""
    sent, message = await send(world, document=world.document(code_number="1"))
    for marks in ({"promulgation_date": None}, {"promulgation_date": NOW.date().replace(year=2025)}):
        about = make_response_for(sent.document, document_id="", **marks)
        assert (await report(world, make_status(sent.document, response_for=about))).sent is None
    assert await state_of(world, message) is STATE.HELD
    twin, unknown = await send(world, document=world.document(code_number="1"))
    assert (await report(world, make_status(twin.document, status_code="01"))).sent.message == unknown.id
    assert await state_of(world, message) is STATE.HELD
    assert (await report(world, make_status(sent.document, status_code="01"))).sent.message == message.id


@pytest.mark.parametrize("followed_by", [recall_of, update_of])
async def test_what_waits_behind_goes_on(world, followed_by):
    """A report on a held document is placed at it, not at the follower that has not left; then that one goes."""
    sent, message = await send(world)
    follower = await follow(world, sent, followed_by(sent.document), at=LATER)
    assert await lease(world, LATER) == ()
    assert (await report(world, make_status(sent.document), at=LATER)).sent.message == message.id
    assert [last for _, last, _ in await deliveries(world, sent)] == ["03", ""]
    (leased,) = await lease(world, LATER)
    assert leased.document.business_type == follower.document.business_type


@pytest.mark.parametrize("code", sorted(TELLING))
@pytest.mark.parametrize("followed_by", [recall_of, update_of])
async def test_a_held_follower_is_not_proven_by_a_report_on_its_document(world, followed_by, code):
    """Both are there and bear the same marks: only a recall's own answers tell them apart."""
    sent, _ = await send(world, STATE.SENT)
    await follow(world, sent, followed_by(sent.document))
    (follower,) = await lease(world)
    await end(world, follower, STATE.HELD)
    placed = await report(world, make_status(sent.document, status_code=code))
    answered = followed_by is recall_of and code in ("15", "16")
    assert (placed.sent is not None) is answered
    assert await state_of(world, follower) is (STATE.SENT if answered else STATE.HELD)


async def test_an_answer_may_be_to_the_take_back(world):
    """Asked to give the document back besides, its recipient may mean that."""
    sent, _ = await send(world, STATE.SENT)
    ask = make_status(
        sent.document,
        status_code="13",
        sender=sent.document.sender,
        response_for=make_response_for(sent.document, organ_id=RECIPIENT),
    )
    assert await world.store.correspondence.take_back(ask, at=NOW)
    (asked,) = await lease(world)
    await end(world, asked, STATE.SENT)
    await follow(world, sent, recall_of(sent.document))
    (recall,) = await lease(world)
    await end(world, recall, STATE.HELD)
    assert (await report(world, make_status(sent.document, status_code="15"))).sent is None
    assert await state_of(world, recall) is STATE.HELD


async def test_what_retention_removed_may_still_be_reported_on(world):
    """A late status on a document that is no longer kept does not prove the recall that bears its marks."""
    sent, _ = await send(world, STATE.SENT)
    await follow(world, sent, recall_of(sent.document), at=LATER)
    (recall,) = await lease(world, LATER)
    await end(world, recall, STATE.HELD, at=LATER)
    removed = await world.store.retention.remove(Kept.SENT, before=LATER, after=None, policy="days=1", at=LATER)
    assert removed.removed == 1
    for code in ("06", "15"):
        assert (await report(world, make_status(sent.document, status_code=code), at=LATER)).sent is None
    assert await state_of(world, recall) is STATE.HELD


async def test_a_halved_packet_was_not_the_one_reported_on(world):
    """What was noted of a packet says nothing of the halves that a refusal made of it."""
    sent, message = await send(world, STATE.SUBMITTING)
    await report(world, make_status(sent.document))
    assert await world.store.outbox.divide(message, reason="18: unknown receiver", at=NOW)
    for half in await lease(world, LATER):
        assert (await end(world, half, STATE.HELD, at=LATER)).state is STATE.HELD


async def test_what_its_recipient_has_goes_to_no_other_account(world):
    """Reported on while it left, cut short, put back to be repeated: nothing is left to hand over."""
    share = Share(accounts=(ROUTE, SECOND_WAY), places=(0, 1), together=100)
    sent = await accept(world, shares=(share,))
    (message,) = await lease(world)
    assert await world.store.outbox.begin_submit(message, at=NOW)
    await report(world, make_status(sent.document))
    await world.store.outbox.abandon("w", at=NOW)
    (again,) = await lease(world)
    assert (await world.store.outbox.settle(again, settled(STATE.QUEUED), at=NOW)).state is STATE.SENT
    assert await world.store.outbox.fail_over(ROUTE, among=[SECOND_WAY], at=LATER) == {}


async def test_after_a_restore(world):
    """What became unknown is settled by a report that comes after, and what was noted before still counts."""
    first, _ = await send(world, STATE.SUBMITTING)
    await report(world, make_status(first.document))
    second = await accept(world)
    origin = restored.Restoration(at=LATER, source="backups/1", as_of=NOW, ask_first_until=LATER + HOUR)
    await restored.adopt(world.store.database, origin)
    third = await accept(world, at=LATER)
    for sent in (second, third):
        assert (await report(world, make_status(sent.document), at=LATER)).sent.was is STATE.UNCERTAIN
    (asked,) = await lease(world, LATER)
    assert (await world.store.outbox.settle(asked, settled(STATE.HELD), at=LATER)).state is STATE.SENT
    for sent in (first, second, third):
        assert {state for state, _, _ in await deliveries(world, sent)} == {DeliveryState.SENT}


async def test_an_operators_word_is_overtaken_by_a_report(world):
    """Ordered to be sent again, as not found on the axis, it is not, once its recipient has reported on it."""
    sent, message = await send(world)
    order = Order(action=Action.MARK_NOT_SENT, operator="anna")
    assert isinstance(await world.store.operations.carry_out(message.id, order, at=LATER), Done)
    assert (await report(world, make_status(sent.document), at=LATER)).sent.was is STATE.QUEUED
    assert await lease(world, LATER) == ()


async def test_the_axis_s_list_tells_the_id_later(world):
    """No comparison takes it for missing; it is looked for like what is unknown, and found once."""
    records = world.store.reconciliation
    sent, message = await send(world)
    await report(world, make_status(sent.document), at=LATER)
    mark = SentMark(sent_at=NOW - HOUR, axis_doc_id="")
    assert await records.sent(ROUTE, after=mark, until=LATER, limit=9) == ()
    assert await records.still_sent([message.id]) == []
    assert await world.store.outbox.known_axis_ids(ROUTE, since=NOW - HOUR) == frozenset()
    (unproven,) = await records.unproven(ROUTE, since=NOW - HOUR, limit=9)
    assert (unproven.message, unproven.state) == (message.id, STATE.SENT)
    assert unproven.query.recipient_codes == (RECIPIENT, OTHER)
    before = await head(world)
    assert await records.repair(message.id, AxisDocId("ax-7"), at=LATER)
    assert not await records.repair(message.id, AxisDocId("ax-8"), at=LATER)
    assert await records.unproven(ROUTE, since=NOW - HOUR, limit=9) == ()
    (here,) = await records.sent(ROUTE, after=mark, until=LATER, limit=9)
    assert (here.axis_doc_id, here.sent_at) == ("ax-7", LATER)
    assert await head(world) == before, "nothing new for vendors"


async def test_what_looks_the_same_is_not_taken_for_it(world):
    """While the id of a document is unknown, an entry like it proves its recall neither to a worker nor in a list."""
    sent, message = await send(world)
    await follow(world, sent, recall_of(sent.document))
    await report(world, make_status(sent.document))
    (recall,) = await lease(world)
    assert await world.store.outbox.begin_submit(recall, at=NOW)
    entry = AxisDocId("ax-7")
    assert await world.store.outbox.is_anothers(recall, entry)
    await world.store.outbox.settle(recall, settled(STATE.HELD), at=NOW)
    assert not await world.store.reconciliation.repair(recall.id, entry, at=LATER)
    assert await world.store.reconciliation.repair(message.id, entry, at=LATER)
    assert await world.store.outbox.is_anothers(recall, entry)
    assert not await world.store.outbox.is_anothers(recall, AxisDocId("ax-8"))
    assert await world.store.reconciliation.repair(recall.id, AxisDocId("ax-8"), at=LATER)


@pytest.fixture
async def both(world, store_path):
    """Two gateways' stores over one database."""
    other = await open_store(store_path)
    yield world.store, other
    await other.close()


async def wait_for_locks(store, count):
    """Return once so many transactions wait for a lock of another."""
    waits = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(20):
        while await store.database.read(lambda conn: conn.scalar(waits)) != count:  # noqa: ASYNC110 - only the server knows
            await asyncio.sleep(0)


@on_postgres
@pytest.mark.parametrize("ended", [STATE.UNCERTAIN, STATE.HELD, STATE.QUEUED])
@pytest.mark.parametrize("first", ["report", "end"])
async def test_an_end_and_a_report_at_once(world, both, first, ended):
    """Whichever transaction comes first, the other waits for it and sees what it did: the message is SENT."""
    sent, message = await send(world, STATE.SUBMITTING)
    held, go = asyncio.Event(), asyncio.Event()

    async def hold(conn):
        """Keep the counter that both need last."""
        await take_numbers(conn, "events", 0)
        held.set()
        await go.wait()

    async def work(which):
        if which == "report":
            status = make_status(sent.document)
            await both[0].database.write(lambda conn: place_all(conn, [status], at=NOW))
        else:
            await both[1].outbox.settle(message, settled(ended), at=NOW)

    async with asyncio.TaskGroup() as group:
        group.create_task(both[0].database.write(hold))
        await held.wait()
        for count, which in enumerate(sorted(["report", "end"], key=lambda which: which != first), start=1):
            group.create_task(work(which))
            await wait_for_locks(both[1], count)
        go.set()
    shown = await facts(world, message)
    assert (shown.line.state, shown.line.reason) == (STATE.SENT, REPORTED)
    assert [state for state, _, _ in await deliveries(world, sent)] == [DeliveryState.SENT] * 2
    positions = [e.position for e in (await both[0].events.read(VENDOR_A, under=None, after=0, limit=99)).events]
    assert positions == list(range(1, len(positions) + 1))


@on_postgres
async def test_many_ends_and_reports_at_once(world, both):
    """Batches of reports in opposite orders from two gateways, and the ends of all attempts: all messages are SENT."""
    sents = [await accept(world) for _ in range(9)]
    leased = await lease(world)
    for message in leased:
        await world.store.outbox.begin_submit(message, at=NOW)
    batches = [
        [make_status(sent.document, sender=make_organization(code)) for sent in order]
        for code, order in ((RECIPIENT, sents), (OTHER, sents[::-1]))
    ]
    placing = [
        store.database.write(lambda conn, batch=batch: place_all(conn, batch, at=NOW))
        for store, batch in zip(both, batches, strict=True)
    ]
    ends = [both[n % 2].outbox.settle(message, settled(UNKNOWN[n % 2]), at=NOW) for n, message in enumerate(leased)]
    await asyncio.gather(*placing, *ends)
    assert {await state_of(world, message) for message in leased} == {STATE.SENT}
    for sent in sents:
        assert [(state, last) for state, last, _ in await deliveries(world, sent)] == [(DeliveryState.SENT, "03")] * 2
