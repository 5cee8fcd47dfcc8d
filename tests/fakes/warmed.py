"""A process that has imported the gateway and becomes each command it is asked for, by forking: see `terminal`.

`python -m tests.fakes.warmed DESCRIPTOR MODULE...` takes orders from a socket until its other end is closed. An order
brings three descriptors: of a socket for what there is to tell, of standard output, of standard error.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import resource
import runpy
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from tests.fakes.seeded import seed

ORDER = 128 * 1024
"""Bytes of the longest order: arguments and environment."""


def below(package: str) -> Iterator[str]:
    """The modules of a package that do nothing but define when they are imported."""
    yield package
    path = importlib.import_module(package).__path__
    for module in pkgutil.iter_modules(path, f"{package}."):
        if module.ispkg and not module.name.endswith(".migrations"):
            yield from below(module.name)
        elif not module.name.endswith("__main__"):
            yield module.name


def serve(orders: socket.socket) -> None:
    """Become what is ordered until nobody can order any more."""
    running: dict[int, socket.socket] = {}
    signal.signal(signal.SIGCHLD, lambda *_: _tell_ends(running))
    while True:
        order, descriptors, _, _ = socket.recv_fds(orders, ORDER, 3)
        if not order:
            return
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # until it is known whose end that would be
        told, output, errors = descriptors
        command = os.fork()
        if not command:
            for each in (orders.fileno(), told, *(each.fileno() for each in running.values())):
                os.close(each)
            _become(json.loads(order), output, errors)
        running[command] = socket.socket(fileno=told)
        _tell(running[command], command)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os.close(output)
        os.close(errors)


def _tell_ends(running: dict[int, socket.socket]) -> None:
    """Tell of each command that has ended how it ended and what it cost."""
    while running:
        command, status, usage = os.wait4(-1, os.WNOHANG)
        if not command:
            return
        cost = {
            "returncode": os.waitstatus_to_exitcode(status),
            "processor": usage.ru_utime + usage.ru_stime,
            "memory": usage.ru_maxrss * 1024,
        }
        with running.pop(command) as told:
            _tell(told, cost)


def _tell(told: socket.socket, what: object) -> None:
    with suppress(OSError):  # nobody listens any more
        told.send(json.dumps(what).encode())


def _become(order: dict[str, Any], output: int, errors: int) -> NoReturn:
    """Be `python -m gateway`, from where its imports are done to its end."""
    gc.enable()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    os.setsid()  # so that it can be killed with all that it starts
    os.dup2(output, 1)
    os.dup2(errors, 2)
    sys.stdout = open(1, "w", encoding=sys.stdout.encoding, closefd=False)  # noqa: SIM115 - a pipe cannot seek
    code = 1
    try:
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        tempfile.tempdir = None  # what TMPDIR says now
        if order["largest_file"] is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest_file"],) * 2)
        sys.argv[1:] = order["arguments"]
        if order["seeded"]:
            seed()
        runpy.run_module("gateway", run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - as an interpreter ends, whatever it was
        traceback.print_exc()
    finally:
        # as an interpreter ends, but that modules are not taken apart one by one
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        gc.collect()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Import, then serve."""
    gc.disable()  # nothing here is garbage, and looking for it takes a quarter of the time
    for name in sys.argv[2:]:
        for module in below(name.removesuffix(".*")) if name.endswith(".*") else [name]:
            importlib.import_module(module)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a process of several threads cannot be forked"
    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
