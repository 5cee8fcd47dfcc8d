"""Gives an inbound packet back byte for byte, beside a gateway that may be running."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from gateway.bootstrap.parts import SystemClock, open_blobs
from gateway.domain.ids import AccountName, AxisDocId, Digest
from gateway.domain.packet import SplitPacket
from gateway.ports import Blobs, Original
from gateway.settings import Settings, database_of
from gateway.store import Store, open_beside
from gateway.translate.edxml.splitting import join

_TRIES = 2
"""A packet is split once at most, so what was taken away while it was read is found in its new place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The packet is in the file, and its digest is that of the bytes that came in."""

    sha256: Digest
    size: int
    """Bytes."""


class NotWritten(StrEnum):
    """Why there is no file."""

    UNKNOWN_ITEM = "UNKNOWN_ITEM"
    """No item of this account and id was ever fetched."""
    CONTENT_MISSING = "CONTENT_MISSING"
    """The store names an object that the blobs do not have: a backup of one without the other, say."""
    DIGEST_DIFFERS = "DIGEST_DIFFERS"
    """The bytes kept are no longer those that came in: damage, or tampering."""


async def write_original(settings: Settings, account: str, axis_doc_id: str, out: Path) -> Written | NotWritten:
    """Write the packet of an item, as the axis gave it, to `out`, which is replaced whole or not touched.

    `account` is the name of the axis section in the settings. Raises GatewayError STORE_UNAVAILABLE where there is no
    usable store, OSError where `out` cannot be written.
    """
    store = await open_beside(database_of(settings.store))
    try:
        if not settings.blobs.bucket and not settings.blobs.path.is_dir():
            return NotWritten.CONTENT_MISSING
        blobs = open_blobs(settings, clock=SystemClock())
        for _ in range(_TRIES):
            with suppress(_GoneError):
                return await _write(store, blobs, AccountName(account), AxisDocId(axis_doc_id), out)
        return NotWritten.CONTENT_MISSING
    finally:
        await store.close()


class _GoneError(Exception):
    """An object that the store named was not there."""


async def _write(
    store: Store, blobs: Blobs, account: AccountName, axis_doc_id: AxisDocId, out: Path
) -> Written | NotWritten:
    original = await store.items.original(account, axis_doc_id)
    if original is None:
        return NotWritten.UNKNOWN_ITEM
    digest = hashlib.sha256()
    with _file_beside(out) as file:
        async for chunk in _bytes(original, blobs):
            digest.update(chunk)
            await asyncio.to_thread(file.write, chunk)
        if digest.hexdigest() != original.digest:
            return NotWritten.DIGEST_DIFFERS
        await asyncio.to_thread(_publish, file, out)
    return Written(sha256=original.digest, size=original.size)


async def _bytes(original: Original, blobs: Blobs) -> AsyncIterator[bytes]:
    kept = original.kept
    try:
        async for chunk in join(kept, blobs) if isinstance(kept, SplitPacket) else blobs.stream(kept):
            yield chunk
    except FileNotFoundError:
        raise _GoneError from None


@contextmanager
def _file_beside(out: Path) -> Iterator[IO[bytes]]:
    """A new file in the folder of `out`, readable to its owner alone; removed at the end unless published."""
    with NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}.", delete=False) as file:
        try:
            yield file
        finally:
            Path(file.name).unlink(missing_ok=True)


def _publish(file: IO[bytes], out: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    Path(file.name).replace(out)
