"""Restore drills: a store is destroyed under load and brought back; the axis and the vendors keep the count."""

import asyncio
import shutil
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.blobs.s3 import S3Blobs
from gateway.bootstrap.parts import SystemClock
from gateway.domain.ids import AxisDocId
from gateway.domain.lifecycle import MessageState
from gateway.domain.packet import StoredObject
from gateway.pb.lgsp.gateway.v1 import document_pb2
from gateway.ports.outbound import Settlement
from gateway.sandbox.demo.processes import until
from gateway.sandbox.demo.province import Province
from gateway.sandbox.demo.stage import set_up
from gateway.sandbox.demo.vendors import File, Vendor, compose
from gateway.store import Store, open_store
from gateway.store import backup as copies
from tests.contract.conftest import LISTED, VENDOR_A
from tests.fakes.places import place_at
from tests.fakes.postgres import running_postgres
from tests.fakes.s3 import running_s3
from tests.fakes.terminal import run_beside
from tests.fakes.vendor_calls import all_sent, persist
from tests.make import ROUTE, SENDER, make_acceptance, make_attachment, make_document

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

SOME = 4
"""Documents accepted before, between and after what is done to the store."""
PACE = 0.1
"""Seconds between two documents of a vendor's."""


@dataclass
class Ledger:
    """The vendors' own records."""

    composed: dict[str, document_pb2.Document] = field(default_factory=dict)
    """Request id -> what was handed over with it."""
    accepted: dict[str, str] = field(default_factory=dict)
    """Request id -> resource name."""
    ids: dict[str, str] = field(default_factory=dict)
    """Request id -> document id."""
    arrived: Counter[str] = field(default_factory=Counter)
    """Document id -> receptions with a name not seen before."""
    names: set[str] = field(default_factory=set)
    wrong_bytes: list[str] = field(default_factory=list)
    enough: bool = False


