"""The store as a whole: one database, one object per port."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from gateway.store.blobindex import SqlBlobIndex
from gateway.store.claims import SqlClaims
from gateway.store.correspondence import SqlCorrespondence
from gateway.store.directory import SqlDirectory
from gateway.store.discrepancies import SqlDiscrepancies
from gateway.store.documents import SqlDocuments
from gateway.store.engine import Database, place
from gateway.store.eventlog import SqlEventLog
from gateway.store.feed import SqlStatusFeed
from gateway.store.inbox import SqlInboundItems
from gateway.store.migrate import require_current, upgrade
from gateway.store.operations import SqlOperations
from gateway.store.outbox import SqlOutboxQueue
from gateway.store.receptions import SqlReceptions
from gateway.store.reconciliation import SqlReconciliation
from gateway.store.retention import SqlRetention


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The ports over one open database."""

    database: Database
    directory: SqlDirectory
    blobs: SqlBlobIndex
    documents: SqlDocuments
    outbox: SqlOutboxQueue
    items: SqlInboundItems
    receptions: SqlReceptions
    events: SqlEventLog
    feed: SqlStatusFeed
    correspondence: SqlCorrespondence
    claims: SqlClaims
    discrepancies: SqlDiscrepancies
    reconciliation: SqlReconciliation
    operations: SqlOperations
    retention: SqlRetention

    async def close(self) -> None:
        """Wait for running transactions and close the database; every later call raises STORE_UNAVAILABLE."""
        await self.database.close()


async def open_store(path_or_url: Path | str) -> Store:
    """Bring a database to this release's schema and open it: an SQLite file, or PostgreSQL by its URL.

    A file is made if absent, its folder is not, and neither is a database on a server. Raises GatewayError
    STORE_UNAVAILABLE if it cannot be used.
    """
    await asyncio.to_thread(upgrade, path_or_url)
    return _store(Database(place(path_or_url)))


async def open_beside(path_or_url: Path | str) -> Store:
    """Open the database as it is, beside a gateway that may be running.

    What reads may be called, and the short writes of `operations` and `retention`: they take rows under lock and hold
    no lease. Nothing is made or migrated. Raises GatewayError STORE_UNAVAILABLE if there is no store, or if its schema
    is an earlier release's.
    """
    await asyncio.to_thread(require_current, path_or_url)
    return _store(Database(place(path_or_url)))


def _store(database: Database) -> Store:
    return Store(
        database=database,
        directory=SqlDirectory(database),
        blobs=SqlBlobIndex(database),
        documents=SqlDocuments(database),
        outbox=SqlOutboxQueue(database),
        items=SqlInboundItems(database),
        receptions=SqlReceptions(database),
        events=SqlEventLog(database),
        feed=SqlStatusFeed(database),
        correspondence=SqlCorrespondence(database),
        claims=SqlClaims(database),
        discrepancies=SqlDiscrepancies(database),
        reconciliation=SqlReconciliation(database),
        operations=SqlOperations(database),
        retention=SqlRetention(database),
    )
