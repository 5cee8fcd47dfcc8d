"""Finished documents cost nothing: the load test `tests.load.terminal`, small."""

import pytest

from tests.load.terminal import CALLS, Filled, compare, filled_postgres, filled_sqlite, is_held, too_dear

LOOSE = 2.0
"""A few repetitions on a shared machine tell no more; a call that reads all rows costs many times as much."""


async def grown(few: Filled, many: Filled) -> list[str]:
    return too_dear(await compare(few, many, calls=filter(is_held, CALLS), repetitions=7, first=3), LOOSE)


@pytest.mark.timeout(240)
async def test_calls_on_a_file_do_not_grow(tmp_path):
    """With twenty times the finished documents in a file, no hot call costs twice as much."""
    async with filled_sqlite(tmp_path, 1_000) as few, filled_sqlite(tmp_path, 20_000) as many:
        assert await grown(few, many) == []


@pytest.mark.timeout(240)
async def test_calls_on_a_server_do_not_grow(postgres):
    """The same on PostgreSQL."""
    async with filled_postgres(postgres, 1_000) as few, filled_postgres(postgres, 20_000) as many:
        assert await grown(few, many) == []
