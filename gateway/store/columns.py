"""Kinds of columns."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Words, in the order of their code points: the same in both databases, and whatever the server's locale becomes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware instant as microseconds since 1970 UTC; a naive one raises TypeError."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Instant to number."""
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Number to instant."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


def text(name: str) -> sa.Column[str]:
    """Words that are always there."""
    return sa.Column(name, TEXT, nullable=False)


def added_text(name: str) -> sa.Column[str]:
    """A column that a release before this one does not know and does not fill."""
    return sa.Column(name, TEXT, nullable=False, server_default="")


def number(name: str) -> sa.Column[int]:
    """A whole number that is always there."""
    return sa.Column(name, sa.BigInteger, nullable=False)


def instant(name: str) -> sa.Column[datetime]:
    """An instant that is always there."""
    return sa.Column(name, Instant, nullable=False)


def refers(name: str, target: str) -> sa.Column[str]:
    """The key of another row."""
    return sa.Column(name, TEXT, sa.ForeignKey(target), nullable=False)
