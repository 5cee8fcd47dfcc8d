"""The database copied, counted, judged, and begun with again, over real databases."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.ids import AxisDocId
from gateway.domain.lifecycle import AFTER_RESTORE, MessageState, ReceptionState
from gateway.ports.outbound import Settlement
from gateway.store import Store, open_store, restored
from gateway.store import backup as copies
from gateway.store.blobindex import REFERENCES
from gateway.store.messages import enqueue, status_message
from gateway.store.tables import blobs, messages, meta
from tests.contract.conftest import VENDOR_A, VENDOR_B, on_sqlite
from tests.make import (
    NOW,
    RECIPIENT,
    ROUTE,
    make_arrival,
    make_attachment,
    make_document,
    make_received,
    make_status,
    make_stored,
)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LATER = NOW + HOUR
AS_OF = NOW + timedelta(minutes=10)
TICK = timedelta(microseconds=1)


def restoration(**overrides):
    values = {"at": LATER, "source": "backups/1", "as_of": AS_OF, "ask_first_until": LATER + HOUR}
    return restored.Restoration(**(values | overrides))


async def lease(world, *, at=NOW):
    return await world.store.outbox.lease("w", route=ROUTE, limit=99, lease_for=MINUTE, at=at)


async def states(world):
    """State -> (due, first submission, lease, settle after) of every document message, by state."""
    columns = sa.select(
        messages.c.state,
        messages.c.due_at,
        messages.c.first_submitted_at,
        messages.c.lease_token,
        messages.c.lease_until,
        messages.c.settle_after,
    ).where(messages.c.kind == "edoc")

    async def work(conn):
        return [tuple(row) for row in await conn.execute(columns.order_by(messages.c.sequence))]

    return await world.store.database.read(work)


async def one_in_each_state(world):
    """Six documents: queued, under way, unknown, held, sent, given up."""
    for _ in range(6):
        await world.store.documents.accept(world.acceptance(), at=NOW)
    queued, submitting, *others = await lease(world)
    assert await world.store.outbox.begin_submit(submitting, at=NOW + MINUTE)
    ends = (
        (MessageState.UNCERTAIN, {"due_at": NOW + 9 * HOUR, "settle_after": NOW + 9 * HOUR}),
        (MessageState.HELD, {}),
        (MessageState.SENT, {"axis_doc_id": AxisDocId("77")}),
        (MessageState.FAILED, {}),
    )
    for message, (state, more) in zip(others, ends, strict=True):
        assert await world.store.outbox.begin_submit(message, at=NOW + MINUTE)
        values = {"state": state, "due_at": None, "reason": "", "counted": True, "axis_doc_id": None} | more
        assert await world.store.outbox.settle(message, Settlement(**values), at=NOW + 2 * MINUTE)
    return queued


def test_every_reference_to_an_object_is_known():
    """The columns found by their foreign keys are those that keep an object alive."""
    assert {str(column) for column in REFERENCES} == {
        "attachments.sha256",
        "axis_items.raw",
        "inbound_attachments.sha256",
        "packet_parts.sha256",
        "uploads.sha256",
    }


def test_a_restore_knows_every_state():
    """What may have been sent since becomes unknown, what is decided stays."""
    assert AFTER_RESTORE.keys() == set(MessageState)
    changed = {before for before, after in AFTER_RESTORE.items() if before is not after}
    assert changed == {MessageState.QUEUED, MessageState.SUBMITTING}
    assert {AFTER_RESTORE[state] for state in changed} == {MessageState.UNCERTAIN}


async def test_adopting_makes_unknown_what_may_have_been_sent(world):
    """Queued and half-sent documents are asked for at once, from their first possible moment on; the rest stays."""
    await one_in_each_state(world)
    adopted = await restored.adopt(world.store.database, restoration())
    assert (adopted.asked, adopted.as_of) == (3, AS_OF)
    unknown = [
        (MessageState.UNCERTAIN, LATER, NOW, None, None, None),
        (MessageState.UNCERTAIN, LATER, NOW + MINUTE, None, None, None),
        (MessageState.UNCERTAIN, LATER, NOW + MINUTE, None, None, None),
    ]
    found = await states(world)
    assert found[:3] == unknown
    assert [(row[0], row[1]) for row in found[3:]] == [
        (MessageState.HELD, None),
        (MessageState.SENT, None),
        (MessageState.FAILED, None),
    ]
    leased = await lease(world, at=LATER)
    assert [message.state for message in leased] == [MessageState.UNCERTAIN] * 3


async def test_statuses_are_repeated_without_asking(world):
    """A status that was under way when the copy was made keeps its state, and may be leased at once."""
    report = make_status()
    await world.store.database.write(lambda conn: enqueue(conn, [status_message(ROUTE, report)], at=NOW))
    (message,) = await lease(world)
    assert await world.store.outbox.begin_submit(message, at=NOW)
    adopted = await restored.adopt(world.store.database, restoration(at=NOW))
    (again,) = await lease(world)
    assert (adopted.asked, again.state, again.report) == (0, MessageState.SUBMITTING, report)


async def test_a_new_epoch_begins(world):
    """Event tokens of the other time expire; leases of vendors' and claims of gateways end; the origin is kept."""
    arrival = make_arrival(make_document(), recipients=(world.agencies[RECIPIENT],))
    await world.store.items.record(make_received(item=arrival.item), at=NOW)
    await world.store.items.store(arrival, receipts=(), at=NOW)

    async def pull():
        return await world.store.receptions.lease(VENDOR_B, under=None, limit=9, lease_for=9 * HOUR, at=NOW)

    (taken,) = await pull()
    assert await pull() == ()
    assert await world.store.claims.take("poll", "gateway-1", hold_for=9 * HOUR, at=NOW)
    before = await world.store.events.head()
    adopted = await restored.adopt(world.store.database, restoration(at=NOW))
    after = await world.store.events.head()
    assert after.epoch == adopted.epoch != before.epoch
    assert after.last == before.last
    assert adopted.released == 1
    (again,) = await pull()
    assert (again.id, again.state, again.delivery_attempt) == (taken.id, ReceptionState.LEASED, 2)
    assert await world.store.claims.take("poll", "gateway-2", hold_for=HOUR, at=NOW)
    wanted = sa.select(meta.c.value).where(meta.c.name.in_(["restored_at", "restored_from", "restored_as_of"]))

    async def work(conn):
        return sorted(await conn.scalars(wanted))

    assert await world.store.database.read(work) == sorted([NOW.isoformat(), "backups/1", AS_OF.isoformat()])


