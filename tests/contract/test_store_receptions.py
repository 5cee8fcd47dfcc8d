"""Receptions over a real database: leases, acknowledgement, refusal, reports."""

import asyncio
from datetime import timedelta

from gateway.domain.document import OtherInfo, Priority
from gateway.domain.ids import ReceptionId
from gateway.domain.lifecycle import ReceptionState
from gateway.domain.mandate import Mandate
from gateway.ports import RequestReused
from tests.contract.conftest import OTHER, VENDOR_A, VENDOR_B
from tests.make import NOW, RECIPIENT, ROUTE, make_arrival, make_document, make_received, make_status

LEASE = timedelta(seconds=30)
TICK = timedelta(microseconds=1)


async def arrive(world, *, at=NOW, code=RECIPIENT, **overrides):
    """A received document for one agency."""
    document = make_document(**overrides)
    arrival = make_arrival(document, recipients=(world.agencies[code],))
    await world.store.items.record(make_received(item=arrival.item), at=at)
    await world.store.items.store(arrival, receipts=(), at=at)
    return document


async def pull(world, at=NOW, vendor=VENDOR_B, under=None, limit=10):
    return await world.store.receptions.lease(vendor, under=under, limit=limit, lease_for=LEASE, at=at)


async def pull_one(world, at=NOW):
    (entry,) = await pull(world, at)
    return entry


async def statuses(world):
    leased = await world.store.outbox.lease("w", route=ROUTE, limit=99, lease_for=LEASE, at=NOW)
    return [message.report.status_code for message in leased]


async def test_a_lease_shows_its_proof_end_and_count(world):
    """Each lease has a new ack id, its deadline and the number of the delivery attempt."""
    await arrive(world)
    first = await pull_one(world)
    assert (first.state, first.ack_deadline, first.delivery_attempt) == (ReceptionState.LEASED, NOW + LEASE, 1)
    assert await pull(world, at=NOW + LEASE) == ()
    second = await pull_one(world, at=NOW + LEASE + TICK)
    assert (second.id, second.delivery_attempt) == (first.id, 2)
    assert second.ack_id != first.ack_id
    assert await world.store.receptions.get(first.id) == second
    assert await world.store.receptions.get(ReceptionId("nobody")) is None


async def test_urgent_first_then_oldest(world):
    """Entries come by priority, then by age, across several pulls."""
    for priority, minute in ((0, 1), (0, 0), (Priority.FLASH, 2)):
        info = OtherInfo(priority=priority)
        await arrive(world, at=NOW + timedelta(minutes=minute), other_info=info, subject=f"{priority} {minute}")
    first = await pull(world, at=NOW + LEASE * 9, limit=2)
    rest = await pull(world, at=NOW + LEASE * 9)
    assert [entry.document.subject for entry in (*first, *rest)] == ["3 2", "0 0", "0 1"]


async def test_concurrent_pulls_share_the_documents_out(world):
    """No document is handed to two pulls at once."""
    for _ in range(6):
        await arrive(world)
    pulls = await asyncio.gather(*(pull(world, limit=2) for _ in range(5)))
    ids = [entry.id for entries in pulls for entry in entries]
    assert len(ids) == len(set(ids)) == 6


async def test_who_serves_the_agency_now_receives(world):
    """Receiving follows the mandates of the moment and may be narrowed to a subtree."""
    await arrive(world, code=OTHER)
    assert await pull(world) == ()
    mandates = [Mandate(vendor=VENDOR_B, agency=world.id(code), serves=True) for code in (OTHER, RECIPIENT)]
    await world.store.directory.set_mandates(mandates)
    assert await pull(world, under=world.id(RECIPIENT)) == ()
    assert await pull(world, vendor=VENDOR_A) == ()
    assert len(await pull(world, under=world.id("H99"))) == 1


async def test_acknowledging_sends_one_receipt(world):
    """The acknowledgement takes the entry out of the inbox; repeated, with whatever proof, it adds no receipt."""
    document = await arrive(world)
    entry = await pull_one(world)
    receipt = make_status(document, status_code="01")
    receptions = world.store.receptions
    assert await receptions.acknowledge(entry.id, "wrong", receipt=receipt, at=NOW) is None
    assert await receptions.acknowledge(ReceptionId("nobody"), entry.ack_id, receipt=receipt, at=NOW) is None
    for ack_id in (entry.ack_id, entry.ack_id, "wrong"):
        answer = await receptions.acknowledge(entry.id, ack_id, receipt=receipt, at=NOW)
        assert answer is ReceptionState.ACKNOWLEDGED
    assert await statuses(world) == ["01"]
    assert await pull(world, at=NOW + LEASE * 2) == ()
    refused = await receptions.refuse(entry.id, entry.ack_id, reason="late", receipt=receipt, at=NOW)
    assert refused is ReceptionState.ACKNOWLEDGED
    assert await statuses(world) == []


