"""BlobIndex over a real database: who may refer to what, and what the sweep may forget."""

from datetime import timedelta

from tests.contract.conftest import VENDOR_A, VENDOR_B
from tests.make import (
    NOW,
    RECIPIENT,
    make_arrival,
    make_attachment,
    make_document,
    make_item,
    make_received,
    make_stored,
)

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


async def test_the_same_bytes_are_kept_once(world):
    """A second upload of known bytes is answered with the older object; only the time can grow, never shrink."""
    first, second = make_stored(b"a"), make_stored(b"a")
    blobs = world.store.blobs
    assert (await blobs.register_upload(VENDOR_A, first, expires_at=NOW + DAY)).stored == first
    again = await blobs.register_upload(VENDOR_B, second, expires_at=NOW + DAY)
    assert again.stored == first
    assert (await blobs.register_upload(VENDOR_A, second, expires_at=NOW + 2 * DAY)).expires_at == NOW + 2 * DAY
    assert (await blobs.register_upload(VENDOR_A, second, expires_at=NOW)).expires_at == NOW + 2 * DAY
    assert await blobs.known([first.key, second.key]) == {first.key}


async def test_the_bytes_kept_are_counted_once_each(world):
    """An object counts with its size however often it is referred to, and no more once it is forgotten."""
    blobs = world.store.blobs
    assert await blobs.kept_bytes() == 0
    for vendor, content in ((VENDOR_A, b"a" * 10), (VENDOR_B, b"a" * 10), (VENDOR_A, b"b" * 100)):
        await blobs.register_upload(vendor, make_stored(content), expires_at=NOW)
    assert await blobs.kept_bytes() == 110
    await blobs.sweep(unreferenced_since=NOW + DAY, limit=10)
    assert await blobs.kept_bytes() == 0


async def test_only_an_unexpired_upload_of_ones_own_may_be_referred_to(world):
    """A digest is referable to the vendor that uploaded it, until the upload expires, and to nobody else."""
    stored = make_stored(b"a")
    await world.store.blobs.register_upload(VENDOR_A, stored, expires_at=NOW + DAY)
    referable = world.store.blobs.referable
    assert await referable(VENDOR_A, [stored.digest], at=NOW + DAY - TICK) == {stored.digest: stored}
    assert await referable(VENDOR_A, [stored.digest], at=NOW + DAY) == {}
    assert await referable(VENDOR_B, [stored.digest], at=NOW) == {}


async def test_sent_and_received_bytes_may_be_referred_to(world):
    """A vendor may refer to attachments of documents it sent, and of those that an agency it serves received."""
    await world.store.documents.accept(world.acceptance(), at=NOW)
    sent = make_attachment().sha256
    assert set(await world.store.blobs.referable(VENDOR_A, [sent], at=NOW)) == {sent}
    assert await world.store.blobs.referable(VENDOR_B, [sent], at=NOW) == {}
    arrival = make_arrival(
        make_document(attachments=(make_attachment(b"inbound"),)), recipients=(world.agencies[RECIPIENT],)
    )
    await world.store.items.record(make_received(item=arrival.item), at=NOW)
    await world.store.items.store(arrival, receipts=(), at=NOW)
    received = arrival.verified.objects[0]
    assert await world.store.blobs.referable(VENDOR_B, [received.digest], at=NOW) == {received.digest: received}
    assert await world.store.blobs.referable(VENDOR_A, [received.digest], at=NOW) == {}


async def test_the_sweep_forgets_expired_uploads_only(world):
    """An upload is swept once it expired before the instant given, and not a microsecond earlier."""
    old, new = make_stored(b"old"), make_stored(b"new")
    blobs = world.store.blobs
    await blobs.register_upload(VENDOR_A, old, expires_at=NOW)
    await blobs.register_upload(VENDOR_B, old, expires_at=NOW + DAY)
    await blobs.register_upload(VENDOR_A, new, expires_at=NOW + DAY)
    assert await blobs.sweep(unreferenced_since=NOW, limit=10) == ()
    assert await blobs.sweep(unreferenced_since=NOW + TICK, limit=10) == ()
    assert await blobs.known([old.key, new.key]) == {old.key, new.key}
    assert await blobs.sweep(unreferenced_since=NOW + DAY, limit=10) == ()
    assert set(await blobs.sweep(unreferenced_since=NOW + DAY + TICK, limit=10)) == {old.key, new.key}
    assert await blobs.known([old.key, new.key]) == frozenset()


async def test_the_sweep_keeps_what_documents_and_items_need(world):
    """Attachments sent and received and raw packets outlive their uploads."""
    blobs = world.store.blobs
    sent = world.acceptance()
    arrival = make_arrival(
        make_document(attachments=(make_attachment(b"in"),)), recipients=(world.agencies[RECIPIENT],)
    )
    received = make_received(item=arrival.item)
    needed = [*sent.objects, *arrival.verified.objects, received.raw]
    for stored in (*needed, spare := make_stored(b"spare")):
        await blobs.register_upload(VENDOR_A, stored, expires_at=NOW)
    await world.store.documents.accept(sent, at=NOW)
    await world.store.items.record(received, at=NOW)
    await world.store.items.store(arrival, receipts=(), at=NOW)
    assert await blobs.sweep(unreferenced_since=NOW + DAY, limit=10) == (spare.key,)
    assert await blobs.known([stored.key for stored in needed]) == {stored.key for stored in needed}


async def test_the_sweep_reaches_past_uploads_that_freed_nothing(world):
    """Expired uploads whose bytes are still needed do not hide later ones that can go; the limit holds."""
    blobs = world.store.blobs
    kept = world.acceptance()
    await blobs.register_upload(VENDOR_A, kept.objects[0], expires_at=NOW - DAY)
    await world.store.documents.accept(kept, at=NOW)
    spare = [make_stored(f"{n}") for n in range(5)]
    for stored in spare:
        await blobs.register_upload(VENDOR_A, stored, expires_at=NOW)
    first = await blobs.sweep(unreferenced_since=NOW + DAY, limit=2)
    rest = await blobs.sweep(unreferenced_since=NOW + DAY, limit=9)
    assert len(first) == 2
    assert {*first, *rest} == {stored.key for stored in spare}


async def test_a_raw_packet_fetched_twice_is_kept_once(world):
    """A further copy of a recorded item, or of its bytes, is handed back; the very same object is not."""
    received = make_received()
    assert await world.store.items.record(received, at=NOW) == ()
    assert await world.store.items.record(received, at=NOW) == ()
    again = make_received(item=received.item, raw=make_stored(b"rewritten by the axis"))
    assert await world.store.items.record(again, at=NOW) == (again.raw.key,)
    twin = make_received(item=make_item(), raw=make_stored(b"x", digest=received.raw.digest))
    assert await world.store.items.record(twin, at=NOW) == (twin.raw.key,)