async def test_new_documents_are_asked_for_until_the_time_ends(world):
    """A document handed over again begins as one that may have been sent since then; later ones do not."""
    await restored.adopt(world.store.database, restoration())
    await world.store.documents.accept(world.acceptance(), at=LATER + HOUR - TICK)
    await world.store.documents.accept(world.acceptance(), at=LATER + HOUR)
    (asked, sent) = await states(world)
    assert (asked[0], asked[2]) == (MessageState.UNCERTAIN, AS_OF)
    assert (sent[0], sent[2]) == (MessageState.QUEUED, None)


async def test_the_store_tells_how_old_it_is(world):
    """Without a moment given, the youngest row of the store is the state restored."""
    await world.store.documents.accept(world.acceptance(), at=NOW)
    await world.store.documents.accept(world.acceptance(), at=NOW + MINUTE)
    assert (await restored.adopt(world.store.database, restoration(as_of=None))).as_of == NOW + MINUTE


async def test_the_inventory_counts_what_is_there(world):
    """Documents, their deliveries and messages by state, and the objects that something refers to, each once."""
    await one_in_each_state(world)
    await world.store.blobs.register_upload(VENDOR_A, make_stored(b"upload"), expires_at=LATER)
    found = await copies.inventory(world.store.database)
    assert (found.documents, found.inbound, found.receptions) == (6, 0, {})
    assert sum(found.deliveries.values()) == 12
    assert found.messages == {"failed": 1, "held": 1, "queued": 1, "sent": 1, "submitting": 1, "uncertain": 1}
    objects = [stored async for batch in copies.referenced(world.store.database) for stored in batch]
    assert found.objects == len(objects) == len({stored.digest for stored in objects}) == 2
    assert found.object_bytes == sum(stored.size for stored in objects)


async def test_objects_come_in_many_batches(world, monkeypatch):
    """However many there are, every object comes once."""
    monkeypatch.setattr(copies, "BATCH", 3)
    for number in range(10):
        stored = make_stored(str(number))
        await world.store.blobs.register_upload(VENDOR_A, stored, expires_at=LATER)
    batches = [batch async for batch in copies.referenced(world.store.database)]
    assert [len(batch) for batch in batches] == [3, 3, 3, 1]
    assert len({stored.digest for batch in batches for stored in batch}) == 10


