"""While a backup copies a local directory, what its database copy refers to must not go away under it.

A gateway removes objects after the rows that named them are gone; the backup copies the database after it has begun
to hold. So what is removed while nobody holds is in no copy, and what is in a copy is not removed.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def holding(root: Path) -> Iterator[bool]:
    """Keep every gateway from removing objects below `root`; False if another process holds already, and not done then.

    Ends with the process, however that ends. Raises OSError where the mark beside `root` cannot be written.
    """
    descriptor = os.open(_mark(root), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Those who look hold it shared for an instant; a lock of its own kind tells another backup from them.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield True
    finally:
        os.close(descriptor)


def held(root: Path) -> bool:
    """True while some process holds the objects below `root`."""
    try:
        descriptor = os.open(_mark(root), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _mark(root: Path) -> Path:
    return root.with_name(root.name + ".backup")
