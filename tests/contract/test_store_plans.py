"""The statements that run all the time use indices, as the database itself plans them."""

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.domain.ids import AccountName
from gateway.domain.lifecycle import UNSETTLED, DeliveryState, MessageState, ReceptionState
from gateway.domain.operating import Action, Order
from gateway.domain.packet import ContentSpan, EncodedPart, PacketDefect, PacketKind, SplitPacket
from gateway.ports import ReceptionFilter, SentMark
from gateway.ports.operations import Done, MessageFilter
from gateway.ports.outbound import DocumentFilter, PageKey, Settlement
from gateway.ports.retention import Kept, Mark
from gateway.store.eventlog import NewEvent, append
from tests.contract.conftest import VENDOR_A, VENDOR_B, on_postgres, on_sqlite
from tests.make import (
    NOW,
    RECIPIENT,
    ROUTE,
    SENDER,
    make_arrival,
    make_document,
    make_item,
    make_organization,
    make_received,
    make_status,
    make_stored,
)

MINUTE = timedelta(minutes=1)
SENT = Settlement(state=MessageState.SENT, due_at=None, reason="", counted=True, axis_doc_id=None)
SMALL = {"CONSTANT", "due", "waiting", "chosen", "tree", "line", "meta", "counters", "last", "ends"}
"""Tables and row sources of a few rows."""


async def lease(world):
    await world.store.outbox.lease("w", route=ROUTE, limit=5, lease_for=MINUTE, at=NOW)


async def settle(world):
    (message,) = await world.store.outbox.lease("w", route=ROUTE, limit=1, lease_for=MINUTE, at=NOW)
    await world.store.outbox.begin_submit(message, at=NOW)
    await world.store.outbox.renew(message, lease_for=MINUTE, at=NOW)
    await world.store.outbox.settle(message, SENT, at=NOW)


async def accept(world):
    first = world.acceptance()
    await world.store.documents.accept(first, at=NOW)
    await world.store.documents.accept(first, at=NOW)


async def list_documents(world):
    key = PageKey(accepted_at=NOW, uid="x")
    for agencies in (None, frozenset({world.id(SENDER)})):
        plain = DocumentFilter(agencies=agencies, root=world.id("H98"))
        narrow = DocumentFilter(
            agencies=agencies, root=world.id("H98"), document_id="x", state=DeliveryState.SENT, recipient=RECIPIENT
        )
        for wanted in (plain, narrow):
            await world.store.documents.list(wanted, after=key, limit=5)


async def receive(world):
    arrival = make_arrival(make_document(), recipients=(world.agencies[RECIPIENT],))
    await world.store.items.record(make_received(item=arrival.item), at=NOW)
    await world.store.items.unfinished(ROUTE, limit=5)
    await world.store.items.store(arrival, receipts=(), at=NOW)
    await world.store.items.told(ROUTE, [arrival.item.axis_doc_id], at=NOW)


async def keep_as_parts(world):
    arrival = make_arrival(make_document(), recipients=(world.agencies[RECIPIENT],))
    received = make_received(item=arrival.item)
    await world.store.items.record(received, at=NOW)
    await world.store.items.store(arrival, receipts=(), at=NOW)
    part = EncodedPart(stored=arrival.verified.objects[0], zip_entry=None)
    parts = SplitPacket(skeleton=make_stored("x"), spans=(ContentSpan(offset=0, length=1, part=part),))
    assert await world.store.items.split(received, parts) == (received.raw.key,)
    assert (await world.store.items.original(ROUTE, received.item.axis_doc_id)).kept.skeleton == parts.skeleton


async def place_statuses(world):
    for code in ("03", "13"):
        received = make_received(item=make_item(kind=PacketKind.STATUS))
        await world.store.items.record(received, at=NOW)
        await world.store.items.place_status(received, make_status(status_code=code), at=NOW)


async def pull(world):
    await receive(world)
    for under in (None, world.id(RECIPIENT)):
        entries = await world.store.receptions.lease(VENDOR_B, under=under, limit=5, lease_for=MINUTE, at=NOW)
        for entry in entries:
            await world.store.receptions.acknowledge(entry.id, entry.ack_id, receipt=make_status(), at=NOW)
            await world.store.receptions.report(entry.id, "r", make_status(), at=NOW)


