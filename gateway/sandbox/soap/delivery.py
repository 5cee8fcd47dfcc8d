"""Hands a packet made from SOAP to the axis, unless it is one this dialect knows already."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from gateway.sandbox.codes import Refusal
from gateway.sandbox.core import Axis
from gateway.sandbox.intake import hand_in, submission_of
from gateway.sandbox.soap.checks import Problem, of_refusal
from gateway.sandbox.soap.scratch import BadBase64Error
from gateway.sandbox.spool import Spool


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """The way of every packet of this face into the axis."""

    axis: Axis
    spool: Spool
    now: Callable[[], datetime]
    rewrite_as: str | None
    deciding: asyncio.Lock = field(default_factory=asyncio.Lock)
    # held from the look for an earlier packet to the acceptance of this one

    async def deliver(
        self, system_id: str, pieces: Iterator[bytes], *, judge: Callable[[], Problem | None]
    ) -> str | Problem:
        """File a packet and let the axis accept it; gives its DocId.

        Args:
            system_id: Who hands it in.
            pieces: Its bytes; may raise BadBase64Error.
            judge: What this dialect has against it beside the axis's own rules; asked when the file is whole.
        """
        try:
            arrived = await self.spool.take(_threaded(pieces), strip_crlf=False)
        except BadBase64Error:
            return Problem(code="T.Attachment", sentence="Attachment: khong phai base64")
        if isinstance(arrived, Refusal):
            return of_refusal(arrived)
        async with self.deciding:
            if problem := judge():
                arrived.path.unlink()
                return problem
            summary = arrived.summary
            submission = summary if isinstance(summary, Refusal) else submission_of(system_id, summary, arrived)
            doc_id = await hand_in(
                arrived, submission, axis=self.axis, spool=self.spool, rewrite_as=self.rewrite_as, now=self.now
            )
        return of_refusal(doc_id) if isinstance(doc_id, Refusal) else doc_id


async def _threaded(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, each made in a thread: they come from files."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
