"""Disks: how much room is left, and what survives a power cut."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path


def free_bytes(places: Mapping[str, Path]) -> Mapping[str, int]:
    """Bytes that a process without privileges may still write, by place. Blocking. Raises OSError."""
    found: dict[str, int] = {}
    for place, folder in places.items():
        disk = os.statvfs(folder)
        found[place] = disk.f_bavail * disk.f_frsize
    return found


def sync(paths: Iterable[Path]) -> None:
    """Make files, or the entries of folders, survive a power cut; blocks."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
