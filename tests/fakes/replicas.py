"""Several gateways over one PostgreSQL and one bucket, as processes."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import asyncpg

from gateway.blobs.s3 import Bucket
from gateway.sandbox.demo.province import Province
from gateway.sandbox.demo.stage import Stage
from gateway.sandbox.demo.vendors import File, Vendor, compose
from tests.fakes.vendor_calls import persist


def shared(url: str, bucket: Bucket) -> dict[str, str]:
    """The environment that puts a gateway on this database and this bucket."""
    return {"LGSP_STORE__URL": url, **in_bucket(bucket)}


def in_bucket(bucket: Bucket) -> dict[str, str]:
    """The environment that puts a gateway's objects into this bucket."""
    return {
        "LGSP_BLOBS__BUCKET": bucket.name,
        "LGSP_BLOBS__ENDPOINT": bucket.endpoint,
        "LGSP_BLOBS__REGION": bucket.region,
        "LGSP_BLOBS__ACCESS_KEY_ID": bucket.access_key_id,
        "LGSP_BLOBS__SECRET_ACCESS_KEY": bucket.secret,
    }


def replica_of(
    stage: Stage, name: str, environment: Mapping[str, str], *, role: str = "all", of: Province | None = None
) -> Province:
    """One more process of a province (A unless named), with ports and a folder of its own; not started."""
    origin = of or stage.province_a
    spec = replace(origin.spec, environment=environment, role=role)
    return Province(spec, home=stage.home / name, pki=origin.pki, axis_url=stage.axis_url)


async def holder(url: str, claim: str) -> str:
    """Who holds a claim, as `host:pid:random`; empty where nobody does."""
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SELECT owner FROM claims WHERE name = $1", claim) or "")
    finally:
        await connection.close()


def pid_of(owner: str) -> int:
    """The process in an owner's name."""
    return int(owner.split(":")[1])


async def start_all(*replicas: Province) -> None:
    """Start them side by side."""
    await asyncio.gather(*(replica.start() for replica in replicas))


async def send(vendor: Vendor, file: File, numbers: Sequence[int], *, to: str, now: datetime) -> dict[str, str]:
    """Submit documents; document id -> resource name."""
    await persist(lambda: vendor.upload(file))
    names: dict[str, str] = {}
    for number in numbers:
        document = compose(
            number=str(number), subject=f"V/v số {number}", recipients=[to], files=[file], issued=now.date().isoformat()
        )
        request_id = str(uuid.uuid4())
        answer = await persist(lambda d=document, r=request_id: vendor.submit(d, request_id=r))
        names[answer.document.document_id] = answer.document.name
    return names
