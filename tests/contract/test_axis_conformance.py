"""What every dialect's adapter promises by port Axis, over its own face of the simulated axis; and between dialects."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.agency import AgencyEntry
from gateway.domain.document import BusinessType
from gateway.domain.ids import AxisDocId, OrganId
from gateway.domain.outcome import (
    NOT_OFFERED,
    Accepted,
    CannotTell,
    Rejected,
    Unavailable,
    Uncertain,
)
from gateway.domain.packet import PacketKind, UnpackedDocument, UnpackedStatus
from gateway.domain.sentlist import SentEntries
from gateway.ports import DirectoryListing, Waiting
from tests.contract.axis_pair import (
    FILES,
    NOBODYS,
    PATIENT,
    Pair,
    attach,
    letter,
    pair_running,
    read_documents,
    send_letters,
)
from tests.contract.axis_worlds import SPOKEN, A, B, Can, axis_world
from tests.contract.vxp_peer import SystemClock
from tests.make import make_follower, make_status


@pytest.fixture(params=SPOKEN, ids=lambda spoken: spoken.name)
async def pair(request) -> AsyncIterator[Pair]:
    async with pair_running(request.param) as started:
        yield started


async def test_the_directory_lists_agencies(pair):
    """Units come with current codes, names and parents; a unit's parent is found by its axis id."""
    listing = await pair.a.axis.agencies()
    assert isinstance(listing, DirectoryListing)
    rows = {row.code: row for row in listing.rows}
    assert rows["H99.01"].name == "Sở Nội vụ tỉnh A"
    assert rows["H99.01"].parent_axis_id == rows["H99"].axis_id
    assert rows["H99.01.01"].parent_axis_id == rows["H99.01"].axis_id
    assert not rows["H99"].parent_axis_id


async def test_a_document_crosses_whole(pair):
    """What was sent arrives field by field and file by file, is acknowledged, and is then no longer listed."""
    document, objects = attach(letter(), pair.a, *FILES)
    sent = await pair.a.send(document, objects)
    assert isinstance(sent, Accepted)
    (item,) = (await pair.b.waiting()).items
    assert item.kind is PacketKind.DOCUMENT
    assert set(item.recipients) <= {B.unit}
    read = await pair.b.read(item)
    assert isinstance(read, UnpackedDocument)
    assert [(each.name, each.size, each.sha256) for each in read.document.attachments] == [
        (each.name, each.size, each.sha256) for each in document.attachments
    ]
    assert pair.b.contents(read.objects) == [content for _, _, content in FILES]
    assert replace(read.document, trace=(), attachments=()) == replace(document, attachments=())
    assert isinstance(await pair.b.axis.settle(item.axis_doc_id, done=True), Accepted)
    assert not (await pair.b.waiting()).items
    assert isinstance(await pair.b.axis.settle(item.axis_doc_id, done=True), Accepted), "repeating is harmless"
    assert not (await pair.a.waiting()).items


async def test_several_recipients(pair):
    """A document for two units of one system reaches both, whichever way the axis makes items of it."""
    document, objects = attach(letter("H98.01", "H98.02"), pair.a, FILES[0])
    assert isinstance(await pair.a.send(document, objects), Accepted)
    arrived = await read_documents(pair.b)
    assert {each.organ_id for one in arrived for each in one.to} == {"H98.01", "H98.02"}


async def test_what_cannot_be_read_is_settled_too(pair):
    """An item told as fail waits no longer."""
    await send_letters(pair, 2)
    first, second = (await pair.b.waiting()).items
    assert isinstance(await pair.b.axis.settle(first.axis_doc_id, done=False), Accepted)
    assert [item.axis_doc_id for item in (await pair.b.waiting()).items] == [second.axis_doc_id]


