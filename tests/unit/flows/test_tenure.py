"""The last look at the lease before a packet is whole."""

from datetime import timedelta
from time import monotonic

import pytest

from gateway.flows.outbound import _while_leased
from gateway.flows.tenure import OF_THIS_ATTEMPT, LeaseEndedError, Tenure

LEASE = timedelta(seconds=15)


async def chunks():
    for chunk in (b"a", b"b"):
        yield chunk


async def read_under(tenure):
    token = OF_THIS_ATTEMPT.set(tenure)
    try:
        return [chunk async for chunk in _while_leased(chunks)]
    finally:
        OF_THIS_ATTEMPT.reset(token)


@pytest.mark.parametrize("leased", [False, True])
async def test_a_body_goes_out_whole_while_the_lease_holds(leased):
    """All of the body, and its end."""
    tenure = Tenure(LEASE, asked_at=monotonic()) if leased else None
    assert await read_under(tenure) == [b"a", b"b"]


async def test_a_body_whose_lease_was_slept_through_has_no_end():
    """A lease that ended meanwhile, by this process's own clock, breaks the body off; a renewal in time does not."""
    slept = Tenure(LEASE, asked_at=monotonic() - 16)
    with pytest.raises(LeaseEndedError):
        await read_under(slept)
    slept.renewed(asked_at=monotonic())
    assert await read_under(slept) == [b"a", b"b"]
