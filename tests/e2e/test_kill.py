"""SIGKILL at random moments: nothing lost, nothing doubled, counted by the axis and the vendors, not by the gateway."""

import asyncio
import random
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.sandbox.demo.processes import until
from gateway.sandbox.demo.stage import Stage, set_up
from gateway.sandbox.demo.vendors import File, Vendor, compose
from tests.fakes.vendor_calls import all_sent, persist

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

DOCUMENTS = 50
KILLS = 10


@dataclass
class Ledger:
    """The vendors' own records."""

    accepted: dict[str, str] = field(default_factory=dict)
    """Document id -> resource name."""
    arrived: Counter[str] = field(default_factory=Counter)
    """Document id -> receptions with a name not seen before."""
    names: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    wrong_bytes: list[str] = field(default_factory=list)


async def send_all(vendor: Vendor, file: File, now: datetime, ledger: Ledger) -> None:
    await persist(lambda: vendor.upload(file))
    for number in range(1, DOCUMENTS + 1):
        document = compose(
            number=str(number),
            subject=f"V/v thử nghiệm số {number}",
            recipients=["H98.02"],
            files=[file],
            issued=now.date().isoformat(),
        )
        request_id = str(uuid.uuid4())
        answer = await persist(lambda d=document, r=request_id: vendor.submit(d, request_id=r))
        ledger.accepted[answer.document.document_id] = answer.document.name


async def receive_all(vendor: Vendor, file: File, folder: Path, ledger: Ledger) -> None:
    while len(ledger.acknowledged) < DOCUMENTS:
        batch = await persist(lambda: vendor.pull(ack_deadline=timedelta(seconds=10)))
        for received in batch:
            if received.name not in ledger.names:
                ledger.names.add(received.name)
                ledger.arrived[received.document.document_id] += 1
            target = folder / "download"
            digest = await persist(lambda r=received, t=target: vendor.download(r.document.attachments[0].name, t))
            if digest != file.sha256:
                ledger.wrong_bytes.append(received.name)
            await persist(lambda r=received: vendor.acknowledge(r))
            ledger.acknowledged.add(received.document.document_id)
        if not batch:
            await asyncio.sleep(0.2)


async def kill_at_random(stage: Stage, draw: random.Random, ledger: Ledger) -> None:
    for number in range(KILLS):
        # The moments are spread over the whole flow, each at a random distance after a step of progress.
        mark = DOCUMENTS * number // (KILLS + 2)
        await until(lambda m=mark: at_least(ledger, m), within=120, what=f"{mark} documents accepted")
        await asyncio.sleep(draw.uniform(0, 0.3))
        province = draw.choice([stage.province_a, stage.province_b])
        await province.kill()
        await province.start()


async def at_least(ledger: Ledger, mark: int) -> bool:
    return len(ledger.accepted) >= mark


async def test_fifty_documents_arrive_once_each(tmp_path: Path) -> None:
    """Ten SIGKILLs at random moments while 50 documents flow: 50 arrive at the vendor and at the axis, once each."""
    now = datetime.now(tz=UTC)
    draw = random.Random(20261121)
    ledger = Ledger()
    async with set_up(tmp_path, now=now) as stage:
        await asyncio.gather(stage.province_a.start(), stage.province_b.start())
        file, _, _ = await asyncio.to_thread(stage.make_files, size=20_000, now=now)
        sender = Vendor.connect(stage.province_a, agency="H99.01")
        receiver = Vendor.connect(stage.province_b, agency="H98.02")
        try:
            await asyncio.wait_for(
                asyncio.gather(
                    send_all(sender, file, now, ledger),
                    receive_all(receiver, file, tmp_path, ledger),
                    kill_at_random(stage, draw, ledger),
                ),
                300,
            )
            # A second copy would come now: both queues are empty before we count.
            waiting = list(ledger.accepted.values())
            await until(lambda: all_sent(sender, waiting), within=60, what="the sender's outbox is settled")
            assert not await persist(receiver.pull)
        finally:
            await sender.close()
            await receiver.close()
        at_axis = Counter(
            r["documentId"] for r in stage.records() if r["event"] == "accepted" and r["messagetype"] == "edoc"
        )
    assert len(ledger.accepted) == DOCUMENTS
    assert dict(ledger.arrived) == dict.fromkeys(ledger.accepted, 1)
    assert dict(at_axis) == dict.fromkeys(ledger.accepted, 1)
    assert ledger.wrong_bytes == []
