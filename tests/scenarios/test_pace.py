"""Documents and statuses of one account come in side by side."""

import asyncio

from gateway.domain.packet import PacketKind
from gateway.domain.status import ACCEPTED, FINISHED
from gateway.flows.receipts import report_on
from tests.load.inbound import run
from tests.make import make_agency, make_document, make_organization
from tests.scenarios.world import OURS, THEIRS, World, make_letter, submit


async def test_what_waits_comes_in_whole_and_in_order(tmp_path):
    """Over a real socket: statuses placed in order, each once, documents among them, and the axis told of all."""
    result = await run(tmp_path, statuses=40, documents=4)
    assert result.disordered == 0
    assert result.told_s > 0


async def test_statuses_that_hang_hold_no_document_up(tmp_path):
    """While the axis gives no status, a document is stored and the axis told; the statuses follow later, in order."""
    world = World(tmp_path)
    letter = make_letter(to=(make_organization(THEIRS),))
    release = asyncio.Event()
    async with world.gateway() as gateway:
        sent = (await submit(gateway, letter)).sent.document
        for code in (ACCEPTED, FINISHED):
            report = report_on(sent, make_agency(THEIRS), status_code=code, at=world.clock.now())
            world.axis.put(await world.status_packet(report), kind=PacketKind.STATUS)
        document = make_document(sender=make_organization(THEIRS), to=(make_organization(OURS),))
        item = world.axis.put(await world.document_packet(document), kind=PacketKind.DOCUMENT)
        fetch = world.axis.fetch

        async def hang(wanted, writer):
            if wanted.kind is PacketKind.STATUS:
                await release.wait()
            return await fetch(wanted, writer)

        world.axis.fetch = hang
        polling = asyncio.create_task(gateway.poller.poll())
        async with asyncio.timeout(20):
            while not world.axis.told:  # noqa: ASYNC110 - a plain list of the fake
                await asyncio.sleep(0.005)
        assert world.axis.told == [(item.axis_doc_id, True)]
        release.set()
        assert await polling == 3
        assert len(world.axis.told) == 3


async def test_statuses_are_placed_though_placing_them_together_fails(tmp_path):
    """A bug with several at once costs the pace and nothing else."""
    world = World(tmp_path)
    letter = make_letter(to=(make_organization(THEIRS),))
    async with world.gateway() as gateway:
        sent = (await submit(gateway, letter)).sent.document
        for code in (ACCEPTED, FINISHED):
            report = report_on(sent, make_agency(THEIRS), status_code=code, at=world.clock.now())
            world.axis.put(await world.status_packet(report), kind=PacketKind.STATUS)

        async def fail(batch):
            raise ArithmeticError("bug")

        gateway.intake.place_statuses = fail
        assert await gateway.poller.poll() == 2
        assert [done for _, done in world.axis.told] == [True, True]
        assert await gateway.poller.poll() == 0
