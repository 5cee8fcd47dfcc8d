import asyncio
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.dialect import DIALECTS
from gateway.domain.document import StaffInfo
from gateway.domain.ids import OrganId
from gateway.domain.lifecycle import ItemState, ReceptionState
from gateway.domain.outcome import Rejected, Unavailable
from gateway.domain.packet import PacketKind, SplitPacket, StoredObject
from gateway.domain.reconciliation import DiscrepancyKind
from gateway.domain.status import ACCEPTED, AGREED, FINISHED, NOT_AGREED, StatusReport
from gateway.domain.verdict import Verdict
from gateway.flows.config import ReceiptAt
from gateway.flows.receipts import report_on
from gateway.ports import Waiting
from tests.fakes.fuse import Crash
from tests.make import (
    NOW,
    ROUTE,
    make_agency,
    make_attachment,
    make_digest,
    make_directory_row,
    make_document,
    make_organization,
)
from tests.scenarios.world import (
    LEASE,
    MINUTE,
    OURS,
    OURS_TOO,
    PDF,
    THEIRS,
    VENDOR,
    World,
    make_letter,
    run_until_idle,
    send_all,
    stored_keys,
    submit,
)
from tests.scenarios.wrecks import wrecks


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def make_incoming(**overrides):
    values = {
        "sender": make_organization(THEIRS),
        "to": (make_organization(OURS), make_organization(OURS_TOO)),
        "attachments": (make_attachment(PDF),),
    }
    return make_document(**(values | overrides))


async def put_document(world, document, recipients=()):
    packet = await world.document_packet(document)
    return world.axis.put(packet, kind=PacketKind.DOCUMENT, recipients=recipients)


async def put_status(world, document, code, *, by=THEIRS):
    report = report_on(document, make_agency(by), status_code=code, at=world.clock.now())
    return world.axis.put(await world.status_packet(report), kind=PacketKind.STATUS)


async def waiting(gateway):
    """Everything the vendor can pull, without end: (recipient, document id)."""
    entries = await gateway.store.receptions.lease(
        VENDOR, under=None, limit=100, lease_for=timedelta(0), at=gateway.clock.now()
    )
    gateway.clock.advance(timedelta(seconds=1))
    return entries


async def statuses(gateway):
    """Every status in the log, in order: (recipient, code)."""
    page = await gateway.store.events.read(VENDOR, under=None, after=0, limit=1000)
    return [(e.recipient_code, e.change.status_code) for e in page.events if isinstance(e.change, StatusReport)]


async def test_a_document_reaches_each_local_recipient(world):
    """One packet for two of our agencies and a stranger gives two receptions, with verdicts; the axis is told done."""
    document = make_incoming(to=tuple(make_organization(c) for c in (OURS, "H99.02", OURS_TOO)))
    item = await put_document(world, document)
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        entries = await waiting(gateway)
        assert sorted(e.recipient.code for e in entries) == [OURS, OURS_TOO]
        assert {e.document.attachments[0].sha256 for e in entries} == {make_digest(PDF)}
        assert {e.document.attachments[0].verdict.verdict for e in entries} == {Verdict.TRUSTED}
        assert gateway.count("documents_received", account=ROUTE) == 2
        assert await gateway.store.items.states(ROUTE, [item.axis_doc_id]) == {item.axis_doc_id: ItemState.SETTLED}
        assert await gateway.send_due() == 0
    assert world.axis.told == [(item.axis_doc_id, True)]


async def test_the_list_narrows_recipients_and_repeats_add_nothing(world):
    """One item per recipient: each adds its own reception; a third item of the same document is a counted duplicate."""
    document = make_incoming()
    async with world.gateway() as gateway:
        for number, hint in enumerate((OURS, OURS_TOO, OURS)):
            await put_document(world, document, [hint])
            await gateway.poller.poll()
            assert len(await waiting(gateway)) == min(number + 1, 2)
        assert gateway.count("duplicates_suppressed", side="axis") == 1
        assert len(await stored_keys(gateway)) == 2, "one packet, one attachment, however often they came"
    assert [done for _, done in world.axis.told] == [True] * 3


