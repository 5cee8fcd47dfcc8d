"""InboundItems over a real database: each document once per recipient, each status once, where it belongs."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest

from gateway.domain.document import BusinessType
from gateway.domain.ids import AxisDocId
from gateway.domain.lifecycle import ItemState, MessageState, ReceptionState
from gateway.domain.packet import PacketDefect, PacketKind, PacketWarning
from gateway.domain.status import StatusReport
from gateway.ports.inbound import ContentConflict, ItemRecord, StatusPlaced, StatusUnplaced, Stored
from gateway.ports.outbound import Settlement
from gateway.store.moves import IllegalMoveError
from tests.contract.conftest import OTHER, VENDOR_A, VENDOR_B
from tests.make import (
    NOW,
    RECIPIENT,
    ROUTE,
    SENDER,
    make_arrival,
    make_digest,
    make_document,
    make_item,
    make_organization,
    make_received,
    make_response_for,
    make_status,
    make_verified,
)

MINUTE = timedelta(minutes=1)
DEFECT = PacketDefect(code="XML_MALFORMED", path="", message="not XML")


async def arrive(world, document, *recipients, receipts=(), at=NOW, **overrides):
    """Record and store an arrival of the document for local recipients."""
    agencies = tuple(world.agencies[code] for code in recipients or (RECIPIENT,))
    arrival = make_arrival(document, recipients=agencies, **overrides)
    await world.store.items.record(make_received(item=arrival.item), at=at)
    return arrival, await world.store.items.store(arrival, receipts=receipts, at=at)


async def state(world, arrival):
    (found,) = (await world.store.items.states(ROUTE, [arrival.item.axis_doc_id])).values()
    return found


async def pulled(world, vendor=VENDOR_B):
    return await world.store.receptions.lease(vendor, under=None, limit=99, lease_for=MINUTE, at=NOW)


async def sent_messages(world):
    return await world.store.outbox.lease("w", route=ROUTE, limit=99, lease_for=MINUTE, at=NOW)


async def report(world, status, **overrides):
    """Record and place a status packet."""
    received = make_received(item=make_item(kind=PacketKind.STATUS), **overrides)
    await world.store.items.record(received, at=NOW)
    return received, await world.store.items.place_status(received, status, at=NOW)


async def accept(world, **overrides):
    taken = await world.store.documents.accept(world.acceptance(document=world.document(**overrides)), at=NOW)
    return taken.sent


async def test_an_item_goes_its_way_and_survives_unfinished(world):
    """States are remembered; unfinished items are found oldest first with their raw packet until the axis is told."""
    first, second = make_received(), make_received()
    await world.store.items.record(second, at=NOW + MINUTE)
    await world.store.items.record(first, at=NOW)
    assert await world.store.items.unfinished(ROUTE, limit=9) == (
        ItemRecord(received=first, state=ItemState.FETCHED, whole=True),
        ItemRecord(received=second, state=ItemState.FETCHED, whole=True),
    )
    ids = [first.item.axis_doc_id, second.item.axis_doc_id, AxisDocId("nobody")]
    assert await world.store.items.states(ROUTE, ids) == dict.fromkeys(ids[:2], ItemState.FETCHED)
    for _ in range(2):
        await world.store.items.quarantine(first, DEFECT)
    await world.store.items.told(ROUTE, [ids[0]], at=NOW)
    await world.store.items.told(ROUTE, [ids[0]], at=NOW)
    assert (await world.store.items.states(ROUTE, ids))[ids[0]] is ItemState.REJECTED
    assert [await world.store.items.defect(ROUTE, id_) for id_ in ids] == [DEFECT, None, None]
    assert [r.received for r in await world.store.items.unfinished(ROUTE, limit=9)] == [second]
    assert (await world.store.outbox.depth(at=NOW, near=timedelta(hours=1))).quarantined == 1


@pytest.mark.parametrize("told", [True, False])
async def test_a_reopened_item_is_to_be_read_again(world, told):
    """Out of quarantine it is as it was fetched; what is not in quarantine, or not known, is left alone."""
    received, other = make_received(), make_received()
    id_, items = received.item.axis_doc_id, world.store.items
    await items.record(received, at=NOW)
    await items.record(other, at=NOW + MINUTE)
    await items.quarantine(received, DEFECT)
    if told:
        await items.told(ROUTE, [id_], at=NOW)
    for again in (id_, other.item.axis_doc_id, AxisDocId("nobody")):
        await items.reopen(ROUTE, again)
    assert await items.defect(ROUTE, id_) is None
    assert await items.unfinished(ROUTE, limit=9) == (
        ItemRecord(received=received, state=ItemState.FETCHED, whole=True),
        ItemRecord(received=other, state=ItemState.FETCHED, whole=True),
    )


async def test_the_axis_is_not_told_of_what_is_not_stored(world):
    """Telling of an item that is only fetched, as after a retake, changes nothing; of an unknown one, it raises."""
    received = make_received()
    id_ = received.item.axis_doc_id
    await world.store.items.record(received, at=NOW)
    await world.store.items.told(ROUTE, [id_], at=NOW)
    assert await world.store.items.states(ROUTE, [id_]) == {id_: ItemState.FETCHED}
    assert [each.received for each in await world.store.items.unfinished(ROUTE, limit=9)] == [received]
    with pytest.raises(IllegalMoveError):
        await world.store.items.told(ROUTE, [make_item().axis_doc_id], at=NOW)
    with pytest.raises(IllegalMoveError):
        await world.store.items.store(make_arrival(), receipts=(), at=NOW)


async def test_an_arrival_waits_for_its_recipients_vendor(world):
    """A stored arrival is handed to the vendor that serves its recipient, whole; unserved recipients are unclaimed."""
    document = make_document()
    warnings = (PacketWarning(code="ODD", path="a/b", message="tolerated"),)
    verified = make_verified(document, warnings=warnings)
    arrival, stored = await arrive(world, document, RECIPIENT, OTHER, verified=verified)
    assert stored == Stored(added=2, redundant=())
    assert await state(world, arrival) is ItemState.STORED
    (entry,) = await pulled(world)
    assert (entry.document, entry.warnings, entry.recipient) == (verified.document, warnings, world.agencies[RECIPIENT])
    assert await pulled(world, VENDOR_A) == ()
    depth = await world.store.outbox.depth(at=NOW, near=timedelta(hours=1))
    assert (depth.inbox_waiting, depth.inbox_unclaimed) == (2, 1)


async def test_a_repetition_adds_nothing_and_a_new_recipient_one(world):
    """The same content again adds only recipients that are new; its objects are handed back."""
    document = make_document()
    await arrive(world, document)
    again, stored = await arrive(world, document, RECIPIENT, OTHER)
    assert stored == Stored(added=1, redundant=tuple(o.key for o in again.verified.objects))
    assert await world.store.items.store(again, receipts=(), at=NOW) == Stored(added=0, redundant=stored.redundant)


async def test_concurrent_arrivals_of_one_document(world):
    """The same document through many items at once makes one reception per recipient."""
    document = make_document()
    answers = await asyncio.gather(*(arrive(world, document, RECIPIENT, OTHER) for _ in range(8)))
    assert sorted(stored.added for _, stored in answers) == [0] * 7 + [2]
    assert len(await pulled(world)) == 1


async def test_other_content_under_a_known_id_is_quarantined(world):
    """Another digest for a new document is a conflict: the item is kept for operators, nothing is overwritten."""
    document = make_document()
    await arrive(world, document)
    arrival, stored = await arrive(world, document, OTHER, content_digest=make_digest("other"))
    assert stored == ContentConflict(redundant=tuple(o.key for o in arrival.verified.objects))
    assert await state(world, arrival) is ItemState.QUARANTINED
    assert len(await pulled(world)) == 1
    assert (await world.store.outbox.depth(at=NOW, near=timedelta(hours=1))).inbox_waiting == 1
    await world.store.items.told(ROUTE, [arrival.item.axis_doc_id], at=NOW)
    assert await state(world, arrival) is ItemState.REJECTED


@pytest.mark.parametrize("overrides", [{"business_type": BusinessType.UPDATE}, {"document_id": " "}])
async def test_other_content_is_a_further_message_where_the_id_is_no_identity(world, overrides):
    """Updates of one document, and documents without an id, are told apart by their content."""
    document = make_document(**overrides)
    for digest, added in (("a", 1), ("b", 1), ("a", 0)):
        _, stored = await arrive(world, document, content_digest=make_digest(digest))
        assert stored.added == added
    assert len(await pulled(world)) == 2


async def test_receipts_go_out_for_new_receptions_only(world):
    """Of the receipts given those of newly added recipients enter the outbox, through the item's own account."""
    document = make_document()
    receipts = [make_status(document, sender=make_organization(code), status_code="01") for code in (RECIPIENT, OTHER)]
    await arrive(world, document, receipts=receipts[:1])
    assert [m.report for m in await sent_messages(world)] == receipts[:1]
    await arrive(world, document, RECIPIENT, OTHER, receipts=receipts)
    (message,) = await sent_messages(world)
    assert (message.report, message.route) == (receipts[1], ROUTE)
    await arrive(world, document, RECIPIENT, OTHER, receipts=receipts)
    assert await sent_messages(world) == ()


