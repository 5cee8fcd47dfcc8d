"""Port Axis over the VXP adapter against the simulated axis: real sockets, every operation, every fault."""

import asyncio
import hashlib
import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from gateway.adapters.http import Timeouts
from gateway.adapters.vxp.axis import VxpAxis
from gateway.adapters.vxp.client import VxpClient
from gateway.adapters.vxp.config import FetchBy, HashForm, SentList
from gateway.domain.ids import AxisDocId, OrganId
from gateway.domain.outcome import Absent, Accepted, CannotTell, Found, Rejected, SentQuery, Unavailable, Uncertain
from gateway.domain.packet import AxisItem, PacketKind
from gateway.domain.sentlist import SentEntries
from gateway.ports import DirectoryListing, Fetched, Waiting
from gateway.sandbox.serve import Running, SandboxOptions, running
from tests.contract.vxp_peer import FileWriter, SystemClock, axis_at, in_pieces, make_sealed
from tests.unit.sandbox.calls import Client, make_document, make_status

SYSTEM_B = {"system_id": "00.98.W00", "secret": "dummy-secret-98"}


@dataclass(kw_only=True)
class World:
    """The simulated axis and the centres A and B on it."""

    addresses: Running
    session: aiohttp.ClientSession
    stack: AsyncExitStack
    registry: CollectorRegistry

    async def a(self, **changes: Any) -> VxpAxis:
        endpoint = f"{self.addresses.axis.url}/base"
        return await self.stack.enter_async_context(axis_at(endpoint, registry=CollectorRegistry(), **changes))

    async def b(self, **changes: Any) -> VxpAxis:
        return await self.a(**{**SYSTEM_B, **changes})

    async def fault(self, name: str, count: int | None = None) -> None:
        wish = {"name": name} if count is None else {"name": name, "count": count}
        async with self.session.post(f"{self.addresses.control.url}/faults", json=wish) as answer:
            assert answer.status == 200

    async def records(self, event: str) -> list[dict[str, Any]]:
        async with self.session.get(f"{self.addresses.control.url}/records") as answer:
            return [record for record in await answer.json() if record["event"] == event]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with (
        running(SandboxOptions(slow_seconds=1.0)) as addresses,
        aiohttp.ClientSession() as session,
        AsyncExitStack() as stack,
    ):
        yield World(addresses=addresses, session=session, stack=stack, registry=CollectorRegistry())


def query(packet_number="12", **changes):
    facts = {
        "sender_code": "H99.01",
        "recipient_codes": ("H98.01",),
        "notation": f"{packet_number}/ABC-XYZ",
        "title": "V/v thử nghiệm",
        "submitted_after": SystemClock().now(),
    }
    return SentQuery(**{**facts, **changes})


@pytest.mark.parametrize("fetch", FetchBy)
@pytest.mark.parametrize("hash_form", HashForm)
async def test_a_document_crosses(world, tmp_path, fetch, hash_form):
    """A packet sent by A is listed for B, fetched byte for byte either way, acknowledged, and then no longer listed."""
    packet = make_document(to=("H98.01", "H98.02"))
    a, b = await world.a(hash_form=hash_form), await world.b(fetch=fetch)
    outcome = await a.submit(make_sealed(packet, to=("H98.01", "H98.02")), in_pieces(packet))
    assert isinstance(outcome, Accepted)
    waiting = await b.waiting(PacketKind.DOCUMENT)
    assert isinstance(waiting, Waiting)
    assert [item.recipients for item in waiting.items] == [("H98.01",), ("H98.02",)]
    fetched = await b.fetch(waiting.items[0], FileWriter(tmp_path / "raw"))
    assert isinstance(fetched, Fetched)
    assert (tmp_path / "raw").read_bytes() == packet
    assert fetched.stored.digest == hashlib.sha256(packet).hexdigest()
    for item, done in zip(waiting.items, (True, False), strict=True):
        assert await b.settle(item.axis_doc_id, done=done) == Accepted(axis_doc_id=item.axis_doc_id)
        assert await b.settle(item.axis_doc_id, done=done) == Accepted(axis_doc_id=item.axis_doc_id)
    assert await b.waiting(PacketKind.DOCUMENT) == Waiting(items=())
    assert [each["status"] for each in await world.records("acknowledged")] == ["done", "done", "fail", "fail"]
    (record,) = await world.records("accepted")
    assert (record["sha256"], record["size"]) == (hashlib.sha256(packet).hexdigest(), len(packet))


