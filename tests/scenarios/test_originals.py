"""Inbound packets come back byte for byte, though their contents are kept once."""

import asyncio
import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gateway.blobs.content import LocalBlobs
from gateway.bootstrap.original import NotWritten, Written, write_original
from gateway.domain.dialect import NATIONAL
from gateway.domain.document import TraceHeader
from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.lifecycle import ItemState
from gateway.domain.packet import PacketKind, SplitPacket, StoredObject
from gateway.settings import Settings
from gateway.translate.edxml.translator import EdxmlTranslator
from gateway.xmlsafe import Limits
from tests.make import (
    ROUTE,
    make_attachment,
    make_digest,
    make_document,
    make_item,
    make_organization,
    make_received,
)
from tests.scenarios.world import OURS, OURS_TOO, PDF, THEIRS, World, stored_keys
from tests.scenarios.wrecks import wrecks

MIB = 1024 * 1024
TABLE = b"rows of a table"
SWEPT = timedelta(days=3650)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "data")
    made.folder.mkdir()
    return made


@pytest.fixture
def settings(world):
    """Of the gateway in `world`, as far as giving a packet back needs them."""
    return Settings(
        server={"plaintext_loopback_vendor": "vendor-a"},
        store={"path": world.folder / "gateway.db"},
        blobs={"path": world.folder / "blobs"},
        signatures={"trust_dir": world.folder},
        axis={ROUTE: {"endpoint": "http://127.0.0.1:1", "system_id": "s", "secret": "x", "agencies": ["H98"]}},
        vendors=[{"id": "vendor-a", "serves": ["H98"]}],
    )


def make_incoming(*contents, **overrides):
    """A letter to two of ours with a PDF and, by the national rule, ZIP-wrapped tables."""
    named = [("main.pdf", contents[0]), *((f"{n}.xlsx", content) for n, content in enumerate(contents[1:]))]
    files = tuple(make_attachment(content, name=name) for name, content in named)
    values = {
        "sender": make_organization(THEIRS),
        "to": (make_organization(OURS), make_organization(OURS_TOO)),
        "attachments": files,
    }
    return make_document(**(values | overrides))


async def put(blobs, data):
    async with blobs.writer(limit=100 * MIB) as writer:
        await writer.write(data)
        return await writer.finish()


async def packet_of(world, document, *contents):
    """The bytes another gateway would send."""
    blobs = LocalBlobs(world.folder.parent / "elsewhere", clock=world.clock)
    translator = EdxmlTranslator(blobs=blobs, limits=Limits(), dialect=NATIONAL)
    hop = TraceHeader(organ_id=THEIRS, timestamp="2026/03/02 09:30:00")
    stored = [await put(blobs, content) for content in contents]
    draft = translator.draft_document(document, stored, recipients=document.to, hop=hop)
    return b"".join([chunk async for chunk in translator.stream(draft)])


async def accept(gateway, packet, **overrides):
    """Take a packet in, as the poller does once it has fetched it; the state of its item."""
    received = make_received(raw=await put(gateway.blobs, packet), **overrides)
    return received.item.axis_doc_id, await gateway.intake.accept(received)


async def kept(gateway, axis_doc_id):
    return (await gateway.store.items.original(ROUTE, axis_doc_id)).kept


def stored_bytes(world):
    return sum(path.stat().st_size for path in (world.folder / "blobs").rglob("*") if path.is_file())


async def test_contents_are_stored_once(world, settings, tmp_path):
    """A received 3 MB PDF costs little more than 3 MB, and the packet of 4 MB comes back while the gateway runs."""
    pdf = PDF + random.Random(1).randbytes(3_000_000)
    packet = await packet_of(world, make_incoming(pdf), pdf)
    assert len(packet) > 4_000_000
    async with world.gateway() as gateway:
        axis_doc_id, state = await accept(gateway, packet)
        assert state is ItemState.STORED
        assert isinstance(await kept(gateway, axis_doc_id), SplitPacket)
        assert len(await stored_keys(gateway)) == 2
        assert len(pdf) < stored_bytes(world) < 3_010_000
        out = tmp_path / "out.edxml"
        out.write_bytes(b"what was there before")
        written = await write_original(settings, ROUTE, axis_doc_id, out)
    assert written == Written(sha256=make_digest(packet), size=len(packet))
    assert out.read_bytes() == packet
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out.edxml"]