async def test_a_list_that_names_a_centre_narrows_nothing(world):
    """A hint that is none of the packet's recipients does not lose the document."""
    await put_document(world, make_incoming(), [OrganId("00.99.W00")])
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        assert len(await waiting(gateway)) == 2


async def test_old_codes_reach_the_current_agency(world):
    """A recipient written by an older code is found through the directory."""
    await put_document(world, make_incoming(to=(make_organization("000.00.01.H98"),)))
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        assert [e.recipient.code for e in await waiting(gateway)] == [OURS]


async def test_other_content_under_a_known_id_is_quarantined(world):
    """The first document stays as it is, the second is kept for an operator, the axis is told fail."""
    document = make_incoming()
    await put_document(world, document)
    await put_document(world, replace(document, subject="something else"))
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        assert {e.document.subject for e in await waiting(gateway)} <= {document.subject, "something else"}
        assert len(await waiting(gateway)) == 2
        assert gateway.count("packets_quarantined", account=ROUTE, code="CONTENT_CONFLICT") == 1
    assert sorted(done for _, done in world.axis.told) == [False, True]


@pytest.mark.parametrize(
    ("data", "code"), [(b"<html>busy</html>", None), (None, "NO_LOCAL_RECIPIENT")], ids=["unreadable", "foreign"]
)
async def test_what_cannot_be_taken_is_kept_and_answered(world, data, code):
    """An unreadable packet and one for nobody here are kept whole, told fail, and leave no attachments behind."""
    if data is None:
        data = await world.document_packet(make_incoming(to=(make_organization("H99.02"),)))
    item = world.axis.put(data, kind=PacketKind.DOCUMENT)
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        assert (await gateway.store.outbox.depth(at=world.clock.now(), near=timedelta(hours=1))).quarantined == 1
        assert await gateway.store.items.states(ROUTE, [item.axis_doc_id]) == {item.axis_doc_id: ItemState.REJECTED}
        assert len(await stored_keys(gateway)) == 1
        if code:
            assert gateway.count("packets_quarantined", account=ROUTE, code=code) == 1
    assert world.axis.told == [(item.axis_doc_id, False)]


async def test_a_unit_registered_since_the_last_synchronisation_gets_its_documents(world):
    """An unknown recipient makes the gateway fetch the directory anew, though not at every packet."""
    fetched = 0
    agencies = world.axis.agencies

    async def count_calls():
        nonlocal fetched
        fetched += 1
        return await agencies()

    async with world.gateway() as gateway:
        world.axis.agencies = count_calls
        world.clock.advance(timedelta(minutes=11))
        world.axis.rows = (*world.axis.rows, make_directory_row("H98.77", parent_axis_id="axis-H98"))
        await put_document(world, make_incoming(to=(make_organization("H98.77"),)))
        await gateway.poller.poll()
        assert [e.recipient.code for e in await waiting(gateway)] == ["H98.77"]
        await put_document(world, make_incoming(to=(make_organization("H98.78"),)))
        await gateway.poller.poll()
        assert gateway.count("packets_quarantined", account=ROUTE, code="NO_LOCAL_RECIPIENT") == 1
    assert fetched == 1


async def test_one_bad_item_stops_no_other(world):
    """An item whose reading breaks stays for the next poll; its neighbours are taken in."""
    bad = await put_document(world, make_incoming())
    good = make_incoming()
    await put_document(world, good)
    async with world.gateway() as gateway:
        translator = gateway.intake._translator
        read = translator.read

        async def break_one(received):
            if received.item == bad:
                raise ArithmeticError("bug")
            return await read(received)

        translator.read = break_one
        await gateway.poller.poll()
        assert {e.document.document_id for e in await waiting(gateway)} == {good.document_id}
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        assert len(await waiting(gateway)) == 4


