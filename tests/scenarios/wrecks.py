"""What a crash between any two steps leaves behind, for the next process to start from.

Every port call is a step before and after it. A process that is killed at a step leaves what its files and the axis
hold at that moment, so one run, copied at every step, gives the wrecks of all crashes. Most calls only read: the next
step's wreck is then the same, byte for byte, and so is what comes of it; it is given once.
"""

import copy
import pickle
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.fakes.fuse import Fuse
from tests.scenarios.world import Gateway, World

_SHARED_MEMORY = "-shm"
"""End of the name of SQLite's file for processes that run; who opens a store that a crash left makes it anew."""


async def wrecks(base: World, run: Callable[[Gateway], Awaitable[Any]], *, least: int) -> Sequence[World]:
    """Run `base` once, and give every different wreck of it; the last is what a run without a crash leaves.

    Fails if the run has fewer than `least` steps: it would not be the one that was meant.
    """
    camera = Camera(base)
    async with base.gateway(camera) as gateway:
        await run(gateway)
    camera.look()
    assert camera.steps >= least, camera.steps
    return camera.worlds


class Camera(Fuse):
    """Never burns; copies the world at every step."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.steps = 0
        self.worlds: list[World] = []
        self._world = world
        self._seen: set[bytes] = set()

    def step(self) -> None:
        """A port is about to be called, or has answered."""
        self.steps += 1
        self.look()

    def look(self) -> None:
        """Copy the world, unless it has been just so before."""
        world = self._world
        files = _files(world.folder)
        seen = pickle.dumps((files, world.axis, world.more, world.clock))
        if seen in self._seen:
            return
        self._seen.add(seen)
        other = copy.copy(world)
        other.folder = world.folder.with_name(f"{world.folder.name}-{len(self._seen)}")
        other.axis, other.more, other.clock = copy.deepcopy((world.axis, world.more, world.clock))
        for name, content in files.items():
            (other.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (other.folder / name).write_bytes(content)
        self.worlds.append(other)


def _files(folder: Path) -> Mapping[Path, bytes]:
    """What outlives a process that runs in the folder, by name."""
    while True:
        with suppress(FileNotFoundError):  # a thread renames what it has written
            paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
            return {path.relative_to(folder): path.read_bytes() for path in paths if _outlives(path)}


def _outlives(path: Path) -> bool:
    return not path.name.endswith(_SHARED_MEMORY)
