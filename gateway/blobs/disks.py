"""How much room is left on disks."""

import os
from collections.abc import Mapping
from pathlib import Path


def free_bytes(places: Mapping[str, Path]) -> Mapping[str, int]:
    """Bytes that a process without privileges may still write, by place. Blocking. Raises OSError."""
    found: dict[str, int] = {}
    for place, folder in places.items():
        disk = os.statvfs(folder)
        found[place] = disk.f_bavail * disk.f_frsize
    return found
