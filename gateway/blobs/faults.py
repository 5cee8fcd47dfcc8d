"""The one place where the object store's errors are judged: no room, or no answer worth having."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog
from obstore.exceptions import BaseError

from gateway.domain.errors import ErrorCode, GatewayError

FAILURES: tuple[type[Exception], ...] = (BaseError, OSError)
"""All that obstore and the file system raise."""

RETRY_AFTER = timedelta(seconds=5)
"""What callers are told when the object store cannot serve."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL_WORDS = (*(f"(os error {number})" for number in sorted(_FULL)), "507 Insufficient Storage")
"""How obstore tells it, whose errors carry no number."""
_NO_BUCKET = "NoSuchBucket"

_log = structlog.get_logger()


@contextmanager
def read_errors() -> Iterator[None]:
    """Turn failures of the store into GatewayError STORE_UNAVAILABLE; FileNotFoundError passes: no such object."""
    try:
        yield
    except FileNotFoundError as error:
        if _NO_BUCKET in str(error):
            raise refusal(error) from error
        raise
    except FAILURES as error:
        raise refusal(error) from error


@contextmanager
def write_errors() -> Iterator[None]:
    """Turn failures of the store into GatewayError STORAGE_FULL or STORE_UNAVAILABLE."""
    try:
        yield
    except FAILURES as error:
        raise refusal(error) from error


def refusal(error: Exception) -> GatewayError:
    """What callers are told; why goes to the log alone."""
    if getattr(error, "errno", None) in _FULL or any(words in str(error) for words in _FULL_WORDS):
        _log.warning("blobs.full")
        return GatewayError(ErrorCode.STORAGE_FULL)
    _log.warning("blobs.unavailable", reason=_first_line(error))
    return GatewayError(ErrorCode.STORE_UNAVAILABLE, retry_after=RETRY_AFTER)


def _first_line(error: Exception) -> str:
    """The error without obstore's dump of its whole chain."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
