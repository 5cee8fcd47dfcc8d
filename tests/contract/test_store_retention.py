"""Retention over a real database: only what is settled goes, what goes is on record, nothing comes twice."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
import sqlalchemy as sa

from gateway.domain.document import BusinessType
from gateway.domain.ids import AxisDocId
from gateway.domain.lifecycle import ItemState, MessageState, ReceptionState
from gateway.domain.operating import Action, Order
from gateway.domain.packet import ContentSpan, EncodedPart, PacketDefect, SplitPacket
from gateway.ports.outbound import DocumentRemoved, DocumentReused, RequestReused, Settlement, Taken
from gateway.ports.retention import Kept, Mark, Removable
from gateway.store.messages import enqueue, status_message
from gateway.store.placing import place_all
from gateway.store.tables import metadata, removals
from tests.contract.conftest import OTHER, VENDOR_A, VENDOR_B
from tests.make import (
    NOW,
    RECIPIENT,
    ROUTE,
    make_arrival,
    make_attachment,
    make_digest,
    make_document,
    make_received,
    make_status,
    make_stored,
)

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
LATER = NOW + 400 * DAY
BEFORE = NOW + 300 * DAY
"""Whatever happened at NOW is older."""
SETTLED = (MessageState.SENT, MessageState.FAILED)
REMEMBERED = {"agencies", "agency_aliases", "mandates", "meta", "counters", "removals", "events", "blobs", "uploads"}
"""Tables that a removed document leaves rows in."""


async def remove(world, kind, *, before=BEFORE, after=None):
    return await world.store.retention.remove(kind, before=before, after=after, policy="days=1", at=LATER)


async def rows_left(world, *, but=REMEMBERED):
    async def work(conn):
        return {
            table.name: n
            for table in metadata.sorted_tables
            if table.name not in but
            for n in [(await conn.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()]
            if n
        }

    return await world.store.database.read(work)


async def send(world, state=MessageState.SENT, at=NOW, wanted=None, **overrides):
    """Accept a document and bring its messages into a state."""
    wanted = wanted or world.acceptance(**overrides)
    taken = await world.store.documents.accept(wanted, at=at)
    assert isinstance(taken, Taken)
    for message in await world.store.outbox.lease("w", route=ROUTE, limit=9, lease_for=MINUTE, at=at):
        await world.store.outbox.begin_submit(message, at=at)
        if state is not MessageState.SUBMITTING:
            waits = at if state in (MessageState.QUEUED, MessageState.UNCERTAIN) else None
            axis_id = AxisDocId(f"ax-{message.id}") if state is MessageState.SENT else None
            end = Settlement(state=state, due_at=waits, reason="said", counted=True, axis_doc_id=axis_id)
            await world.store.outbox.settle(message, end, at=at)
    return wanted, taken


async def receive(world, document=None, at=NOW, *, take=True, told=True, to=(RECIPIENT,)):
    """Take a document in; `take`: its vendor acknowledges it."""
    agencies = tuple(world.agencies[code] for code in to)
    arrival = make_arrival(document or make_document(), recipients=agencies)
    received = make_received(item=arrival.item)
    await world.store.items.record(received, at=at)
    await world.store.items.store(arrival, receipts=(), at=at)
    if told:
        await world.store.items.told(ROUTE, [arrival.item.axis_doc_id], at=at)
    if take:
        for entry in await world.store.receptions.lease(VENDOR_B, under=None, limit=9, lease_for=MINUTE, at=at):
            await world.store.receptions.acknowledge(entry.id, entry.ack_id, receipt=None, at=at)
    return arrival, received


@pytest.mark.parametrize("state", MessageState)
async def test_a_sent_document_goes_when_every_message_is_settled(world, state):
    """SENT and FAILED ones go without a trace in any queue; any other state keeps the whole document."""
    _, taken = await send(world, state)
    forecast = await world.store.retention.removable(Kept.SENT, before=BEFORE)
    share = await remove(world, Kept.SENT)
    if state in SETTLED:
        assert forecast == Removable(count=1, oldest=NOW, newest=NOW)
        assert (share.removed, share.mark) == (1, None)
        assert await rows_left(world) == {}
        assert await world.store.documents.get(taken.sent.uid) is None
    else:
        assert (forecast.count, share.removed) == (0, 0)
        assert (await world.store.documents.get(taken.sent.uid)).document == taken.sent.document


async def test_one_unsettled_chunk_keeps_the_document(world):
    """Of two messages one is SENT and one HELD: neither goes until an operator has decided, and then after its time."""
    wanted = world.acceptance(together=1)
    await world.store.documents.accept(wanted, at=NOW)
    first, second = await world.store.outbox.lease("w", route=ROUTE, limit=9, lease_for=MINUTE, at=NOW)
    for message, state in ((first, MessageState.SENT), (second, MessageState.HELD)):
        await world.store.outbox.begin_submit(message, at=NOW)
        end = Settlement(state=state, due_at=None, reason="", counted=True, axis_doc_id=None)
        await world.store.outbox.settle(message, end, at=NOW)
    assert (await remove(world, Kept.SENT)).removed == 0
    decided = NOW + 200 * DAY
    order = Order(action=Action.GIVE_UP, operator="a", reason="r")
    await world.store.operations.carry_out(second.id, order, at=decided)
    assert (await remove(world, Kept.SENT, before=decided)).removed == 0
    assert (await remove(world, Kept.SENT, before=decided + DAY)).removed == 1


async def test_of_every_pair_of_chunks_only_settled_ones_go(world):
    """Documents of two messages in every combination of states: exactly those go whose both are SENT or FAILED."""
    expected = set()
    for first, second in product(MessageState, repeat=2):
        wanted = world.acceptance(together=1)
        taken = await world.store.documents.accept(wanted, at=NOW)
        leased = await world.store.outbox.lease("w", route=ROUTE, limit=9, lease_for=500 * DAY, at=NOW)
        for message, state in zip(leased, (first, second), strict=True):
            await world.store.outbox.begin_submit(message, at=NOW)
            if state is not MessageState.SUBMITTING:
                # Due too late to be leased by the next pair.
                waits = LATER if state in (MessageState.QUEUED, MessageState.UNCERTAIN) else None
                end = Settlement(state=state, due_at=waits, reason="", counted=True, axis_doc_id=None)
                await world.store.outbox.settle(message, end, at=NOW)
        if {first, second} <= set(SETTLED):
            expected.add(taken.sent.uid)
    forecast = await world.store.retention.removable(Kept.SENT, before=BEFORE)
    assert forecast.count == (await remove(world, Kept.SENT)).removed == len(expected) == 4
    gone = sa.select(removals.c.key).where(removals.c.kind == "document")
    assert set(await world.store.database.read(lambda conn: _scalars(conn, gone))) == expected


async def _scalars(conn, wanted):
    return (await conn.scalars(wanted)).all()


async def test_what_is_young_stays(world):
    """A document, or one whose last status is younger than the limit, is not touched."""
    await send(world, at=NOW)
    assert (await remove(world, Kept.SENT, before=NOW)).removed == 0
    wanted, _ = await send(world, at=NOW)
    report = make_status(wanted.document)
    await world.store.database.write(lambda conn: place_all(conn, [report], at=BEFORE + DAY))
    assert (await world.store.retention.removable(Kept.SENT, before=BEFORE)).count == 1
    assert (await remove(world, Kept.SENT)).removed == 1


async def test_the_record_proves_what_was_sent(world):
    """Years later: who, when, to whom with which end and axis id, digests, request ids, and under which policy."""
    wanted, taken = await send(world)
    living = (await world.store.operations.audit(wanted.document.document_id))[0]
    await remove(world, Kept.SENT)
    (entry,) = await world.store.operations.audit(wanted.document.document_id)
    assert (entry.kind, entry.key, entry.removed_at, entry.policy) == ("document", taken.sent.uid, LATER, "days=1")
    assert entry.facts == living.facts
    assert entry.facts["vendor"] == VENDOR_A
    assert entry.facts["request_ids"] == [wanted.request_id]
    assert entry.facts["content_digest"] == wanted.content_digest
    assert [one["recipient"] for one in entry.facts["recipients"]] == [RECIPIENT, OTHER]
    assert all(one["state"] == "sent" and one["axis_doc_id"] for one in entry.facts["recipients"])
    assert [one["sha256"] for one in entry.facts["attachments"]] == [wanted.document.attachments[0].sha256]


async def test_a_removed_document_is_not_made_again(world):
    """Its request id and its document id still answer: the same content was sent and removed, other is refused."""
    wanted, _ = await send(world)
    await remove(world, Kept.SENT)
    documents = world.store.documents
    gone = DocumentRemoved(document_id=wanted.document.document_id)
    assert await documents.repetition(VENDOR_A, wanted.request_id, wanted.request_digest) == gone
    assert await documents.accept(wanted, at=LATER) == gone
    other = replace(wanted, request_digest=make_digest("other"))
    assert await documents.accept(other, at=LATER) == RequestReused()
    again = replace(wanted, request_id="another")
    assert await documents.accept(again, at=LATER) == gone
    assert await documents.accept(replace(again, content_digest=make_digest("x")), at=LATER) == DocumentReused()
    assert await rows_left(world) == {}


async def test_a_removed_failure_frees_its_id(world):
    """What failed for every recipient may be submitted again, before its removal and after."""
    wanted, _ = await send(world, MessageState.FAILED)
    await remove(world, Kept.SENT)
    assert isinstance(await world.store.documents.accept(replace(wanted, request_id="again"), at=LATER), Taken)


async def test_further_messages_are_no_repetition(world):
    """A recall holds no document id, so the next one under the same id is taken after the first was removed."""
    recall = replace(world.document(), business_type=BusinessType.RECALL)
    await send(world, document=recall)
    await remove(world, Kept.SENT)
    second = world.acceptance(document=recall)
    assert isinstance(await world.store.documents.accept(second, at=LATER), Taken)


@pytest.mark.parametrize("take", [False, True])
@pytest.mark.parametrize("told", [False, True])
async def test_a_received_document_goes_when_everybody_has_taken_it(world, take, told):
    """Only if every recipient's vendor has it and the axis knows; with its packet, and on record."""
    arrival, received = await receive(world, take=take, told=told)
    forecast = await world.store.retention.removable(Kept.RECEIVED, before=BEFORE)
    share = await remove(world, Kept.RECEIVED)
    item = arrival.item.axis_doc_id
    if not (take and told):
        assert (forecast.count, share.removed) == (0, 0)
        assert item in await world.store.items.states(ROUTE, [item])
        return
    assert (forecast.count, share.removed) == (1, 1)
    assert await rows_left(world) == {}
    (entry,) = await world.store.operations.audit(arrival.verified.document.document_id)
    assert entry.facts["packet_sha256"] == received.raw.digest
    assert [(one["recipient"], one["state"]) for one in entry.facts["recipients"]] == [
        (RECIPIENT, ReceptionState.ACKNOWLEDGED)
    ]


