"""Several gateways on one PostgreSQL at the same time: nothing twice, nothing lost, nothing late."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from gateway.domain.lifecycle import MessageState
from gateway.domain.mandate import Mandate
from gateway.domain.operating import Action, Objection, Order
from gateway.domain.packet import ContentSpan, EncodedPart, SplitPacket
from gateway.ports.inbound import Stored
from gateway.ports.operations import NotDone
from gateway.ports.outbound import DocumentReused, Settlement, Taken
from gateway.store import leases, open_store
from gateway.store.messages import enqueue, status_message
from tests.contract.conftest import LISTED, OTHER, VENDOR_A, VENDOR_B, on_postgres
from tests.make import (
    NOW,
    RECIPIENT,
    ROUTE,
    SENDER,
    make_arrival,
    make_attachment,
    make_digest,
    make_directory_row,
    make_document,
    make_organization,
    make_received,
    make_status,
    make_stored,
)

pytestmark = on_postgres
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
SENT = Settlement(state=MessageState.SENT, due_at=None, reason="", counted=True, axis_doc_id=None)


@pytest.fixture
async def both(world, store_path):
    """Two gateways' stores over one database."""
    other = await open_store(store_path)
    yield world.store, other
    await other.close()


def spread(both, calls):
    """Await calls, each on the next store in turn."""
    return asyncio.gather(*(call(both[n % 2]) for n, call in enumerate(calls)))


async def test_workers_share_the_outbox(world, both):
    """Workers that lease, begin and settle at once send each message once; no event is lost, doubled or late."""
    total = 60
    wanted = [world.acceptance() for _ in range(total)]
    seen, sent = [], []

    async def follow(store):
        after = 0
        while after < 4 * total:
            page = await store.events.read(VENDOR_A, under=None, after=after, limit=7)
            seen.extend(event.position for event in page.events)
            after = page.up_to

    async def accept(store):
        for each in wanted[both.index(store) :: 2]:
            await store.documents.accept(each, at=NOW)

    async def drain(store):
        while len(sent) < total:
            for message in await store.outbox.lease("w", route=ROUTE, limit=3, lease_for=MINUTE, at=NOW):
                assert await store.outbox.begin_submit(message, at=NOW)
                assert await store.outbox.settle(message, SENT, at=NOW)
                sent.append(message.id)

    tasks = [*(accept(s) for s in both), *(drain(s) for s in both * 3), follow(both[1])]
    await asyncio.wait_for(asyncio.gather(*tasks), 60)
    assert len(set(sent)) == len(sent) == total
    assert seen == list(range(1, 4 * total + 1))


async def test_statuses_of_one_document_never_overtake(both):
    """However many workers there are, of messages with one ordering key the oldest alone is out."""
    first, other = both
    document = make_document()
    reports = [make_status(document, status_code=f"{n:02d}") for n in range(12)]
    for store, report in zip(both * 6, reports, strict=True):
        await store.database.write(lambda conn, r=report: enqueue(conn, [status_message(ROUTE, r)], at=NOW))
    order = []
    while len(order) < len(reports):
        found = await spread(both, [lambda s: s.outbox.lease("w", route=ROUTE, limit=5, lease_for=MINUTE, at=NOW)] * 6)
        (message,) = [each for leased in found for each in leased]
        order.append(message.report)
        assert await other.outbox.begin_submit(message, at=NOW)
        assert await first.outbox.settle(message, SENT, at=NOW)
    assert order == reports


async def test_an_end_is_written_once(world, both):
    """Of concurrent ends of one attempt exactly one counts, of one entry's acknowledgements each gets one answer."""
    for _ in range(10):
        await world.store.documents.accept(world.acceptance(), at=NOW)
        (message,) = await world.store.outbox.lease("w", route=ROUTE, limit=1, lease_for=MINUTE, at=NOW)
        await world.store.outbox.begin_submit(message, at=NOW)
        ends = await spread(both, [lambda s, m=message: s.outbox.settle(m, SENT, at=NOW)] * 6)
        assert [end for end in ends if end is not None] == [SENT]


async def test_one_request_makes_one_document(world, both):
    """Concurrent submissions with one request id, or one document id, find each other across gateways."""
    for n in range(10):
        wanted = world.acceptance()
        taken = await spread(both, [lambda s, w=wanted: s.documents.accept(w, at=NOW)] * 6)
        assert sorted(each.repeated for each in taken) == [False] + [True] * 5
        document = world.document()
        many = [
            world.acceptance(
                document=document, content_digest=make_digest(f"{k % 2}"), request_digest=make_digest(f"{n} {k}")
            )
            for k in range(6)
        ]
        answers = await spread(both, [lambda s, w=each: s.documents.accept(w, at=NOW) for each in many])
        assert len({each.sent.uid for each in answers if isinstance(each, Taken)}) == 1
        assert sum(each == DocumentReused() for each in answers) == 3