async def test_poison_is_shown_and_not_told(world):
    """A packet on which our work always breaks: neighbours flow; it is tried ever more seldom, kept and shown."""
    poison = await put_document(world, make_incoming())
    async with world.gateway() as gateway:
        translator, tries = gateway.intake._translator, 0
        read = translator.read

        async def break_one(received):
            nonlocal tries
            if received.item == poison:
                tries += 1
                raise ArithmeticError("bug")
            return await read(received)

        translator.read = break_one
        for _ in range(120):
            await gateway.poller.poll()
            gateway.clock.advance(MINUTE)
        assert 5 <= tries <= 12, "two hours of polls"
        neighbour = await put_document(world, make_incoming())
        await gateway.poller.poll()
        assert world.axis.told == [(neighbour.axis_doc_id, True)]
        (shown,) = await gateway.store.discrepancies.open(ROUTE)
        assert (shown.kind, shown.key) == (DiscrepancyKind.HANDLING_BROKE, poison.axis_doc_id)
        assert "ArithmeticError" in shown.detail
        assert await gateway.store.items.original(ROUTE, poison.axis_doc_id) is not None
    async with world.gateway() as gateway:  # the next release
        await gateway.poller.poll()
        await gateway.reconciler.show()
        assert await gateway.store.discrepancies.open(ROUTE) == ()
    assert world.axis.told[-1] == (poison.axis_doc_id, True)


async def test_a_status_that_breaks_holds_back_those_behind_it(world):
    """06 waits while placing its 03 breaks, at each poll; after a restart both are placed in order."""
    letter = make_letter(to=(make_organization(THEIRS),))
    async with world.gateway() as gateway:
        sent = (await submit(gateway, letter)).sent.document
        await run_until_idle(gateway)
        first = await put_status(world, sent, ACCEPTED)
        await put_status(world, sent, FINISHED)
        translator = gateway.intake._translator
        read = translator.read

        async def break_first(received):
            if received.item == first:
                raise ArithmeticError("bug")
            return await read(received)

        translator.read = break_first
        for _ in range(3):
            await gateway.poller.poll()
            gateway.clock.advance(MINUTE)
            assert await statuses(gateway) == []
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        assert [code for _, code in await statuses(gateway)] == [ACCEPTED, FINISHED]


async def test_recorded_statuses_are_resumed_in_order(world):
    """Several statuses recorded and never placed are placed as they were recorded, though reading the first is slow."""
    letter = make_letter(to=(make_organization(THEIRS),))
    async with world.gateway() as gateway:
        sent = (await submit(gateway, letter)).sent.document
        await run_until_idle(gateway)
        for code in (ACCEPTED, FINISHED):
            item = await put_status(world, sent, code)
            received = await gateway.reconciler._fetcher.fetch(item)
            await gateway.store.items.record(received, at=gateway.clock.now())
            gateway.clock.advance(timedelta(seconds=1))
    async with world.gateway() as gateway:
        read = gateway.intake._translator.read

        async def slow_first(received):
            if received.item != item:
                await asyncio.sleep(0.2)
            return await read(received)

        gateway.intake._translator.read = slow_first
        await gateway.poller.poll()
        assert [code for _, code in await statuses(gateway)] == [ACCEPTED, FINISHED]


async def test_a_packet_left_whole_is_split_later(world):
    """What a crash between storing and splitting left whole is kept as parts after the next poll, and still whole."""
    item = await put_document(world, make_incoming())
    async with world.gateway() as gateway:

        async def crash(received, spans):
            raise Crash

        gateway.intake._split = crash
        await gateway.poller.poll()
    async with world.gateway() as gateway:
        assert isinstance((await gateway.store.items.original(ROUTE, item.axis_doc_id)).kept, StoredObject)
        await gateway.poller.poll()
        assert isinstance((await gateway.store.items.original(ROUTE, item.axis_doc_id)).kept, SplitPacket)
        assert len(await waiting(gateway)) == 2
        assert len(await stored_keys(gateway)) == 2
    assert world.axis.told == [(item.axis_doc_id, True)]


async def test_without_the_claim_nothing_is_taken_in(world):
    """Of several gateways one polls: another's claim keeps this one from asking; once it is given up, it does."""
    await put_document(world, make_incoming())
    async with world.gateway() as gateway:
        name, hold = f"poll:{ROUTE}", timedelta(days=1)
        assert await gateway.store.claims.take(name, "another", hold_for=hold, at=gateway.clock.now())
        assert await gateway.poller.poll() == 0
        assert await waiting(gateway) == ()
        await gateway.store.claims.give_up(name, "another")
        assert await gateway.poller.poll() == 1


