"""What a call costs with many finished documents in the store, against a store with few.

`python -m tests.load.terminal --store both --rows 1000000`. Both stores are measured in turns in one run; the last line
is JSON; ends with 1 if submit, lease, pull or a list costs more than LIMIT times what it costs with few.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

import asyncpg
import sqlalchemy as sa

from gateway.domain.agency import Agency
from gateway.domain.document import Document
from gateway.domain.ids import AgencyId, AxisDocId, OrganId, VendorId
from gateway.domain.lifecycle import DeliveryState, MessageState
from gateway.domain.mandate import Mandate
from gateway.ports.outbound import DocumentFilter, PageKey, Settlement
from gateway.store import Store, open_store, upgrade
from gateway.store.postgres import READERS, WRITERS
from tests.fakes.postgres import PostgresServer, running_postgres
from tests.load.filling import RECIPIENTS, SENDERS, fill_postgres, fill_sqlite, recipient, sender
from tests.make import (
    NOW,
    ROUTE,
    make_acceptance,
    make_arrival,
    make_directory_row,
    make_document,
    make_organization,
    make_received,
    make_status,
)

FEW = 1_000
LIMIT = 1.2
HELD = ("submit", "lease", "pull", "list")
"""What must not grow, by the first word of its name."""
VENDOR = VendorId("vendor-a")
ROOT = OrganId("H98")
QUIET = OrganId("000.00.99.H98")
"""A unit that never sent anything."""
NOBODY = OrganId("000.00.99.H99")
"""An agency to which nothing was ever sent."""
MINUTE = timedelta(minutes=1)
SENT = Settlement(state=MessageState.SENT, due_at=None, reason="", counted=True, axis_doc_id=AxisDocId("x"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A store under measurement."""

    store: Store
    agencies: dict[OrganId, Agency]
    clock: Callable[[], float] = time.process_time
    """Processor seconds so far, of everybody who works for the store: on a shared machine, time itself tells less."""

    def id(self, code: OrganId) -> AgencyId:
        return self.agencies[code].id


Timed = Callable[[Filled, datetime], Awaitable[float]]


async def submit(filled: Filled, at: datetime) -> float:
    """Accept a document; what it put into the outbox is then sent."""
    acceptance = make_acceptance(_letter(), agency=filled.id(sender(1)), vendor=VENDOR)
    begun = filled.clock()
    await filled.store.documents.accept(acceptance, at=at)
    took = filled.clock() - begun
    await _send(filled, at)
    return took


async def lease(filled: Filled, at: datetime) -> float:
    """Take a document's message and begin to submit it."""
    await filled.store.documents.accept(make_acceptance(_letter(), agency=filled.id(sender(1)), vendor=VENDOR), at=at)
    return await _send(filled, at)


async def receive(filled: Filled, at: datetime) -> float:
    """Ask for, record and store an item; its reception is then taken over."""
    took = await _receive(filled, at)
    await _pull(filled, at)
    return took


async def pull(filled: Filled, at: datetime) -> float:
    """Lease and acknowledge a received document."""
    await _receive(filled, at)
    return await _pull(filled, at)