async def test_one_recipient_who_has_not_taken_it_keeps_it(world):
    """A document for two agencies stays while one of them waits: nobody serves OTHER."""
    await receive(world, to=(RECIPIENT, OTHER))
    assert (await remove(world, Kept.RECEIVED)).removed == 0


async def test_a_removed_packet_that_comes_again_makes_nothing(world):
    """The axis lists the item again, or brings the document as another item: no vendor gets it a second time."""
    arrival, _ = await receive(world)
    await remove(world, Kept.RECEIVED)
    assert await world.store.items.states(ROUTE, [arrival.item.axis_doc_id])
    again = make_arrival(arrival.verified.document, recipients=arrival.recipients)
    again = replace(again, content_digest=arrival.content_digest)
    await world.store.items.record(make_received(item=again.item), at=LATER)
    stored = await world.store.items.store(again, receipts=(), at=LATER)
    assert stored.added == 0
    assert await world.store.receptions.lease(VENDOR_B, under=None, limit=9, lease_for=MINUTE, at=LATER) == ()


async def test_packets_in_quarantine_never_go(world):
    """Told or not, whatever their age; settled repetitions and statuses do."""
    received = make_received()
    item = received.item.axis_doc_id
    await world.store.items.record(received, at=NOW)
    await world.store.items.quarantine(received, PacketDefect(code="NOT_XML", path="", message=""))
    await world.store.items.told(ROUTE, [item], at=NOW)
    document = make_document()
    await receive(world, document)
    await receive(world, document)
    assert (await world.store.retention.removable(Kept.ITEMS, before=BEFORE)).count == 1
    assert (await remove(world, Kept.ITEMS)).removed == 1
    assert (await remove(world, Kept.RECEIVED)).removed == 1
    assert await world.store.items.states(ROUTE, [item]) == {item: ItemState.REJECTED}
    assert await rows_left(world) == {"axis_items": 1}


