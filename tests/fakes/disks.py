"""A disk of one's own that can be filled and cleared: a small tmpfs where mounting is permitted."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 1024 * 1024
SIZE = 64 * MIB
RESERVE = 16 * MIB


class FillableDisk:
    """A folder on a disk, and the reserve that a gateway on it is to leave free."""

    def __init__(self, folder: Path, *, reserve: int) -> None:
        self.folder = folder
        self.reserve = reserve
        self._filler = folder / "filler"

    @property
    def free(self) -> int:
        """Bytes."""
        return shutil.disk_usage(self.folder).free

    def fill(self, *, leave: int) -> None:
        """Take all room but `leave` bytes."""
        with self._filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.free - leave)

    def clear(self) -> None:
        """Give it back."""
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[FillableDisk | None]:
    """A tmpfs of 64 MiB mounted on `folder`; None where mounting is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    if not _mount(folder):
        yield None
        return
    try:
        yield FillableDisk(folder, reserve=RESERVE)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def fillable_disk(folder: Path) -> Iterator[FillableDisk]:
    """The small disk, or else a part of the common one."""
    with small_disk(folder) as small:
        yield small or part_of_the_disk(folder)


def part_of_the_disk(folder: Path) -> FillableDisk:
    """A folder of the common disk with a reserve that leaves 64 MiB to work with."""
    folder.mkdir(parents=True, exist_ok=True)
    return FillableDisk(folder, reserve=shutil.disk_usage(folder).free - SIZE)


def _mount(folder: Path) -> bool:
    program = shutil.which("mount")
    if program is None:
        return False
    arguments = ["-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    return subprocess.run([program, *arguments], check=False, capture_output=True).returncode == 0
