"""The flows over PostgreSQL: what the store's contract suite cannot show, since it has no flows."""

import pytest

from gateway.domain.lifecycle import DeliveryState
from tests.fakes.axis import Fate
from tests.fakes.postgres import running_postgres
from tests.scenarios.world import World, make_letter, run_until_idle, submit


@pytest.fixture
def world(tmp_path):
    with running_postgres() as server:
        made = World(tmp_path)
        made.database = server.url(server.create())
        yield made


async def test_a_lost_answer_is_asked_for_after_a_restart(world):
    """The answer to a packet is lost and the gateway ends; the next one asks, and nothing is sent twice."""
    world.axis.fates.append(Fate.LOSE_ANSWER)
    async with world.gateway() as gateway:
        result = await submit(gateway, make_letter())
        await gateway.send_due()
    async with world.gateway() as gateway:
        await run_until_idle(gateway)
        sent = await gateway.store.documents.get(result.sent.uid)
    assert {delivery.state for delivery in sent.deliveries} == {DeliveryState.SENT}
    assert len(world.axis.taken) == 1