async def test_contents_in_zips_are_stored_once(world, settings, tmp_path):
    """What our own writer wraps is unwrapped for the vendor and wrapped again for the packet."""
    packet = await packet_of(world, make_incoming(PDF, TABLE, b""), PDF, TABLE, b"")
    async with world.gateway() as gateway:
        axis_doc_id, _ = await accept(gateway, packet)
        split = await kept(gateway, axis_doc_id)
        assert [bool(span.part.zip_entry) for span in split.spans if span.part.stored.size] == [False, True]
    await write_original(settings, ROUTE, axis_doc_id, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == packet


async def test_one_packet_as_two_items_at_once(world, settings, tmp_path):
    """An axis that lists a packet once per recipient has it kept once, and each item gives it back."""
    packet = await packet_of(world, make_incoming(PDF), PDF)
    async with world.gateway() as gateway:
        taken = await asyncio.gather(*(accept(gateway, packet) for _ in range(4)))
        assert {state for _, state in taken} == {ItemState.STORED}
        assert len(await stored_keys(gateway)) == 2, "one skeleton, one attachment"
    for axis_doc_id, _ in taken:
        await write_original(settings, ROUTE, axis_doc_id, tmp_path / axis_doc_id)
        assert (tmp_path / axis_doc_id).read_bytes() == packet


async def test_two_packets_with_one_content(world, settings, tmp_path):
    """A document on its way through two hops comes as two packets: one document, one content, both packets."""
    document = make_incoming(PDF)
    further = replace(document, trace=(TraceHeader(organ_id="H99", timestamp="2026/03/02 09:00:00"),))
    packets = [await packet_of(world, each, PDF) for each in (document, further)]
    async with world.gateway() as gateway:
        ids = [(await accept(gateway, packet))[0] for packet in packets]
        assert len(await stored_keys(gateway)) == 3
    for axis_doc_id, packet in zip(ids, packets, strict=True):
        await write_original(settings, ROUTE, axis_doc_id, tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == packet


async def conflicting(world, gateway):
    document = make_incoming(PDF)
    await accept(gateway, await packet_of(world, document, PDF))
    return await packet_of(world, replace(document, subject="something else"), PDF)


async def for_nobody_here(world, gateway):
    return await packet_of(world, make_incoming(PDF, to=(make_organization("H99.02"),)), PDF)


async def unreadable(world, gateway):
    return b"<html>busy</html>"


@pytest.mark.parametrize("case", [conflicting, for_nobody_here, unreadable])
async def test_quarantined_packets_stay_whole(world, settings, tmp_path, case):
    """What operators must look at is one file with the packet's bytes."""
    async with world.gateway() as gateway:
        packet = await case(world, gateway)
        axis_doc_id, state = await accept(gateway, packet)
        assert state is ItemState.QUARANTINED
        whole = await kept(gateway, axis_doc_id)
        assert isinstance(whole, StoredObject)
        assert whole.digest == make_digest(packet)
    await write_original(settings, ROUTE, axis_doc_id, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == packet


class Failing:
    """A port one of whose methods fails as the test says."""

    def __init__(self, port, name, answer):
        self._port, self._name, self._answer = port, name, answer

    def __getattr__(self, name):
        if name != self._name:
            return getattr(self._port, name)

        async def fail(*_args, **_kwargs):
            if isinstance(self._answer, Exception):
                raise self._answer
            return self._answer

        return fail


@pytest.mark.parametrize(
    "failure",
    [
        ("_translator", None, "the parts do not give its bytes"),
        ("_translator", FileNotFoundError("gone"), "FileNotFoundError"),
        ("_items", GatewayError(ErrorCode.STORE_UNAVAILABLE), "GatewayError"),
    ],
    ids=["not exact", "blobs fail", "store fails"],
)
async def test_a_split_that_fails_changes_nothing(world, settings, tmp_path, failure):
    """The document is stored, the axis is told so, the packet is whole and the log says why."""
    part, answer, reason = failure
    packet = await packet_of(world, make_incoming(PDF), PDF)
    item = world.axis.put(packet, kind=PacketKind.DOCUMENT)
    async with world.gateway() as gateway:
        setattr(gateway.intake, part, Failing(getattr(gateway.intake, part), "split", answer))
        with capture_logs() as lines:
            await gateway.poller.poll()
        assert [(line["axis_doc_id"], line["reason"]) for line in lines if line["event"] == "packet.not_split"] == [
            (item.axis_doc_id, reason)
        ]
        assert isinstance(await kept(gateway, item.axis_doc_id), StoredObject)
        assert gateway.count("documents_received", account=ROUTE) == 2
    assert world.axis.told == [(item.axis_doc_id, True)]
    await write_original(settings, ROUTE, item.axis_doc_id, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == packet


async def test_a_crash_between_any_two_steps_loses_no_packet(tmp_path):
    """Wherever the process dies: the packet is there, in parts, and nothing else is once orphans are swept."""
    base = World(tmp_path / "base")
    base.folder.mkdir()
    packet = await packet_of(base, make_incoming(PDF, TABLE), PDF, TABLE)
    item, ways = base.axis.put(packet, kind=PacketKind.DOCUMENT), set()
    for world in await wrecks(base, lambda gateway: gateway.poller.poll(), least=20):
        async with world.gateway() as gateway:
            await gateway.poller.poll()
            original = await gateway.store.items.original(ROUTE, item.axis_doc_id)
            assert (original.digest, original.size) == (make_digest(packet), len(packet))
            assert await bytes_of(gateway, original.kept) == packet
            ways.add(type(original.kept))
            world.clock.advance(SWEPT)
            await gateway.upkeep.collect_orphans()
            assert len(await stored_keys(gateway)) == 3
            assert await bytes_of(gateway, original.kept) == packet
    assert ways == {SplitPacket}


async def bytes_of(gateway, way):
    translator = EdxmlTranslator(blobs=gateway.blobs, limits=Limits(), dialect=NATIONAL)
    chunks = translator.join(way) if isinstance(way, SplitPacket) else gateway.blobs.stream(way)
    return b"".join([chunk async for chunk in chunks])


async def test_an_item_nobody_knows_is_not_written(world, settings, tmp_path):
    """Another account's name or id gives a word, and no file."""
    packet = await packet_of(world, make_incoming(PDF), PDF)
    async with world.gateway() as gateway:
        axis_doc_id, _ = await accept(gateway, packet)
    out = tmp_path / "out"
    assert await write_original(settings, ROUTE, "another", out) is NotWritten.UNKNOWN_ITEM
    assert await write_original(settings, "another", axis_doc_id, out) is NotWritten.UNKNOWN_ITEM
    assert not out.exists()


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-1] + b"?"), NotWritten.DIGEST_DIFFERS),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), NotWritten.DIGEST_DIFFERS),
        (lambda file: file.unlink(), NotWritten.CONTENT_MISSING),
    ],
    ids=["changed", "cut", "missing"],
)
async def test_damaged_bytes_are_not_given_out(world, settings, tmp_path, damage, word):
    """Where an object was changed or lost, what was at the destination before stays there."""
    packet = await packet_of(world, make_incoming(PDF), PDF)
    async with world.gateway() as gateway:
        axis_doc_id, _ = await accept(gateway, packet)
        split = await kept(gateway, axis_doc_id)
    out = tmp_path / "out"
    out.write_bytes(b"before")
    damage(world.folder / "blobs" / split.spans[0].part.stored.key)
    assert await write_original(settings, ROUTE, axis_doc_id, out) is word
    assert out.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out"]