async def test_a_status_comes_back(pair):
    """A status arrives at the document's sender as the same report, and telling it twice is harmless."""
    (document,) = await send_letters(pair, 1)
    assert await read_documents(pair.b)
    report = make_status(document, description="Đã tiếp nhận")
    assert isinstance(await pair.b.tell(report), Accepted)
    listed = await pair.a.waiting(PacketKind.STATUS)
    reports = {}
    for item in listed.items:
        assert item.kind is PacketKind.STATUS
        read = await pair.a.read(item, listed.carried.get(item.axis_doc_id))
        assert isinstance(read, UnpackedStatus)
        reports[item.axis_doc_id] = read.report
        assert isinstance(await pair.a.axis.settle(item.axis_doc_id, done=True), Accepted)
    told = [each for each in reports.values() if each.status_code == report.status_code]
    assert [(each.sender.organ_id, each.response_for, each.timestamp, each.description) for each in told] == [
        (report.sender.organ_id, report.response_for, report.timestamp, report.description)
    ]
    assert bool(listed.carried) == pair.can(Can.CARRY_STATUSES)
    assert isinstance(await pair.b.tell(report), Accepted)
    again = await pair.a.read_all(PacketKind.STATUS)
    assert all(isinstance(each, UnpackedStatus) and each.report == told[0] for each in again)
    assert not (await pair.a.waiting(PacketKind.STATUS)).items
    assert not (await pair.a.waiting(PacketKind.DOCUMENT)).items


@pytest.mark.parametrize(
    ("to", "sender"), [(("H77.01",), "H99.01"), (("H98.01",), "H98.02")], ids=["unknown recipient", "not our sender"]
)
async def test_wrong_addresses_are_final(pair, to, sender):
    """An unknown recipient and a sender that is not registered are Rejected with the axis's code and words."""
    outcome = await pair.a.send(*attach(letter(*to, sender=sender), pair.a, FILES[0]))
    assert isinstance(outcome, Rejected), outcome
    assert outcome.code
    assert outcome.reason
    assert not (await pair.b.waiting()).items


async def test_the_list_of_sent_packets(pair):
    """Where there is one, it shows what was sent; where there is none, asking later is no help."""
    (_,) = await send_letters(pair, 1)
    (taken,) = await pair.world.records("accepted")
    for listed in (await pair.a.axis.sent_list(), await pair.a.axis.sent_packet(taken["docId"])):
        if pair.can(Can.LIST_SENT):
            assert isinstance(listed, SentEntries)
            assert {entry.axis_doc_id for entry in listed.entries} == {taken["docId"]}
        else:
            assert isinstance(listed, CannotTell)
            assert not listed.passing


async def test_what_was_acknowledged(pair):
    """Done items of the window are listed where the axis lists them, failed and waiting ones never."""
    await send_letters(pair, 3)
    items = (await pair.b.waiting()).items
    await pair.b.axis.settle(items[0].axis_doc_id, done=True)
    await pair.b.axis.settle(items[1].axis_doc_id, done=False)
    now = SystemClock().now()
    done = await pair.b.axis.acknowledged(PacketKind.DOCUMENT, since=now - timedelta(minutes=5))
    assert isinstance(done, Waiting)
    listed = items[:1] if pair.can(Can.LIST_ACKNOWLEDGED) else ()
    assert [each.axis_doc_id for each in done.items] == [each.axis_doc_id for each in listed]
    later = await pair.b.axis.acknowledged(PacketKind.DOCUMENT, since=now + timedelta(minutes=5))
    assert later == Waiting(items=())


@pytest.mark.parametrize("kind", [BusinessType.RECALL, BusinessType.UPDATE, BusinessType.REPLACE])
async def test_packets_about_other_packets(pair, kind):
    """Recall, update and replacement arrive with their marks."""
    (first,) = await send_letters(pair, 1)
    assert await read_documents(pair.b)
    follower = make_follower(first, kind)
    objects = ()
    if kind is not BusinessType.RECALL:
        follower, objects = attach(replace(follower, attachments=()), pair.a, FILES[0])
    assert isinstance(await pair.a.send(follower, objects), Accepted)
    (arrived,) = await read_documents(pair.b)
    assert arrived.business_type == kind
    assert arrived.business == follower.business
    assert arrived.response_for == follower.response_for
    assert arrived.code == follower.code


async def test_five_mebibytes(pair):
    """A file of 5 MiB arrives bit for bit."""
    content = b"%PDF-1.7\n" + hashlib.shake_256(b"five").digest(5 << 20)
    a = await pair.world.correspondent(pair.spoken, A, timeouts=PATIENT)
    b = await pair.world.correspondent(pair.spoken, B, timeouts=PATIENT)
    document, objects = attach(letter(), a, ("lớn.pdf", "application/pdf", content))
    assert isinstance(await a.send(document, objects), Accepted)
    (item,) = (await b.waiting()).items
    read = await b.read(item)
    assert isinstance(read, UnpackedDocument)
    assert [each.sha256 for each in read.document.attachments] == [hashlib.sha256(content).hexdigest()]