async def test_a_status_crosses(world):
    """A status packet travels as messagetype status and is listed as such alone."""
    packet = make_status()
    a, b = await world.a(), await world.b()
    sealed = make_sealed(packet, sender="H98.01", to=("H99.01",), kind=PacketKind.STATUS)
    assert isinstance(await b.submit(sealed, in_pieces(packet)), Accepted)
    assert await a.waiting(PacketKind.DOCUMENT) == Waiting(items=())
    waiting = await a.waiting(PacketKind.STATUS)
    assert isinstance(waiting, Waiting)
    assert [(item.kind, item.recipients) for item in waiting.items] == [(PacketKind.STATUS, ("H99.01",))]


@pytest.mark.parametrize(
    ("packet", "changes", "code"),
    [
        (make_document(to=("H77",)), {"to": ("H77",)}, "18"),
        (make_document(), {"sender": "H98.02"}, "19"),
        (b"<edXML>dummy 16</edXML>", {}, "22"),
    ],
)
async def test_refusals_are_final(world, packet, changes, code):
    """Unknown receiver, unregistered sender and malformed edXML are Rejected with the axis's code and words."""
    outcome = await (await world.a()).submit(make_sealed(packet, **changes), in_pieces(packet))
    assert isinstance(outcome, Rejected)
    assert outcome.code == code
    assert outcome.reason


async def test_wrong_secret(world):
    """A wrong secret is Unavailable everywhere, and says where to look."""
    packet = make_document()
    axis = await world.a(secret="wrong")
    answers = [
        await axis.submit(make_sealed(packet), in_pieces(packet)),
        await axis.waiting(PacketKind.DOCUMENT),
        await axis.agencies(),
        await axis.settle(AxisDocId("x"), done=True),
    ]
    for answer in answers:
        assert isinstance(answer, Unavailable)
        assert "system id or secret" in answer.reason
    assert isinstance(await (await world.a(secret="wrong", sent_list=SentList.BY_SENDER)).find(query()), CannotTell)


async def test_unknown_item(world, tmp_path):
    """An item that is not ours can be neither fetched nor settled; nothing is stored."""
    axis = await world.a()
    item = AxisItem(axis_doc_id=AxisDocId("nothing"), kind=PacketKind.DOCUMENT, recipients=())
    for fetch in FetchBy:
        writer = FileWriter(tmp_path / fetch)
        assert isinstance(await (await world.a(fetch=fetch)).fetch(item, writer), Unavailable)
        assert not writer.finished
        writer.close()
    assert isinstance(await axis.settle(item.axis_doc_id, done=True), Unavailable)


async def test_directory(world):
    """The directory has current codes, parents by axis id, and both old codes as aliases."""
    listing = await (await world.a()).agencies()
    assert isinstance(listing, DirectoryListing)
    rows = {row.code: row for row in listing.rows}
    assert rows["H98.20"].aliases == ("000.00.20.H97",)
    assert rows["H99.01"].parent_axis_id == rows["H99"].axis_id
    assert rows["H99.01"].name == "Sở Nội vụ tỉnh A"
    assert "H97" not in rows