async def test_a_refused_arrival_is_never_handed_out(world):
    """An altered document is stored as REFUSED with its receipt, and no vendor is given it."""
    document = make_document()
    receipt = make_status(document, status_code="02")
    await arrive(world, document, refusal="chữ ký không khớp", receipts=[receipt])
    assert await pulled(world) == ()
    assert [m.report for m in await sent_messages(world)] == [receipt]
    assert (await world.store.outbox.depth(at=NOW, near=timedelta(hours=1))).inbox_waiting == 0


async def test_a_status_reaches_the_delivery_and_the_watcher(world):
    """A recipient's status is shown at its delivery and logged for the sender; the item is done."""
    sent = await accept(world)
    status = make_status(sent.document)
    received, placed = await report(world, status)
    assert placed == StatusPlaced(repeated=False)
    shown = await world.store.documents.get(sent.uid)
    assert [d.last_status for d in shown.deliveries] == ["03", ""]
    event = (await world.store.events.read(VENDOR_A, under=None, after=2, limit=9)).events[0]
    assert (event.resource, event.recipient_code, event.change) == (f"documents/{sent.uid}", RECIPIENT, status)
    assert (await world.store.items.states(ROUTE, [received.item.axis_doc_id])).popitem()[1] is ItemState.STORED
    assert await world.store.items.place_status(received, status, at=NOW) == StatusPlaced(repeated=True)


