"""What a run attacks: the sandbox axis with two gateways on embedded stores, or with three replicas of one gateway."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.sandbox.demo.processes import Child
from gateway.sandbox.demo.province import Province, ProvinceSpec
from gateway.sandbox.demo.stage import ask_axis
from gateway.sandbox.pki import VENDOR_URI, Pki, make_pki, write_pki
from gateway.sandbox.serve import SEEDED_SYSTEMS
from tests.crash.vendors import Lane
from tests.fakes.postgres import PostgresServer, running_postgres
from tests.fakes.replicas import shared
from tests.fakes.s3 import running_s3

SETTLING_SECONDS = 2.0
"""After a lost answer the axis's word "I have nothing" counts from then on."""
_START_SECONDS = 60
_SETTINGS = {
    "LGSP_SIGNATURES__SUBMIT": "off",
    "LGSP_AXIS__NATIONAL__CIRCUIT_PAUSE_SECONDS": "1",
    "LGSP_AXIS__NATIONAL__RECONCILE_MINUTES": "0.25",
}
"""Of all gateways: not every document is signed, and lists are compared often enough to be met by a kill."""


class AxisControl:
    """The sandbox axis's control endpoint."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def set_fault(self, name: str, count: int | None) -> None:
        """Switch a fault on, for the next `count` calls or until it is cleared."""
        await self._ask("POST", "/faults", {"name": name} | ({} if count is None else {"count": count}))

    async def clear_fault(self, name: str) -> None:
        """Switch a fault off."""
        await self._ask("DELETE", f"/faults/{name}")

    async def records(self) -> list[dict[str, Any]]:
        """The axis's own journal."""
        found: list[dict[str, Any]] = await self._ask("GET", "/records")
        return found

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return await asyncio.to_thread(ask_axis, self._url, method, path, body, timeout=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that runs."""

    pki: Pki
    control: AxisControl
    gateways: tuple[Province, ...]
    lanes: tuple[Lane, ...]
    replicas: bool
    """The gateways are replicas of one."""
    database: PostgresServer | None


@asynccontextmanager
async def open_world(store: str, home: Path, *, now: datetime) -> AsyncIterator[World]:
    """Set up PKI and axis and start the gateways of `sqlite` or `postgres`; everything is stopped at the end."""
    pki = await asyncio.to_thread(make_pki, now=now)
    write_pki(pki, home / "pki")
    async with AsyncExitStack() as stack:
        axis = await Child.start(
            "axis",
            ["sandbox", "--listen", "127.0.0.1:0", "--data", str(home / "axis")],
            log=home / "axis.log",
        )
        stack.push_async_callback(axis.stop)
        addresses = await axis.read_json_line(within=_START_SECONDS)
        control = AxisControl(addresses["control"])
        build = _provinces if store == "sqlite" else _replicas
        world = build(home, pki, addresses["axis"], control, stack)
        for gateway in world.gateways:
            stack.push_async_callback(gateway.stop)
        first, *others = world.gateways
        await first.start()  # alone: it makes the schema
        await asyncio.gather(*(gateway.start() for gateway in others))
        yield world


def _provinces(home: Path, pki: Pki, axis_url: str, control: AxisControl, _: AsyncExitStack) -> World:
    """Two provinces which write to each other; each gateway has an embedded store and a directory of blobs."""
    a, b = (
        Province(_spec(letter, _SETTINGS), home=home / f"gateway-{letter}", pki=home / "pki", axis_url=axis_url)
        for letter in "ab"
    )
    return World(
        pki=pki,
        control=control,
        gateways=(a, b),
        lanes=(
            Lane(senders=_offices("H99"), recipients=_communes("H98"), sent_through=(a,), received_through=(b,)),
            Lane(senders=_offices("H98"), recipients=_communes("H99"), sent_through=(b,), received_through=(a,)),
        ),
        replicas=False,
        database=None,
    )


def _replicas(home: Path, pki: Pki, axis_url: str, control: AxisControl, stack: AsyncExitStack) -> World:
    """One gateway in three replicas over one PostgreSQL and one bucket; its province writes to itself over the axis."""
    database = stack.enter_context(running_postgres())
    bucket = stack.enter_context(running_s3()).create()
    settings = _SETTINGS | shared(database.url(database.create()), bucket)
    replicas = tuple(
        Province(_spec("a", settings), home=home / f"replica-{number}", pki=home / "pki", axis_url=axis_url)
        for number in (1, 2, 3)
    )
    lane = Lane(senders=_offices("H99"), recipients=_communes("H99"), sent_through=replicas, received_through=replicas)
    return World(pki=pki, control=control, gateways=replicas, lanes=(lane,), replicas=True, database=database)


def _spec(letter: str, environment: Mapping[str, str]) -> ProvinceSpec:
    index = "ab".index(letter)
    return ProvinceSpec(
        gateway=f"gateway-{letter}",
        vendor=f"vendor-{letter}",
        vendor_uri=f"{VENDOR_URI}vendor-{letter}",
        root=("H99", "H98")[index],
        system_id=SEEDED_SYSTEMS[index].id,
        secret=SEEDED_SYSTEMS[index].secret,
        settling_seconds=SETTLING_SECONDS,
        environment=environment,
    )


def _offices(root: str) -> tuple[str, ...]:
    return f"{root}.01", f"{root}.02", f"{root}.03"


def _communes(root: str) -> tuple[str, ...]:
    return f"{root}.04", f"{root}.31", f"{root}.32"