async def test_the_last_lease_counts_even_after_its_end(world):
    """An expired lease acknowledges while nobody leased again; an older one does not."""
    await arrive(world)
    first = await pull_one(world)
    second = await pull_one(world, at=NOW + LEASE * 2)
    late = NOW + LEASE * 9
    assert await world.store.receptions.acknowledge(first.id, first.ack_id, receipt=None, at=late) is None
    answer = await world.store.receptions.acknowledge(first.id, second.ack_id, receipt=None, at=late)
    assert answer is ReceptionState.ACKNOWLEDGED
    assert await statuses(world) == []


async def test_an_entry_never_leased_cannot_be_acknowledged(world):
    """Without a lease there is no proof that could fit, not even an empty one."""
    await arrive(world)
    entry = await pull_one(world)
    await world.store.database.write(lambda conn: conn.exec_driver_sql("UPDATE receptions SET ack_id = NULL"))
    assert await world.store.receptions.acknowledge(entry.id, "", receipt=None, at=NOW) is None


async def test_refusing_sends_one_status(world):
    """A refusal takes the entry out, sends 02 once, and bars the acknowledgement."""
    document = await arrive(world)
    entry = await pull_one(world)
    receipt = make_status(document, status_code="02")
    for _ in range(2):
        answer = await world.store.receptions.refuse(entry.id, entry.ack_id, reason="sai", receipt=receipt, at=NOW)
        assert answer is ReceptionState.REFUSED
    assert await statuses(world) == ["02"]
    answer = await world.store.receptions.acknowledge(entry.id, entry.ack_id, receipt=receipt, at=NOW)
    assert answer is ReceptionState.REFUSED
    assert await pull(world, at=NOW + LEASE * 2) == ()


async def test_concurrent_acknowledgements_send_one_receipt(world):
    """However many acknowledge at once, one receipt goes out."""
    document = await arrive(world)
    entry = await pull_one(world)
    receipt = make_status(document, status_code="01")
    answers = await asyncio.gather(
        *(world.store.receptions.acknowledge(entry.id, entry.ack_id, receipt=receipt, at=NOW) for _ in range(8))
    )
    assert set(answers) == {ReceptionState.ACKNOWLEDGED}
    assert await statuses(world) == ["01"]


async def test_a_report_goes_out_once_in_order(world):
    """A repeated request id or code is told apart from a new report; codes that may come again go out again."""
    document = await arrive(world)
    entry = await pull_one(world)
    said = [("r1", "03", True), ("r1", "03", False), ("r2", "03", False), ("r3", "05", True), ("r4", "05", True)]
    said.append(("r4", "05", False))
    for request_id, code, new in said:
        status = make_status(document, status_code=code)
        assert await world.store.receptions.report(entry.id, request_id, status, at=NOW) is new
    assert await statuses(world) == ["03"]
    depth = await world.store.outbox.depth(at=NOW, near=timedelta(hours=1))
    assert sum(depth.outbox.values()) == 3


async def test_a_request_id_with_another_code_is_no_repetition(world):
    """A second status under a used request id is refused, not swallowed; nothing is queued for it."""
    document = await arrive(world)
    entry = await pull_one(world)
    found = [
        await world.store.receptions.report(entry.id, "r1", make_status(document, status_code=code), at=NOW)
        for code in ("05", "06", "05")
    ]
    assert found == [True, RequestReused(), False]
    assert await statuses(world) == ["05"]


async def test_attachments_are_found_by_place(world):
    """A reception's attachment is named by its place, and only its own."""
    await arrive(world)
    entry = await pull_one(world)
    stored = await world.store.receptions.attachment(entry.id, 0)
    assert (stored.digest, stored.size) == (entry.document.attachments[0].sha256, entry.document.attachments[0].size)
    assert await world.store.receptions.attachment(entry.id, 1) is None
    assert await world.store.receptions.attachment(ReceptionId("nobody"), 0) is None
