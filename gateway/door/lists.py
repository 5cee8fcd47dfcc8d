"""The operations that list: what waits, what was sent, how many, and the directory, which is streamed."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from aiohttp import web

from gateway.domain.agency import Agency
from gateway.domain.errors import GatewayError
from gateway.domain.ids import AgencyId, DocumentUid, OrganId
from gateway.domain.packet import PacketKind
from gateway.door import listing
from gateway.door.answers import DoorCode, Refusal, rendered
from gateway.door.calls import Answer, Call
from gateway.door.packets import BrokenStreamError
from gateway.door.sending import read_codes
from gateway.ports import (
    Correspondence,
    Directory,
    Documents,
    FedStatus,
    ReceptionFilter,
    Receptions,
    StatusFeed,
)

MOST_COUNTED = 10_000
"""The largest count that is told."""
_SENT = 50
"""Documents in one answer of getSentEdocList without a docId."""
_PAGE = 500
"""Agencies read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """Answers what a client asks at its intervals."""

    receptions: Receptions
    feed: StatusFeed
    documents: Documents
    correspondence: Correspondence
    directory: Directory
    center: OrganId
    """Code of the centre that connects the units here to others."""
    idle: timedelta
    """Longest wait for a client to read."""

    async def received(self, call: Call) -> Answer:
        """What is not yet acknowledged; with `status` done or fail the newest that is."""
        wanted = listing.read_wanted(
            status=call.get("status"),
            from_date=call.get("fromDate"),
            to_date=call.get("toDate"),
            page_size=call.get("pageSize"),
            page_index=call.get("pageIndex"),
        )
        if isinstance(wanted, Refusal):
            return wanted
        kind = call.get("messagetype").lower() or PacketKind.DOCUMENT
        if kind not in (PacketKind.STATUS, PacketKind.DOCUMENT):
            return Refusal(code=DoorCode.PROCESSING, sentence="messagetype phải là edoc hoặc status")
        codes = read_codes(call.get("to"))
        if codes is None:
            return Refusal(code=DoorCode.UNKNOWN_RECEIVER, sentence="Header to phải là mảng JSON gồm các mã đơn vị")
        recipients = None
        if codes:
            recipients = frozenset(agency.id for agency in (await self.directory.resolve(codes)).values())
        if kind == PacketKind.STATUS:
            return await self._statuses(call, wanted, recipients)
        lines = await self.receptions.listed(
            call.vendor,
            ReceptionFilter(
                states=wanted.states,
                recipients=recipients,
                received_from=wanted.since,
                received_before=wanted.before,
            ),
            skip=wanted.skip,
            limit=wanted.limit,
        )
        return {"data": [listing.received_line(line) for line in lines]}

    async def _statuses(self, call: Call, wanted: listing.Wanted, agencies: frozenset[AgencyId] | None) -> Answer:
        """Statuses not yet taken; those that are taken are not kept apart, so no other state lists any."""
        if not wanted.states & listing.NOT_TAKEN:
            return {"data": []}
        narrowed = any(bound is not None for bound in (wanted.since, wanted.before, agencies))
        most = MOST_COUNTED if narrowed else min(wanted.skip + wanted.limit, MOST_COUNTED)
        found = await self.feed.waiting(call.vendor, limit=most)

        def fits(status: FedStatus) -> bool:
            return (
                (wanted.since is None or status.at >= wanted.since)
                and (wanted.before is None or status.at < wanted.before)
                and (agencies is None or status.agency in agencies)
            )

        lines = [listing.status_line(status) for status in found if fits(status)]
        return {"data": lines[wanted.skip : wanted.skip + wanted.limit]}

    async def sent(self, call: Call) -> Answer:
        """One document by the DocId of sendEdoc, a line per recipient; without one the vendor's newest documents."""
        if call.get("messagetype").lower() == PacketKind.STATUS:
            return {"data": []}
        if call.get("docId"):
            return {"data": await self._sent_lines(call, DocumentUid(call.get("docId")))}
        page = listing.read_wanted(
            status="", from_date="", to_date="", page_size=call.get("pageSize"), page_index=call.get("pageIndex")
        )
        if isinstance(page, Refusal):
            return page
        limit = min(page.limit, _SENT)
        uids = await self.correspondence.latest(call.vendor, skip=page.skip // page.limit * limit, limit=limit)

        async def lines() -> AsyncIterator[Sequence[Mapping[str, str]]]:
            for uid in uids:
                yield await self._sent_lines(call, uid)

        return await self._streamed(call, "getSentEdocList", lines())

    async def _sent_lines(self, call: Call, uid: DocumentUid) -> list[Mapping[str, str]]:
        sent = await self.documents.get(uid)
        if sent is None or not await self.directory.may_act(call.vendor, sent.agency):
            return []
        return [listing.sent_line(sent, delivery) for delivery in sent.deliveries]

    async def count_documents(self, call: Call) -> Answer:
        """How many documents wait."""
        return {"count": await self.receptions.count(call.vendor, most=MOST_COUNTED)}

    async def count_statuses(self, call: Call) -> Answer:
        """How many statuses wait."""
        return {"count": await self.feed.count(call.vendor, most=MOST_COUNTED)}

    async def agencies(self, call: Call) -> Answer:
        """The whole directory."""
        return await self._directory(call, "getAgenciesList", listing.agency_line, include_closed=False)

    async def agencies_qd20(self, call: Call) -> Answer:
        """The whole directory with codes of before 2020."""
        if call.get("level") not in {"", "1"}:
            return Refusal(code=DoorCode.PROCESSING, sentence="level phải là 1")
        return await self._directory(call, "getAgenciesListQD20", listing.agency_line_qd20, include_closed=False)

    async def units(self, call: Call) -> Answer:
        """The whole directory with closed units."""
        line = partial(listing.unit_line, center=self.center)
        return await self._directory(call, "getSynchronizeUnit", line, include_closed=True)

    async def _directory(
        self, call: Call, operation: str, line: Callable[[Agency], Mapping[str, Any]], *, include_closed: bool
    ) -> Answer:
        """A hundred thousand units, which never are in memory at once."""

        async def lines() -> AsyncIterator[Sequence[Mapping[str, Any]]]:
            after = ""
            while page := await self.directory.page(
                after_code=after, limit=_PAGE, parent=None, query="", include_closed=include_closed
            ):
                yield [line(agency) for agency in page]
                after = page[-1].code

        return await self._streamed(call, operation, lines())

    async def _streamed(
        self, call: Call, operation: str, batches: AsyncIterator[Sequence[Mapping[str, Any]]]
    ) -> Answer:
        """A list of any length. What goes wrong before its first lines is told, later the connection is cut.

        Raises GatewayError, BrokenStreamError.
        """
        batch = await anext(batches, None)
        head, tail = rendered(operation, {"data": ["\0"]}).split(b'"\\u0000"')
        response = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
        await response.prepare(call.request)
        try:
            await self._write(response, head)
            between = b""
            while batch is not None:
                if batch:
                    text = ",".join(json.dumps(line, separators=(",", ":")) for line in batch)
                    await self._write(response, between + text.encode("ascii"))
                    between = b","
                batch = await anext(batches, None)
            await self._write(response, tail)
            await response.write_eof()
        except (TimeoutError, GatewayError) as error:
            raise BrokenStreamError from error
        return response

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        async with asyncio.timeout(self.idle.total_seconds()):
            await response.write(data)
