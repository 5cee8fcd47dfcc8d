"""One document to thousands of recipients, through a real gateway process and the sandbox axis.

`python -m tests.load.fanout [--recipients 3500] [--store sqlite|postgres]`. The last line printed is JSON; exit code 1
if something does not hold: answered in time, one object for all packets, memory flat, every recipient's state seen in
GetDocument, all sent in the end, each by one packet.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from gateway.pb.lgsp.gateway.v1 import document_pb2
from gateway.sandbox.core import Axis, ItemsPer
from gateway.sandbox.demo.province import Province
from gateway.sandbox.demo.stage import set_up
from gateway.sandbox.demo.vendors import Vendor, compose
from gateway.sandbox.directory import seed_directory
from gateway.sandbox.faults import Faults
from gateway.sandbox.journal import Journal
from gateway.sandbox.serve import SEEDED_SYSTEMS
from tests.fakes.postgres import PostgresServer, running_postgres
from tests.fakes.vendor_calls import Memory, persist

ANSWERED_WITHIN = 3.0
"""Seconds from the call to the answer."""
GROWTH = 64 * 1024 * 1024
"""Resident bytes the gateway may grow by, whatever the number of recipients."""
PATIENCE = 300.0
"""Seconds until all are sent."""
_FAR = SEEDED_SYSTEMS[1].id
_SENT = document_pb2.DELIVERY_STATE_SENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one document cost."""

    recipients: int
    store: str
    answered_seconds: float
    sent_seconds: float
    packets: int
    blobs: int
    growth_mib: float
    failures: tuple[str, ...]


def register(folder: Path, recipients: int) -> list[str]:
    """Put agencies into the journal with which a sandbox will begin; their codes."""
    folder.mkdir(parents=True)
    journal = Journal(folder, now=lambda: datetime.now(tz=UTC))
    axis = Axis(
        systems=SEEDED_SYSTEMS,
        directory=seed_directory(),
        journal=journal,
        items_per=ItemsPer.RECIPIENT,
        faults=Faults(),
    )
    codes = [f"H98.{100 + n // 90}.{10 + n % 90}" for n in range(recipients)]
    for parent in sorted({code.rpartition(".")[0] for code in codes}):
        assert axis.register_agency(_FAR, {"code": parent, "pcode": "H98", "name": f"Sở {parent}"}) is None
    for code in codes:
        facts = {"code": code, "pcode": code.rpartition(".")[0], "name": f"Đơn vị {code}"}
        assert axis.register_agency(_FAR, facts) is None
    journal.close()
    return codes


async def measure(folder: Path, *, recipients: int, server: PostgresServer | None = None) -> Result:
    """Send one document to that many recipients."""
    codes = await asyncio.to_thread(register, folder / "axis", recipients)
    async with set_up(folder, now=datetime.now(tz=UTC)) as stage, _started(stage.province_a, server) as province:
        signed, *_ = await asyncio.to_thread(stage.make_files, size=250_000, now=datetime.now(tz=UTC))
        vendor = Vendor.connect(province, agency="H99")
        await persist(lambda: vendor.upload(signed))
        issued = f"{datetime.now(tz=UTC):%Y-%m-%d}"

        async def submit(number: str, to: list[str]) -> document_pb2.Document:
            composed = compose(number=number, subject="V/v mọi đơn vị", recipients=to, files=[signed], issued=issued)
            return (await vendor.submit(composed)).document

        await _all_sent(vendor, await submit("1", codes[:1]))  # what a first call warms is not this document's
        async with Memory(province.child.pid) as memory:
            begun = time.perf_counter()
            document = await submit("2", codes)
            answered = time.perf_counter() - begun
            states = await _all_sent(vendor, document)
            sent = time.perf_counter() - begun
        await vendor.close()
        taken = [each for each in stage.records() if each["event"] == "accepted"]
        blobs = sum(each.is_file() for each in (province.home / "blobs").rglob("*"))
        result = Result(
            recipients=recipients,
            store="sqlite" if server is None else "postgres",
            answered_seconds=round(answered, 2),
            sent_seconds=round(sent, 2),
            packets=len(taken) - 1,
            blobs=blobs,
            growth_mib=round(memory.growth / 2**20, 1),
            failures=(),
        )
        return replace(result, failures=tuple(_failures(result, states, memory.growth)))


def _failures(result: Result, states: Counter[int], growth: int) -> list[str]:
    wrong = []
    if result.answered_seconds >= ANSWERED_WITHIN:
        wrong.append(f"answered in {result.answered_seconds} s")
    if states != {_SENT: result.recipients}:
        wrong.append(f"states {dict(states)}")
    if result.packets != -(-result.recipients // 100):
        wrong.append(f"{result.packets} packets")
    if result.blobs != 1:
        wrong.append(f"{result.blobs} objects")
    if growth > GROWTH:
        wrong.append(f"grew by {growth} bytes")
    return wrong


async def _all_sent(vendor: Vendor, document: document_pb2.Document) -> Counter[int]:
    """The states of all recipients, once nothing is under way or the patience is over."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = await persist(lambda: vendor.get(document.name))
        states = Counter(each.state for each in found.deliveries)
        if set(states) <= {_SENT} or time.monotonic() > deadline:
            return states
        await asyncio.sleep(0.25)


@asynccontextmanager
async def _started(province: Province, server: PostgresServer | None) -> AsyncIterator[Province]:
    if server is not None:
        url = server.url(server.create())
        province.spec = replace(province.spec, environment={"LGSP_STORE__URL": url})
    await province.start(within=120)
    yield province
    await province.stop()


async def _run(recipients: int, store: str) -> Result:
    with (
        tempfile.TemporaryDirectory(prefix="lgsp-fanout-") as folder,
        running_postgres() if store == "postgres" else nullcontext() as server,
    ):
        return await measure(Path(folder), recipients=recipients, server=server)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipients", type=int, default=3500)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    given = parser.parse_args()
    result = asyncio.run(_run(given.recipients, given.store))
    print(json.dumps(asdict(result), ensure_ascii=False))  # noqa: T201 - the answer
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
