"""What passes without us is told in one line; what is ours to mend, with its traceback."""

import pytest
from structlog.testing import capture_logs

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.flows.outages import is_outage, log_failure


@pytest.mark.parametrize("code", [ErrorCode.STORE_UNAVAILABLE, ErrorCode.STORAGE_FULL])
def test_an_outage_is_one_warning(code):
    """No traceback, the code as the reason, and the facts."""
    with capture_logs() as logged:
        log_failure("lease.broke", GatewayError(code), route="r")
    assert logged == [{"event": "lease.broke", "log_level": "warning", "reason": code, "route": "r"}]


@pytest.mark.parametrize("error", [ArithmeticError("bug"), GatewayError(ErrorCode.LEASE_LOST)])
def test_anything_else_is_an_error_with_its_traceback(error):
    """The exception itself goes to the log."""
    assert not is_outage(error)
    with capture_logs() as logged:
        log_failure("turn.broke", error)
    assert logged == [{"event": "turn.broke", "log_level": "error", "exc_info": error}]