async def test_statuses_that_went_out_go_and_waiting_ones_stay(world):
    """A sent status is put on record under the document it is about; one that waits keeps its place."""
    sent, waiting = make_status(), make_status()

    async def work(conn):
        await enqueue(conn, [status_message(ROUTE, each) for each in (sent, waiting)], at=NOW)

    await world.store.database.write(work)
    (message,) = await world.store.outbox.lease("w", route=ROUTE, limit=1, lease_for=MINUTE, at=NOW)
    await world.store.outbox.begin_submit(message, at=NOW)
    end = Settlement(state=MessageState.SENT, due_at=None, reason="", counted=True, axis_doc_id=AxisDocId("ax-1"))
    await world.store.outbox.settle(message, end, at=NOW)
    assert (await remove(world, Kept.STATUSES)).removed == 1
    assert await rows_left(world) == {"messages": 1}
    (entry,) = await world.store.operations.audit(sent.response_for.document_id)
    assert (entry.kind, entry.facts["status"], entry.facts["axis_doc_id"]) == ("message", "03", "ax-1")


async def test_shared_bytes_stay_for_the_living(world):
    """Of two documents with one file the older goes: the file stays, and goes with the second one, later."""
    shared = make_attachment(b"shared")
    await send(world, document=replace(world.document(), attachments=(shared,)))
    _, living = await send(world, at=BEFORE + DAY, document=replace(world.document(), attachments=(shared,)))
    assert (await remove(world, Kept.SENT)).removed == 1
    index = world.store.blobs
    assert await index.sweep(unreferenced_since=LATER + DAY, limit=99) == ()
    stored = await world.store.documents.attachment(living.sent.uid, 0)
    assert await index.known([stored.key]) == {stored.key}
    assert (await remove(world, Kept.SENT, before=LATER)).removed == 1
    assert await index.sweep(unreferenced_since=LATER, limit=99) == ()  # a submission may just have seen it
    assert await index.sweep(unreferenced_since=LATER + DAY, limit=99) == (stored.key,)
    assert await rows_left(world, but=REMEMBERED - {"blobs", "uploads"}) == {}


