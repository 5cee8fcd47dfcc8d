from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.circuit import Circuit, CircuitRules, Phase, Sign
from gateway.domain.failover import standing
from gateway.domain.ids import AccountName
from tests.make import NOW

RULES = CircuitRules(failures=2, pause=timedelta(seconds=5))
AFTER = timedelta(seconds=60)
SECOND = timedelta(seconds=1)
FIRST, SECOND_ACCOUNT = AccountName("national"), AccountName("province")

histories = st.lists(st.tuples(st.sampled_from(Sign), st.integers(0, 90)), max_size=12)


def run(history):
    """A circuit that heard these signs, each so many seconds after the one before; and the instant of the last."""
    circuit, at = Circuit(), NOW
    for sign, seconds in history:
        at += seconds * SECOND
        circuit = circuit.heard(sign, RULES, at=at, draw=0.0)
    return circuit, at


def down(circuit, at):
    return standing({FIRST: circuit}, after=AFTER, at=at).down == {FIRST}


def test_an_account_is_down_once_its_circuit_is_open_for_long_enough():
    """Probes that fail do not begin the time anew; the first good answer ends it."""
    circuit, at = run([(Sign.DOWN, 0), (Sign.DOWN, 0), (Sign.DOWN, 30), (Sign.DOWN, 29)])
    assert not down(circuit, at)
    assert down(circuit, at + SECOND)
    back = circuit.heard(Sign.ALIVE, RULES, at=at + SECOND, draw=0.0)
    assert not down(back, at + SECOND)
    assert standing({FIRST: back}, after=AFTER, at=at).healthy == {FIRST}


def test_an_account_nobody_asked_for_long_is_tried_before_it_is_left():
    """With nothing heard for over a minute it may be up again: down once more while it is probed."""
    circuit, at = run([(Sign.DOWN, 0), (Sign.DOWN, 0)])
    assert down(circuit, at + AFTER)
    assert not down(circuit, at + 2 * AFTER)
    assert down(circuit.probe_began(), at + 2 * AFTER)


def test_an_account_nobody_asked_for_long_is_doubtful_until_it_is_probed():
    """That it is down was heard too long ago to believe; a pause longer than that is kept all the same."""
    circuit, at = run([(Sign.DOWN, 0), (Sign.DOWN, 0)])

    def doubtful(circuit, at):
        return standing({FIRST: circuit}, after=AFTER, at=at).doubtful == {FIRST}

    assert not doubtful(circuit, at + AFTER)
    assert doubtful(circuit, at + AFTER + SECOND)
    assert not doubtful(circuit.probe_began(), at + AFTER + SECOND)
    patient = CircuitRules(failures=1, pause=10 * AFTER)
    open_ = Circuit().heard(Sign.DOWN, patient, at=NOW, draw=0.0)
    assert down(open_, NOW + 9 * AFTER)
    assert doubtful(open_, NOW + 10 * AFTER)


@given(histories, histories, st.integers(0, 200))
def test_nothing_is_both_down_and_healthy(first, other, later):
    """Down or doubtful only with a circuit that is not closed, healthy only with one that is."""
    circuits = {FIRST: run(first)[0], SECOND_ACCOUNT: run(other)[0]}
    at = max(run(first)[1], run(other)[1]) + later * SECOND
    found = standing(circuits, after=AFTER, at=at)
    assert not found.down & found.healthy
    assert not found.doubtful & (found.down | found.healthy)
    for name, circuit in circuits.items():
        assert (name in found.healthy) == (circuit.phase(at) is Phase.CLOSED)
        assert name not in found.down or circuit.down_since + AFTER <= at


@given(histories)
def test_down_since_is_kept_exactly_while_the_circuit_is_not_closed(history):
    """It stands from the opening until the first sign of life."""
    circuit, _ = run(history)
    assert (circuit.down_since is None) == (circuit.open_until is None)
