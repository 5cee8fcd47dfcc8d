from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from gateway.domain.circuit import CircuitRules, Sign
from gateway.domain.dialect import NATIONAL
from gateway.domain.ids import MessageId, OrganId
from gateway.flows.breaker import Breaker
from gateway.flows.config import AccountPolicy, OnUnknown
from gateway.observability.metrics import Metrics
from tests.fakes.clock import SettableClock
from tests.make import ROUTE

SECOND = timedelta(seconds=1)
RULES = CircuitRules(failures=2, pause=5 * SECOND)


class Queue:
    """Answers to hasten, one after the other."""

    def __init__(self, *answers):
        self.answers = list(answers)

    async def hasten(self, route, *, at):
        assert route == ROUTE
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def queue():
    return Queue()


@pytest.fixture
def clock():
    return SettableClock()


@pytest.fixture
def metrics():
    return Metrics(CollectorRegistry())


@pytest.fixture
def breaker(queue, clock, metrics):
    account = AccountPolicy(
        name=ROUTE,
        local_roots=frozenset(),
        hop=OrganId("H98"),
        packet_limit=1,
        recipients_per_message=1,
        settling_time=SECOND,
        dialect=NATIONAL,
        on_unknown=OnUnknown.HOLD,
        circuit=RULES,
    )
    return Breaker(account=account, outbox=queue, clock=clock, metrics=metrics, draw=lambda: 0.0)


def test_the_gauge_shows_the_circuit(breaker, clock, metrics):
    """0 while closed, 2 while open, 1 once probes may go, 0 again after a success."""
    seen = []

    def look():
        breaker.places(4)
        seen.append(metrics.registry.get_sample_value("lgsp_axis_circuit", {"account": ROUTE}))

    look()
    breaker.heard(Sign.DOWN)
    look()
    breaker.heard(Sign.DOWN)
    look()
    clock.advance(RULES.pause)
    look()
    breaker.heard(Sign.ALIVE)
    look()
    assert seen == [0, 0, 2, 1, 0]


def test_waits_are_cut_only_while_the_peer_is_down(breaker, clock):
    """Closed, a backoff stands; open and half-open no message waits longer than a minute."""
    assert breaker.longest_wait(SECOND) is None
    breaker.heard(Sign.DOWN)
    breaker.heard(Sign.DOWN)
    assert breaker.longest_wait(SECOND) == 60 * SECOND
    clock.advance(RULES.pause)
    assert breaker.longest_wait(SECOND) == 60 * SECOND
    breaker.heard(Sign.ALIVE)
    assert breaker.longest_wait(SECOND) is None


def test_only_the_end_of_the_probe_frees_its_place(breaker, clock):
    """Attempts from before the outage may end while a probe runs; that lets no second probe go."""
    breaker.began(MessageId("old"))
    breaker.heard(Sign.DOWN)
    breaker.heard(Sign.DOWN)
    clock.advance(RULES.pause)
    breaker.began(MessageId("probe"))
    breaker.ended(MessageId("old"))
    assert breaker.places(4) == 0
    breaker.ended(MessageId("probe"))
    assert breaker.places(4) == 1


async def test_an_outage_is_caught_up_with_until_all_is_back(breaker, queue):
    """Nothing is hastened without an outage; after one until a call brings few, a broken store included."""
    await breaker.catch_up()
    breaker.heard(Sign.DOWN)
    breaker.heard(Sign.DOWN)
    await breaker.catch_up()
    breaker.heard(Sign.ALIVE)
    queue.answers = [OSError("disk"), 5000, 12, 99]
    for _ in range(6):
        await breaker.catch_up()
    assert queue.answers == [99]
