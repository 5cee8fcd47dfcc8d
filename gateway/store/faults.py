"""The one place where the databases' errors are judged: outages, conflicts to repeat, our own mistakes."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import asyncpg
import structlog
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, ProgrammingError

from gateway.domain.errors import ErrorCode, GatewayError

RETRY_AFTER = timedelta(seconds=5)
"""What callers are told when the database cannot serve."""

_CONNECTING = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What the PostgreSQL driver raises by itself: no server, no room for a connection, no answer in time."""
_CONFLICTS = {"40001", "40P01"}
"""Serialisation failure and deadlock: the server has rolled back, and the same work may succeed at once."""
_OUTAGES = ("08", "25006", "25P03", "28", "3D", "40", "53", "55P03", "57", "58", "XX")
"""SQLSTATE beginnings that are the server's state: connection, standby, access, resources, locks, operator, disk."""
_FULL = "53100"
"""SQLSTATE of a disk without room."""
_OUR_SQLITE = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE}
_log = structlog.get_logger()


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn the database's errors into GatewayError STORE_UNAVAILABLE, STORAGE_FULL where its disk has no room.

    Our own mistakes pass, without row contents.
    """
    try:
        yield
    except DBAPIError as error:
        if _is_bug(error):
            _forget_values(error)
            raise
        if _is_full(error):
            _log.warning("store.full", reason=str(error.orig))
            raise GatewayError(ErrorCode.STORAGE_FULL) from error
        raise unavailable(str(error.orig)) from error
    except _CONNECTING as error:
        raise unavailable(str(error) or type(error).__name__) from error


def is_conflict(error: DBAPIError) -> bool:
    """True if the transaction lost against another one and is undone, so that its work may run again."""
    return getattr(error.orig, "sqlstate", None) in _CONFLICTS


def unavailable(why: str) -> GatewayError:
    """The error for a database that cannot serve now; why goes to the log alone."""
    _log.warning("store.unavailable", reason=why)
    return GatewayError(ErrorCode.STORE_UNAVAILABLE, retry_after=RETRY_AFTER)


def _is_full(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_FULL or getattr(error.orig, "sqlstate", None) == _FULL


def _is_bug(error: DBAPIError) -> bool:
    """True for what our own statements did wrong; the rest is the state of disk, locks or connection."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _OUR_SQLITE
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return not state.startswith(_OUTAGES)
    if isinstance(error.orig, AsyncAdapt_asyncpg_dbapi.Error):  # the driver's own words: only a lost connection is none
        return not error.connection_invalidated
    return isinstance(error, ProgrammingError)


def _forget_values(error: BaseException | None) -> None:
    """Cut what PostgreSQL tells in a DETAIL: the row that failed, and so a document's words."""
    while error is not None:
        error.args = tuple(arg.partition("\nDETAIL:")[0] if isinstance(arg, str) else arg for arg in error.args)
        if isinstance(error, asyncpg.PostgresError):
            error.detail = None
        error = error.__cause__