async def test_a_status_is_logged_once_unless_it_may_come_again(world):
    """03 counts once whatever its time; 05 counts once per time."""
    sent = await accept(world)
    outcomes = []
    for code, second in (("03", 0), ("03", 1), ("05", 0), ("05", 0), ("05", 1)):
        status = make_status(sent.document, status_code=code, timestamp=f"2026/03/02 09:30:0{second}")
        outcomes.append((await report(world, status))[1].repeated)
    assert outcomes == [False, True, False, True, False]
    assert len((await world.store.events.read(VENDOR_A, under=None, after=2, limit=9)).events) == 3


async def test_a_late_arrival_notice_does_not_hide_what_came_before(world):
    """01 after 03 is logged but 03 stays the last status; else the latest to arrive is shown, unknown codes too."""
    sent = await accept(world)
    shown = []
    for code in ("03", "01", "06", "05", "77"):
        assert (await report(world, make_status(sent.document, status_code=code)))[1] == StatusPlaced(repeated=False)
        shown.append((await world.store.documents.get(sent.uid)).deliveries[0].last_status)
    assert shown == ["03", "03", "06", "05", "77"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"document_id": f" {SENDER},2026-3-02,{{number}}/tn-vp"},
        {"document_id": "something else"},
        {"document_id": ""},
        {"organ_id": "15.01.h98"},
    ],
)
async def test_a_status_is_matched_as_peers_write_it(world, wrong):
    """The document is found by its id with other date and case, by number and notation, by any code of the sender."""
    sent = await accept(world)
    filled = {name: value.format(number=sent.document.code_number) for name, value in wrong.items()}
    status = make_status(sent.document, response_for=make_response_for(sent.document, **filled))
    assert (await report(world, status))[1] == StatusPlaced(repeated=False)


async def test_a_reporter_is_known_by_any_of_its_codes(world):
    """A recipient that reports under an old code is found."""
    sent = await accept(world)
    status = make_status(sent.document, sender=make_organization("22.01.h99"))
    assert (await report(world, status))[1] == StatusPlaced(repeated=False)
    assert (await world.store.documents.get(sent.uid)).deliveries[0].last_status == "03"


async def test_of_documents_with_one_number_the_day_decides(world):
    """Numbers begin anew each year: a status matched by number goes to the document of its promulgation date."""
    old = await accept(world, code_number="1", promulgation_date=date(2025, 1, 5))
    new = await accept(world, code_number="1", promulgation_date=date(2026, 1, 5))
    for code, sent in (("03", old), ("04", new)):
        about = make_response_for(sent.document, document_id="")
        _, placed = await report(world, make_status(sent.document, status_code=code, response_for=about))
        assert placed == StatusPlaced(repeated=False)
        assert (await world.store.documents.get(sent.uid)).deliveries[0].last_status == code


