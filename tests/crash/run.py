"""`make crash`: gateways are killed under load; what was lost or doubled is counted. Exit 0: nothing; 2: something.

The seed decides kills, victims, faults and documents; how processes and packets meet in time is the machine's.
docs/reliability.md says what each figure means.
"""

import argparse
import asyncio
import json
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.crash import page
from tests.crash.chaos import Chaos
from tests.crash.files import make_pool
from tests.crash.ledger import Ledger
from tests.crash.plan import Plan, make_plan
from tests.crash.tally import Figures, tally
from tests.crash.vendors import Desk, last_status, receive, send, watch
from tests.crash.worlds import World, open_world

_RECEIVERS = 2
"""For each lane."""
_QUIET_SECONDS = 8.0
"""Without news at axis and vendors, at the end: longer than any wait of the gateways before they repeat something."""
_LONGEST_END = 60.0
_LOOK = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `make crash` was told."""

    store: str
    kills: int
    seed: int
    sabotage: str
    documents: int | None
    drain_seconds: float
    page: Path | None
    keep: bool

    @property
    def command(self) -> str:
        """The command that repeats the run."""
        documents = "" if self.documents is None else f' ARGS="--documents {self.documents}"'
        sabotage = f" SABOTAGE={self.sabotage}" if self.sabotage else ""
        return f"make crash STORE={self.store} KILLS={self.kills} SEED={self.seed}{sabotage}{documents}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A finished run."""

    figures: Figures
    plan: Plan
    done: dict[str, int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print and write the report; the exit code."""
    options = _read(arguments)
    home = Path(tempfile.mkdtemp(prefix="lgsp-crash-"))
    try:
        result = asyncio.run(run(options, home=home))
    except BaseException:
        _say(f"broken off; logs and data: {home}")
        raise
    figures = result.figures
    block = page.render(figures, result.plan, result.done, command=options.command, now=datetime.now(tz=UTC))
    if options.page is not None:
        page.write(block, section=options.sabotage or options.store, page=options.page)
    _say(f"\n{block}\n")
    for line in figures.troubles:
        _say(line)
    if figures.good and not options.keep:
        shutil.rmtree(home, ignore_errors=True)
    else:
        _say(f"logs and data: {home}")
    _say(json.dumps(figures.as_json()))
    return 0 if figures.good else 2


async def run(options: Options, *, home: Path) -> Result:
    """One run in an empty folder."""
    began, now, ledger = time.monotonic(), datetime.now(tz=UTC), Ledger()
    async with open_world(options.store, home, now=now) as world:
        plan = make_plan(
            seed=options.seed,
            kills=options.kills,
            documents=options.documents,
            lanes=len(world.lanes),
            gateways=len(world.gateways),
            restarts=world.database is not None,
        )
        _say(f"{options.command}: {len(plan.documents)} documents, {len(plan.events)} events; {home}")
        if options.sabotage:
            await world.control.set_fault(options.sabotage, 1)
        folder = home / "vendors"
        folder.mkdir()
        desk = Desk(
            ledger=ledger,
            documents={document.number: document for document in plan.documents},
            pool=await asyncio.to_thread(make_pool, plan.documents, world.pki, now=now),
            folder=folder,
            issued=now.date().isoformat(),
            stopping=asyncio.Event(),
        )
        chaos = Chaos(world, plan, ledger)
        missing = await _play(world, plan, desk, chaos, drain_seconds=options.drain_seconds)
        records = await world.control.records()
    figures = tally(
        ledger,
        records,
        store=options.store,
        replicas=world.replicas,
        submitted=len(plan.documents),
        missing_statuses=missing,
        seconds=time.monotonic() - began,
    )
    (home / "records.json").write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    return Result(figures=figures, plan=plan, done=dict(chaos.done))


async def _play(world: World, plan: Plan, desk: Desk, chaos: Chaos, *, drain_seconds: float) -> list[str]:
    """Load and chaos, then the drain; gives the documents whose sender was never told 01."""
    ledger = desk.ledger
    watchers = [asyncio.create_task(watch(desk, lane)) for lane in world.lanes]
    teller = asyncio.create_task(_tell(ledger, chaos))
    receivers = [
        asyncio.create_task(receive(desk, lane, number=number)) for lane in world.lanes for number in range(_RECEIVERS)
    ]
    senders = [
        send(desk, lane, [d for d in plan.documents if (d.lane, d.sender) == (number, sender)], sender=sender)
        for number, lane in enumerate(world.lanes)
        for sender in range(len(lane.senders))
    ]
    try:
        async with asyncio.TaskGroup() as load:
            for work in (chaos.run(), *senders):
                load.create_task(work)
        with suppress(TimeoutError):
            await asyncio.wait_for(_drain(ledger), drain_seconds)
        with suppress(TimeoutError):
            await asyncio.wait_for(_quiet(world, ledger), _LONGEST_END)
        desk.stopping.set()
        await asyncio.gather(*receivers)
    finally:
        for task in (*watchers, teller, *receivers):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    untold = [each for each in ledger.arrived if "01" not in ledger.statuses.get(each, []) and each in ledger.sent]
    return [each for each in untold if not await _told(world, plan, ledger, each)]


async def _drain(ledger: Ledger) -> None:
    """Wait until everything has arrived and every sender has been told."""
    while not _drained(ledger):  # noqa: ASYNC110 - the ledger changes in many places
        await asyncio.sleep(_LOOK)


def _drained(ledger: Ledger) -> bool:
    return all(
        document_id in ledger.arrived
        and "01" in ledger.statuses.get(document_id, [])
        and (document_id not in ledger.reported or "06" in ledger.statuses[document_id])
        for document_id in ledger.sent
    )


async def _quiet(world: World, ledger: Ledger) -> None:
    """Wait until a second copy would have come."""
    seen, until = -1, 0.0
    while True:
        now = len(await world.control.records()) + sum(ledger.handed_out.values())
        if now != seen:
            seen, until = now, time.monotonic() + _QUIET_SECONDS
        if time.monotonic() >= until:
            return
        await asyncio.sleep(1)


async def _told(world: World, plan: Plan, ledger: Ledger, document_id: str) -> bool:
    """Whether GetDocument knows a status that the event stream did not bring."""
    sent = ledger.sent[document_id]
    lane = world.lanes[next(d.lane for d in plan.documents if d.number == sent.number)]
    return bool(await last_status(lane, sent.name))


async def _tell(ledger: Ledger, chaos: Chaos) -> None:
    """A line of progress every ten seconds."""
    while True:
        await asyncio.sleep(10)
        _say(
            f"  accepted {len(ledger.sent)}, arrived {len(ledger.arrived)}, redelivered {ledger.redelivered};"
            f" {', '.join(f'{name} {count}' for name, count in sorted(chaos.done.items()))}"
        )


def _read(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="make crash", description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="none = a new one, which is printed")
    parser.add_argument("--sabotage", choices=("", "lose", "double"), default="", help="what the axis does once")
    parser.add_argument("--documents", type=int, default=None, help="none = 40 and 21 for each kill")
    parser.add_argument("--drain-seconds", type=float, default=120, help="time to arrive after the last fault")
    parser.add_argument("--page", type=Path, default=None, help="page to write the report into; none = print only")
    parser.add_argument("--keep", action="store_true", help="keep logs and data of a good run too")
    given = parser.parse_args(arguments)
    if given.seed is None:
        given.seed = secrets.randbelow(1_000_000)
    return Options(**vars(given))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
