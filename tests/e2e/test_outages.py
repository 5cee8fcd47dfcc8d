"""A full disk, a stopped PostgreSQL, an S3 that refuses: refused in time and with a delay, nothing lost, unaided after.

Real processes: the sandbox axis, two gateways, a vendor system of each. Counted by the vendors, not by the gateways.
The gateways with PostgreSQL and S3 run for all tests that need them.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from gateway.domain.errors import ErrorCode
from gateway.pb.lgsp.gateway.v1 import inbox_service_pb2
from gateway.sandbox.demo.processes import until
from gateway.sandbox.demo.province import Province
from gateway.sandbox.demo.stage import Stage, set_up
from gateway.sandbox.demo.story import play as play_the_story
from gateway.sandbox.demo.vendors import File, Vendor, compose
from gateway.sandbox.pdf import make_pdf, sign_pdf
from tests.fakes.disks import MIB, fillable_disk
from tests.fakes.postgres import PostgresServer, running_postgres
from tests.fakes.replicas import shared
from tests.fakes.rpc_world import Refusal, read_refusal
from tests.fakes.s3 import Door, S3Server, running_s3
from tests.fakes.vendor_calls import persist

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]

BEFORE, AFTER = 4, 1
"""Documents handed over before the outage (one is pulled by then, the others are on their way) and after it."""
SIZE = 300_000
"""Bytes of a file."""
ANSWERED_WITHIN = 15.0
"""Seconds in which a gateway must say that it cannot."""


@dataclass
class Play:
    """Two vendor systems and what they wrote down."""

    stage: Stage
    sender: Vendor
    receiver: Vendor
    files: list[File]
    """One for each document, and one more."""
    numbers: Iterator[int]
    accepted: dict[str, str] = field(default_factory=dict)
    """Document id -> digest of its file."""
    held: list[inbox_service_pb2.ReceivedDocument] = field(default_factory=list)
    """Pulled, not yet acknowledged."""
    arrived: Counter[str] = field(default_factory=Counter)
    digests: dict[str, str] = field(default_factory=dict)

    async def send(self, times: int) -> None:
        """Upload a file nobody has seen yet and submit it, some times; each call is repeated until it is answered."""
        for _ in range(times):
            file, number = self.files[len(self.accepted)], next(self.numbers)
            await persist(lambda f=file: self.sender.upload(f))
            request_id = str(uuid.uuid4())
            answer = await persist(lambda f=file, r=request_id, n=number: self.submit(f, number=n, request_id=r))
            self.accepted[answer.document.document_id] = file.sha256

    async def submit_another(self) -> Any:
        """A new document with a file that was uploaded."""
        return await self.submit(self.files[0], number=next(self.numbers), request_id=str(uuid.uuid4()))

    async def submit(self, file: File, *, number: int, request_id: str) -> Any:
        """A document with a file that was uploaded."""
        document = compose(
            number=str(number),
            subject=f"V/v thử nghiệm số {number}",
            recipients=["H98.02"],
            files=[file],
            issued=datetime.now(tz=UTC).date().isoformat(),
        )
        return await self.sender.submit(document, request_id=request_id)

    async def pull(self) -> bool:
        """Take what is there into `held`."""
        for received in await persist(lambda: self.receiver.pull(ack_deadline=timedelta(minutes=2))):
            self.arrived[received.document.document_id] += 1
            self.held.append(received)
        return bool(self.held)

    async def take(self) -> None:
        """Download and acknowledge everything held."""
        while self.held:
            received = self.held.pop()
            (attachment,) = received.document.attachments
            target = self.stage.home / "downloaded"
            digest = await persist(lambda n=attachment.name, t=target: self.receiver.download(n, t))
            self.digests[received.document.document_id] = digest
            await persist(lambda r=received: self.receiver.acknowledge(r))

    async def all_arrive(self) -> None:
        """Wait until every accepted document is here, and look whether a second copy comes."""

        async def whole() -> bool:
            await self.pull()
            await self.take()
            return self.digests.keys() >= self.accepted.keys()

        await until(whole, within=60, what="all accepted documents arrive")
        assert not await self.pull()
        assert self.digests == self.accepted
        assert dict(self.arrived) == dict.fromkeys(self.accepted, 1)


@asynccontextmanager
async def running(folder: Path, environment: Callable[[Province], dict[str, str]]) -> AsyncIterator[Stage]:
    """Everything runs; `environment` gives each gateway's settings that differ from the demo's."""
    async with set_up(folder, now=datetime.now(tz=UTC)) as stage:
        for province in (stage.province_a, stage.province_b):
            province.spec = replace(province.spec, environment=environment(province))
        await asyncio.gather(stage.province_a.start(), stage.province_b.start())
        yield stage


@asynccontextmanager
async def playing(stage: Stage, *, first: int = 1) -> AsyncIterator[Play]:
    """Two vendor systems; their documents have numbers from `first` on."""
    sender = Vendor.connect(stage.province_a, agency="H99.01")
    receiver = Vendor.connect(stage.province_b, agency="H98.02")
    try:
        files = await asyncio.to_thread(_sign, stage, first)
        yield Play(stage=stage, sender=sender, receiver=receiver, files=files, numbers=count(first))
    finally:
        await sender.close()
        await receiver.close()


def _sign(stage: Stage, first: int) -> list[File]:
    """A signed PDF for each document, and one more."""
    files = []
    for number in range(first, first + BEFORE + AFTER + 1):
        path = stage.home / f"cong-van-{number}.pdf"
        plain = make_pdf(size=SIZE, title=f"Cong van so {number}", seed=number)
        path.write_bytes(sign_pdf(plain, signer=stage.pki.signer, signed_at=datetime.now(tz=UTC)))
        files.append(File(name=path.name, media_type="application/pdf", path=path))
    return files


async def refused(call: Callable[[], Awaitable[Any]]) -> Refusal:
    """What a vendor is told, in time."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call(), ANSWERED_WITHIN)
    return read_refusal(caught.value)