async def test_a_day_nobody_knows_leaves_the_newest(world):
    """Where no document of that number has the day named, as peers may write another, the newest is meant."""
    await accept(world, code_number="1")
    later = world.acceptance(document=world.document(code_number="1"))
    newest = (await world.store.documents.accept(later, at=NOW + MINUTE)).sent
    about = make_response_for(newest.document, document_id="", promulgation_date=date(1999, 1, 1))
    await report(world, make_status(newest.document, response_for=about))
    assert (await world.store.documents.get(newest.uid)).deliveries[0].last_status == "03"


@pytest.mark.parametrize(
    "overrides",
    [{"sender": make_organization("H98")}, {"response_for": make_response_for(make_document(), code="9/X")}],
)
async def test_a_status_from_nowhere_is_quarantined(world, overrides):
    """A status of an agency that is no recipient, or about an unknown document, is kept for operators, not logged."""
    sent = await accept(world)
    received, placed = await report(world, make_status(sent.document, **overrides))
    assert isinstance(placed, StatusUnplaced)
    assert placed.reason
    assert (await world.store.items.states(ROUTE, [received.item.axis_doc_id])).popitem()[1] is ItemState.QUARANTINED
    assert (await world.store.outbox.depth(at=NOW, near=timedelta(hours=1))).quarantined == 1
    assert len((await world.store.events.read(VENDOR_A, under=None, after=0, limit=9)).events) == 2


async def test_a_take_back_is_told_to_the_recipient(world):
    """Status 13 of the original sender is an event of the recipient agency at its received document."""
    document = make_document()
    await arrive(world, document)
    (entry,) = await pulled(world)
    ask = make_status(
        document,
        status_code="13",
        sender=document.sender,
        response_for=make_response_for(document, organ_id=RECIPIENT),
    )
    assert (await report(world, ask))[1] == StatusPlaced(repeated=False)
    assert (await report(world, ask))[1] == StatusPlaced(repeated=True)
    later = replace(ask, timestamp="2026/03/03 10:00:00")
    assert (await report(world, later))[1] == StatusPlaced(repeated=False)
    events = (await world.store.events.read(VENDOR_B, under=None, after=0, limit=9)).events
    assert [(e.agency_code, e.resource, e.change) for e in events] == [
        (RECIPIENT, f"receivedDocuments/{entry.id}", ask),
        (RECIPIENT, f"receivedDocuments/{entry.id}", later),
    ]
    foreign = replace(ask, response_for=make_response_for(document, organ_id=OTHER))
    assert isinstance((await report(world, foreign))[1], StatusUnplaced)


async def test_statuses_do_not_wait_for_another_document(world):
    """The receipt of one document goes out though that of another is held."""
    first, second = make_document(), make_document()
    await arrive(world, first, receipts=[make_status(first, status_code="01")])
    (message,) = await sent_messages(world)
    await world.store.outbox.begin_submit(message, at=NOW)
    held = Settlement(state=MessageState.HELD, due_at=None, reason="", counted=True, axis_doc_id=None)
    await world.store.outbox.settle(message, held, at=NOW)
    await arrive(world, second, receipts=[make_status(second, status_code="01")])
    assert len(await sent_messages(world)) == 1
    assert (await pulled(world))[0].state is ReceptionState.LEASED


async def test_statuses_are_taken_together_in_order(world):
    """Recorded and placed in one go: events in order, a repetition and a stranger apart; again, nothing changes."""
    document = world.document()
    await world.store.documents.accept(world.acceptance(document=document), at=NOW)
    reports = [make_status(document, status_code=code) for code in ("03", "03", "06")] + [make_status()]
    packets = [make_received(item=make_item(kind=PacketKind.STATUS)) for _ in reports]
    batch = list(zip(packets, reports, strict=True))
    taken = await world.store.items.take_statuses(batch, at=NOW)
    assert taken.redundant == ()
    assert [getattr(outcome, "repeated", None) for outcome in taken.outcomes] == [False, True, False, None]
    states = await world.store.items.states(ROUTE, [each.item.axis_doc_id for each in packets])
    assert [states[each.item.axis_doc_id] for each in packets] == [ItemState.STORED] * 3 + [ItemState.QUARANTINED]
    again = [(make_received(item=received.item), report) for received, report in batch]
    taken = await world.store.items.take_statuses(again[:3], at=NOW)
    assert taken.redundant == tuple(received.raw.key for received, _ in again[:3])
    assert all(outcome.repeated for outcome in taken.outcomes)
    events = (await world.store.events.read(VENDOR_A, under=None, after=0, limit=99)).events
    assert [e.change.status_code for e in events if isinstance(e.change, StatusReport)] == ["03", "06"]
