"""What passes without us: the database or the object store is out of reach, or full."""

import structlog

from gateway.domain.errors import ErrorCode, GatewayError

_log = structlog.get_logger()

_CODES = frozenset({ErrorCode.STORE_UNAVAILABLE, ErrorCode.STORAGE_FULL})


def is_outage(error: BaseException) -> bool:
    """True if the same work may succeed later, with nothing mended in it."""
    return isinstance(error, GatewayError) and error.code in _CODES


def log_failure(event: str, error: BaseException, **facts: object) -> None:
    """An outage is expected now and then: one line says so. Anything else is ours to mend: with its traceback."""
    if isinstance(error, GatewayError) and is_outage(error):
        _log.warning(event, reason=error.code, **facts)
    else:
        _log.error(event, exc_info=error, **facts)
