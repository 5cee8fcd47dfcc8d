"""Two gateways on one store and one account: one polls, one keeps the directory; the other follows within seconds."""

import asyncio

import pytest

from gateway.domain.packet import PacketKind
from gateway.flows.claim import Claim
from gateway.flows.directory import DirectorySync
from gateway.flows.polling import Poller
from tests.fakes.claims import FakeClaims
from tests.make import ROUTE, make_document, make_organization
from tests.scenarios.world import MINUTE, OURS, THEIRS, World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


async def until(condition, seconds=30):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.01)


async def put(world):
    document = make_document(sender=make_organization(THEIRS), to=(make_organization(OURS),))
    return world.axis.put(await world.document_packet(document), kind=PacketKind.DOCUMENT)


def with_claim(loop, claims, job, owner):
    """The loop as another process would have it, with its own claim of usual length."""
    loop._claim = Claim(claims=claims, name=f"{job}:{ROUTE}", owner=owner, clock=loop._claim._clock)
    return loop


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "stopped"])
async def test_a_poller_is_followed_within_seconds(world, killed):
    """Though the pause between polls is a minute: at once after a stop, in far less than 15 s after a kill."""
    claims = FakeClaims()
    async with world.gateway() as one, world.gateway() as other:
        first: Poller = with_claim(one.poller, claims, "poll", "one")
        second: Poller = with_claim(other.poller, claims, "poll", "other")
        assert first._policy.poll_interval == MINUTE
        item = await put(world)
        running = asyncio.create_task(first.run())
        await until(lambda: (item.axis_doc_id, True) in world.axis.told)
        following = asyncio.create_task(second.run())
        await until(lambda: claims.takes > 3)
        assert not second._claim.held
        item = await put(world)
        begin = asyncio.get_running_loop().time()
        if killed:
            claims_of_the_dead = dict(claims.held)
            running.cancel()
            await asyncio.wait({running})
            claims.held.update(claims_of_the_dead)
        else:
            first.stop()
            await running
        await until(lambda: (item.axis_doc_id, True) in world.axis.told)
        took = asyncio.get_running_loop().time() - begin
        assert took < (12 if killed else 6)
        second.stop()
        await following


async def test_one_fetches_the_directory_and_all_see_it(world):
    """The other asks the axis nothing, is ready once the store is, and fetches itself after the first has stopped."""
    claims, fetched = FakeClaims(), 0
    agencies = world.axis.agencies

    async def count():
        nonlocal fetched
        fetched += 1
        return await agencies()

    world.axis.agencies = count
    async with world.gateway(ready=False) as one, world.gateway(ready=False) as other:
        first: DirectorySync = with_claim(one.directory, claims, "directory", "one")
        second: DirectorySync = with_claim(other.directory, claims, "directory", "other")
        running = asyncio.create_task(first.run())
        await until(lambda: first.loaded)
        following = asyncio.create_task(second.run())
        await until(lambda: second.loaded)
        assert fetched == 1
        first.stop()
        await running
        await until(lambda: fetched == 2)
        second.stop()
        await following
