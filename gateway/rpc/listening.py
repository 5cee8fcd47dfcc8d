"""Binding a listener: gRPC's only word for a taken address is RuntimeError."""

import errno
from collections.abc import Callable


def bound(listen: str, bind: Callable[[], int]) -> int:
    """The port that `bind` got. Raises OSError naming the address when it cannot be had."""
    try:
        return bind()
    except RuntimeError as error:
        raise OSError(errno.EADDRINUSE, f"cannot listen on {listen}") from error
