"""Two gateways, each on the national and on a SOAP axis, all as processes; one recipient is the sender's own unit."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.pb.lgsp.gateway.v1 import document_pb2
from gateway.sandbox.demo.processes import Child, until
from gateway.sandbox.demo.province import Province
from gateway.sandbox.demo.stage import ask_axis, set_up
from gateway.sandbox.demo.vendors import File, Vendor, compose
from tests.fakes.vendor_calls import persist

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SENDER, LOCAL, NATIONAL, REGIONAL = "H99.01", "H99.02", "H98.01", "H98.02"

_SECOND = """

[axis.regional]
kind = "soap"
endpoint = "{url}"
organ_id = "{system_id}"
token_file = "{home}/axis-secret"
agencies = ["{root}"]
settling_seconds = 1.0
poll_seconds = 0.5
connect_seconds = 2
circuit_failures = 1
circuit_pause_seconds = 0.5

[[routes]]
agencies = ["H98.02"]
via = ["regional", "national"]

[[routes]]
via = ["national"]
"""


def add_account(province: Province, url: str) -> None:
    """Give the province an account on the SOAP axis, by which documents for REGIONAL go."""
    text = province.config.read_text(encoding="utf-8").replace("[delivery]\n", "[delivery]\nfailover_seconds = 1\n")
    spec = province.spec
    text += _SECOND.format(url=url, system_id=spec.system_id, home=province.home, root=spec.root)
    province.config.write_text(text, encoding="utf-8")


@asynccontextmanager
async def second_axis(folder: Path) -> AsyncIterator[tuple[Child, dict[str, str]]]:
    """Another sandbox; its addresses."""
    child = await Child.start(
        "regional",
        ["sandbox", "--listen", "127.0.0.1:0", "--soap", "127.0.0.1:0", "--data", str(folder / "regional")],
        log=folder / "regional.log",
    )
    try:
        yield child, await child.read_json_line(within=60)
    finally:
        await child.stop()


async def send(vendor: Vendor, file: File, number: int, recipients: Sequence[str]) -> document_pb2.Document:
    document = compose(
        number=str(number),
        subject=f"V/v nhiều trục số {number}",
        recipients=list(recipients),
        files=[file],
        issued=datetime.now(tz=UTC).date().isoformat(),
    )
    return (await vendor.submit(document)).document


async def take(vendor: Vendor, wanted: str, *, copies: int = 1) -> None:
    """Pull and acknowledge until a document is there for so many recipients."""
    found: list[str] = []

    async def arrived() -> bool:
        for received in await persist(vendor.pull):
            await persist(lambda r=received: vendor.acknowledge(r))
            found.append(received.document.document_id)
        return found.count(wanted) >= copies

    await until(arrived, within=40, what=f"{wanted} arrives")


async def have_status(vendor: Vendor, name: str, code: str) -> None:
    """Wait until every recipient's last status is this one."""

    async def all_have() -> bool:
        deliveries = (await persist(lambda: vendor.get(name))).deliveries
        return all(each.last_status_code == code for each in deliveries)

    await until(all_have, within=40, what=f"every recipient says {code}")


def carried(control: str, document_id: str) -> list[str]:
    """The recipients for whom an axis accepted the document, per packet."""
    found = [r for r in ask_axis(control, "GET", "/records") if r["event"] == "accepted"]
    return [r["documentId"] for r in found if r["messagetype"] == "edoc" and r["documentId"] == document_id]


async def test_one_submission_takes_three_routes(tmp_path: Path) -> None:
    """A local, a national and a SOAP axis's recipient each get it by their route; one view has all three statuses.

    Then the regional axis ends: documents go by the national one instead, and a restarted gateway is ready.
    """
    now = datetime.now(tz=UTC)
    async with set_up(tmp_path, now=now) as stage, second_axis(tmp_path) as (regional, addresses):
        for province in (stage.province_a, stage.province_b):
            add_account(province, addresses["soap"])
        await asyncio.gather(stage.province_a.start(), stage.province_b.start())
        file, _, _ = await asyncio.to_thread(stage.make_files, size=50_000, now=now)
        sender = Vendor.connect(stage.province_a, agency=SENDER)
        receiver = Vendor.connect(stage.province_b, agency=NATIONAL)
        try:
            await sender.upload(file)
            sent = await send(sender, file, 1, [LOCAL, NATIONAL, REGIONAL])
            await asyncio.gather(take(sender, sent.document_id), take(receiver, sent.document_id, copies=2))
            await have_status(sender, sent.name, "01")
            assert len(carried(stage.control_url, sent.document_id)) == 1
            assert len(carried(addresses["control"], sent.document_id)) == 1

            await regional.stop()
            rerouted = await send(sender, file, 2, [REGIONAL])
            await take(receiver, rerouted.document_id)
            assert len(carried(stage.control_url, rerouted.document_id)) == 1
            await have_status(sender, rerouted.name, "01")
            await stage.province_a.stop()
            await stage.province_a.start(within=30)
        finally:
            await sender.close()
            await receiver.close()
            for province in (stage.province_a, stage.province_b):
                await province.kill()  # to be stopped they would wait for the axis that has ended