async def watch(world):
    for under in (None, world.id("H98")):
        await world.store.events.read(VENDOR_A, under=under, after=0, limit=5)
    await world.store.events.head()


async def measure(world):
    await world.store.outbox.depth(at=NOW, near=timedelta(hours=1))
    await world.store.outbox.known_axis_ids(ROUTE, since=NOW)


async def check_blobs(world):
    sent = world.acceptance()
    await world.store.blobs.register_upload(VENDOR_A, sent.objects[0], expires_at=NOW)
    await world.store.blobs.referable(VENDOR_A, [sent.objects[0].digest], at=NOW)
    await world.store.blobs.sweep(unreferenced_since=NOW + MINUTE, limit=5)


async def resolve(world):
    await world.store.directory.resolve([SENDER])
    await world.store.directory.lineage(world.id(SENDER))
    await world.store.directory.lineages_of([world.id(SENDER)])
    await world.store.directory.may_act(VENDOR_A, world.id(SENDER))
    await world.store.directory.served([world.id(SENDER)])


async def retain(world):
    """Every kind has something that goes, and a mark to go on after."""
    await settle(world)
    await pull(world)
    await world.store.events.head()
    for kind in Kept:
        for after in (None, Mark(at=NOW - MINUTE, ids=("",) * (2 if kind is Kept.ITEMS else 1))):
            later = NOW + timedelta(days=1)
            if kind is not Kept.EVENTS:  # counted by a command now and then, on the whole log
                await world.store.retention.removable(kind, before=later)
            await world.store.retention.remove(kind, before=later, after=after, policy="p", at=later)


async def operate(world):
    (line,) = await world.store.operations.messages(
        MessageFilter(states=UNSETTLED, route=ROUTE, created_before=NOW + MINUTE), limit=5, at=NOW
    )
    await world.store.operations.message(line.id, at=NOW)
    order = Order(action=Action.GIVE_UP, operator="a", reason="r")
    assert isinstance(await world.store.operations.carry_out(line.id, order, at=NOW), Done)
    received = make_received()
    await world.store.items.record(received, at=NOW)
    await world.store.items.quarantine(received, PacketDefect(code="NOT_XML", path="", message=""))
    await world.store.operations.problems(limit=5)
    await world.store.operations.retake(ROUTE, received.item.axis_doc_id, operator="a", reason="", at=NOW)
    await world.store.operations.waiting(limit=5)
    await world.store.operations.audit(line.document_id)


async def deliver(world):
    """What the engine and reconciliation ask besides: leases of the longest waiting and under a cap, parts, marks."""
    several = world.document(to=(make_organization(RECIPIENT), make_organization("000.00.01.H99")))
    await world.store.documents.accept(world.acceptance(document=several, request_id="several"), at=NOW)
    outbox, records = world.store.outbox, world.store.reconciliation
    for longest in (True, False):
        leased = await outbox.lease("w", route=ROUTE, limit=1, lease_for=MINUTE, at=NOW, longest_waiting=longest, cap=5)
        for message in leased:
            await outbox.begin_submit(message, at=NOW)
            if len(message.recipients) > 1:
                await outbox.divide(message, reason="refused", at=NOW)
    await outbox.hasten(ROUTE, at=NOW)
    other = AccountName("other")
    await world.store.documents.accept(world.acceptance(via=(other, ROUTE)), at=NOW)
    assert await outbox.fail_over(other, among={ROUTE}, at=NOW) == {ROUTE: 1}
    await records.sent(ROUTE, after=SentMark(sent_at=NOW - MINUTE, axis_doc_id=""), until=NOW, limit=5)
    await records.unproven(ROUTE, since=NOW - MINUTE, limit=5)
    await records.still_sent(["x"])
    await records.repair("x", "axis", at=NOW)


async def take_statuses(world):
    batch = [
        (make_received(item=make_item(kind=PacketKind.STATUS)), make_status(status_code=code)) for code in ("03", "13")
    ]
    await world.store.items.take_statuses(batch, at=NOW)
    await world.store.items.unfinished(ROUTE, limit=5, kind=PacketKind.STATUS)
    await world.store.items.told(ROUTE, [received.item.axis_doc_id for received, _ in batch], at=NOW)


