"""The main job with PostgreSQL under both gateways."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.sandbox.demo.stage import set_up
from gateway.sandbox.demo.story import play
from tests.fakes.postgres import running_postgres

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


async def test_the_main_job_on_postgresql(tmp_path: Path) -> None:
    """The demo's story ends well, and nothing of it is in an embedded database."""
    now = datetime.now(tz=UTC)
    with running_postgres(durable=True) as server:
        async with set_up(tmp_path, now=now) as stage:
            provinces = (stage.province_a, stage.province_b)
            for province in provinces:
                text = province.config.read_text(encoding="utf-8")
                where = province.config.with_name("database-url")
                where.write_text(server.url(server.create()) + "\n", encoding="utf-8")
                assert "[store]\n" in text
                province.config.write_text(
                    text.replace("[store]\n", f'[store]\nurl_file = "{where}"\n'), encoding="utf-8"
                )
            await asyncio.gather(*(province.start() for province in provinces))
            result = await play(stage, tell=lambda _who, _what: None, now=now, size=100_000)
            assert result.ok, result.as_json()
            assert not await asyncio.to_thread(lambda: list(tmp_path.rglob("*.db")))
