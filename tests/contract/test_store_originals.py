"""How inbound packets are kept over a real database: whole, then as parts, never neither."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.ids import AxisDocId
from gateway.domain.packet import ContentSpan, EncodedPart, PacketDefect, SplitPacket
from gateway.ports import Original
from tests.contract.conftest import VENDOR_A, VENDOR_B
from tests.make import (
    NOW,
    RECIPIENT,
    ROUTE,
    make_arrival,
    make_attachment,
    make_document,
    make_item,
    make_received,
    make_stored,
)

DAY = timedelta(days=1)
MAIN, ANNEX = b"%PDF-1.7 main", b"annex"


def make_letter():
    return make_document(attachments=(make_attachment(MAIN), make_attachment(ANNEX, name="b.xlsx")))


async def receive(world, document=None, *, raw=None):
    """Record and store an item that carries MAIN and ANNEX."""
    arrival = make_arrival(document or make_letter(), recipients=(world.agencies[RECIPIENT],))
    received = make_received(item=arrival.item, **({} if raw is None else {"raw": raw}))
    await world.store.items.record(received, at=NOW)
    await world.store.items.store(arrival, receipts=(), at=NOW)
    return received, arrival.verified.objects


def make_parts(objects, *, skeleton=None):
    """The first content as it is, the second in a ZIP."""
    first, second = objects
    return SplitPacket(
        skeleton=skeleton or make_stored(b"skeleton"),
        spans=(
            ContentSpan(offset=10, length=20, part=EncodedPart(stored=first, zip_entry=None)),
            ContentSpan(offset=40, length=160, part=EncodedPart(stored=second, zip_entry="0.xlsx")),
        ),
    )


async def original(world, received):
    return await world.store.items.original(received.account, received.item.axis_doc_id)


def whole(received):
    return Original(digest=received.raw.digest, size=received.raw.size, kept=received.raw)


def in_parts(received, parts):
    return Original(digest=received.raw.digest, size=received.raw.size, kept=parts)


async def test_a_packet_is_whole_until_it_is_split(world):
    """The swap leaves the parts in place of the packet, whose object and row go; nobody knows an unknown item."""
    received, objects = await receive(world)
    other, _ = await receive(world)
    assert await original(world, received) == whole(received)
    parts = make_parts(objects)
    assert await world.store.items.split(received, parts) == (received.raw.key,)
    assert await original(world, received) == in_parts(received, parts)
    assert await original(world, other) == whole(other)
    known = await world.store.blobs.known([received.raw.key, parts.skeleton.key, *(o.key for o in objects)])
    assert known == {parts.skeleton.key, *(o.key for o in objects)}
    assert await world.store.items.original(ROUTE, AxisDocId("nobody")) is None


async def test_the_rest_of_the_item_is_as_before(world):
    """A split item is still told to the axis, and settled."""
    received, objects = await receive(world)
    await world.store.items.split(received, make_parts(objects))
    (record,) = await world.store.items.unfinished(ROUTE, limit=9)
    assert record.received.item == received.item
    await world.store.items.told(ROUTE, [received.item.axis_doc_id], at=NOW)
    assert await world.store.items.unfinished(ROUTE, limit=9) == ()
    assert (await original(world, received)).digest == received.raw.digest


async def test_parts_refer_to_the_objects_that_are_kept(world):
    """Contents stored before under other keys are found by their digest: what this reading stored may be discarded."""
    document = make_letter()
    _, kept = await receive(world, document)
    received, spare = await receive(world, document)
    parts = make_parts(spare)
    assert await world.store.items.split(received, parts) == (received.raw.key,)
    assert (await original(world, received)).kept == make_parts(kept, skeleton=parts.skeleton)
    assert await world.store.blobs.known([o.key for o in spare]) == frozenset()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_the_same_packet_twice(world, order):
    """The object of a packet that came as two items goes with the last of them; their one skeleton is kept once."""
    document = make_letter()
    first = await receive(world, document)
    second = await receive(world, document, raw=replace(first[0].raw, key=make_stored().key))
    ways = [(first[0], make_parts(first[1])), (second[0], make_parts(second[1]))]
    (early, its_parts), (late, late_parts) = (ways[place] for place in order)
    assert await world.store.items.split(early, its_parts) == ()
    assert (await original(world, late)).kept == first[0].raw
    assert await world.store.items.split(late, late_parts) == (late_parts.skeleton.key, first[0].raw.key)
    for received in (early, late):
        kept = make_parts(first[1], skeleton=its_parts.skeleton)
        assert await original(world, received) == in_parts(received, kept)


async def test_a_packet_that_serves_otherwise_keeps_its_object(world):
    """Bytes that somebody uploaded, or that are an attachment too, stay."""
    received, objects = await receive(world)
    await world.store.blobs.register_upload(VENDOR_B, received.raw, expires_at=NOW)
    assert await world.store.items.split(received, make_parts(objects)) == ()
    assert await world.store.blobs.known([received.raw.key]) == {received.raw.key}
    assert await world.store.blobs.sweep(unreferenced_since=NOW + DAY, limit=9) == (received.raw.key,)


async def test_the_sweep_keeps_the_parts(world):
    """Uploads of the same bytes expire; skeleton and contents live on with the item."""
    received, objects = await receive(world)
    parts = make_parts(objects)
    await world.store.items.split(received, parts)
    for stored in (parts.skeleton, *objects):
        await world.store.blobs.register_upload(VENDOR_A, stored, expires_at=NOW)
    assert await world.store.blobs.sweep(unreferenced_since=NOW + DAY, limit=9) == ()
    assert await original(world, received) == in_parts(received, parts)


async def fetched(world):
    received = make_received()
    await world.store.items.record(received, at=NOW)
    return received, received


async def quarantined(world):
    received, _ = await fetched(world)
    await world.store.items.quarantine(received, PacketDefect(code="XML_MALFORMED", path="", message="not XML"))
    return received, received


async def rejected(world):
    received, _ = await quarantined(world)
    await world.store.items.told(ROUTE, [received.item.axis_doc_id], at=NOW)
    return received, received


async def fetched_anew_with_other_bytes(world):
    received, _ = await receive(world)
    return received, make_received(item=received.item)


@pytest.mark.parametrize("case", [fetched, quarantined, rejected, fetched_anew_with_other_bytes])
async def test_what_must_stay_whole_does(world, case):
    """A packet not read yet, one kept for operators, and one whose parts are those of other bytes are not touched."""
    _, objects = await receive(world)
    kept, claimed = await case(world)
    parts = make_parts(objects)
    assert await world.store.items.split(claimed, parts) == (parts.skeleton.key,)
    assert await original(world, kept) == whole(kept)
    assert await world.store.blobs.known([parts.skeleton.key]) == frozenset()


async def test_a_packet_whose_contents_are_not_kept_stays_whole(world):
    """No part refers to an object without a row."""
    received, (first, _) = await receive(world)
    parts = make_parts((first, make_stored(b"unknown")))
    assert await world.store.items.split(received, parts) == (parts.skeleton.key,)
    assert await original(world, received) == whole(received)


async def test_a_split_packet_is_not_split_again(world):
    """Repeating it changes nothing, and only a further copy of the skeleton is handed back."""
    received, objects = await receive(world)
    parts = make_parts(objects)
    await world.store.items.split(received, parts)
    assert await world.store.items.split(received, parts) == ()
    again = make_parts(objects, skeleton=make_stored(b"skeleton"))
    assert await world.store.items.split(received, again) == (again.skeleton.key,)
    assert await original(world, received) == in_parts(received, parts)


async def test_a_swap_that_fails_leaves_the_packet_whole(world):
    """The rows change together or not at all."""
    received, objects = await receive(world)
    parts = make_parts(objects)
    broken = replace(parts, spans=(parts.spans[0], replace(parts.spans[1], offset=None)))
    with pytest.raises(Exception, match=r"(?i)not.null"):
        await world.store.items.split(received, broken)
    assert await original(world, received) == whole(received)
    assert await world.store.blobs.known([received.raw.key, parts.skeleton.key]) == {received.raw.key}


async def test_many_contents_keep_their_order(world):
    """More contents than one statement binds, the same one over and over, come back in their order."""
    received, objects = await receive(world)
    part = EncodedPart(stored=objects[0], zip_entry=None)
    spans = tuple(ContentSpan(offset=30 * n, length=20, part=part) for n in range(1200))
    parts = SplitPacket(skeleton=make_stored(b"skeleton"), spans=spans)
    await world.store.items.split(received, parts)
    assert (await original(world, received)).kept == parts


async def test_what_an_axis_adds_to_an_attachment_is_kept(world):
    """Field name, declared type and format come back, of what was sent and of what was received."""
    added = {"field_name": "file1", "mime_type": "application/x-pdf", "format": "PDF/A"}
    document = world.document(attachments=(make_attachment(MAIN, **added), make_attachment(ANNEX)))
    sent = (await world.store.documents.accept(world.acceptance(document=document), at=NOW)).sent
    assert (await world.store.documents.get(sent.uid)).document == document
    arrival = make_arrival(document, item=make_item(), recipients=(world.agencies[RECIPIENT],))
    await world.store.items.record(make_received(item=arrival.item), at=NOW)
    await world.store.items.store(arrival, receipts=(), at=NOW)
    (entry,) = await world.store.receptions.lease(VENDOR_B, under=None, limit=9, lease_for=DAY, at=NOW)
    assert entry.document == arrival.verified.document
    assert [a.field_name for a in entry.document.attachments] == ["file1", ""]