async def use_door(world):
    """What vendor systems that speak the national SDK ask besides."""
    await receive(world)
    receptions, feed = world.store.receptions, world.store.feed
    everything = frozenset({world.id(RECIPIENT)})
    for states in ({ReceptionState.WAITING, ReceptionState.LEASED}, {ReceptionState.ACKNOWLEDGED}):
        narrow = ReceptionFilter(
            states=frozenset(states), recipients=everything, received_from=NOW, received_before=NOW + MINUTE
        )
        await receptions.listed(VENDOR_B, narrow, skip=1, limit=5)
    waiting = ReceptionFilter(states=frozenset({ReceptionState.WAITING}))
    (line,) = await receptions.listed(VENDOR_B, waiting, skip=0, limit=5)
    await receptions.count(VENDOR_B, most=5)
    named = make_status().response_for
    await receptions.find(world.id(RECIPIENT), named, recall_first=True)
    await receptions.source(line.id)
    await world.store.correspondence.latest(VENDOR_A, skip=0, limit=5)
    first = world.acceptance(request_id="taken-back")
    await world.store.documents.accept(first, at=NOW)
    asked = make_status(first.document, sender=first.document.sender, status_code="13")
    asked = replace(asked, response_for=replace(asked.response_for, organ_id=RECIPIENT))
    assert await world.store.correspondence.take_back(asked, at=NOW)
    await feed.begin(VENDOR_A, at=NOW)
    await world.store.database.write(
        lambda conn: append(
            conn,
            [
                NewEvent(
                    agency=world.id(SENDER), resource="x", document_id="x", recipient_code="x", change=make_status()
                )
            ],
            at=NOW,
        )
    )
    (status,) = await feed.waiting(VENDOR_A, limit=5)
    await feed.count(VENDOR_A, most=5)
    assert await feed.take(VENDOR_A, status.id)


EVERY = pytest.mark.parametrize(
    "work",
    [
        lease,
        settle,
        accept,
        list_documents,
        receive,
        keep_as_parts,
        place_statuses,
        pull,
        watch,
        measure,
        check_blobs,
        resolve,
        retain,
        deliver,
        take_statuses,
        operate,
        use_door,
    ],
)


@EVERY
@on_sqlite
async def test_no_table_is_read_whole(world, store_path, work):
    """Every statement of the call reaches its tables through an index."""
    await world.store.documents.accept(world.acceptance(), at=NOW)
    run: list[tuple[str, object]] = []

    def note(_conn, _cursor, statement, parameters, _context, _many):
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            run.append((statement, parameters[0] if _many else parameters))

    for engine in (world.store.database._writer, world.store.database._readers):
        sa.event.listen(engine.sync_engine, "before_cursor_execute", note)
    await work(world)
    assert run
    with closing(sqlite3.connect(store_path)) as database:
        for statement, parameters in run:
            for *_, step in database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters):
                scan = re.match(r"SCAN (\w+)(?! USING)(?: |$)(?!USING)", step)
                assert scan is None or scan[1] in SMALL, (step, statement)


SEQUENTIAL = re.compile(r"Seq Scan on (\w+)")


@EVERY
@on_postgres
async def test_postgres_has_an_index_for_everything(world, work):
    """Asked to avoid reading tables whole, the server's plans for the call's statements find an index for each."""
    await world.store.documents.accept(world.acceptance(), at=NOW)
    run: list[tuple[str, tuple[object, ...]]] = []

    def note(_conn, _cursor, statement, parameters, _context, _many):
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")) and "advisory" not in statement:
            run.append((statement, parameters[0] if _many else parameters))

    engines = (world.store.database._writer, world.store.database._readers)
    for engine in engines:
        sa.event.listen(engine.sync_engine, "before_cursor_execute", note)
    await work(world)
    for engine in engines:
        sa.event.remove(engine.sync_engine, "before_cursor_execute", note)
    assert run

    async def explain(conn):
        await conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for statement, parameters in run:
            plan = "\n".join(await conn.scalars(*bound(f"EXPLAIN {statement}", parameters)))
            whole = set(SEQUENTIAL.findall(plan)) - SMALL
            assert not whole, (whole, statement, plan)

    await world.store.database.write(explain)


def bound(statement, parameters):
    """A statement of the driver's with `$1` places, as SQLAlchemy takes it."""
    names = {f"p{n}": value for n, value in enumerate(parameters, 1)}
    return sa.text(re.sub(r"\$(\d+)::(BIGINT|INTEGER|VARCHAR|BOOLEAN)", r"CAST(:p\1 AS \2)", statement)), names
