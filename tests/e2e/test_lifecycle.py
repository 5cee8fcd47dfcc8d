"""How a gateway process begins, works and ends: on an empty store, beside another one, with an axis that hangs.

The tests take one stage in turn; each also runs alone.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.sandbox.demo.processes import Child, until
from gateway.sandbox.demo.stage import Stage, set_up
from gateway.sandbox.demo.story import play
from gateway.sandbox.demo.vendors import Vendor, compose
from tests.fakes.vendor_calls import Memory, is_sent, persist

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

MIB = 1024 * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Province A runs; B has not been started yet."""
    async with set_up(tmp_path_factory.mktemp("stage"), now=datetime.now(tz=UTC)) as stage:
        await stage.province_a.start()
        yield stage


async def test_what_waits_at_the_first_start_arrives(stage: Stage) -> None:
    """A gateway with an empty store loads its directory before it judges who a waiting document is for."""
    now = datetime.now(tz=UTC)
    assert not (stage.province_b.home / "gateway.db").exists()
    file, _, _ = await asyncio.to_thread(stage.make_files, size=20_000, now=now)
    sender = Vendor.connect(stage.province_a, agency="H99.01")
    receiver = Vendor.connect(stage.province_b, agency="H98.02")
    try:
        await sender.upload(file)
        document = compose(
            number="1", subject="V/v chờ", recipients=["H98.02"], files=[file], issued=now.date().isoformat()
        )
        sent = (await sender.submit(document)).document

        async def is_acknowledged() -> bool:
            (delivery,) = (await persist(lambda: sender.get(sent.name))).deliveries
            return delivery.last_status_code == "01"

        await until(lambda: is_sent(sender, sent.name), within=30, what="the document is at the axis")
        await stage.province_b.start()
        arrived: list[str] = []

        async def has_arrived() -> bool:
            for received in await persist(receiver.pull):
                arrived.append(received.document.document_id)
                await persist(lambda r=received: receiver.acknowledge(r))
            return bool(arrived)

        await until(has_arrived, within=30, what="the document arrived")
        assert arrived == [sent.document_id]
        await until(is_acknowledged, within=30, what="the sender is told 01")
    finally:
        await sender.close()
        await receiver.close()


async def test_64_mib_attachment_crosses_with_flat_memory(stage: Stage) -> None:
    """A 64 MiB signed PDF goes the whole way while neither gateway grows by 48 MiB."""
    if not stage.province_b.running:
        await stage.province_b.start()
    async with Memory(stage.province_a.child.pid) as sender, Memory(stage.province_b.child.pid) as receiver:
        result = await play(stage, tell=lambda _who, _what: None, now=datetime.now(tz=UTC), size=64 * MIB)
    assert result.ok, result
    assert max(sender.growth, receiver.growth) < 48 * MIB, (sender.growth, receiver.growth)


async def test_a_second_gateway_on_the_same_data_is_refused(stage: Stage, tmp_path: Path) -> None:
    """It ends with code 2 and names the store, whatever else is taken too; the first one goes on."""
    first, log = stage.province_a, tmp_path / "second.log"
    second = await Child.start("second", ["serve", "--config", str(first.config)], log=log)
    code = await asyncio.wait_for(second._process.wait(), 60)
    said = log.read_text(encoding="utf-8")
    assert (code, "in use by another gateway" in said) == (2, True), said
    assert first.child.running


async def test_a_hanging_axis_delays_neither_start_nor_stop(stage: Stage) -> None:
    """With a known directory a gateway is ready at once and drains within one grace, not one for each loop."""
    province = stage.province_a
    await province.stop()
    os.kill(stage.axis.pid, signal.SIGSTOP)
    try:
        await province.start(within=15)
        began = asyncio.get_running_loop().time()
        assert await province.child.stop() == 0
        assert asyncio.get_running_loop().time() - began < 9
    finally:
        os.kill(stage.axis.pid, signal.SIGCONT)