async def test_a_claim_lost_in_the_middle_begins_no_new_item(world):
    """The items under way end, those not begun are left to the one that has the claim now."""
    for _ in range(12):
        await put_document(world, make_incoming(to=(make_organization(OURS),)))
    async with world.gateway() as gateway:
        fetch = world.axis.fetch

        async def lose(item, writer):
            gateway.poller._claim._until = 0.0
            return await fetch(item, writer)

        world.axis.fetch = lose
        assert 1 <= await gateway.poller.poll() <= 4, "no more than were under way at a time"


async def test_an_altered_document_is_refused(world):
    """A file altered after signing: receptions are REFUSED at once, the sender gets 02 with the reason from each."""
    world.signatures.verdicts[make_digest(PDF)] = Verdict.ALTERED
    await put_document(world, make_incoming())
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        assert await waiting(gateway) == ()
        await run_until_idle(gateway)
    packets = [packet.data.decode() for packet in world.axis.taken]
    assert len(packets) == 2
    assert all(">02<" in packet and "altered after it was signed" in packet for packet in packets)


async def test_our_refusal_fits_the_peer(world):
    """The description of our own 02 is no longer than the peer takes: Bkav's column holds 75 characters."""
    world.dialect = DIALECTS["bkav"]
    world.signatures.verdicts[make_digest(PDF)] = Verdict.ALTERED
    await put_document(world, make_incoming(attachments=(make_attachment(PDF, name="n" * 200 + ".pdf"),)))
    async with world.gateway() as gateway:
        await gateway.poller.poll()
        await run_until_idle(gateway)
    packets = [packet.data.decode() for packet in world.axis.taken]
    said = [re.findall("<edXML:Description>(.*)</edXML:Description>", packet) for packet in packets]
    assert [[len(text) for text in texts] for texts in said] == [[75], [75]]


async def test_01_once_stored_if_the_setting_says_so(world):
    """With receipt = stored each new reception sends 01, repetitions send nothing, and acknowledging adds none."""
    world.receipt = ReceiptAt.STORED
    document = make_incoming()
    async with world.gateway() as gateway:
        for _ in range(2):
            await put_document(world, document)
            await gateway.poller.poll()
        for entry in await waiting(gateway):
            await gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
        await run_until_idle(gateway)
    assert sorted(packet.sender for packet in world.axis.taken) == [OURS, OURS_TOO]
    assert all(">01<" in packet.data.decode() for packet in world.axis.taken)


async def test_an_axis_that_cannot_be_told_is_told_later(world):
    """The inbox has the document though the axis went down before it was told; the next poll tells it."""
    item = await put_document(world, make_incoming())
    async with world.gateway() as gateway:
        fetch = world.axis.fetch

        async def fetch_then_down(wanted, writer):
            world.axis.down = True
            return await fetch(wanted, writer)

        world.axis.fetch = fetch_then_down
        await gateway.poller.poll()
        assert len(await waiting(gateway)) == 2
        assert world.axis.told == []
        world.axis.down = False
        world.axis.fetch = fetch
        await gateway.poller.poll()
        assert len(await waiting(gateway)) == 2
    assert world.axis.told == [(item.axis_doc_id, True)]


async def test_a_list_of_one_answers_worth_is_asked_for_again(world):
    """An axis that lists two items at a time is polled again at once until nothing new comes."""
    for _ in range(5):
        await put_document(world, make_incoming(to=(make_organization(OURS),)))
    waiting_of = world.axis.waiting

    async def two_at_a_time(kind):
        return Waiting(items=(await waiting_of(kind)).items[:2])

    world.axis.waiting = two_at_a_time
    async with world.gateway() as gateway:
        task = asyncio.create_task(gateway.poller.run())
        async with asyncio.timeout(20):
            while len(world.axis.told) < 5:  # noqa: ASYNC110 - a plain list of the fake
                await asyncio.sleep(0.005)
        gateway.poller.stop()
        await asyncio.wait_for(task, 10)
        assert len(await waiting(gateway)) == 5