async def test_no_store_and_no_folder_are_told_apart_from_no_item(world, settings, tmp_path):
    """Without a database the store is unavailable, and none is made; a missing destination is the system's error."""
    with pytest.raises(GatewayError) as caught:
        await write_original(settings, ROUTE, "x", tmp_path / "out")
    assert caught.value.code is ErrorCode.STORE_UNAVAILABLE
    assert list(world.folder.iterdir()) == []
    async with world.gateway() as gateway:
        axis_doc_id, _ = await accept(gateway, b"no packet")
    with pytest.raises(FileNotFoundError):
        await write_original(settings, ROUTE, axis_doc_id, tmp_path / "nowhere" / "out")


async def test_a_packet_split_while_it_is_written_is_found_again(world, settings, tmp_path, monkeypatch):
    """The whole object may go between looking it up and opening it: then its parts are read."""
    packet = await packet_of(world, make_incoming(PDF), PDF)
    async with world.gateway() as gateway:
        gate, reached = asyncio.Event(), asyncio.Event()
        split = gateway.intake._items.split

        async def held(*args):
            reached.set()
            await gate.wait()
            return await split(*args)

        gateway.intake._items = Pausing(gateway.intake._items, held)
        item = make_item()
        taking = asyncio.create_task(accept(gateway, packet, item=item))
        await asyncio.wait_for(reached.wait(), 20)
        stream = LocalBlobs.stream

        async def late(self, stored, *, offset=0):
            if not gate.is_set():
                gate.set()
                await taking
            async for chunk in stream(self, stored, offset=offset):
                yield chunk

        monkeypatch.setattr(LocalBlobs, "stream", late)
        written = await write_original(settings, ROUTE, item.axis_doc_id, tmp_path / "out")
    assert isinstance(written, Written)
    assert (tmp_path / "out").read_bytes() == packet


class Pausing:
    def __init__(self, port, split):
        self._port, self.split = port, split

    def __getattr__(self, name):
        return getattr(self._port, name)


async def test_reading_beside_a_gateway_takes_no_lock(world, settings, tmp_path):
    """A packet is given back while another process holds the database's write lock."""
    packet = await packet_of(world, make_incoming(PDF), PDF)
    async with world.gateway() as gateway:
        axis_doc_id, _ = await accept(gateway, packet)
        with closing(sqlite3.connect(settings.store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            written = await asyncio.wait_for(write_original(settings, ROUTE, axis_doc_id, tmp_path / "out"), 8)
            other.execute("ROLLBACK")
    assert isinstance(written, Written)
