"""Does to a world what the plan says, and keeps its gateways running as an orchestrator does."""

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress

from gateway.sandbox.demo.processes import ChildFailedError
from gateway.sandbox.demo.province import Province
from tests.crash.ledger import Killed, Ledger
from tests.crash.plan import AxisFault, DatabaseRestart, Kill, Plan
from tests.crash.worlds import World

_STALL = 120.0
"""Seconds without progress after which the next event happens all the same."""
_DATABASE_STARTS = 5
"""Attempts: while the old server is still ending, a new one refuses to start."""
_LOOK = 0.05
_GUARD_LOOK = 1.0


class Chaos:
    """Runs the events of a plan; `done` counts what was done, by its name."""

    def __init__(self, world: World, plan: Plan, ledger: Ledger) -> None:
        self.done: Counter[str] = Counter()
        self._world = world
        self._plan = plan
        self._ledger = ledger
        self._locks = {gateway.home: asyncio.Lock() for gateway in world.gateways}

    async def run(self) -> None:
        """Return when every event has happened, every gateway is ready again and no fault is on."""
        guard = asyncio.create_task(self._guard())
        try:
            async with asyncio.TaskGroup() as acts:
                for event in self._plan.events:
                    await self._reach(event.mark)
                    await asyncio.sleep(event.delay)
                    match event.act:
                        case Kill():
                            acts.create_task(self._kill(event.act))
                        case AxisFault():
                            acts.create_task(self._spoil(event.act))
                        case DatabaseRestart():
                            await self._restart_database(event.act)
        finally:
            guard.cancel()
            with suppress(asyncio.CancelledError):
                await guard
        for name in {event.act.name for event in self._plan.events if isinstance(event.act, AxisFault)}:
            await self._world.control.clear_fault(name)

    async def _reach(self, mark: float) -> None:
        target = mark * 2 * len(self._plan.documents)
        seen, until = -1, 0.0
        while self._ledger.progress < target:
            if self._ledger.progress != seen:
                seen, until = self._ledger.progress, time.monotonic() + _STALL
            if time.monotonic() > until:
                self._ledger.surprises.append(f"no document moved for {_STALL:g} s")
                return
            await asyncio.sleep(_LOOK)

    async def _kill(self, act: Kill) -> None:
        gateway = self._world.gateways[act.victim]
        async with self._locks[gateway.home]:
            await self._kill_now(gateway)
            if act.again_after is not None:
                starting = asyncio.create_task(self._start(gateway))
                await asyncio.sleep(act.again_after)
                starting.cancel()
                with suppress(asyncio.CancelledError):
                    await starting
                await self._kill_now(gateway)
            await self._start(gateway)

    async def _kill_now(self, gateway: Province) -> None:
        self._ledger.kills.append(Killed(at=time.monotonic(), gateway=gateway.home.name))
        await gateway.kill()
        self.done["kills"] += 1

    async def _start(self, gateway: Province) -> None:
        """Start it until it is ready: without its database a gateway may end again."""
        for _ in range(20):
            try:
                await gateway.start()
            except ChildFailedError:
                self.done["starts that failed"] += 1
                await gateway.kill()
                await asyncio.sleep(random.uniform(0.2, 0.5))
            else:
                return
        self._ledger.surprises.append(f"{gateway.home.name} does not start")

    async def _spoil(self, act: AxisFault) -> None:
        await self._world.control.set_fault(act.name, act.count)
        self.done[act.name] += 1
        if act.seconds is not None:
            await asyncio.sleep(act.seconds)
            await self._world.control.clear_fault(act.name)

    async def _restart_database(self, act: DatabaseRestart) -> None:
        database = self._world.database
        assert database is not None
        with suppress(AssertionError):  # it may need longer than pg_ctl waits
            await asyncio.to_thread(database.stop, how=act.how)
        await asyncio.sleep(act.down_seconds)
        for attempt in range(_DATABASE_STARTS):
            try:
                await asyncio.to_thread(database.start)
                break
            except AssertionError:
                if attempt == _DATABASE_STARTS - 1:
                    raise
                await asyncio.sleep(1)
        self.done[f"PostgreSQL restart ({act.how})"] += 1

    async def _guard(self) -> None:
        """A gateway that ends by itself is a surprise; it is started again."""
        while True:
            await asyncio.sleep(_GUARD_LOOK)
            for gateway in self._world.gateways:
                lock = self._locks[gateway.home]
                if not lock.locked() and not gateway.child.running:
                    async with lock:
                        self._ledger.surprises.append(f"{gateway.home.name} ended by itself")
                        await self._start(gateway)
