from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.domain.circuit import Circuit, CircuitRules, Phase, Sign, sign_of
from gateway.domain.ids import AxisDocId
from gateway.domain.outcome import Absent, Accepted, CannotTell, Found, Rejected, Unavailable, Uncertain
from tests.make import NOW

RULES = CircuitRules(failures=3, pause=timedelta(seconds=5))
draws = st.floats(0, 1, exclude_max=True)


def after(*signs, at=NOW):
    circuit = Circuit()
    for sign in signs:
        circuit = circuit.heard(sign, RULES, at=at, draw=0.0)
    return circuit


def test_opens_after_failures_in_a_row():
    """Two failures leave a circuit of three closed, the third opens it; a success in between begins anew."""
    down, alive = Sign.DOWN, Sign.ALIVE
    assert after(down, down).phase(NOW) is Phase.CLOSED
    assert after(down, down, down).phase(NOW) is Phase.OPEN
    assert after(down, down, alive, down, down).phase(NOW) is Phase.CLOSED


def test_half_open_lets_one_probe_go():
    """After the pause one attempt may begin, no second one before it ended; while open, none."""
    circuit, later = after(*[Sign.DOWN] * 3), NOW + RULES.pause
    assert circuit.places(4, NOW) == 0
    assert circuit.places(4, later) == 1
    assert circuit.places(0, later) == 0
    assert circuit.probe_began().places(4, later) == 0
    assert circuit.probe_began().probe_ended().places(4, later) == 1


def test_a_failed_probe_opens_and_a_good_one_closes():
    """The probe decides: a failure gives another pause, a success opens all places."""
    probing, later = after(*[Sign.DOWN] * 3).probe_began(), NOW + RULES.pause
    failed = probing.heard(Sign.DOWN, RULES, at=later, draw=0.0).probe_ended()
    assert failed.phase(later) is Phase.OPEN
    assert failed.phase(later + RULES.pause) is Phase.HALF_OPEN
    assert probing.heard(Sign.ALIVE, RULES, at=later, draw=0.0).places(4, later) == 4


def test_stragglers_prolong_nothing():
    """Attempts that began before the outage fail one after the other while open: the next probe is not put off."""
    circuit = after(*[Sign.DOWN] * 3)
    for seconds in range(5):
        circuit = circuit.heard(Sign.DOWN, RULES, at=NOW + timedelta(seconds=seconds), draw=0.0)
    assert circuit.phase(NOW + RULES.pause) is Phase.HALF_OPEN


@pytest.mark.parametrize(
    ("result", "sign"),
    [
        (Accepted(axis_doc_id=AxisDocId("a")), Sign.ALIVE),
        (Found(axis_doc_id=AxisDocId("a")), Sign.ALIVE),
        (Absent(), Sign.ALIVE),
        (Rejected(code="18", reason="unknown"), Sign.ALIVE),
        (Unavailable(reason="99: come back", code="99"), Sign.ALIVE),
        (Unavailable(reason="no connection"), Sign.DOWN),
        (Uncertain(reason="no answer in time"), Sign.DOWN),
        (CannotTell(reason="no connection", passing=True), Sign.DOWN),
        (CannotTell(reason="by docId only"), Sign.SILENT),
    ],
)
def test_what_answers_say_of_the_peer(result, sign):
    """Refusals and findings are signs of life, broken exchanges are not, and a question never put says nothing."""
    assert sign_of(result) is sign


@given(st.timedeltas(timedelta(0), timedelta(hours=1)), st.timedeltas(timedelta(milliseconds=1), timedelta(minutes=10)))
def test_a_probe_waits_at_least_the_first_wait(first, pause):
    """While the peer is down a message waits some pauses at most, never less than its first wait."""
    longest = CircuitRules(pause=pause).longest_wait(first)
    assert longest >= first
    assert longest <= max(first, pause * 12)


class Machine(RuleBasedStateMachine):
    """Any order of attempts, ends and pauses."""

    def __init__(self):
        super().__init__()
        self.circuit = Circuit()
        self.now = NOW
        self.in_a_row = 0
        self.probes = 0

    @rule(by=st.timedeltas(timedelta(0), timedelta(seconds=20)))
    def time_passes(self, by):
        self.now += by

    @rule(sign=st.sampled_from(Sign), draw=draws)
    def an_answer_comes(self, sign, draw):
        before = self.circuit
        self.circuit = before.heard(sign, RULES, at=self.now, draw=draw)
        if sign is Sign.ALIVE:
            self.in_a_row = 0
            assert self.circuit.phase(self.now) is Phase.CLOSED
        elif sign is Sign.DOWN:
            self.in_a_row += 1
            if before.phase(self.now) is Phase.HALF_OPEN:
                assert self.circuit.phase(self.now) is Phase.OPEN
        else:
            assert self.circuit == before

    @precondition(lambda self: self.circuit.phase(self.now) is Phase.HALF_OPEN and not self.probes)
    @rule()
    def a_probe_begins(self):
        assert self.circuit.places(9, self.now) == 1
        self.circuit, self.probes = self.circuit.probe_began(), 1

    @precondition(lambda self: self.probes)
    @rule()
    def a_probe_ends(self):
        self.circuit, self.probes = self.circuit.probe_ended(), 0

    @invariant()
    def closed_exactly_while_failures_are_few(self):
        closed = self.circuit.phase(self.now) is Phase.CLOSED
        assert closed == (self.in_a_row < RULES.failures)

    @invariant()
    def never_open_longer_than_a_pause(self):
        assert self.circuit.phase(self.now + RULES.pause) is not Phase.OPEN

    @invariant()
    def one_probe_at_a_time(self):
        if self.circuit.phase(self.now) is Phase.HALF_OPEN:
            assert self.circuit.places(9, self.now) == 1 - self.probes


TestMachine = Machine.TestCase
