"""One of several gateways does a job at a time, and another goes on where it stops."""

import asyncio
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.store import open_store
from tests.make import NOW

HOLD = timedelta(seconds=10)
STEP = timedelta(seconds=1)


@pytest.fixture
async def both(store, store_path):
    """Two gateways' stores over one database."""
    other = await open_store(store_path)
    yield store, other
    await other.close()


async def test_of_many_takers_one_wins(both):
    """Takers that come at once, from two gateways, find one winner, for a new job and for one whose claim has ended."""
    for at in (NOW, NOW + HOLD * 2, NOW + HOLD * 4):
        takers = [f"{at:%S}-{n}" for n in range(16)]
        took = await asyncio.gather(
            *(both[n % 2].claims.take("job", owner, hold_for=HOLD, at=at) for n, owner in enumerate(takers))
        )
        assert sorted(took) == [False] * 15 + [True]
        winner = takers[took.index(True)]
        assert await both[0].claims.take("job", winner, hold_for=HOLD, at=at)


async def test_a_claim_holds_to_its_end(both):
    """Another owner is refused until the end of the claim, which its owner may move; then it may begin."""
    mine, other = (store.claims for store in both)
    assert await mine.take("job", "a", hold_for=HOLD, at=NOW)
    assert not await other.take("job", "b", hold_for=HOLD, at=NOW + HOLD)
    assert await mine.take("job", "a", hold_for=HOLD, at=NOW + HOLD)
    assert not await other.take("job", "b", hold_for=HOLD, at=NOW + HOLD * 2)
    assert await other.take("job", "b", hold_for=HOLD, at=NOW + HOLD * 2 + STEP)
    assert not await mine.take("job", "a", hold_for=HOLD, at=NOW + HOLD * 2 + STEP)
    assert await mine.take("another job", "a", hold_for=HOLD, at=NOW)


async def test_a_claim_given_up_is_free_at_once(both):
    """Its owner alone can end a claim; then another takes it without waiting."""
    mine, other = (store.claims for store in both)
    assert await mine.take("job", "a", hold_for=HOLD, at=NOW)
    await other.give_up("job", "b")
    await other.give_up("never taken", "b")
    assert not await other.take("job", "b", hold_for=HOLD, at=NOW)
    await mine.give_up("job", "a")
    assert await other.take("job", "b", hold_for=HOLD, at=NOW)


_jobs = count(1)
STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "give up"]), st.sampled_from("abc"), st.integers(0, 12), st.integers(0, 6)),
    max_size=12,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_claims_do_what_a_table_of_one_would(steps, both):
    """Whatever order owners take and give up in, the answers are those of one variable with an owner and an end."""
    name, at, held = f"job {next(_jobs)}", NOW, None
    for n, (what, owner, hold, later) in enumerate(steps):
        claims, at = both[n % 2].claims, at + STEP * later
        free = held is None or held[0] == owner or held[1] < at
        if what == "take":
            assert await claims.take(name, owner, hold_for=STEP * hold, at=at) == free
            held = (owner, at + STEP * hold) if free else held
        else:
            await claims.give_up(name, owner)
            held = None if held is not None and held[0] == owner else held