async def command(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """Run lgsp-gateway; its exit code and its line."""
    ended = await run_beside(*arguments)
    return ended.returncode, ended.answer


async def hand_over(vendor: Vendor, request_id: str, ledger: Ledger) -> None:
    document = ledger.composed[request_id]
    answer = await persist(lambda: vendor.submit(document, request_id=request_id), within=120)
    ledger.accepted[request_id] = answer.document.name
    ledger.ids[request_id] = answer.document.document_id


async def send(vendor: Vendor, file: File, now: datetime, ledger: Ledger) -> None:
    """Hand documents over, one after the other, until told to stop."""
    await persist(lambda: vendor.upload(file))
    while not ledger.enough:
        request_id = str(uuid.uuid4())
        number = str(len(ledger.composed) + 1)
        ledger.composed[request_id] = compose(
            number=number,
            subject=f"V/v thử nghiệm số {number}",
            recipients=["H98.02"],
            files=[file],
            issued=now.date().isoformat(),
        )
        await hand_over(vendor, request_id, ledger)
        await asyncio.sleep(PACE)


async def receive(vendor: Vendor, file: File, target: Path, ledger: Ledger) -> None:
    """Take what comes until cancelled."""
    while True:
        batch = await persist(lambda: vendor.pull(ack_deadline=timedelta(seconds=10)))
        for received in batch:
            if received.name not in ledger.names:
                ledger.names.add(received.name)
                ledger.arrived[received.document.document_id] += 1
            if await persist(lambda r=received: vendor.download(r.document.attachments[0].name, target)) != file.sha256:
                ledger.wrong_bytes.append(received.name)
            await persist(lambda r=received: vendor.acknowledge(r))
        if not batch:
            await asyncio.sleep(0.2)


async def forgotten(vendor: Vendor, ledger: Ledger) -> list[str]:
    """The requests whose documents the gateway does not know any more."""
    found = []
    for request_id, name in ledger.accepted.items():
        try:
            await persist(lambda n=name: vendor.get(n))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            found.append(request_id)
    return found


def wipe(province: Province) -> None:
    """The disk is gone."""
    for path in province.home.glob("gateway.db*"):
        path.unlink()
    shutil.rmtree(province.home / "blobs")


async def lose_and_restore(province: Province, target: Path, ledger: Ledger) -> set[str]:
    """Back up while documents flow, kill later, restore; the requests that were answered before the backup."""
    await some_more(ledger)
    before = set(ledger.accepted)
    code, made = await command("backup", "--config", province.config, target)
    assert code == 0, made
    assert made["documents"] >= len(before)
    await some_more(ledger)
    await province.kill()
    await asyncio.to_thread(wipe, province)
    code, restored = await command("restore", "--config", province.config, made["path"])
    assert code == 0, restored
    assert (restored["documents"], restored["lost"]) == (made["documents"], 0)
    await province.start()
    await some_more(ledger)
    return before


async def some_more(ledger: Ledger) -> None:
    mark = len(ledger.accepted) + SOME
    await until(lambda: at_least(ledger, mark), within=120, what=f"{mark} documents are accepted")


async def at_least(ledger: Ledger, mark: int) -> bool:
    return len(ledger.accepted) >= mark


async def test_a_destroyed_store_comes_back_from_a_backup_made_under_load(tmp_path: Path) -> None:
    """Kill, wipe, restore while documents flow: none is lost that was accepted before the backup, none is sent twice.

    What was accepted later comes back when the vendor repeats its requests, under the same document ids.
    """
    now = datetime.now(tz=UTC)
    ledger = Ledger()
    async with set_up(tmp_path, now=now) as stage:
        await asyncio.gather(stage.province_a.start(), stage.province_b.start())
        file, _, _ = await asyncio.to_thread(stage.make_files, size=50_000, now=now)
        sender = Vendor.connect(stage.province_a, agency="H99.01")
        receiver = Vendor.connect(stage.province_b, agency="H98.02")
        receiving = asyncio.create_task(receive(receiver, file, tmp_path / "download", ledger))
        try:
            sending = asyncio.create_task(send(sender, file, now, ledger))
            before = await lose_and_restore(stage.province_a, tmp_path / "backups", ledger)
            ledger.enough = True
            await asyncio.wait_for(sending, 60)
            missing = await forgotten(sender, ledger)
            assert not before & set(missing)
            assert missing, "nothing was lost: the drill shows nothing"
            names = {ledger.ids[request_id] for request_id in missing}
            await persist(lambda: sender.upload(file))
            for request_id in missing:
                await hand_over(sender, request_id, ledger)
            assert {ledger.ids[request_id] for request_id in missing} == names
            waiting = list(ledger.accepted.values())
            await until(lambda: all_sent(sender, waiting), within=120, what="everything is sent")
            await until(lambda: has_all(ledger), within=60, what="everything arrived")
            assert not await persist(receiver.pull)
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
            await sender.close()
            await receiver.close()
        at_axis = Counter(
            r["documentId"] for r in stage.records() if r["event"] == "accepted" and r["messagetype"] == "edoc"
        )
    once = dict.fromkeys(ledger.ids.values(), 1)
    assert len(once) == len(ledger.composed)
    assert dict(at_axis) == once
    assert dict(ledger.arrived) == once
    assert ledger.wrong_bytes == []


async def has_all(ledger: Ledger) -> bool:
    return len(ledger.arrived) >= len(ledger.composed)


async def accept(store: Store, blobs: S3Blobs, number: int) -> StoredObject:
    """One document with an object of its own."""
    content = f"document {number}".encode()
    async with blobs.writer(limit=1000) as writer:
        await writer.write(content)
        stored = await writer.finish()
    agencies = await store.directory.resolve([SENDER])
    document = make_document(attachments=(make_attachment(content),))
    acceptance = make_acceptance(document, agency=agencies[SENDER].id, vendor=VENDOR_A, objects=(stored,))
    await store.documents.accept(acceptance, at=datetime.now(tz=UTC))
    return stored


async def settle_some(store: Store) -> None:
    """Of five documents, one was sent, one was under way, one answer was lost, two wait."""
    now = datetime.now(tz=UTC)
    first, second, third = await store.outbox.lease("w", route=ROUTE, limit=3, lease_for=timedelta(minutes=1), at=now)
    for message in (first, second, third):
        assert await store.outbox.begin_submit(message, at=now)
    sent = Settlement(state=MessageState.SENT, due_at=None, reason="", counted=True, axis_doc_id=AxisDocId("a-1"))
    lost = Settlement(
        state=MessageState.UNCERTAIN, due_at=now + timedelta(hours=1), reason="", counted=True, axis_doc_id=None
    )
    assert await store.outbox.settle(first, sent, at=now)
    assert await store.outbox.settle(second, lost, at=now)


async def contents(store: Store) -> set[str]:
    """The digest of every object that something refers to."""
    return {stored.digest async for batch in copies.referenced(store.database) for stored in batch}


async def test_postgresql_is_recovered_to_a_moment_and_adopted(tmp_path: Path) -> None:
    """Base backup, archived log, a lost server: exactly what was there at the moment is there again.

    What came later is not; what may have been sent since is unknown; tokens of the other time have expired.
    """
    with running_postgres(durable=True, archiving=True) as server, running_s3() as objects:
        name, bucket = server.create(), objects.create()
        lines = f"""bucket = "{bucket.name}"
endpoint = "{bucket.endpoint}"
access_key_id = "{bucket.access_key_id}"
secret_access_key = "{bucket.secret}"
"""
        place = place_at(tmp_path / "gateway", store=f'url = "{server.url(name)}"', bucket=lines)
        blobs = S3Blobs(bucket, scratch=place.blobs, clock=SystemClock())
        store = await open_store(server.url(name))
        await store.directory.apply(LISTED, at=datetime.now(tz=UTC))
        await accept(store, blobs, 1)
        await asyncio.to_thread(server.back_up)
        for number in range(2, 5):
            await accept(store, blobs, number)
        last = await accept(store, blobs, 5)
        await settle_some(store)
        then = await copies.inventory(store.database)
        kept = await contents(store)
        moment = server.query("SELECT clock_timestamp()")
        for number in range(6, 9):
            await accept(store, blobs, number)
        assert (await copies.inventory(store.database)).documents == 8
        await asyncio.to_thread(server.archive_all)
        await store.close()
        await asyncio.to_thread(server.lose)
        await asyncio.to_thread(server.recover, moment)
        await blobs.discard([last.key])  # as retention may have done since
        code, said = await command("adopt", "--config", place.config)
        assert (code, said["error"]["code"], len(said["error"]["concerned"])) == (2, "OBJECTS_MISSING", 1)
        objects.put(bucket, last.key, b"document 5")
        code, said = await command("adopt", "--config", place.config, "--taken-at", moment, "--deep")
        assert code == 0, said
        assert (said["documents"], said["objects"], said["lost"]) == (5, 5, 0)
        assert said["messages"] == then.messages == {"queued": 2, "sent": 1, "submitting": 1, "uncertain": 1}
        assert said["epoch"] != then.epoch
        store = await open_store(server.url(name))
        try:
            after = await copies.inventory(store.database)
            assert await contents(store) == kept
            assert after.messages == {"sent": 1, "uncertain": 4}
            assert (after.documents, after.deliveries, after.epoch) == (5, then.deliveries, said["epoch"])
            busy, refused = await command("adopt", "--config", place.config)
            assert (busy, refused["error"]["code"]) == (2, "BUSY")
        finally:
            await store.close()
