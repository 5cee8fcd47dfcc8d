"""Packets on disk: bodies are hashed, checked and written while they arrive; nothing holds a whole packet."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from gateway.sandbox.codes import AxisCode, Refusal
from gateway.sandbox.packet import PacketReader, PacketSummary
from gateway.sandbox.wire import TrailingCrlf

MAX_PACKET = 512 * 1024 * 1024
"""Longest body the sandbox stores, in bytes; the real axis's limit is not known."""

CHUNK = 192 * 1024
"""Bytes read at a time; a multiple of three, so that base64 pieces join without padding."""

_TRACE_END = b"</edXML:TraceHeaderList>"
_VIETNAM = timezone(timedelta(hours=7))


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrived:
    """A whole body, written to a file but accepted by nobody yet."""

    path: Path
    size: int
    digest: bytes
    # SHA-256 of the file, the trailing CR LF taken off
    summary: PacketSummary | Refusal

    @property
    def kept_name(self) -> str:
        """The name under which `Spool.keep` files the packet."""
        return self.path.with_suffix(".edxml").name


class Spool:
    """The folder of packets below the data directory; leftovers of interrupted calls are removed at start."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "packets"
        self._directory.mkdir(exist_ok=True)
        for leftover in self._directory.glob("*.part"):
            leftover.unlink()

    async def take(self, body: AsyncIterable[bytes], *, strip_crlf: bool) -> Arrived | Refusal:
        """Write a body to a temporary file, reading it as a packet on the way; the body is always read whole.

        Args:
            body: The bytes as they come; its exceptions pass through and leave no file.
            strip_crlf: Take exactly one CR LF off the end, as sendEdoc's raw body has one.
        """
        path = self._directory / f"{uuid.uuid4().hex}.part"
        reader, digest, size = PacketReader(), hashlib.sha256(), 0
        try:
            with path.open("wb") as file:
                async for chunk in _without_crlf(body) if strip_crlf else body:
                    size += len(chunk)
                    if size <= MAX_PACKET:
                        digest.update(chunk)
                        reader.feed(chunk)
                        file.write(chunk)
        except BaseException:
            path.unlink()
            raise
        if size > MAX_PACKET:
            path.unlink()
            return Refusal(code=AxisCode.BAD_FILE, sentence=f"Goi tin qua {MAX_PACKET} byte")
        return Arrived(path=path, size=size, digest=digest.digest(), summary=reader.finish())

    def scratch_path(self) -> Path:
        """A new name for a temporary file, removed at the next start if the caller cannot."""
        return self._directory / f"{uuid.uuid4().hex}.part"

    def keep(self, arrived: Arrived) -> None:
        """Give the packet its final name, to be found again by `path_of`."""
        arrived.path.rename(self.path_of(arrived.kept_name))

    def drop(self, name: str) -> None:
        """Remove a kept packet that nobody accepted."""
        self.path_of(name).unlink()

    def path_of(self, name: str) -> Path:
        """The file of a kept packet."""
        return self._directory / name


async def rewrite(path: Path, *, organ_id: str, now: datetime) -> None:
    """Append the axis's own TraceHeader as text, so that receivers see other bytes than were sent.

    A packet without a TraceHeaderList (a status) stays as it is. Only the first list is touched: it stands
    before every attachment.
    """
    timestamp = now.astimezone(_VIETNAM).strftime("%Y/%m/%d %H:%M:%S")
    entry = (
        f"<edXML:TraceHeader><edXML:OrganId>{organ_id}</edXML:OrganId>"
        f"<edXML:Timestamp>{timestamp}</edXML:Timestamp></edXML:TraceHeader>"
    )
    await asyncio.to_thread(_insert, path, entry.encode())


def _insert(path: Path, entry: bytes) -> None:
    rewritten = path.with_suffix(".rewritten.part")
    with path.open("rb") as source, rewritten.open("wb") as target:
        held = b""
        while chunk := source.read(CHUNK):
            held += chunk
            if _TRACE_END in held:
                target.write(held.replace(_TRACE_END, entry + _TRACE_END, 1))
                held = b""
                break
            target.write(held[: 1 - len(_TRACE_END)])
            held = held[1 - len(_TRACE_END) :]
        target.write(held)
        while chunk := source.read(CHUNK):
            target.write(chunk)
    rewritten.replace(path)


async def _without_crlf(body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    end = TrailingCrlf()
    async for chunk in body:
        yield end.feed(chunk)
    yield end.finish()