def listed(which: Callable[[Filled], DocumentFilter], *, later: bool = False, limit: int = 50) -> Timed:
    """One page of a list, the first, or one from the middle of the smaller store's time.

    `limit` is what the smaller store has, too: what is compared is the search, not the length of the answer.
    """

    async def call(filled: Filled, _at: datetime) -> float:
        wanted = which(filled)
        after = PageKey(accepted_at=NOW - timedelta(seconds=60 + FEW // 8), uid="~") if later else None
        begun = filled.clock()
        await filled.store.documents.list(wanted, after=after, limit=limit)
        return filled.clock() - begun

    return call


async def read_events(filled: Filled, _at: datetime) -> float:
    """The newest of the status log."""
    last = (await filled.store.events.head()).last
    begun = filled.clock()
    await filled.store.events.read(VENDOR, under=None, after=last - 100, limit=50)
    return filled.clock() - begun


def _all(filled: Filled, **narrow: object) -> DocumentFilter:
    return DocumentFilter(**({"agencies": None, "root": filled.id(ROOT)} | narrow))  # type: ignore[arg-type] # by name


def _one(filled: Filled, code: OrganId) -> DocumentFilter:
    return DocumentFilter(agencies=frozenset({filled.id(code)}), root=filled.id(code))


CALLS: dict[str, Timed] = {
    "submit": submit,
    "lease": lease,
    "receive": receive,
    "pull": pull,
    "list all": listed(_all),
    "list all, later page": listed(_all, later=True),
    "list a unit": listed(lambda f: _one(f, sender(3)), limit=5),
    "list a unit without any": listed(lambda f: _one(f, QUIET)),
    "list by document id": listed(lambda f: _all(f, document_id=f"{sender(3)},2025/03/02,3/TN")),
    "list by state": listed(lambda f: _all(f, state=DeliveryState.SENT)),
    "list by rare state": listed(lambda f: _all(f, state=DeliveryState.FAILED)),
    "list by state nothing has": listed(lambda f: _all(f, state=DeliveryState.HELD)),
    "list by recipient": listed(lambda f: _all(f, recipient=recipient(7)), limit=5),
    "list by recipient of nothing": listed(lambda f: _all(f, recipient=NOBODY)),
    "list events": read_events,
}


def _letter() -> Document:
    to = tuple(make_organization(recipient(n)) for n in (1, 2))
    return make_document(sender=make_organization(sender(1)), to=to)


async def _send(filled: Filled, at: datetime) -> float:
    """Work off the outbox; seconds of the first lease and the begin of its submission."""
    outbox = filled.store.outbox
    begun = filled.clock()
    (message,) = await outbox.lease("load", route=ROUTE, limit=1, lease_for=MINUTE, at=at)
    assert await outbox.begin_submit(message, at=at)
    took = filled.clock() - begun
    assert await outbox.settle(message, SENT, at=at)
    return took


async def _receive(filled: Filled, at: datetime) -> float:
    given = make_document(sender=make_organization(recipient(3)), to=(make_organization(sender(2)),))
    arrival = make_arrival(given, recipients=(filled.agencies[sender(2)],))
    received = make_received(item=arrival.item)
    items = filled.store.items
    begun = filled.clock()
    assert not await items.states(ROUTE, [arrival.item.axis_doc_id])
    await items.record(received, at=at)
    await items.store(arrival, receipts=(), at=at)
    took = filled.clock() - begun
    await items.told(ROUTE, [arrival.item.axis_doc_id], at=at)
    return took


async def _pull(filled: Filled, at: datetime) -> float:
    receptions = filled.store.receptions
    begun = filled.clock()
    (entry,) = await receptions.lease(VENDOR, under=None, limit=1, lease_for=MINUTE, at=at)
    await receptions.acknowledge(entry.id, entry.ack_id, receipt=make_status(entry.document), at=at)
    took = filled.clock() - begun
    await _send(filled, at)
    return took


async def compare(
    few: Filled, many: Filled, *, calls: Iterable[str], repetitions: int, first: int = 5
) -> dict[str, tuple[float, float]]:
    """Median processor seconds of each call, few and many; the two stores in turns. The `first` do not count."""
    found = {}
    at = NOW
    for name in calls:
        call = CALLS[name]
        times: tuple[list[float], list[float]] = ([], [])
        for turn in range(first + repetitions):
            at += timedelta(milliseconds=1)
            for which in (0, 1) if turn % 2 else (1, 0):
                took = await call((few, many)[which], at)
                if turn >= first:  # they warm connections and caches
                    times[which].append(took)
        found[name] = (median(times[0]), median(times[1]))
    return found


def too_dear(found: dict[str, tuple[float, float]], limit: float) -> list[str]:
    """Calls that grow more than they may."""
    return [name for name, (few, many) in found.items() if is_held(name) and many > limit * few]


def is_held(call: str) -> bool:
    """Whether what this call costs must not grow."""
    return call.split(maxsplit=1)[0] in HELD


@asynccontextmanager
async def filled_sqlite(folder: Path, documents: int) -> AsyncIterator[Filled]:
    """A file with so many finished documents."""
    path = folder / f"store{documents}.db"
    await asyncio.to_thread(upgrade, path)
    agencies = await _peopled(path)
    await asyncio.to_thread(fill_sqlite, path, {code: each.id for code, each in agencies.items()}, documents)
    store = await open_store(path)
    try:
        yield Filled(store=store, agencies=agencies)
    finally:
        await store.close()


@asynccontextmanager
async def filled_postgres(server: PostgresServer, documents: int) -> AsyncIterator[Filled]:
    """A database with so many finished documents."""
    name = server.create()
    url = server.url(name)
    await asyncio.to_thread(upgrade, url)
    agencies = await _peopled(url)
    await fill_postgres(url, {code: each.id for code, each in agencies.items()}, documents)
    store = await open_store(url)
    try:
        yield Filled(store=store, agencies=agencies, clock=partial(_with_servers, await _backends(url, store)))
    finally:
        await store.close()
        await asyncio.to_thread(server.drop, name)


async def _backends(url: str, store: Store) -> list[Path]:
    """Where the kernel keeps the processor time of the server processes that work for a store."""
    wide = [store.database.read(lambda conn: conn.execute(sa.text("SELECT pg_sleep(0.2)"))) for _ in range(READERS)]
    wide += [store.database.write(lambda conn: conn.execute(sa.text("SELECT pg_sleep(0.2)"))) for _ in range(WRITERS)]
    await asyncio.gather(*wide)
    database = await asyncpg.connect(url)
    mine = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"  # a vacuum that runs just now would be gone before it is read again
    )
    found = [Path(f"/proc/{row['pid']}/schedstat") for row in await database.fetch(mine)]
    await database.close()
    return found


def _with_servers(servers: Iterable[Path]) -> float:
    return time.process_time() + sum(int(each.read_text().split()[0]) for each in servers) / 1e9


async def _peopled(where: Path | str) -> dict[OrganId, Agency]:
    """Two provinces with their units; the vendor serves the one that sends."""
    near = [*map(sender, range(SENDERS)), QUIET]
    far = [*map(recipient, range(RECIPIENTS)), NOBODY]
    listed = [make_directory_row("H98"), make_directory_row("H99")]
    listed += [make_directory_row(code, parent_axis_id=f"axis-{code[-3:]}") for code in (*near, *far)]
    store = await open_store(where)
    await store.directory.apply(listed, at=NOW)
    found = dict(await store.directory.resolve([row.code for row in listed]))
    mandates = [Mandate(vendor=VENDOR, agency=found[code].id, serves=True) for code in (ROOT, *near)]
    await store.directory.set_mandates(mandates)
    await store.close()
    return found


async def _measure(kind: str, rows: int, calls: Iterable[str], repetitions: int) -> dict[str, tuple[float, float]]:
    async with AsyncExitStack() as stack:
        begun = time.perf_counter()
        if kind == "sqlite":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lgsp-load-")))
            pair = [await stack.enter_async_context(filled_sqlite(folder, each)) for each in (FEW, rows)]
        else:
            server = stack.enter_context(running_postgres())
            pair = [await stack.enter_async_context(filled_postgres(server, each)) for each in (FEW, rows)]
        print(f"{kind}: filled with {FEW} and {rows} in {time.perf_counter() - begun:.0f} s", flush=True)  # noqa: T201 - the answer
        return await compare(*pair, calls=calls, repetitions=repetitions)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--rows", type=int, default=1_000_000, help="finished documents, half of them sent")
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--only", default="", help="calls whose name begins so")
    given = parser.parse_args()
    calls = [name for name in CALLS if name.startswith(given.only)]
    report, dear = {}, []
    for kind in ("sqlite", "postgres") if given.store == "both" else (given.store,):
        found = asyncio.run(_measure(kind, given.rows, calls, given.repetitions))
        for name, (few, many) in found.items():
            print(f"{kind:9} {name:30} {few * 1000:8.2f} ms {many * 1000:8.2f} ms {many / few:6.2f}", flush=True)  # noqa: T201 - the answer
        report[kind] = {name: round(many / few, 2) for name, (few, many) in found.items()}
        dear += [f"{kind}: {name}" for name in too_dear(found, LIMIT)]
    print(json.dumps({"rows": given.rows, "limit": LIMIT, "ratios": report, "too_dear": dear}))  # noqa: T201 - the answer
    return 1 if dear else 0


if __name__ == "__main__":
    sys.exit(main())