async def test_answer_lost_then_found(world):
    """After a lost answer the outcome is Uncertain, by_sender finds the one packet, and nothing was sent twice."""
    packet, asked = make_document(), query()
    axis = await world.a(sent_list=SentList.BY_SENDER)
    await world.fault("answer-lost", 1)
    assert isinstance(await axis.submit(make_sealed(packet), in_pieces(packet)), Uncertain)
    (record,) = await world.records("accepted")
    assert await axis.find(asked) == Found(axis_doc_id=record["docId"])
    assert await axis.find(query("13")) == Absent()
    assert await axis.find(query(known_elsewhere=frozenset({record["docId"]}))) == Absent()
    assert await axis.find(query(submitted_after=SystemClock().now() + timedelta(minutes=5))) == Absent()
    assert isinstance(await axis.find(query(recipient_codes=("H98.01", "H98.02"))), CannotTell)
    assert isinstance(await (await world.a()).find(asked), CannotTell)
    await world.fault("no-sent-list")
    refused = await axis.find(asked)
    assert isinstance(refused, CannotTell)
    assert not refused.passing, "an operator must look"


async def test_a_list_as_long_as_a_page_is_looked_at_twice(world):
    """Ten rows might be a page: the next one is asked for, and the same rows again mean that this was all."""
    axis, start = await world.a(sent_list=SentList.BY_SENDER), SystemClock().now()
    for number in range(10):
        packet = make_document(number=str(number))
        assert isinstance(await axis.submit(make_sealed(packet), in_pieces(packet)), Accepted)
    assert isinstance(await axis.find(query("9", submitted_after=start)), Found)
    assert await axis.find(query("10", submitted_after=start)) == Absent()


async def test_the_list_of_sent_items_for_comparison(world):
    """By sender all of it, by docId one packet; recipients that told the axis fail are marked; never an exception."""
    packet = make_document(to=("H98.01", "H98.02"))
    a, b = await world.a(sent_list=SentList.BY_SENDER), await world.b()
    sent = await a.submit(make_sealed(packet, to=("H98.01", "H98.02")), in_pieces(packet))
    assert isinstance(sent, Accepted)
    waiting = await b.waiting(PacketKind.DOCUMENT)
    assert isinstance(waiting, Waiting)
    await b.settle(waiting.items[0].axis_doc_id, done=False)
    for listed in (await a.sent_list(), await a.sent_packet(sent.axis_doc_id)):
        assert isinstance(listed, SentEntries)
        assert {entry.axis_doc_id for entry in listed.entries} == {sent.axis_doc_id}
        assert [(entry.recipients, entry.failed) for entry in listed.entries] == [
            (("H98.01",), True),
            (("H98.02",), False),
        ]
    unlisted = await a.sent_packet(AxisDocId("0123456789abcdef01234567"))
    assert isinstance(unlisted, SentEntries)
    assert not unlisted.entries
    by_id = await (await world.a()).sent_list()
    assert isinstance(by_id, CannotTell)
    assert not by_id.passing
    await world.fault("down")
    for refused in (await a.sent_list(), await a.sent_packet(sent.axis_doc_id)):
        assert isinstance(refused, CannotTell)
        assert refused.passing


async def test_what_was_acknowledged_can_be_listed(world):
    """Done items of the window are listed, waiting and failed ones and those of before it are not."""
    packet = make_document(to=("H98.01", "H98.02", "H98.20"))
    a, b = await world.a(), await world.b()
    await a.submit(make_sealed(packet, to=("H98.01", "H98.02", "H98.20")), in_pieces(packet))
    waiting = await b.waiting(PacketKind.DOCUMENT)
    assert isinstance(waiting, Waiting)
    for item, done in zip(waiting.items[:2], (True, False), strict=True):
        await b.settle(item.axis_doc_id, done=done)
    since = SystemClock().now() - timedelta(minutes=5)
    assert await b.acknowledged(PacketKind.DOCUMENT, since=since) == Waiting(items=waiting.items[:1])
    assert await b.acknowledged(PacketKind.STATUS, since=since) == Waiting(items=())
    later = SystemClock().now() + timedelta(minutes=5)
    assert await b.acknowledged(PacketKind.DOCUMENT, since=later) == Waiting(items=())
    await world.fault("down")
    assert isinstance(await b.acknowledged(PacketKind.DOCUMENT, since=since), Unavailable)


