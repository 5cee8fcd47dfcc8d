"""PostgreSQL: several writers, of this gateway and of its replicas, at once.

Reading is REPEATABLE READ, READ ONLY: one snapshot, and no lock that a writer would wait for. Writing is READ
COMMITTED: under a stricter level every transaction that waited for a counter would fail instead of going on. What
SQLite's single writer gives for nothing rests here on locks, each held to the end of its transaction:

* Numbers. `take_numbers` locks its counter's row, so numbers become visible in order and without gaps; a snapshot with
  message n has all messages below it, which is what "never behind an older one" needs.
* Queues. Leases take their rows FOR UPDATE SKIP LOCKED: a row that another worker has just leased is looked at again as
  it is now and left out. An older snapshot is harmless where messages stop blocking: it blocks too much. An operator's
  order may make a failed message wait, and block, again, on every route; it holds the advisory lock ORDER alone, and
  leases share it, each from a statement before the first that looks: a lease sees what the order did, or the order
  sees what the lease took.
* "If still mine". Whoever changes a row by what it says (settle, acknowledge, store, split, told) reads it FOR UPDATE.
* Once only. Unique keys decide, with ON CONFLICT DO NOTHING, which waits for the other transaction; what it wrote is
  seen by the next statement. A document id freed by superseding stays taken until its new owner is committed.
* Objects. Who makes a reference holds the object's row FOR KEY SHARE (`register`, `hold`); who may delete it locks it
  FOR UPDATE first and looks for references in a later statement, which sees those of everybody it had to wait for.
* The directory. A listing lands in several transactions: `Database.alone` keeps replicas apart by an advisory lock.

Two transactions that wait for each other are told apart by the server; `Database` runs the loser's work again.
"""

from datetime import timedelta
from functools import partial

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, Pool

WRITERS = 8
READERS = 4
BATCH = 1
"""Works that share a commit at most. More would hold the counters' rows, and so all replicas, for all of their round
trips to save a sync, and would take locks in orders that the list above rules out."""
STATEMENT = timedelta(seconds=60)
"""Longest statement; and longest pause of a transaction, so that a replica that froze does not hold locks for ever."""
_ALONE = sa.text("SELECT pg_advisory_xact_lock(hashtext('lgsp-gateway'), hashtext(:job))")
_SHARED = sa.text("SELECT pg_advisory_xact_lock_shared(hashtext('lgsp-gateway'), hashtext(:job))")
NO_LIMIT = sa.text("SET LOCAL idle_in_transaction_session_timeout = 0")
ORDER = "order"
"""The job of changing which messages wait: leases share it, what makes one wait again has it alone."""
_SPARE = 1
"""A connection of the writers' that `Database.alone` holds beside the transactions it covers."""


async def alone(conn: AsyncConnection, job: str, *, shared: bool = False) -> None:
    """Wait until no other transaction of this database has the job; held to the end of the transaction.

    `shared`: beside others that share it; waits for, and keeps off, who has it alone. SQLite's one writer has them all.
    """
    if conn.dialect.name == "postgresql":
        await conn.execute(_SHARED if shared else _ALONE, {"job": job})


def engine(url: sa.URL, *, write: bool, wait: timedelta) -> AsyncEngine:
    """Connections to the server; `wait` is the patience with locks and with a server that does not answer."""
    isolation = {"isolation_level": "READ COMMITTED"} if write else {"isolation_level": "REPEATABLE READ"}
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(_connect, url, wait, STATEMENT),
        pool_size=WRITERS if write else READERS,
        max_overflow=_SPARE if write else 0,
        pool_pre_ping=True,  # after a restart of the server the first caller gets a new connection, not an error
        hide_parameters=True,  # they hold document content, and errors go to the log
        execution_options=isolation | {"postgresql_readonly": not write},
    )


def migrating(url: sa.URL, *, wait: timedelta) -> AsyncEngine:
    """One connection without a limit on statements: moving much data may take long."""
    pool: type[Pool] = NullPool
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(_connect, url, wait, timedelta(0)),
        poolclass=pool,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
    )


async def _connect(url: sa.URL, wait: timedelta, statement: timedelta) -> asyncpg.Connection:
    """A connection as libpq would read the URL, sslmode and passfile included."""
    milliseconds = timedelta(milliseconds=1)
    return await asyncpg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False),
        timeout=wait.total_seconds(),
        command_timeout=(statement + wait).total_seconds() if statement else None,
        server_settings={
            "application_name": "lgsp-gateway",
            "synchronous_commit": "on",
            "lock_timeout": str(wait // milliseconds),
            "statement_timeout": str(statement // milliseconds),
            "idle_in_transaction_session_timeout": str(statement // milliseconds),
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "4",
            "jit": "off",
        },
    )
