"""The axis is down for half an hour while documents queue up; once it is back, everything leaves unaided.

`python -m tests.load.outage [--documents 10000] [--store sqlite|postgres]`. Real: store, blobs, packets, worker,
circuit breaker, and time once the axis is back. Simulated: the axis, and the half hour, which is skipped in small steps
so that backoff and probes happen as they would. The last line printed is JSON; exit code 1 if something does not hold:

* the first document is delivered within 10 s of the axis's return;
* all of them are delivered, once each, nothing failed or held;
* urgent ones go first: when the last of them left, ordinary ones had the places that fairness gives them, no more;
* the outage cost no message more than a few attempts.
"""

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
import structlog

from gateway.domain.backoff import Backoff
from gateway.domain.document import OtherInfo, Priority
from gateway.domain.lifecycle import MessageState
from gateway.domain.outcome import Outcome, Unavailable
from gateway.domain.packet import Sealed
from gateway.flows.config import OutboundPolicy
from gateway.flows.fairness import FAIR_EVERY
from gateway.ports import Clock, PacketBytes
from gateway.store.tables import messages
from tests.fakes.axis import FakeAxis
from tests.fakes.postgres import database_of_kind
from tests.make import NOW, make_acceptance, make_attachment, make_organization
from tests.scenarios.world import OURS, PDF, THEIRS, Gateway, World, make_letter, store_bytes

OUTAGE = timedelta(minutes=30)
STEP = timedelta(seconds=5)
"""Between two probes."""
FIRST_WITHIN = 10.0
"""Seconds from the axis's return to the first delivery."""
SLACK = 50
"""Places that may be given otherwise around the axis's return: those under way, and the probes."""
MOST_ATTEMPTS = 40
"""Of one message in half an hour: one probe a minute, and what came before."""
_AT_ONCE = 50
"""Documents that are accepted side by side."""
POLICY = OutboundPolicy(
    backoff=Backoff(
        first=timedelta(seconds=30),
        factor=2,
        ceiling=timedelta(hours=1),
        jitter=0.3,
        give_up_after=timedelta(hours=72),
    ),
    lease_for=timedelta(seconds=15),
    concurrency=4,
    poll_interval=timedelta(seconds=1),
    drain_grace=timedelta(seconds=10),
)


class SkippingClock(Clock):
    """Runs as time does, and can skip some of it."""

    def __init__(self) -> None:
        self._zero = time.monotonic()
        self._skipped = timedelta(0)

    def now(self):
        return NOW + self._skipped + timedelta(seconds=time.monotonic() - self._zero)

    def skip(self, by: timedelta) -> None:
        self._skipped += by


