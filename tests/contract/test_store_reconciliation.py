"""Discrepancies and Reconciliation over both stores; what retention removed is still known to the inbox."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import sqlalchemy as sa

from gateway.domain.lifecycle import DeliveryState, ItemState, MessageState
from gateway.domain.packet import AxisItem, PacketKind
from gateway.domain.reconciliation import DiscrepancyKind as Kind
from gateway.ports import ContentConflict, SentMark, Settlement, Stored
from gateway.store import removals
from gateway.store.discrepancies import SHOWN
from gateway.store.tables import axis_items, inbound_attachments, inbound_documents, messages, receptions
from tests.make import NOW, ROUTE, make_arrival, make_received

SECOND = timedelta(seconds=1)
START = SentMark(sent_at=NOW - timedelta(days=1), axis_doc_id="")


def settled(state, **changes):
    values = {"due_at": None, "reason": "", "counted": True, "axis_doc_id": None}
    return Settlement(state=state, **(values | changes))


async def send(world, *, number, state=MessageState.SENT, at=NOW):
    """A document whose only message ended in a state."""
    document = world.document(document_id=f"H98,2026/03/02,{number}/TN", subject=f"letter {number}")
    await world.store.documents.accept(world.acceptance(document=document, request_id=f"r{number}"), at=at)
    (message,) = await world.store.outbox.lease("w", route=ROUTE, limit=1, lease_for=SECOND, at=at)
    await world.store.outbox.begin_submit(message, at=at)
    changes = {"axis_doc_id": f"axis-{number}"} if state is MessageState.SENT else {}
    if state is MessageState.UNCERTAIN:
        changes = {"due_at": at + timedelta(hours=1)}
    assert await world.store.outbox.settle(message, settled(state, **changes), at=at)
    return message.id


async def test_discrepancies_open_close_and_open_again(store):
    """Noting twice keeps the first sight; closing ends it once; noting again opens it again."""
    book = store.discrepancies
    assert await book.note(ROUTE, Kind.SENT_MISSING, {"a": "x", "b": "y"}, at=NOW) == {"a", "b"}
    assert await book.note(ROUTE, Kind.SENT_MISSING, {"a": "z", "c": "w"}, at=NOW + SECOND) == {"c"}
    await book.note(ROUTE, Kind.RECEIVED_MISSING, {"a": ""}, at=NOW)
    await book.note("other", Kind.SENT_MISSING, {"a": ""}, at=NOW)
    first = (await book.open(ROUTE))[1]
    assert (first.key, first.detail, first.first_seen_at, first.last_seen_at) == ("a", "z", NOW, NOW + SECOND)
    assert await book.counts(ROUTE) == {Kind.SENT_MISSING: 3, Kind.RECEIVED_MISSING: 1}
    assert await book.close(ROUTE, Kind.SENT_MISSING, ["a", "b", "nothing"], outcome="done", at=NOW) == 2
    assert await book.close(ROUTE, Kind.SENT_MISSING, ["a"], outcome="again", at=NOW) == 0
    assert [each.key for each in await book.open(ROUTE)] == ["a", "c"]
    assert await book.note(ROUTE, Kind.SENT_MISSING, {"a": "q"}, at=NOW + 2 * SECOND) == {"a"}
    (again,) = [each for each in await book.open(ROUTE) if (each.kind, each.key) == (Kind.SENT_MISSING, "a")]
    assert (again.first_seen_at, again.closed_at, again.outcome) == (NOW, None, "")


async def test_many_discrepancies(store):
    """Thousands are noted at once and counted, and listed up to a limit."""
    await store.discrepancies.note(ROUTE, Kind.SENT_MISSING, {f"k{n:05}": "" for n in range(SHOWN + 500)}, at=NOW)
    assert len(await store.discrepancies.open(ROUTE)) == SHOWN
    assert await store.discrepancies.counts(ROUTE) == {Kind.SENT_MISSING: SHOWN + 500}


async def test_many_of_one_kind_hide_no_other(store):
    """Asked for by kind, each kind has the whole limit to itself."""
    await store.discrepancies.note(ROUTE, Kind.SENT_UNKNOWN_HERE, {f"k{n:05}": "" for n in range(SHOWN)}, at=NOW)
    await store.discrepancies.note(ROUTE, Kind.SENT_MISSING, {"late": ""}, at=NOW + SECOND)
    assert [each.key for each in await store.discrepancies.open(ROUTE, kind=Kind.SENT_MISSING)] == ["late"]
    assert len(await store.discrepancies.open(ROUTE, kind=Kind.SENT_UNKNOWN_HERE)) == SHOWN
    assert await store.discrepancies.open("other", kind=Kind.SENT_MISSING) == ()


async def test_sent_messages_come_once_in_order(world):
    """Pages by the mark give each sent document packet once, up to the end of the window; statuses are none."""
    ids = [await send(world, number=n, at=NOW + timedelta(seconds=n // 2)) for n in range(6)]
    records, mark, seen = world.store.reconciliation, START, []
    until = NOW + timedelta(seconds=1)
    while page := await records.sent(ROUTE, after=mark, until=until, limit=3):
        seen.extend(each.message for each in page)
        mark = SentMark(sent_at=page[-1].sent_at, axis_doc_id=page[-1].axis_doc_id)
    assert seen == ids[:4]
    assert await records.sent("other", after=START, until=until, limit=3) == ()
    held = await send(world, number=9, state=MessageState.HELD)
    (only,) = await records.still_sent([ids[0], held, "nothing"])
    assert (only.message, only.axis_doc_id, only.document_id) == (ids[0], "axis-0", "H98,2026/03/02,0/TN")


async def test_what_is_unproven_and_its_repair(world):
    """Held, unknown and failed ones are looked for; only the first two are repaired, once, and not while leased."""
    records = world.store.reconciliation
    await send(world, number=1)
    failed = await send(world, number=2, state=MessageState.FAILED)
    held = await send(world, number=3, state=MessageState.HELD)
    unknown = await send(world, number=4, state=MessageState.UNCERTAIN)
    found = {each.message: each for each in await records.unproven(ROUTE, since=NOW, limit=10)}
    assert {id_: each.state for id_, each in found.items()} == {
        failed: MessageState.FAILED,
        held: MessageState.HELD,
        unknown: MessageState.UNCERTAIN,
    }
    assert found[held].query.title == "letter 3"
    assert found[held].query.recipient_codes == tuple(o.organ_id for o in world.document().to)
    assert await records.unproven(ROUTE, since=NOW + SECOND, limit=10) == ()
    assert not await records.repair(failed, "axis-2", at=NOW)
    later = NOW + timedelta(hours=1)
    (leased,) = await world.store.outbox.lease("w", route=ROUTE, limit=1, lease_for=SECOND, at=later)
    assert leased.id == unknown
    assert not await records.repair(unknown, "axis-4", at=later)
    for message in (held, unknown):
        assert await records.repair(message, f"axis-{message}", at=later + 2 * SECOND)
        assert not await records.repair(message, f"axis-{message}", at=later + 2 * SECOND)
    assert {each.axis_doc_id for each in await records.still_sent([held, unknown])} == {
        f"axis-{held}",
        f"axis-{unknown}",
    }
    assert not await world.store.outbox.settle(leased, settled(MessageState.HELD), at=later + 3 * SECOND)
    owner = sa.select(messages.c.document).where(messages.c.id == held)
    uid = await world.store.database.read(lambda conn: conn.scalar(owner))
    states = {each.state for each in (await world.store.documents.get(uid)).deliveries}
    assert states == {DeliveryState.SENT}


async def test_marks(store):
    """How far a comparison came is kept by account and kind, and is never older than the window."""
    records, early = store.reconciliation, NOW - timedelta(days=7)
    assert await records.mark(ROUTE, default=early) == SentMark(sent_at=early, axis_doc_id="")
    mark = SentMark(sent_at=NOW, axis_doc_id="axis-7")
    for _ in range(2):
        await records.set_mark(ROUTE, mark)
        await records.set_received_mark(ROUTE, PacketKind.STATUS, NOW)
    assert await records.mark(ROUTE, default=early) == mark
    assert (await records.mark(ROUTE, default=NOW + SECOND)).sent_at == NOW + SECOND
    assert (await records.mark("other", default=early)).sent_at == early
    assert await records.received_mark(ROUTE, PacketKind.STATUS, default=early) == NOW
    assert await records.received_mark(ROUTE, PacketKind.DOCUMENT, default=early) == early


async def test_a_directory_is_loaded_once_mandates_were_set(store):
    """Neither agencies alone nor mandates over nothing make a gateway ready; no mandate at all is an answer too."""
    assert not await store.directory.loaded()
    await store.directory.set_mandates([])
    assert not await store.directory.loaded()


async def test_agencies_without_mandates_are_not_loaded(world):
    """The peopled store has both."""
    assert await world.store.directory.loaded()


async def remove_inbound(conn, arrival):
    """As retention does."""
    document = arrival.verified.document
    gone = [
        removals.NewRemoval(
            kind=removals.AXIS_ITEM, key=removals.key(arrival.account, arrival.item.axis_doc_id), facts={}
        ),
        removals.NewRemoval(
            kind=removals.INBOUND_IDENTITY,
            key=removals.key(
                int(document.business_type), document.sender.organ_id.upper(), document.document_id.strip(), ""
            ),
            facts={"content_digest": arrival.content_digest},
        ),
    ]
    await removals.record(conn, gone, policy="received_days=365", at=NOW)
    for table in (receptions, inbound_attachments, inbound_documents, axis_items):
        await conn.execute(sa.delete(table))


async def test_what_retention_removed_is_still_known(world):
    """Its item counts as settled; the same document again adds nothing, other content under its id is a conflict."""
    items = world.store.items
    arrival = make_arrival(recipients=(world.agencies["H98"],))
    received = make_received(item=arrival.item)
    await items.record(received, at=NOW)
    await items.store(arrival, receipts=[], at=NOW)
    await items.told(ROUTE, [received.item.axis_doc_id], at=NOW)
    await world.store.database.write(partial(remove_inbound, arrival=arrival))
    id_ = received.item.axis_doc_id
    assert await items.states(ROUTE, [id_, "nothing"]) == {id_: ItemState.SETTLED}
    await items.told(ROUTE, [id_], at=NOW)
    for axis_doc_id, digest, expected in (
        ("again", arrival.content_digest, Stored),
        ("conflict", "f" * 64, ContentConflict),
    ):
        item = AxisItem(axis_doc_id=axis_doc_id, kind=PacketKind.DOCUMENT, recipients=())
        await items.record(make_received(item=item), at=NOW)
        stored = await items.store(replace(arrival, item=item, content_digest=digest), receipts=[], at=NOW)
        assert isinstance(stored, expected)
        assert getattr(stored, "added", 0) == 0
