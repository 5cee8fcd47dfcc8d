import asyncio
from datetime import timedelta

import pytest

from gateway.domain.errors import GatewayError
from gateway.flows.claim import HOLD, LOOK, Claim
from tests.fakes.claims import FakeClaims
from tests.fakes.clock import SettableClock

SHORT = timedelta(seconds=0.3)


def claim_of(claims, owner, hold_for=SHORT):
    return Claim(claims=claims, name="poll:national", owner=owner, clock=SettableClock(), hold_for=hold_for)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.005)


async def test_one_of_two_holds_it_for_as_long_as_it_lives():
    """It is renewed while one turn of the job lasts longer than the claim, and the other never gets it."""
    claims = FakeClaims()
    one, other = claim_of(claims, "one"), claim_of(claims, "other")
    async with one.kept():
        assert await one.seize()
        end = asyncio.get_running_loop().time() + 3 * SHORT.total_seconds()
        while asyncio.get_running_loop().time() < end:
            assert one.held
            assert not await other.seize()
            await asyncio.sleep(0.01)
    assert not one.held
    assert await other.seize(), "given up at the end: no wait"


async def test_a_dead_holder_is_followed():
    """Who vanishes without a word is followed once the claim has run out."""
    claims = FakeClaims()
    dead, next_one = claim_of(claims, "dead"), claim_of(claims, "next")
    assert await dead.seize()
    assert not await next_one.seize()
    await until(lambda: not dead.held)
    async with asyncio.timeout(10):
        while not await next_one.seize():  # noqa: ASYNC110 - what is tested
            await asyncio.sleep(0.005)


async def test_a_holder_that_the_store_does_not_answer_stops_in_time():
    """Without a renewal the holder ends before its claim does, and takes it again when the store is back."""
    claims = FakeClaims()
    claim = claim_of(claims, "one")
    async with claim.kept():
        assert await claim.seize()
        claims.down = True
        await until(lambda: not claim.held)
        with pytest.raises(GatewayError):
            await claim.seize()
        claims.down = False
        assert await claim.seize()


async def test_a_lost_claim_is_noticed():
    """Should another have it all the same, the next renewal says so."""
    claims = FakeClaims()
    claim = claim_of(claims, "one")
    async with claim.kept():
        assert await claim.seize()
        claims.held["poll:national"] = ("another", asyncio.get_running_loop().time() + 60)
        await until(lambda: not claim.held)
    assert claims.held["poll:national"][0] == "another", "not given up: it is another's"


def test_takeover_is_quick():
    """A killed holder is followed in far less than fifteen seconds."""
    longest = HOLD + LOOK
    assert longest < timedelta(seconds=10)