async def test_what_cannot_be_fetched_comes_again(world):
    """An item the axis lists but does not give is left alone and asked for again; nothing is recorded of it."""
    item = await put_document(world, make_incoming())
    async with world.gateway() as gateway:
        fetch = world.axis.fetch

        async def refuse(wanted, writer):
            return Unavailable(reason="busy")

        world.axis.fetch = refuse
        await gateway.poller.poll()
        assert await gateway.store.items.states(ROUTE, [item.axis_doc_id]) == {}
        assert not await stored_keys(gateway)
        world.axis.fetch = fetch
        await gateway.poller.poll()
        assert len(await waiting(gateway)) == 2


async def test_what_is_refused_at_fetching_is_put_off(world):
    """An oversized item is not downloaded at every poll; it stays at the axis, stops no other, and is tried hourly."""
    item = await put_document(world, make_incoming())
    fetch, refused = world.axis.fetch, []

    async def refuse(wanted, writer):
        if wanted != item:
            return await fetch(wanted, writer)
        refused.append(wanted)
        return Rejected(code="packet-too-large", reason="an attachment may have at most 9 bytes")

    world.axis.fetch = refuse
    async with world.gateway() as gateway:
        for _ in range(3):
            await gateway.poller.poll()
        neighbour = await put_document(world, make_incoming(document_id="another"))
        await gateway.poller.poll()
        assert len(refused) == 1
        assert world.axis.told == [(neighbour.axis_doc_id, True)]
        gateway.clock.advance(61 * MINUTE)
        world.axis.fetch = fetch
        await gateway.poller.poll()
        assert len(await waiting(gateway)) == 4


async def test_an_item_still_listed_is_told_again_and_not_fetched(world):
    """An axis that goes on listing a settled item hears the same answer at each poll; nothing is taken in twice."""
    world.axis.forgets_settled = False
    await put_document(world, make_incoming())
    async with world.gateway() as gateway:
        for _ in range(3):
            await gateway.poller.poll()
        assert len(await waiting(gateway)) == 2
        assert gateway.count("documents_received", account=ROUTE) == 2
    assert [done for _, done in world.axis.told] == [True] * 3


async def test_statuses_are_logged_once_in_the_axiss_order(world):
    """03 before 06, each once, though the axis gives 03 twice."""
    letter = make_letter(to=(make_organization(THEIRS),))
    async with world.gateway() as gateway:
        sent = (await submit(gateway, letter)).sent.document
        await run_until_idle(gateway)
        for code in (ACCEPTED, ACCEPTED, FINISHED):
            await put_status(world, sent, code)
        await gateway.poller.poll()
        assert await statuses(gateway) == [(THEIRS, "03"), (THEIRS, "06")]
        assert gateway.count("duplicates_suppressed", side="axis") == 1


async def test_a_status_that_cannot_be_fetched_keeps_its_place(world):
    """06 waits for a 03 that the axis does not give just now, without litter; it does not wait for ever."""
    letter = make_letter(to=(make_organization(THEIRS),))
    async with world.gateway() as gateway:
        sent = (await submit(gateway, letter)).sent.document
        kept = await stored_keys(gateway)
        first = await put_status(world, sent, ACCEPTED)
        await put_status(world, sent, FINISHED)
        fetch = world.axis.fetch

        async def refuse_first(wanted, writer):
            return Unavailable(reason="busy") if wanted == first else await fetch(wanted, writer)

        world.axis.fetch = refuse_first
        await gateway.poller.poll()
        assert await statuses(gateway) == []
        assert await stored_keys(gateway) == kept
        world.axis.fetch = fetch
        await gateway.poller.poll()
        assert [code for _, code in await statuses(gateway)] == [ACCEPTED, FINISHED]
        world.axis.fetch = refuse_first
        first = await put_status(world, sent, AGREED)
        await put_status(world, sent, NOT_AGREED)
        for _ in range(5):
            await gateway.poller.poll()
        assert [code for _, code in await statuses(gateway)] == [ACCEPTED, FINISHED, NOT_AGREED]