async def test_a_freed_document_id_is_taken_once(world, both):
    """Of concurrent submissions under the id of a document that failed, one content replaces it."""
    for _ in range(8):
        wanted = world.acceptance()
        await world.store.documents.accept(wanted, at=NOW)
        (message,) = await world.store.outbox.lease("w", route=ROUTE, limit=1, lease_for=MINUTE, at=NOW)
        await world.store.outbox.begin_submit(message, at=NOW)
        await world.store.outbox.settle(message, replace(SENT, state=MessageState.FAILED), at=NOW)
        again = [replace(wanted, request_id=str(uuid4()), content_digest=make_digest(f"{k}")) for k in range(6)]
        answers = await spread(both, [lambda s, w=each: s.documents.accept(w, at=NOW) for each in again])
        assert sum(isinstance(each, Taken) for each in answers) == 1
        assert sum(each == DocumentReused() for each in answers) == 5
        (message,) = await world.store.outbox.lease("w", route=ROUTE, limit=9, lease_for=MINUTE, at=NOW)
        await world.store.outbox.begin_submit(message, at=NOW)
        await world.store.outbox.settle(message, SENT, at=NOW)


async def test_an_item_fetched_by_two_is_recorded_once(world, both):
    """Two pollers that bring one item at once keep one packet; the other object is handed back, the arrival is one."""
    for _ in range(10):
        arrival = make_arrival(make_document(), recipients=(world.agencies[RECIPIENT],))
        copies = [make_received(item=arrival.item, raw=make_stored(uuid4().bytes)) for _ in range(4)]
        spare = await spread(both, [lambda s, c=each: s.items.record(c, at=NOW) for each in copies])
        assert sorted(len(each) for each in spare) == [0, 1, 1, 1]
        keys = {each.raw.key for each in copies}
        assert await world.store.blobs.known(keys) == keys - {key for each in spare for key in each}
        stored = await spread(both, [lambda s, a=arrival: s.items.store(a, receipts=(), at=NOW)] * 4)
        assert sorted(each.added for each in stored if isinstance(each, Stored)) == [0, 0, 0, 1]


async def test_entries_are_handed_out_once(world, both):
    """Concurrent pulls of one vendor share the waiting entries out without overlap."""
    for _ in range(12):
        arrival = make_arrival(make_document(), recipients=(world.agencies[RECIPIENT],))
        await world.store.items.record(make_received(item=arrival.item), at=NOW)
        await world.store.items.store(arrival, receipts=(), at=NOW)
    pull = [lambda s: s.receptions.lease(VENDOR_B, under=None, limit=3, lease_for=MINUTE, at=NOW)] * 8
    pulled = [entry.id for _ in range(3) for entries in await spread(both, pull) for entry in entries]
    assert len(set(pulled)) == len(pulled) == 12


async def test_an_object_swept_and_wanted_at_once_is_never_dangling(world, both):
    """While the sweep forgets an expired upload, splits and submissions of the same bytes keep a row or make one."""
    for n in range(15):
        content = f"{n}".encode()
        old, new = make_stored(content), make_stored(content)
        await world.store.blobs.register_upload(VENDOR_A, old, expires_at=NOW)
        document = world.document(attachments=(make_attachment(content),))
        wanted = world.acceptance(document=document, objects=(new,))
        swept, taken, _ = await spread(
            both,
            [
                lambda s: s.blobs.sweep(unreferenced_since=NOW + DAY, limit=10),
                lambda s, w=wanted: s.documents.accept(w, at=NOW),
                lambda s: s.blobs.sweep(unreferenced_since=NOW + DAY, limit=10),
            ],
        )
        kept = await world.store.documents.attachment(taken.sent.uid, 0)
        assert kept in (old, new)
        assert kept.key not in (*swept, *taken.redundant)


async def test_a_packet_is_split_once(world, both):
    """Of concurrent swaps of one packet one wins; skeletons and packet are kept or handed back, never both."""
    for _ in range(10):
        arrival = make_arrival(make_document(), recipients=(world.agencies[RECIPIENT],))
        received = make_received(item=arrival.item, raw=make_stored(uuid4().bytes))
        await world.store.items.record(received, at=NOW)
        await world.store.items.store(arrival, receipts=(), at=NOW)
        part = EncodedPart(stored=arrival.verified.objects[0], zip_entry=None)
        spans = (ContentSpan(offset=0, length=1, part=part),)
        many = [SplitPacket(skeleton=make_stored(uuid4().bytes), spans=spans) for _ in range(4)]
        spare = await spread(both, [lambda s, r=received, p=each: s.items.split(r, p) for each in many])
        keys = {received.raw.key, *(each.skeleton.key for each in many)}
        gone = [key for each in spare for key in each]
        assert len(gone) == len(set(gone)) == 4
        assert await world.store.blobs.known(keys) == keys - set(gone)


