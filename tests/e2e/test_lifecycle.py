"""How a gateway process begins and ends: on an empty store, beside another one, with an axis that hangs."""

import asyncio
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.pb.lgsp.gateway.v1 import document_pb2
from gateway.sandbox.demo.processes import Child, until
from gateway.sandbox.demo.stage import set_up
from gateway.sandbox.demo.vendors import Vendor, compose
from tests.fakes.vendor_calls import persist

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


async def test_what_waits_at_the_first_start_arrives(tmp_path: Path) -> None:
    """A gateway with an empty store loads its directory before it judges who a waiting document is for."""
    now = datetime.now(tz=UTC)
    async with set_up(tmp_path, now=now) as stage:
        await stage.province_a.start()
        file, _, _ = await asyncio.to_thread(stage.make_files, size=20_000, now=now)
        sender = Vendor.connect(stage.province_a, agency="H99.01")
        receiver = Vendor.connect(stage.province_b, agency="H98.02")
        try:
            await sender.upload(file)
            document = compose(
                number="1", subject="V/v chờ", recipients=["H98.02"], files=[file], issued=now.date().isoformat()
            )
            sent = (await sender.submit(document)).document

            async def is_sent() -> bool:
                deliveries = (await sender.get(sent.name)).deliveries
                return all(each.state == document_pb2.DELIVERY_STATE_SENT for each in deliveries)

            await until(is_sent, within=30, what="the document is at the axis")
            await stage.province_b.start()
            arrived: list[str] = []

            async def has_arrived() -> bool:
                arrived.extend(each.document.document_id for each in await persist(receiver.pull))
                return bool(arrived)

            await until(has_arrived, within=30, what="the document arrived")
            assert arrived == [sent.document_id]
        finally:
            await sender.close()
            await receiver.close()


async def test_a_second_gateway_on_the_same_data_is_refused(tmp_path: Path) -> None:
    """It ends with code 2 and names the store, whatever else is taken too; the first one goes on."""
    async with set_up(tmp_path, now=datetime.now(tz=UTC)) as stage:
        first = stage.province_a
        await first.start()
        second = await Child.start("second", ["serve", "--config", str(first.config)], log=tmp_path / "second.log")
        code = await asyncio.wait_for(second._process.wait(), 60)
        said = (tmp_path / "second.log").read_text(encoding="utf-8")
        assert (code, "in use by another gateway" in said) == (2, True), said
        assert first.child.running


async def test_a_hanging_axis_delays_neither_start_nor_stop(tmp_path: Path) -> None:
    """With a known directory a gateway is ready at once and drains within one grace, not one for each loop."""
    async with set_up(tmp_path, now=datetime.now(tz=UTC)) as stage:
        province = stage.province_a
        await province.start()
        await province.stop()
        os.kill(stage.axis.pid, signal.SIGSTOP)
        try:
            await province.start(within=15)
            began = asyncio.get_running_loop().time()
            assert await province.child.stop() == 0
            assert asyncio.get_running_loop().time() - began < 9
        finally:
            os.kill(stage.axis.pid, signal.SIGCONT)
