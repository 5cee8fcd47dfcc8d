"""A database whose disk has no room."""

import sqlite3

import pytest
from sqlalchemy.exc import DBAPIError

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.store.faults import mapped_errors


class _ServerError(Exception):
    def __init__(self, sqlstate: str) -> None:
        super().__init__("the server's words")
        self.sqlstate = sqlstate


def _of_sqlite(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (_of_sqlite(sqlite3.SQLITE_FULL), ErrorCode.STORAGE_FULL),
        (_of_sqlite(sqlite3.SQLITE_IOERR), ErrorCode.STORE_UNAVAILABLE),
        (_ServerError("53100"), ErrorCode.STORAGE_FULL),
        (_ServerError("53300"), ErrorCode.STORE_UNAVAILABLE),
    ],
)
def test_no_room_is_told_from_other_outages(cause: Exception, expected: ErrorCode) -> None:
    """SQLite's FULL and PostgreSQL's disk_full are STORAGE_FULL; what else is the disk's or the server's is not."""
    with pytest.raises(GatewayError) as caught, mapped_errors():
        raise DBAPIError("INSERT", None, cause)
    assert caught.value.code is expected
