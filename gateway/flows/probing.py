"""The connection test's calls to an axis: a list, the directory, and a status sent to ourselves and taken back.

What is sent is a status (trạng thái xử lý) about a document that does not exist: it counts as no document anywhere and
reaches no vendor. A gateway that runs beside this and is faster, which is rare since it looks less often, takes it for
what it is, a status that belongs to nothing, and puts it into quarantine.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.domain.agency import same_code
from gateway.domain.document import Organization, ResponseFor
from gateway.domain.ids import AxisDocId, OrganId
from gateway.domain.outcome import Accepted, Outcome, Rejected, Unavailable, Uncertain
from gateway.domain.packet import AxisItem, PacketKind, Received, Sealed, UnpackedStatus
from gateway.domain.probing import Trouble, trouble_of
from gateway.domain.status import ARRIVED, StatusReport
from gateway.domain.vntime import edxml_timestamp, vietnam_date
from gateway.ports import Axis, Blobs, Clock, Translator

_LOOK_AGAIN = timedelta(seconds=1)
_PACKET_LIMIT = 1024 * 1024
"""Bytes of what may come back."""
_STRANGERS = 5
"""New items under other ids that are looked into."""
_SHOWN = 5
_PLEASE = "Kiểm tra kết nối, xin bỏ qua. Connection test, please ignore."


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came of a step."""

    words: str
    trouble: Trouble | None = None
    """None = it went well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A status on its way to ourselves."""

    axis_doc_id: AxisDocId
    report: StatusReport
    sealed: Sealed
    before: frozenset[AxisDocId]
    """What waited already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisTest:
    """The calls of one account; touches neither store nor documents."""

    axis: Axis
    roots: tuple[OrganId, ...]
    translator: Translator
    blobs: Blobs
    """Of the test's own."""
    clock: Clock
    skew: timedelta | None
    """The peer's clock less ours, as far as it is known."""

    async def judged(self, call: Awaitable[Outcome], *, good: str) -> Seen:
        """What came of a call that changes nothing."""
        outcome = await call
        return Seen(words=good) if isinstance(outcome, Accepted) else self._failed(_words(outcome))

    async def list(self) -> Seen:
        """Ask for the documents that wait: reading them changes nothing."""
        listed = await self.axis.waiting(PacketKind.DOCUMENT)
        if isinstance(listed, Unavailable):
            return self._failed(listed.reason)
        return Seen(words=f"documents that wait: {len(listed.items)}")

    async def directory(self) -> Seen:
        """Ask for the directory and look for the agencies that the account receives for."""
        listing = await self.axis.agencies()
        if isinstance(listing, Unavailable):
            return self._failed(listing.reason)
        missing = []
        for root in self.roots:
            if any(same_code(root, row.code) for row in listing.rows):
                continue
            renamed = [row.code for row in listing.rows if any(same_code(root, alias) for alias in row.aliases)]
            missing.append(f"{root} (listed as {renamed[0]} now)" if renamed else root)
        seen = f"agencies listed: {len(listing.rows)}"
        if not missing:
            return Seen(words=f"{seen}, ours among them")
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        return Seen(words=f"{seen}; without {', '.join(missing[:_SHOWN])}{more}", trouble=Trouble.AGENCY_NOT_LISTED)

    async def send(self, mark: str) -> Sent | Seen:
        """Send a status from our first root to itself; `mark` tells it from all others."""
        before = await self.axis.waiting(PacketKind.STATUS)
        if isinstance(before, Unavailable):
            return self._failed(before.reason)
        at = self.clock.now()
        report = _report(self.roots[0], mark, at)
        sealed = await self.translator.seal(self.translator.draft_status(report))
        outcome = await self.axis.submit(sealed, lambda: self.translator.stream(sealed.draft))
        if isinstance(outcome, Accepted):
            known = frozenset(item.axis_doc_id for item in before.items)
            return Sent(axis_doc_id=outcome.axis_doc_id, report=report, sealed=sealed, before=known)
        return self._failed(_words(outcome))

    async def comes_back(self, sent: Sent, *, within: timedelta) -> Seen:
        """Wait until it is listed to us, fetch it, compare it, acknowledge it."""
        strangers = 0
        looked_at = set(sent.before)
        end = asyncio.get_running_loop().time() + within.total_seconds()
        while True:
            listed = await self.axis.waiting(PacketKind.STATUS)
            if isinstance(listed, Unavailable):
                return self._failed(listed.reason)
            for item in sorted(listed.items, key=lambda item: item.axis_doc_id != sent.axis_doc_id):
                ours = item.axis_doc_id == sent.axis_doc_id
                if item.axis_doc_id in looked_at or (not ours and strangers >= _STRANGERS):
                    continue
                strangers += not ours
                seen = await self._compare(item, sent)
                if seen is not None and (ours or seen.trouble is None):
                    return await self._settle(item, seen)
                looked_at.add(item.axis_doc_id)
            if asyncio.get_running_loop().time() >= end:
                break
            await asyncio.sleep(_LOOK_AGAIN.total_seconds())
        words = f"{sent.axis_doc_id} was not listed to us within {within.total_seconds():g} s"
        return Seen(words=words, trouble=Trouble.NOT_LISTED_BACK)

    async def _compare(self, item: AxisItem, sent: Sent) -> Seen | None:
        """What came back, against what was sent; None if it cannot be had."""
        async with self.blobs.writer(limit=_PACKET_LIMIT) as writer:
            fetched = await self.axis.fetch(item, writer)
        if isinstance(fetched, Rejected | Unavailable):
            return None
        if fetched.stored.digest == sent.sealed.sha256:
            return Seen(words=f"{item.axis_doc_id} came back, byte for byte")
        received = Received(account=self.axis.account, item=item, raw=fetched.stored)
        found = await self.translator.read(received)
        if isinstance(found, UnpackedStatus) and replace(found.report, sender=sent.report.sender) == sent.report:
            return Seen(words=f"{item.axis_doc_id} came back, its content unchanged, the packet around it rewritten")
        return Seen(words=f"{item.axis_doc_id} came back with other content", trouble=Trouble.CONTENT_DIFFERS)

    async def _settle(self, item: AxisItem, seen: Seen) -> Seen:
        outcome = await self.axis.settle(item.axis_doc_id, done=True)
        if isinstance(outcome, Accepted):
            return replace(seen, words=f"{seen.words}; acknowledged")
        return self._failed(f"{seen.words}; not acknowledged: {outcome.reason}")

    def _failed(self, reason: str) -> Seen:
        return Seen(words=reason, trouble=trouble_of(reason, skew=self.skew))


def _words(outcome: Rejected | Unavailable | Uncertain) -> str:
    return f"{outcome.code}: {outcome.reason}" if isinstance(outcome, Rejected) else outcome.reason


def _report(root: OrganId, mark: str, at: datetime) -> StatusReport:
    day = vietnam_date(at)
    return StatusReport(
        sender=Organization(organ_id=root),
        response_for=ResponseFor(
            organ_id=root,
            code="0/KTKN",
            promulgation_date=day,
            document_id=f"{root},{day:%Y/%m/%d},0/KTKN-{mark}",
        ),
        status_code=ARRIVED,
        timestamp=edxml_timestamp(at),
        description=_PLEASE,
    )
