"""Roles apart and several replicas, as processes on one PostgreSQL and one bucket.

Servers, axis and the other province run for all tests; roles come first, because they start on an empty database.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from gateway.sandbox.demo.processes import until
from gateway.sandbox.demo.province import Province
from gateway.sandbox.demo.stage import Stage, set_up
from gateway.sandbox.demo.vendors import File, Vendor
from tests.fakes.postgres import running_postgres
from tests.fakes.replicas import holder, pid_of, replica_of, send, shared, start_all
from tests.fakes.s3 import running_s3
from tests.fakes.terminal import run_beside
from tests.fakes.vendor_calls import all_sent, persist

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

TAKEOVER_SECONDS = 15


async def take(vendor: Vendor, count: int, *, within: float) -> Counter[str]:
    """Pull and acknowledge so many documents; document id -> times."""
    found: Counter[str] = Counter()

    async def enough() -> bool:
        for received in await persist(vendor.pull):
            await persist(lambda r=received: vendor.acknowledge(r))
            found[received.document.document_id] += 1
        return found.total() >= count

    await until(enough, within=within, what=f"{count} documents at the vendor")
    return found


def at_axis(stage: Stage, ids: Sequence[str]) -> Counter[str]:
    """How often the axis accepted each of these documents."""
    records = [r for r in stage.records() if r["event"] == "accepted" and r["messagetype"] == "edoc"]
    return Counter(r["documentId"] for r in records if r["documentId"] in set(ids))


async def killed_poller_is_replaced(url: str, replicas: Sequence[Province], stage: Stage, file: File) -> float:
    """SIGKILL the replica that polls; seconds until a document sent afterwards is at the vendor."""
    now = datetime.now(tz=UTC)
    active = pid_of(await holder(url, "poll:national"))
    (victim,) = (replica for replica in replicas if replica.child.pid == active)
    (other,) = (replica for replica in replicas if replica is not victim)
    abroad = Vendor.connect(stage.province_b, agency="H98.02")
    at_home = Vendor.connect(other, agency="H99.01")
    try:
        os.kill(active, signal.SIGKILL)
        started = time.monotonic()
        names = await send(abroad, file, range(900, 901), to="H99.01", now=now)
        assert await take(at_home, 1, within=60) == dict.fromkeys(names, 1)
        took = time.monotonic() - started
        assert pid_of(await holder(url, "poll:national")) == other.child.pid
        return took
    finally:
        await abroad.close()
        await at_home.close()
        await victim.kill()
        await victim.start()


@dataclass(frozen=True)
class Shared:
    """What runs: everything but province A's processes, which the tests start in this environment."""

    stage: Stage
    url: str
    environment: dict[str, str]
    file: File


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shared]:
    now = datetime.now(tz=UTC)
    with running_postgres(durable=True) as server, running_s3() as s3:
        url = server.url(server.create())
        async with set_up(tmp_path_factory.mktemp("stage"), now=now) as stage:
            await stage.province_b.start()
            file, _, _ = await asyncio.to_thread(stage.make_files, size=50_000, now=now)
            yield Shared(stage=stage, url=url, environment=shared(url, s3.create()), file=file)


async def test_roles_apart(world: Shared) -> None:
    """One process serves vendors and sends nothing, another sends and serves nobody; together they do the main job."""
    stage, file, now = world.stage, world.file, datetime.now(tz=UTC)
    doors = replica_of(stage, "doors", world.environment, role="rpc")
    works = replica_of(stage, "works", world.environment, role="delivery")
    starting = asyncio.create_task(doors.start())  # it opens once the other has a directory
    await works.start()
    await starting
    vendor, abroad = Vendor.connect(doors, agency="H99.01"), Vendor.connect(stage.province_b, agency="H98.02")
    try:
        await works.stop()
        names = await send(vendor, file, range(1, 3), to="H98.02", now=now)
        assert not at_axis(stage, list(names))
        await works.start()
        assert await take(abroad, 2, within=60) == dict.fromkeys(names, 1)
        back = await send(abroad, file, range(4, 6), to="H99.01", now=now)
        assert await take(vendor, 2, within=60) == dict.fromkeys(back, 1)
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection("127.0.0.1", works.grpc_port)
    finally:
        await vendor.close()
        await abroad.close()
        await asyncio.gather(doors.stop(), works.stop())


async def test_two_replicas_share_the_work(world: Shared) -> None:
    """Vendors may use either replica; one polls; killed, the other takes over; both restarted, nothing doubles."""
    stage, file, now = world.stage, world.file, datetime.now(tz=UTC)
    replicas = [replica_of(stage, f"replica-{n}", world.environment) for n in range(2)]
    await start_all(*replicas)
    vendors = [Vendor.connect(replica, agency="H99.01") for replica in replicas]
    abroad = Vendor.connect(stage.province_b, agency="H98.02")
    try:
        halves = await asyncio.gather(
            send(vendors[0], file, range(10, 15), to="H98.02", now=now),
            send(vendors[1], file, range(20, 25), to="H98.02", now=now),
        )
        names = halves[0] | halves[1]
        assert await take(abroad, 10, within=60) == dict.fromkeys(names, 1)
        waiting = list(names.values())
        await until(lambda: all_sent(vendors[1], waiting), within=30, what="all are sent")
        assert await killed_poller_is_replaced(world.url, replicas, stage, file) < TAKEOVER_SECONDS
        later = await rolling_restart(replicas, vendors, file, now)
        assert await take(abroad, len(later), within=60) == dict.fromkeys(later, 1)
        assert at_axis(stage, [*names, *later]) == dict.fromkeys([*names, *later], 1)
    finally:
        for vendor in (*vendors, abroad):
            await vendor.close()
        await asyncio.gather(*(replica.stop() for replica in replicas))


async def rolling_restart(
    replicas: Sequence[Province], vendors: Sequence[Vendor], file: File, now: datetime
) -> dict[str, str]:
    """Stop and start one replica after the other while documents are handed to the one that stays."""
    names: dict[str, str] = {}
    for number, (replica, stays) in enumerate(zip(replicas, reversed(vendors), strict=True)):
        _, sent = await asyncio.gather(
            restart(replica), send(stays, file, range(100 * (number + 3), 100 * (number + 3) + 3), to="H98.02", now=now)
        )
        names |= sent
    return names


async def restart(replica: Province) -> None:
    await replica.stop()
    await replica.start()


@pytest.mark.parametrize("role", ["rpc", "delivery"])
async def test_an_embedded_store_has_one_process(world: Shared, role: str) -> None:
    """A role of its own is refused at the start on SQLite and on a local directory, both named."""
    ended = await run_beside("serve", "--config", world.stage.province_a.config, "--role", role)
    assert ended.returncode == 2
    assert [line.partition(":")[0] for line in ended.stderr.splitlines()] == ["store.url", "blobs.bucket"]