async def test_twenty_at_once(pair):
    """Twenty documents sent at the same time arrive once each."""
    a = await pair.world.correspondent(pair.spoken, A, timeouts=PATIENT)
    documents = [letter() for _ in range(20)]
    outcomes = await asyncio.gather(*(a.send(*attach(document, a, FILES[0])) for document in documents))
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 20
    assert len({outcome.axis_doc_id for outcome in outcomes if isinstance(outcome, Accepted)}) == 20
    arrived = await read_documents(pair.b)
    assert sorted(each.document_id for each in arrived) == sorted(each.document_id for each in documents)


async def test_an_item_that_is_not_ours(pair):
    """It can be neither fetched nor settled, and nothing is stored."""
    await send_letters(pair, 1)
    (item,) = (await pair.b.waiting()).items
    stranger = replace(item, axis_doc_id=NOBODYS)
    async with pair.b.blobs.writer(limit=1 << 20) as writer:
        assert isinstance(await pair.b.axis.fetch(stranger, writer), Unavailable | Rejected)
    assert not pair.b.blobs.objects
    assert not isinstance(await pair.b.axis.settle(NOBODYS, done=True), Uncertain)


async def test_a_packet_over_the_limit(pair):
    """A packet longer than the writer takes is Rejected."""
    await send_letters(pair, 1)
    (item,) = (await pair.b.waiting()).items
    async with pair.b.blobs.writer(limit=1000) as writer:
        assert isinstance(await pair.b.axis.fetch(item, writer), Rejected)
    assert not pair.b.blobs.objects


async def test_units_in_the_directory(pair):
    """A unit is registered, twice without harm, found in the directory and closed; or the dialect offers none of it."""
    unit = AgencyEntry(code=OrganId("H99.77"), parent_code=OrganId("H99"), name="Ban thử nghiệm", email="")
    registered = await pair.a.axis.register(unit)
    if not pair.can(Can.REGISTER):
        for outcome in (registered, await pair.a.axis.deregister(unit.code)):
            assert isinstance(outcome, Rejected)
            assert outcome.code == NOT_OFFERED
        return
    assert registered == Accepted(axis_doc_id=AxisDocId(unit.code))
    assert await pair.a.axis.register(unit) == registered
    listing = await pair.a.axis.agencies()
    assert isinstance(listing, DirectoryListing)
    (row,) = [row for row in listing.rows if row.code == unit.code]
    assert row.name == unit.name
    assert await pair.a.axis.deregister(unit.code) == registered
    listing = await pair.a.axis.agencies()
    assert isinstance(listing, DirectoryListing)
    assert unit.code not in {row.code for row in listing.rows}


@pytest.mark.parametrize(("here", "there"), [*itertools.permutations(SPOKEN, 2)], ids=lambda spoken: spoken.name)
async def test_from_one_dialect_to_another(here, there):
    """A document sent in one dialect arrives in another, and its status returns."""
    async with axis_world() as world:
        a, b = await world.correspondent(here, A), await world.correspondent(there, B)
        document, objects = attach(letter(), a, *FILES)
        assert isinstance(await a.send(document, objects), Accepted)
        (item,) = (await b.waiting()).items
        read = await b.read(item)
        assert isinstance(read, UnpackedDocument)
        assert b.contents(read.objects) == [content for _, _, content in FILES]
        said, got = (replace(each, trace=(), attachments=()) for each in (document, read.document))
        assert got == said
        assert isinstance(await b.axis.settle(item.axis_doc_id, done=True), Accepted)
        report = make_status(document)
        assert isinstance(await b.tell(report), Accepted)
        told = [each.report for each in await a.read_all(PacketKind.STATUS) if isinstance(each, UnpackedStatus)]
        same = [each for each in told if each.status_code == report.status_code]
        assert [(each.sender.organ_id, each.response_for) for each in same] == [
            (report.sender.organ_id, report.response_for)
        ]