async def test_two_gateways_may_sync_the_directory_at_once(world, both):
    """Listings and mandates that land from two gateways together leave one whole listing and one set of mandates."""
    for n in range(4):
        listed = [*LISTED, *(make_directory_row(f"{n}.{k:03d}.H99", parent_axis_id="axis-H99") for k in range(40))]
        changed = await spread(both, [lambda s, w=listed: s.directory.apply(w, at=NOW)] * 2)
        assert min(changed) == 0 < max(changed)
        sets = [[Mandate(vendor=vendor, agency=world.id(OTHER), serves=True)] for vendor in (VENDOR_A, VENDOR_B)]
        await spread(both, [lambda s, m=each: s.directory.set_mandates(m) for each in sets * 2])
        assert (await world.store.directory.served([world.id(OTHER)])).keys() == {world.id(OTHER)}
        assert await world.store.directory.served([world.id(SENDER)]) == {}


async def test_works_that_wait_for_each_other_are_repeated(both):
    """Two transactions that lock two rows crosswise both end well: the server undoes one, which runs again."""
    bump = sa.text("UPDATE counters SET value = value + 1 WHERE name = :name")
    runs = []

    def crosswise(*names):
        async def work(conn):
            runs.append(names)
            for name in names:
                await conn.execute(bump, {"name": name})
                await asyncio.sleep(0.05)

        return work

    ways = [crosswise("events", "messages"), crosswise("messages", "events")]
    await spread(both, [lambda s, w=way: s.database.write(w) for way in ways])
    values = await both[0].database.read(lambda conn: conn.scalars(sa.text("SELECT value FROM counters")))
    assert list(values) == [2, 2]
    assert len(runs) == 3


async def test_an_old_recipient_list_is_no_obstacle(world, both):
    """Documents for several recipients, accepted at once by two gateways, keep their own messages and deliveries."""
    to = tuple(make_organization(f"{n:03d}.H97") for n in range(9))
    many = [world.acceptance(document=world.document(to=to), together=2) for _ in range(8)]
    taken = await spread(both, [lambda s, w=each: s.documents.accept(w, at=NOW) for each in many])
    assert all(len(each.sent.deliveries) == 9 for each in taken)
    leased = await spread(both, [lambda s: s.outbox.lease("w", route=ROUTE, limit=7, lease_for=MINUTE, at=NOW)] * 8)
    messages = [message for found in leased for message in found]
    assert len({message.id for message in messages}) == len(messages) == 8 * 5


async def test_a_requeue_waits_for_leases_that_run(world, both):
    """An order that makes a failed 03 wait again ends after a lease that saw it failed, and then sees the 06 out."""
    first, other = both
    early = make_status()
    late = make_status(status_code="06", sender=early.sender, response_for=early.response_for)
    reports = [status_message(ROUTE, report) for report in (early, late, make_status())]
    await first.database.write(lambda conn: enqueue(conn, reports, at=NOW))
    (failed,) = await first.outbox.lease("w", route=ROUTE, limit=1, lease_for=MINUTE, at=NOW)
    assert await first.outbox.begin_submit(failed, at=NOW)
    failure = replace(SENT, state=MessageState.FAILED)
    assert await first.outbox.settle(failed, failure, at=NOW)
    taken, go_on = asyncio.Event(), asyncio.Event()
    demand = leases.Demand(owner="a", route=ROUTE, limit=1, lease_for=MINUTE, longest_waiting=False, cap=None)

    async def slowly(conn):
        got = await leases.take(conn, demand, at=NOW)
        taken.set()
        await go_on.wait()
        return got

    leasing = asyncio.create_task(first.database.write(slowly))
    await asyncio.wait_for(taken.wait(), 10)
    beside = await other.outbox.lease("b", route=ROUTE, limit=9, lease_for=MINUTE, at=NOW)  # leases do not wait
    requeue = Order(action=Action.REQUEUE, operator="anna")
    ordering = asyncio.create_task(other.operations.carry_out(failed.id, requeue, at=NOW))
    waits = sa.text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    async with asyncio.timeout(10):
        while not await world.store.database.read(lambda conn: conn.scalar(waits)):  # noqa: ASYNC110 - the server tells of its locks only when asked
            await asyncio.sleep(0.01)
    assert not ordering.done()
    go_on.set()
    (out,) = await leasing
    assert (out.report, len(beside)) == (late, 1)
    assert await ordering == NotDone(objection=Objection.OVERTAKEN, state=MessageState.FAILED)
