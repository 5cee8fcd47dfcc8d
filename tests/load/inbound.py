"""How fast what waits at the axis comes in: documents and statuses at once, and an urgent document behind them all.

`python -m tests.load.inbound [--statuses 400] [--documents 100] [--store sqlite|postgres] [--axis-seconds 0.05]`. Real:
axis adapter, sockets, an axis in a process of its own, packets, store and blobs. Simulated: the check of signatures.
Once statuses come in, an urgent document is sent; it is the `urgent` one. The last line printed is JSON; exit code 1 if
something does not come in whole and in order, or if the urgent document waits for the statuses.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
import structlog

from gateway.blobs.content import LocalBlobs
from gateway.domain.dialect import NATIONAL
from gateway.domain.document import Document, OtherInfo, Priority, TraceHeader
from gateway.domain.outcome import Accepted
from gateway.domain.packet import Draft
from gateway.domain.status import ACCEPTED, ARRIVED, FINISHED, StatusReport
from gateway.flows.config import InboundPolicy
from gateway.flows.receipts import report_on
from gateway.sandbox.demo.processes import Child
from gateway.store.tables import axis_items, events, inbound_documents
from gateway.translate.edxml.translator import EdxmlTranslator
from gateway.xmlsafe import Limits
from tests.contract.vxp_peer import SystemClock, axis_at
from tests.fakes.postgres import database_of_kind
from tests.make import make_acceptance, make_agency, make_attachment, make_document, make_organization
from tests.scenarios.world import OURS, PDF, THEIRS, Gateway, World, make_letter, store_bytes

CODES = (ARRIVED, ACCEPTED, "04", FINISHED)
"""What is reported about each letter, in this order."""
WITHIN = 600.0
"""Longest run, seconds."""
_AT_ONCE = 8
_LOOK = 0.05
POLICY = InboundPolicy(poll_interval=timedelta(seconds=1), concurrency=4, status_concurrency=8)
OURS_THERE = {"system_id": "00.98.W00", "secret": "dummy-secret-98"}


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one run showed."""

    store: str
    axis_seconds: float
    statuses: int
    documents: int
    statuses_per_s: float
    documents_per_s: float
    urgent_s: float
    """From its sending to its being stored."""
    statuses_left: int
    """Not yet placed when the urgent one was stored."""
    told_s: float
    """From the start until the axis was told of everything."""
    disordered: int
    """Letters whose statuses were not placed in order, each once."""

    def failures(self) -> list[str]:
        """What does not hold."""
        claims = {
            "statuses in order, each once": not self.disordered,
            "the urgent document does not wait for the statuses": self.statuses_left > 0,
        }
        return [claim for claim, holds in claims.items() if not holds]


