"""Blobs in a bucket of an S3-compatible store, which any number of gateways may use at the same time."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from obstore.store import S3Store

from gateway.blobs.content import ObjectBlobs
from gateway.blobs.faults import write_errors
from gateway.domain.ids import ObjectKey
from gateway.domain.packet import StoredObject
from gateway.ports import Clock

SILENCE = timedelta(seconds=8)
"""Longest wait for an answer, the sending of one part (5 MiB) included; after it the store counts as unreachable."""

_CONNECT = timedelta(seconds=2)
_CALL = timedelta(seconds=60)
"""Longest call, however steadily its bytes come."""
_RETRIES = 2
_RETRY_WITHIN = timedelta(seconds=3)
"""Repetitions of one call, for what passes at once; everything longer is whoever called us to repeat."""
_PART = 5 * 1024 * 1024
"""The smallest part of an upload in parts that S3 takes; smaller objects are put whole."""
_READ_AHEAD = 4 * 1024 * 1024
_SCRATCH = "scratch-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Where objects are kept. The bucket belongs to one gateway installation alone."""

    name: str
    endpoint: str
    """Base URL; http is allowed, since a store may be on the same host or mesh."""
    region: str
    access_key_id: str
    secret: str = field(repr=False)
    ca_pem: bytes | None = None
    """Authorities besides the system's; None = only those."""


class S3Blobs(ObjectBlobs):
    """Blobs in a bucket; an object is durable once the store has acknowledged it.

    `scratch` is a folder for copies that another process must read; it is made if missing. No call takes longer to say
    that the store is unreachable than `silence` (an upload that is then cleaned up: 2 s more). A writer holds about
    15 MiB.
    What a killed process left of an upload in parts cannot be listed here: the bucket's life-cycle rule removes it.
    """

    part = _PART
    read_range = _READ_AHEAD

    def __init__(self, bucket: Bucket, *, scratch: Path, clock: Clock, silence: timedelta = SILENCE) -> None:
        store = S3Store(
            bucket.name,
            endpoint=bucket.endpoint,
            region=bucket.region,
            access_key_id=bucket.access_key_id,
            secret_access_key=bucket.secret,
            virtual_hosted_style_request=False,
            disable_bulk_delete=True,
            client_options={
                "allow_http": True,
                "connect_timeout": min(_CONNECT, silence),
                "read_timeout": silence,
                "timeout": max(_CALL, silence),
                **({"root_certificate": bucket.ca_pem} if bucket.ca_pem else {}),
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": min(_RETRY_WITHIN, silence)},
        )
        super().__init__(store, clock=clock)
        scratch.mkdir(parents=True, exist_ok=True)
        self._scratch = scratch

    @asynccontextmanager
    async def local_path(self, stored: StoredObject) -> AsyncIterator[Path]:
        """A copy in the scratch folder, removed afterwards.

        Raises FileNotFoundError for an object that is not there, GatewayError STORE_UNAVAILABLE and STORAGE_FULL.
        """
        with write_errors():
            copy = await asyncio.to_thread(self._new_copy)
        try:
            async for chunk in self.stream(stored):
                with write_errors():
                    await asyncio.to_thread(copy.write, chunk)
            with write_errors():
                await asyncio.to_thread(copy.flush)
            yield Path(copy.name)
        finally:
            await asyncio.to_thread(_remove, copy)

    async def make_durable(self, key: ObjectKey) -> None:
        """Nothing is left to do: the store acknowledges what it has made durable."""

    async def sweep_temporary(self) -> int:
        """Remove the copies of processes that are gone, whoever else works in the same folder; how many."""
        return await asyncio.to_thread(self._remove_abandoned)

    def _new_copy(self) -> IO[bytes]:
        file = NamedTemporaryFile(dir=self._scratch, prefix=_SCRATCH, delete=False)  # noqa: SIM115 - closed by local_path
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        return file

    def _remove_abandoned(self) -> int:
        removed = 0
        for path in self._scratch.glob(f"{_SCRATCH}*"):
            with suppress(OSError):  # in use, or removed meanwhile by its owner
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
                    removed += 1
                finally:
                    os.close(descriptor)
        return removed


def _remove(copy: IO[bytes]) -> None:
    with suppress(OSError):
        Path(copy.name).unlink()
    with suppress(OSError):  # closing writes what a full disk did not take
        copy.close()