async def test_split_packets_leave_no_object(world):
    """Skeleton, contents and attachments of a removed packet are swept."""
    arrival, received = await receive(world)
    part = EncodedPart(stored=arrival.verified.objects[0], zip_entry=None)
    parts = SplitPacket(skeleton=make_stored("s"), spans=(ContentSpan(offset=0, length=1, part=part),))
    await world.store.items.split(received, parts)
    assert (await remove(world, Kept.RECEIVED)).removed == 1
    assert len(await world.store.blobs.sweep(unreferenced_since=LATER + DAY, limit=99)) == 2
    assert await rows_left(world, but=REMEMBERED - {"blobs", "uploads"}) == {}


async def test_events_go_from_the_front_and_readers_are_told(world):
    """Old events go, later ones keep their positions, and the log's first position moves on for expired cursors."""
    await send(world, at=NOW)
    head = await world.store.events.head()
    await send(world, at=BEFORE + DAY)
    last = (await world.store.events.head()).last
    removed = (await remove(world, Kept.EVENTS)).removed
    now = await world.store.events.head()
    assert (removed, now.first, now.last) == (head.last, head.last, last)
    page = await world.store.events.read(VENDOR_A, under=None, after=now.first, limit=99)
    assert [event.position for event in page.events] == list(range(head.last + 1, last + 1))
    await remove(world, Kept.EVENTS, before=LATER + DAY)
    empty = await world.store.events.head()
    assert empty.first == empty.last == last
    assert "events" not in await rows_left(world, but=REMEMBERED - {"events"})


async def test_what_cannot_go_is_passed_over_once(world, monkeypatch):
    """Shares go on behind the last candidate looked at: those that stay are not looked at again in the same round."""
    monkeypatch.setattr("gateway.store.retention.LOOKED_AT", 2)
    for minute in range(5):
        state = MessageState.SENT if minute in (2, 4) else MessageState.HELD
        await send(world, state, at=NOW + minute * MINUTE)
    shares, mark = [], None
    for _ in range(9):
        share = await remove(world, Kept.SENT, after=mark)
        shares.append(share.removed)
        mark = share.mark
        if mark is None:
            break
    assert shares == [0, 1, 1]
    assert isinstance((await remove(world, Kept.SENT)).mark, Mark)
    assert (await rows_left(world))["documents"] == 3


async def test_documents_with_many_recipients_go_few_at_a_time(world, monkeypatch):
    """A transaction's work is bounded by recipients too, yet a document larger than the bound goes."""
    monkeypatch.setattr("gateway.store.retention.RECIPIENTS", 1)
    for _ in range(3):
        await send(world)
    marks, mark = 0, None
    while True:
        share = await remove(world, Kept.SENT, after=mark)
        assert share.removed == 1
        marks, mark = marks + 1, share.mark
        if mark is None:
            break
    assert marks == 3


async def test_a_second_submission_meets_the_removal(world):
    """Whichever of the two is first, no second document is made and nothing breaks."""
    for _ in range(5):
        wanted, taken = await send(world)
        again = replace(wanted, request_id=f"r-{taken.sent.uid}")
        answers = await asyncio.gather(
            remove(world, Kept.SENT), *(world.store.documents.accept(again, at=NOW) for _ in range(3))
        )
        for answer in answers[1:]:
            assert isinstance(answer, DocumentRemoved) or (answer.repeated and answer.sent.uid == taken.sent.uid)
        await remove(world, Kept.SENT)
    assert await rows_left(world) == {}