class FailingAxis(FakeAxis):
    """Notes when it took what, by the word in the title; refuses connections while it is down."""

    def __init__(self, clock: SkippingClock) -> None:
        super().__init__(clock=clock)
        self.order: list[tuple[float, bool]] = []

    async def submit(self, sealed: Sealed, body: PacketBytes) -> Outcome:
        if self.down:
            self.attempts += 1
            return Unavailable(reason="no connection")
        outcome = await super().submit(sealed, body)
        self.order.append((time.monotonic(), b"urgent-" in self.taken[-1].data))
        return outcome


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one run showed."""

    documents: int
    urgent: int
    store: str
    probes: int
    most_attempts: int
    first_delivery_s: float
    drained_s: float
    delivered: int
    unsettled: int
    urgent_before_ordinary: float
    """Share of all pairs of an urgent and an ordinary document in which the urgent one left first."""
    last_urgent_place: int
    """In the order of delivery, from 1."""

    def failures(self) -> list[str]:
        """What does not hold."""
        fair_end = self.urgent * FAIR_EVERY / (FAIR_EVERY - 1) + SLACK
        claims = {
            f"first delivery within {FIRST_WITHIN:g} s": self.first_delivery_s < FIRST_WITHIN,
            "each document delivered once": self.delivered == self.documents and not self.unsettled,
            "urgent ones first": self.last_urgent_place <= fair_end,
            f"at most {MOST_ATTEMPTS} attempts in the outage": self.most_attempts <= MOST_ATTEMPTS,
        }
        return [claim for claim, holds in claims.items() if not holds]


async def run(folder: Path, *, documents: int, outage: timedelta = OUTAGE, database: str = "", seed: int = 1) -> Result:
    """Fill the queue while the axis is down, let time pass, bring the axis back, wait for the end."""
    clock = SkippingClock()
    axis = FailingAxis(clock)
    world = World(folder)
    axis.rows = world.axis.rows
    world.axis, world.clock, world.outbound, world.database = axis, clock, POLICY, database
    async with world.gateway() as gateway:
        axis.down = True
        urgent = await _fill(gateway, documents, random.Random(seed))
        working = asyncio.create_task(gateway.worker.run())
        await _sit_out(gateway, clock, axis, outage)
        probes = axis.attempts
        most_attempts = await _most_attempts(gateway)
        back, axis.down = time.monotonic(), False
        await _drained(gateway)
        drained = time.monotonic()
        gateway.worker.stop()
        await working
        depth = await gateway.store.outbox.depth(at=clock.now(), near=timedelta(0))
    order = [is_urgent for _, is_urgent in axis.order]
    return Result(
        documents=documents,
        urgent=urgent,
        store="postgres" if database else "sqlite",
        probes=probes,
        most_attempts=most_attempts,
        first_delivery_s=round(axis.order[0][0] - back, 2),
        drained_s=round(drained - back, 1),
        delivered=len(order),
        unsettled=sum(depth.outbox.values()),
        urgent_before_ordinary=round(_urgent_first(order), 3),
        last_urgent_place=max((place for place, is_urgent in enumerate(order, 1) if is_urgent), default=0),
    )


async def _fill(gateway: Gateway, documents: int, draw: random.Random) -> int:
    """Accept documents, a fifth of them urgent, in mixed order; how many are urgent."""
    ours = (await gateway.store.directory.resolve([OURS]))[OURS]
    stored = await store_bytes(gateway.blobs, PDF)
    urgent = [draw.random() < 0.2 for _ in range(documents)]

    async def accept(n: int, *, is_urgent: bool) -> None:
        letter = make_letter(
            to=(make_organization(THEIRS),),
            subject=f"{'urgent' if is_urgent else 'ordinary'}-{n}",
            attachments=(make_attachment(PDF),),
            other_info=OtherInfo(priority=draw.choice(list(Priority)[1:]) if is_urgent else Priority.NORMAL),
        )
        acceptance = make_acceptance(letter, agency=ours.id, objects=(stored,))
        await gateway.store.documents.accept(acceptance, at=gateway.clock.now())

    for start in range(0, documents, _AT_ONCE):
        batch = list(enumerate(urgent))[start : start + _AT_ONCE]
        await asyncio.gather(*(accept(n, is_urgent=is_urgent) for n, is_urgent in batch))
    return sum(urgent)


async def _sit_out(gateway: Gateway, clock: SkippingClock, axis: FailingAxis, outage: timedelta) -> None:
    """Skip the outage, from probe to probe: something is always due."""
    for _ in range(outage // STEP):
        tried = axis.attempts
        clock.skip(STEP)
        gateway.outbound._wakeups.notify("outbox")
        async with asyncio.timeout(30):
            while gateway.worker._running or axis.attempts == tried:  # noqa: ASYNC110 - plain state of the test
                await asyncio.sleep(0.001)


async def _drained(gateway: Gateway) -> None:
    """Wait until nothing is left to be sent."""
    unsent = sa.select(sa.func.count()).where(messages.c.state != MessageState.SENT.value)
    while await _scalar(gateway, unsent):  # noqa: ASYNC110 - what is waited for is rows of a database
        await asyncio.sleep(0.1)


async def _most_attempts(gateway: Gateway) -> int:
    return await _scalar(gateway, sa.select(sa.func.max(messages.c.attempts)))


async def _scalar(gateway: Gateway, query: sa.Select[tuple[int]]) -> int:
    async def work(conn) -> int:
        return (await conn.execute(query)).scalar_one()

    return await gateway.store.database.read(work)


def _urgent_first(order: list[bool]) -> float:
    """Share of pairs in which the urgent one is first; 1 where there is no pair."""
    ordinary = order.count(False)
    pairs = ordinary * (len(order) - ordinary)
    good, ordinary_left = 0, ordinary
    for is_urgent in order:
        if is_urgent:
            good += ordinary_left
        else:
            ordinary_left -= 1
    return good / pairs if pairs else 1.0


def main() -> int:
    """Run once; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder, database_of_kind(asked.store) as database:
        result = asyncio.run(run(Path(folder), documents=asked.documents, database=database))
    failures = result.failures()
    for failure in failures:
        sys.stderr.write(f"does not hold: {failure}\n")
    sys.stdout.write(f"{json.dumps(asdict(result))}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