class Peer:
    """The other province: sends through the axis."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self._endpoint = endpoint
        self._blobs = LocalBlobs(folder, clock=SystemClock())
        self._translator = EdxmlTranslator(blobs=self._blobs, limits=Limits(), dialect=NATIONAL)

    async def document(self, document: Document) -> None:
        hop = TraceHeader(organ_id=THEIRS, timestamp="2026/03/02 09:30:00")
        stored = await store_bytes(self._blobs, PDF)
        draft = self._translator.draft_document(document, [stored], recipients=document.to, hop=hop)
        assert isinstance(draft, Draft), draft
        await self._send(draft)

    async def status(self, report: StatusReport) -> None:
        draft = self._translator.draft_status(report)
        assert isinstance(draft, Draft), draft
        await self._send(draft)

    async def _send(self, draft: Draft) -> None:
        async with axis_at(self._endpoint) as axis:
            outcome = await axis.submit(await self._translator.seal(draft), lambda: self._translator.stream(draft))
        assert isinstance(outcome, Accepted), outcome


async def run(folder: Path, *, statuses: int, documents: int, database: str = "", axis_seconds: float = 0.0) -> Result:
    """Let everything wait at the axis, then poll."""
    async with _axis(folder, axis_seconds) as endpoint, axis_at(endpoint, **OURS_THERE) as axis:
        world = World(folder)
        world.axis, world.clock, world.inbound, world.database = axis, SystemClock(), POLICY, database
        peer = Peer(endpoint, folder / "peer")
        async with world.gateway() as gateway:
            letters = await _letters(gateway, statuses // len(CODES))
            for code in CODES:
                reports = [_report(letter, code) for letter in letters]
                await _side_by_side([peer.status(report) for report in reports])
            await _side_by_side([peer.document(_incoming(f"ordinary-{n}")) for n in range(documents)])
            return await _measure(
                gateway,
                peer,
                letters,
                store="postgres" if database else "sqlite",
                documents=documents,
                axis_seconds=axis_seconds,
            )


async def _measure(
    gateway: Gateway, peer: Peer, letters: list[Document], *, store: str, documents: int, axis_seconds: float
) -> Result:
    statuses = len(letters) * len(CODES)
    polling = asyncio.create_task(gateway.poller.run())
    begun = time.monotonic()
    sending: asyncio.Task[None] | None = None
    moments: dict[str, float] = {}
    left = statuses
    async with asyncio.timeout(WITHIN):
        while "told" not in moments:
            placed, stored, urgent, open_ = await _look(gateway)
            now = time.monotonic()
            if placed and sending is None:
                sending = asyncio.create_task(peer.document(_incoming("urgent", Priority.URGENT)))
                await sending
                moments["sent"] = time.monotonic()
            if urgent and "urgent" not in moments:
                moments["urgent"], left = now, statuses - placed
            if stored >= documents:
                moments.setdefault("documents", now)
            if placed >= statuses:
                moments.setdefault("statuses", now)
            if {"urgent", "documents", "statuses"} <= moments.keys() and not open_:
                moments["told"] = now
            await asyncio.sleep(_LOOK)
    gateway.poller.stop()
    await polling
    return Result(
        store=store,
        axis_seconds=axis_seconds,
        statuses=statuses,
        documents=documents,
        statuses_per_s=round(statuses / (moments["statuses"] - begun), 1),
        documents_per_s=round(documents / (moments["documents"] - begun), 1),
        urgent_s=round(moments["urgent"] - moments["sent"], 2),
        statuses_left=left,
        told_s=round(moments["told"] - begun, 1),
        disordered=await _disordered(gateway, letters),
    )


async def _look(gateway: Gateway) -> tuple[int, int, bool, int]:
    """Statuses placed, ordinary documents stored, whether the urgent one is, and items the axis was not told of."""
    count = sa.func.count()
    urgent = inbound_documents.c.document_id == "urgent"

    async def work(conn) -> tuple[int, int, bool, int]:
        placed = await conn.scalar(sa.select(count).select_from(events).where(events.c.kind == "status"))
        stored = await conn.scalar(sa.select(count).select_from(inbound_documents).where(~urgent))
        came = await conn.scalar(sa.select(count).select_from(inbound_documents).where(urgent))
        open_ = await conn.scalar(sa.select(count).select_from(axis_items).where(axis_items.c.told_at.is_(None)))
        return placed, stored, bool(came), open_

    return await gateway.store.database.read(work)


async def _disordered(gateway: Gateway, letters: list[Document]) -> int:
    found: dict[str, list[str]] = defaultdict(list)

    async def work(conn) -> None:
        held = sa.select(events.c.document_id, events.c.payload).where(events.c.kind == "status")
        for row in await conn.execute(held.order_by(events.c.position)):
            found[row.document_id].append(json.loads(row.payload)["status_code"])

    await gateway.store.database.read(work)
    return sum(found[letter.document_id] != list(CODES) for letter in letters)


async def _letters(gateway: Gateway, number: int) -> list[Document]:
    """Letters of ours that statuses can be about."""
    ours = (await gateway.store.directory.resolve([OURS]))[OURS]
    stored = await store_bytes(gateway.blobs, PDF)
    letters = [make_letter(to=(make_organization(THEIRS),)) for _ in range(number)]
    for letter in letters:
        acceptance = make_acceptance(letter, agency=ours.id, objects=(stored,))
        await gateway.store.documents.accept(acceptance, at=gateway.clock.now())
    return letters


def _incoming(document_id: str, priority: Priority = Priority.NORMAL) -> Document:
    return make_document(
        document_id=document_id,
        sender=make_organization(THEIRS),
        to=(make_organization(OURS),),
        attachments=(make_attachment(PDF),),
        other_info=OtherInfo(priority=priority),
    )


def _report(letter: Document, code: str) -> StatusReport:
    return report_on(letter, make_agency(THEIRS), status_code=code, at=SystemClock().now())


async def _side_by_side(sendings: list) -> None:
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(sending) -> None:
        async with slots:
            await sending

    await asyncio.gather(*(one(each) for each in sendings))


@asynccontextmanager
async def _axis(folder: Path, seconds: float) -> AsyncIterator[str]:
    """An axis in a process of its own, which takes so long for every answer."""
    options = ["--fault", "slow", "--slow-seconds", str(seconds)] if seconds else []
    axis = await Child.start("axis", ["sandbox", "--listen", "127.0.0.1:0", *options], log=folder / "axis.log")
    try:
        yield (await axis.read_json_line(within=60))["axis"]
    finally:
        await axis.stop()


def main() -> int:
    """Run once; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--statuses", type=int, default=400)
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--axis-seconds", type=float, default=0.0)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder, database_of_kind(asked.store) as database:
        result = asyncio.run(
            run(
                Path(folder),
                statuses=asked.statuses,
                documents=asked.documents,
                database=database,
                axis_seconds=asked.axis_seconds,
            )
        )
    failures = result.failures()
    for failure in failures:
        sys.stderr.write(f"does not hold: {failure}\n")
    sys.stdout.write(f"{json.dumps(asdict(result))}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