async def test_many_questions_cost_few_lists(world, monkeypatch):
    """Two hundred questions at once about what settled before share one list; without that, two."""
    axis = await world.a(sent_list=SentList.BY_SENDER)
    packet = make_document()
    await axis.submit(make_sealed(packet), in_pieces(packet))
    start = SystemClock().now()
    settled, lists = start - timedelta(seconds=1), []
    list_rows = axis._client.list_rows

    async def count(self, operation, *rest, **named):
        lists.append(operation)
        return await list_rows(operation, *rest, **named)

    monkeypatch.setattr(VxpClient, "list_rows", count)
    for listed_since in (settled, None):
        asked = query(submitted_after=start - timedelta(minutes=1), listed_since=listed_since)
        findings = await asyncio.gather(*(axis.find(asked) for _ in range(200)))
        assert {type(finding) for finding in findings} == {Found}
    assert lists.count("getSentEdocList") <= 3


async def ask_everything(axis, tmp_path):
    """All reading operations and the acknowledgement, with their names."""
    item = AxisItem(axis_doc_id=AxisDocId("d1"), kind=PacketKind.DOCUMENT, recipients=(OrganId("H98.01"),))
    writer = FileWriter(tmp_path / "raw")
    answers = {
        "waiting": await axis.waiting(PacketKind.DOCUMENT),
        "fetch": await axis.fetch(item, writer),
        "agencies": await axis.agencies(),
    }
    assert not writer.finished
    writer.close()
    return answers


@pytest.mark.parametrize("fetch", FetchBy)
@pytest.mark.parametrize("fault", ["down", "html", "html-502"])
async def test_faults_of_reading(world, tmp_path, fault, fetch):
    """An axis that is down or hidden behind a web page is Unavailable, never an empty list, directory or packet."""
    axis = await world.b(fetch=fetch, sent_list=SentList.BY_SENDER)
    await world.fault(fault)
    for name, answer in (await ask_everything(axis, tmp_path)).items():
        assert isinstance(answer, Unavailable), name
    finding = await axis.find(query())
    assert isinstance(finding, CannotTell)
    assert finding.passing, "worth asking again"
    assert isinstance(await axis.settle(AxisDocId("d1"), done=True), Uncertain)


@pytest.mark.parametrize("fault", ["html", "html-502"])
async def test_pages_after_sending(world, fault):
    """A web page in answer to a packet leaves it open what became of it."""
    packet = make_document()
    await world.fault(fault)
    outcome = await (await world.a()).submit(make_sealed(packet), in_pieces(packet))
    assert isinstance(outcome, Uncertain)
    assert "HTML" in outcome.reason


async def test_down_while_sending(world):
    """An axis that cuts the connection before the packet is whole cannot have taken it: Unavailable."""
    packet = make_document()
    axis = await world.a()
    await world.fault("down", 1)
    assert isinstance(await axis.submit(make_sealed(packet), in_pieces(packet)), Unavailable)
    assert await world.records("accepted") == []
    assert isinstance(await axis.submit(make_sealed(packet), in_pieces(packet)), Accepted)


async def test_reading_is_repeated(world):
    """One cut connection does not show in a reading call."""
    axis = await world.b()
    await world.fault("down", 1)
    assert await axis.waiting(PacketKind.DOCUMENT) == Waiting(items=())
    await world.fault("down", 1)
    assert isinstance(await axis.agencies(), DirectoryListing)


