"""Workers of a forked gateway (`warmed`) that need not import anything either.

`multiprocessing` knows processes that a server of its own forks, the fork server, instead of spawned ones. Here such a
server is forked while this process has one thread and everything imported, and takes the place of spawning. A worker is
still a process of its own, with limits of its own, killed with its gateway.
"""

import os
import socket
from multiprocessing import context, forkserver, popen_forkserver


def seed() -> None:
    """From now on, fork what this process would have spawned. Call it before any thread is started."""
    address = f"\0lgsp-workers-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        alive, mine = os.pipe()
        server = os.fork()
        if not server:
            os.close(mine)
            try:
                forkserver.main(listener.fileno(), alive, [])  # until nobody holds the other end of `alive`
            finally:
                os._exit(0)
    os.close(alive)
    known = forkserver._forkserver
    known._forkserver_address, known._forkserver_alive_fd, known._forkserver_pid = address, mine, server
    context.SpawnProcess._Popen = staticmethod(popen_forkserver.Popen)