async def says(call: Callable[[], Awaitable[Any]], code: grpc.StatusCode, reason: ErrorCode) -> None:
    """The call is refused like this, with a time to come back."""
    told = await refused(call)
    assert (told.code, told.reason) == (code, reason)
    assert told.retry_seconds > 0


async def test_a_full_disk(tmp_path: Path) -> None:
    """Uploads and submissions are put off; acknowledging and reporting work in the reserve; with room, all goes on."""
    with fillable_disk(tmp_path / "disk") as disk:

        def on_the_disk(province: Province) -> dict[str, str]:
            home = disk.folder / province.spec.gateway
            return {
                "LGSP_STORE__PATH": str(home / "gateway.db"),
                "LGSP_BLOBS__PATH": str(home / "blobs"),
                "LGSP_BLOBS__RESERVE_BYTES": str(disk.reserve),
            }

        async with running(tmp_path, on_the_disk) as stage, playing(stage) as play:
            await play.send(1)
            await until(play.pull, within=60, what="the first document arrives")
            await play.send(BEFORE - 1)
            disk.fill(leave=disk.reserve - 4 * MIB)
            full = (grpc.StatusCode.RESOURCE_EXHAUSTED, ErrorCode.STORAGE_FULL)
            await says(lambda: play.sender.upload(play.files[-1]), *full)
            await says(play.submit_another, *full)
            (received,) = [each for each in play.held if each.document.attachments][:1]
            await play.take()
            await play.receiver.report(received, "03")
            disk.clear()
            await play.send(AFTER)
            await play.all_arrive()


@dataclass(frozen=True)
class Served:
    """Two gateways, each with a database and a bucket of its own, on these servers."""

    stage: Stage
    postgres: PostgresServer
    s3: S3Server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    with running_postgres(durable=True) as postgres, running_s3() as s3:

        def on_the_servers(_: Province) -> dict[str, str]:
            return shared(postgres.url(postgres.create()), s3.create())

        async with running(tmp_path_factory.mktemp("served"), on_the_servers) as stage:
            yield Served(stage=stage, postgres=postgres, s3=s3)


async def test_the_main_job_on_postgresql(served: Served) -> None:
    """The demo's story ends well on PostgreSQL and a bucket, and nothing of it is in an embedded database or a file."""
    result = await play_the_story(served.stage, tell=lambda _who, _what: None, now=datetime.now(tz=UTC), size=100_000)
    assert result.ok, result.as_json()
    kept = await asyncio.to_thread(lambda: [*served.stage.home.rglob("*.db"), *served.stage.home.rglob("blobs/*/*")])
    assert [path for path in kept if path.is_file()] == []


async def test_postgresql_stopped(served: Served) -> None:
    """While the database is stopped every call is UNAVAILABLE with a delay; once it is back, all goes on."""
    async with playing(served.stage, first=101) as play:
        await play.send(1)
        await until(play.pull, within=60, what="the first document arrives")
        await play.send(BEFORE - 1)
        await asyncio.to_thread(served.postgres.stop, how="immediate")
        down = (grpc.StatusCode.UNAVAILABLE, ErrorCode.STORE_UNAVAILABLE)
        await asyncio.gather(
            says(lambda: play.sender.upload(play.files[-1]), *down),
            says(play.submit_another, *down),
            says(lambda: play.receiver.acknowledge(play.held[0]), *down),
        )
        await asyncio.to_thread(served.postgres.start)
        await play.send(AFTER)
        await play.all_arrive()


async def test_s3_refusing(served: Served, tmp_path: Path) -> None:
    """While the bucket refuses, what needs it is UNAVAILABLE with a delay; once it serves, all goes on."""
    async with playing(served.stage, first=201) as play:
        await play.send(1)
        await until(play.pull, within=60, what="the first document arrives")
        await play.send(BEFORE - 1)
        served.s3.set_door(Door.REFUSING)
        down = (grpc.StatusCode.UNAVAILABLE, ErrorCode.STORE_UNAVAILABLE)
        (attachment,) = play.held[0].document.attachments
        await asyncio.gather(
            says(lambda: play.sender.upload(play.files[-1]), *down),
            says(play.submit_another, *down),
            says(lambda: play.receiver.download(attachment.name, tmp_path / "nothing"), *down),
        )
        served.s3.set_door(Door.FAILING)
        await says(lambda: play.sender.upload(play.files[-1]), *down)
        served.s3.set_door(Door.OPEN)
        await play.send(AFTER)
        await play.all_arrive()