async def test_slow(world):
    """An answer later than the time-out is Uncertain for a packet, which was taken once, and Unavailable for a list."""
    packet = make_document()
    short = Timeouts(connect=2, read=0.8, write=2, total=0.9)
    axis = await world.a(timeouts=short)
    await world.fault("slow")
    assert isinstance(await axis.submit(make_sealed(packet), in_pieces(packet)), Uncertain)
    assert isinstance(await axis.waiting(PacketKind.DOCUMENT), Unavailable)
    assert len(await world.records("accepted")) == 1


async def test_a_hundred_recipients(world):
    """A packet for 100 recipients with long codes goes through one header."""
    client = Client(session=world.session, url=world.addresses.axis.url, **SYSTEM_B)
    codes = tuple(f"H98.{number:030d}" for number in range(100))
    for code in codes:
        agency = json.dumps({"pcode": "H98", "code": code, "name": code}).encode()
        assert (await client.call("registerAgency", agency))["status"] == "OK"
    packet, asked = make_document(to=codes), query(recipient_codes=codes)
    axis = await world.a(sent_list=SentList.BY_SENDER)
    outcome = await axis.submit(make_sealed(packet, to=codes), in_pieces(packet))
    assert isinstance(outcome, Accepted)
    assert await axis.find(asked) == Found(axis_doc_id=outcome.axis_doc_id)
    waiting = await (await world.b()).waiting(PacketKind.DOCUMENT)
    assert isinstance(waiting, Waiting)
    assert {code for item in waiting.items for code in item.recipients} == set(codes)


@pytest.mark.parametrize("fetch", FetchBy)
async def test_a_large_packet_in_little_memory(world, tmp_path, fetch):
    """32 MiB go out and come back while adapter and axis together never hold 8 MiB."""
    head, tail = make_document(attachment="@").split(b"@")
    blocks, block = 128, b"QUJD" * 65536
    sha256 = hashlib.sha256(head)
    for _ in range(blocks):
        sha256.update(block)
    sha256.update(tail)
    size = len(head) + blocks * len(block) + len(tail)

    async def body():
        yield head
        for _ in range(blocks):
            yield block
        yield tail

    slow = {"timeouts": Timeouts(connect=2, read=60, write=60, total=60)}
    a, b = await world.a(**slow), await world.b(fetch=fetch, **slow)
    tracemalloc.start()
    try:
        outcome = await a.submit(make_sealed(length=size, sha256=sha256.hexdigest()), body)
        waiting = await b.waiting(PacketKind.DOCUMENT)
        assert isinstance(waiting, Waiting)
        fetched = await b.fetch(waiting.items[0], FileWriter(tmp_path / "raw"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(outcome, Accepted)
    assert isinstance(fetched, Fetched)
    assert (fetched.stored.size, fetched.stored.digest) == (size, sha256.hexdigest())
    assert peak < 8 * 1024 * 1024


async def test_too_large_on_the_way_in(world, tmp_path):
    """A packet over the writer's limit is rejected."""
    packet = make_document()
    await (await world.a()).submit(make_sealed(packet), in_pieces(packet))
    for fetch in FetchBy:
        b = await world.b(fetch=fetch)
        waiting = await b.waiting(PacketKind.DOCUMENT)
        assert isinstance(waiting, Waiting)
        assert isinstance(
            await b.fetch(waiting.items[0], FileWriter(tmp_path / fetch, limit=len(packet) - 1)), Rejected
        )


async def test_calls_are_counted(world):
    """Each call is timed under account, operation and outcome."""
    registry = CollectorRegistry()
    axis = await world.stack.enter_async_context(axis_at(world.addresses.axis.url, registry=registry))
    await axis.waiting(PacketKind.DOCUMENT)
    await world.fault("html")
    await axis.waiting(PacketKind.DOCUMENT)
    for outcome in ("accepted", "unavailable"):
        labels = {"account": "national", "operation": "getReceivedEdocList", "outcome": outcome}
        assert registry.get_sample_value("lgsp_axis_call_seconds_count", labels) == 1
