"""The settings of delivery, as the flows get them."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.bootstrap import configs
from gateway.domain.circuit import CircuitRules
from gateway.settings import LimitSettings, VxpSettings


def policy_of(**settings: Any):
    axis = VxpSettings(
        endpoint="http://127.0.0.1:1", system_id="00.99.W00", secret="hush", agencies=("H99",), **settings
    )
    return configs.account_policy("national", axis, LimitSettings())


def test_the_circuit_is_as_set():
    """Failures and pause come from the settings; without them five failures and five seconds."""
    assert policy_of().circuit == CircuitRules(failures=5, pause=timedelta(seconds=5))
    given = policy_of(circuit_failures=2, circuit_pause_seconds=0.5)
    assert given.circuit == CircuitRules(failures=2, pause=timedelta(seconds=0.5))


@pytest.mark.parametrize(("setting", "cap"), [(0, None), (1, 1), (50, 50)])
def test_no_cap_is_zero(setting, cap):
    """max_in_flight 0 means that there is no limit."""
    assert policy_of(max_in_flight=setting).max_in_flight == cap


def test_only_divide_divides():
    """The codes of a bad recipient have an effect where packets are to be divided, and none with `fail`."""
    assert policy_of().divided_codes == {"18", "23"}
    assert policy_of(refused_recipient_codes=("77",)).divided_codes == {"77"}
    assert policy_of(refused_recipient="fail").divided_codes == frozenset()