async def test_what_lacks_an_object_is_named(world):
    """A document, a reception and an axis item are each named by the digest they need."""
    accepted = await world.store.documents.accept(world.acceptance(), at=NOW)
    inbound = make_document(attachments=(make_attachment(b"in"),))
    arrival = make_arrival(inbound, recipients=(world.agencies[RECIPIENT],))
    received = make_received(item=arrival.item)
    await world.store.items.record(received, at=NOW)
    await world.store.items.store(arrival, receipts=(), at=NOW)
    (entry,) = await world.store.receptions.lease(VENDOR_B, under=None, limit=9, lease_for=HOUR, at=NOW)
    database = world.store.database
    assert await copies.concerned(database, [make_attachment().sha256]) == (f"documents/{accepted.sent.uid}",)
    assert await copies.concerned(database, [make_attachment(b"in").sha256]) == (f"receptions/{entry.id}",)
    item = f"items/{received.account}/{received.item.axis_doc_id}"
    assert await copies.concerned(database, [received.raw.digest]) == (item,)
    assert await copies.concerned(database, [make_attachment(b"nobody's").sha256]) == ()


async def test_objects_without_references_are_forgotten(world):
    """A row that nothing refers to goes, the others stay."""
    await world.store.documents.accept(world.acceptance(), at=NOW)
    bare = make_stored(b"bare")
    row = {"sha256": bare.digest, "object_key": bare.key, "size": bare.size}
    await world.store.database.write(lambda conn: conn.execute(sa.insert(blobs).values(row)))
    assert await copies.forget_unreferenced(world.store.database) == 1
    assert (await copies.inventory(world.store.database)).objects == 1
    assert await world.store.blobs.known([bare.key]) == frozenset()


async def test_gateways_that_are_connected_are_seen(store_path, store: Store):
    """Another gateway's connections to a server count, one's own do not; a file has a lock for that."""
    await store.events.head()
    own = await open_store(store_path)
    try:
        found = await restored.others_connected(own.database)
        await asyncio.gather(*(own.events.head() for _ in range(3)))
        assert (found > 0) is isinstance(store_path, str)
    finally:
        await own.close()


@on_sqlite
async def test_a_copy_is_of_one_moment(world, store_path, tmp_path):
    """Copied while documents are accepted, the copy holds a beginning of them, each whole, and is sound."""
    stop = asyncio.Event()

    async def write():
        while not stop.is_set():
            await world.store.documents.accept(world.acceptance(), at=NOW)

    writing = asyncio.create_task(write())
    copied = []
    for number in range(5):
        await asyncio.to_thread(copies.copy_database, store_path, tmp_path / f"{number}.db")
        copied.append(tmp_path / f"{number}.db")
    stop.set()
    await writing
    counts = []
    for path in copied:
        assert copies.problems_of(path) == ()
        copy = await open_store(path)
        found = await copies.inventory(copy.database)
        await copy.close()
        assert sum(found.deliveries.values()) == 2 * found.documents
        assert sum(found.messages.values()) == found.documents
        counts.append(found.documents)
        copies.as_one_file(path)
    assert counts == sorted(counts)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(("-wal", "-shm")) and path.name[0].isdigit()]


@on_sqlite
@pytest.mark.parametrize("at", [0, 20_000])
async def test_a_damaged_copy_is_seen(world, store_path, tmp_path, at):
    """Bytes overwritten in the header or in a page are found."""
    await one_in_each_state(world)
    copy = tmp_path / "copy.db"
    copies.copy_database(store_path, copy)
    assert copies.problems_of(copy) == ()
    with copy.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * 4000)
    assert copies.problems_of(copy)


@on_sqlite
async def test_a_row_without_its_owner_is_seen(world, store_path, tmp_path):
    """A copy whose references do not hold is not sound."""
    await one_in_each_state(world)
    copy = tmp_path / "copy.db"
    copies.copy_database(store_path, copy)
    engine = sa.create_engine(f"sqlite:///{copy}")
    with engine.begin() as conn:
        conn.execute(sa.delete(blobs))
    engine.dispose()
    assert any("attachments refers to a row of blobs" in problem for problem in copies.problems_of(copy))


@on_sqlite
def test_what_cannot_be_copied_is_unavailable(store_path, tmp_path):
    """A source that is not there is the store's failure, with the store's code."""
    with pytest.raises(GatewayError) as refused:
        copies.copy_database(tmp_path / "nothing.db", tmp_path / "copy.db")
    assert refused.value.code is ErrorCode.STORE_UNAVAILABLE