async def test_a_status_that_cannot_be_fetched_holds_back_more_than_one_batch(world, monkeypatch):
    """06 waits for its 03 also where the axis lists so many items that they are looked up in several batches."""
    monkeypatch.setattr("gateway.flows.lanes.BATCH", 1)
    letter = make_letter(to=(make_organization(THEIRS),))
    async with world.gateway() as gateway:
        sent = (await submit(gateway, letter)).sent.document
        first = await put_status(world, sent, ACCEPTED)
        await put_status(world, sent, FINISHED)
        fetch = world.axis.fetch

        async def refuse_first(wanted, writer):
            return Unavailable(reason="busy") if wanted == first else await fetch(wanted, writer)

        world.axis.fetch = refuse_first
        await gateway.poller.poll()
        assert await statuses(gateway) == []
        world.axis.fetch = fetch
        await gateway.poller.poll()
        assert [code for _, code in await statuses(gateway)] == [ACCEPTED, FINISHED]


async def test_a_status_about_nothing_of_ours_is_quarantined(world):
    """A status that fits no document, or comes from no recipient, is kept for an operator and changes nothing."""
    async with world.gateway() as gateway:
        sent = (await submit(gateway, make_letter())).sent.document
        await put_status(world, sent, ACCEPTED, by=OURS_TOO)
        await put_status(world, make_letter(), ACCEPTED)
        await gateway.poller.poll()
        assert await statuses(gateway) == []
        assert gateway.count("packets_quarantined", account=ROUTE, code="STATUS_UNPLACED") == 2


@pytest.mark.parametrize("lanes", ["side by side", "documents first", "statuses first"])
async def test_a_crash_between_any_two_steps_of_receiving(tmp_path, lanes):
    """Wherever the process dies: one reception per recipient, each status once, in order, the axis told, no litter."""
    base = World(tmp_path / "base")
    base.folder.mkdir()
    async with base.gateway() as gateway:
        sent = (await submit(gateway, make_letter())).sent.document
        await run_until_idle(gateway)
    await put_document(base, make_incoming())
    for code in (ACCEPTED, FINISHED):
        await put_status(base, sent, code)
    for world in await wrecks(base, lambda gateway: poll(gateway.poller, lanes), least=20):
        world.clock.advance(LEASE + MINUTE)
        async with world.gateway() as gateway:
            await gateway.poller.poll()
            assert sorted(e.recipient.code for e in await waiting(gateway)) == [OURS, OURS_TOO]
            assert await statuses(gateway) == [(THEIRS, "03"), (THEIRS, "06")]
            assert await gateway.store.items.unfinished(ROUTE, limit=10) == ()
            assert (await gateway.store.outbox.depth(at=NOW, near=timedelta(hours=1))).quarantined == 0
            world.clock.advance(timedelta(days=3650))
            await gateway.upkeep.collect_orphans()
            assert len(await stored_keys(gateway)) == 4
        assert {done for _, done in world.axis.told} == {True}


async def test_reports_leave_in_order_and_survive_any_crash(tmp_path):
    """03 and 06 of one document: 06 never leaves before 03, whatever fails; a crash may repeat one, never lose one."""
    base = World(tmp_path / "base")
    base.folder.mkdir()
    await put_document(base, make_incoming(to=(make_organization(OURS),)))
    async with base.gateway() as gateway:
        await gateway.poller.poll()
        await acknowledge_and_report(gateway, ACCEPTED, FINISHED)
    for world in await wrecks(base, send_all, least=20):
        world.clock.advance(LEASE + MINUTE)
        async with world.gateway() as gateway:
            await run_until_idle(gateway)
        packets = [packet.data for packet in world.axis.taken]
        codes = [code for data in packets for code in ("01", "03", "06") if f">{code}<".encode() in data]
        assert list(dict.fromkeys(codes)) == ["01", "03", "06"]
        assert codes == sorted(codes)
        assert len(codes) <= 4


async def poll(poller, lanes):
    """Poll as ever, or one kind after the other."""
    if lanes == "side by side":
        await poller.poll()
        return
    for lane in poller._lanes[:: 1 if lanes == "documents first" else -1]:
        await poller._poll(lane)


async def acknowledge_and_report(gateway, *codes):
    """As the vendor: take the only document over and report."""
    (entry,) = await waiting(gateway)
    await gateway.inbox.acknowledge(VENDOR, entry.id, entry.ack_id)
    assert (await gateway.store.receptions.get(entry.id)).state is ReceptionState.ACKNOWLEDGED
    for code in codes:
        await gateway.inbox.report(
            VENDOR, entry.id, request_id=code, status_code=code, description="", staff=StaffInfo()
        )
