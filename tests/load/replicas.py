"""Three replicas against one, on one PostgreSQL and one bucket, while the axis takes 200 ms for every call.

`python -m tests.load.replicas` submits documents while nobody delivers, then starts one delivering process, later
three, and counts by the axis's own journal how many documents a second it accepted. The last line is JSON; exit 1 if
three are not at least twice as fast.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.blobs.s3 import Bucket
from gateway.sandbox.demo.processes import until
from gateway.sandbox.demo.province import Province
from gateway.sandbox.demo.stage import Stage, set_up
from gateway.sandbox.demo.vendors import Vendor
from tests.fakes.postgres import PostgresServer, running_postgres
from tests.fakes.replicas import replica_of, send, shared, start_all
from tests.fakes.s3 import S3Server, running_s3

AXIS_SECONDS = 0.2
CONCURRENCY = 4
WANTED = 2.0


async def measure(stage: Stage, server: PostgresServer, s3: S3Server, *, replicas: int, documents: int) -> float:
    """Documents a second that the axis accepted from so many delivering processes, first to last."""
    bucket: Bucket = s3.create()
    environment = shared(server.url(server.create()), bucket) | {"LGSP_DELIVERY__CONCURRENCY": str(CONCURRENCY)}
    doors = replica_of(stage, f"rpc-of-{replicas}", environment, role="rpc")
    workers = [replica_of(stage, f"worker-{n}-of-{replicas}", environment, role="delivery") for n in range(replicas)]
    # A directory must be there before the doors open.
    await workers[0].start()
    await doors.start()
    await workers[0].stop()
    sent = await submit(stage, doors, documents, first=replicas * 100_000)
    try:
        await start_all(*workers)

        async def all_there() -> bool:
            return len(times(stage, sent)) >= documents

        await until(all_there, within=180, what=f"{documents} documents at the axis")
        moments = sorted(times(stage, sent))
        # Without the first ones: the processes do not begin at one instant.
        counted = moments[len(moments) // 5 :]
        return (len(counted) - 1) / (counted[-1] - counted[0])
    finally:
        await asyncio.gather(doors.stop(), *(worker.stop() for worker in workers))


async def submit(stage: Stage, doors: Province, documents: int, *, first: int) -> frozenset[str]:
    """Hand documents over; their ids."""
    vendor = Vendor.connect(doors, agency="H99.01")
    now = datetime.now(tz=UTC)
    file, _, _ = await asyncio.to_thread(stage.make_files, size=20_000, now=now)
    try:
        return frozenset(await send(vendor, file, range(first, first + documents), to="H98.02", now=now))
    finally:
        await vendor.close()


def times(stage: Stage, ids: frozenset[str]) -> list[float]:
    """When the axis accepted these documents, seconds; raises if one came twice."""
    mine: list[dict[str, Any]] = [r for r in stage.records() if r["event"] == "accepted" and r["documentId"] in ids]
    twice = [id_ for id_, n in Counter(record["documentId"] for record in mine).items() if n > 1]
    assert not twice, f"accepted twice: {twice}"
    return [datetime.fromisoformat(record["time"]).timestamp() for record in mine]


async def compare(home: Path, documents: int) -> dict[str, float]:
    """One replica, then three, each with a database and a bucket of its own."""
    now = datetime.now(tz=UTC)
    with running_postgres(durable=True) as server, running_s3() as s3:
        async with set_up(home, now=now, sandbox_options=("--slow-seconds", str(AXIS_SECONDS))) as stage:
            stage.set_fault("slow")
            one = await measure(stage, server, s3, replicas=1, documents=documents)
            three = await measure(stage, server, s3, replicas=3, documents=documents * 2)
    return {"one_per_s": round(one, 1), "three_per_s": round(three, 1), "ratio": round(three / one, 2)}


def main() -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(compare(Path(folder), asked.documents))
    sys.stdout.write(json.dumps({"axis_seconds": AXIS_SECONDS, "concurrency": CONCURRENCY, **result}) + "\n")
    return 0 if result["ratio"] >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
