"""Which accounts carry a document: those of the route table that take its packets."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.dialect import Dialect, strictest
from gateway.domain.document import Document, Organization, TraceHeader
from gateway.domain.errors import ErrorCode, FieldViolation, GatewayError
from gateway.domain.ids import AccountName, AgencyId
from gateway.domain.packet import PacketDefect, StoredObject
from gateway.domain.routing import RouteTable, Share, ways
from gateway.domain.vntime import edxml_timestamp
from gateway.flows.config import AccountPolicy
from gateway.ports import Directory, Translator

Ways = Mapping[tuple[AccountName, ...], tuple[int, ...]]
"""Places of a document's recipients by the accounts that lead to them, see domain.routing.ways."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionAccount:
    """An account that documents can go out through, as submission sees it."""

    policy: AccountPolicy
    translator: Translator


class Router:
    """Finds the ways of documents.

    `accounts` are all that the table names, and LOCAL where `local` says that documents between agencies served here
    go directly.
    """

    def __init__(
        self,
        *,
        table: RouteTable,
        accounts: Mapping[AccountName, SubmissionAccount],
        local: bool,
        directory: Directory,
    ) -> None:
        self._table = table
        self._accounts = accounts
        self._local = local
        self._directory = directory

    async def ways(self, recipients: Sequence[AgencyId]) -> Ways:
        """The ways to agencies, given in the order of the document's recipients."""
        lineages = await self._directory.lineages_of(recipients) if self._table.names_agencies else {}
        served = await self._directory.served(recipients) if self._local else {}
        return ways(self._table, recipients, lineages, local=frozenset(served))

    def strictest(self, found: Ways) -> Dialect:
        """A dialect with the limits that every account on the ways keeps; of all accounts where there is no way."""
        used = {name: self._accounts[name].policy.dialect for way in found for name in way}
        every = {name: account.policy.dialect for name, account in self._accounts.items()}
        return strictest((used or every).values())

    async def shares(
        self, document: Document, objects: Sequence[StoredObject], found: Ways, *, at: datetime
    ) -> tuple[Share, ...]:
        """Who carries which part of a document: each packet is laid out as it will be sent.

        Raises GatewayError NO_ROUTE; PACKET_TOO_LARGE where no account of a way takes the packets; INVALID_FIELD for a
        trace that one of the accounts is in already.
        """
        stranded = found.get(())
        if stranded:
            raise _no_route(document, stranded)
        layouts = {
            name: await self._layout(name, document, objects, at)
            for name in dict.fromkeys(n for way in found for n in way)
        }
        return tuple([await _share(document, [layouts[name] for name in way], found[way]) for way in found])

    async def _layout(
        self, name: AccountName, document: Document, objects: Sequence[StoredObject], at: datetime
    ) -> "_Layout":
        account = self._accounts[name]
        return _Layout(
            account=account,
            document=document,
            objects=objects,
            hop=TraceHeader(organ_id=account.policy.hop, timestamp=edxml_timestamp(at)),
            wrap=await account.translator.mistakable(document, objects),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """A document's packets as one account would send them."""

    account: SubmissionAccount
    document: Document
    objects: Sequence[StoredObject]
    hop: TraceHeader
    wrap: Collection[int]

    async def largest(self, recipients: Sequence[Organization], together: int) -> int:
        """Bytes of the largest packet; once one for all recipients fits, so does every part of it."""
        largest = self._length(recipients)
        if largest <= self.account.policy.packet_limit or len(recipients) <= together:
            return largest
        largest = 0
        for start in range(0, len(recipients), together):
            largest = max(largest, self._length(recipients[start : start + together]))
            await asyncio.sleep(0)  # thousands of packets must not be one long turn
        return largest

    def _length(self, recipients: Sequence[Organization]) -> int:
        translator = self.account.translator
        draft = translator.draft_document(
            self.document, self.objects, recipients=recipients, hop=self.hop, wrap=self.wrap
        )
        if isinstance(draft, PacketDefect):
            violation = FieldViolation(
                path="document.trace",
                en=draft.message,
                vi=f"Gói tin đã đi qua {self.hop.organ_id}: văn bản sẽ bị gửi lòng vòng.",
            )
            raise GatewayError(ErrorCode.INVALID_FIELD, violations=[violation])
        return translator.length(draft)


async def _share(document: Document, way: Sequence[_Layout], places: tuple[int, ...]) -> Share:
    """One way's share, without the accounts that could not take its packets."""
    recipients = [document.to[place] for place in places]
    refused: list[tuple[int, int]] = []
    while way := _able(way, len(recipients)):
        # Any of them may come to carry any packet, so the packets are those of the one that takes the fewest.
        together = min(layout.account.policy.recipients_per_message for layout in way)
        sizes = [await layout.largest(recipients, together) for layout in way]
        limits = [layout.account.policy.packet_limit for layout in way]
        fitting = [layout for layout, size, limit in zip(way, sizes, limits, strict=True) if size <= limit]
        if len(fitting) == len(way):
            names = tuple(layout.account.policy.name for layout in way)
            return Share(accounts=names, places=places, together=together)
        refused += [(limit, size) for size, limit in zip(sizes, limits, strict=True) if size > limit]
        way = fitting
    limit, size = max(refused)
    raise GatewayError(ErrorCode.PACKET_TOO_LARGE, size=size, limit=limit)


def _able(way: Sequence[_Layout], recipients: int) -> Sequence[_Layout]:
    """Those that can carry a document for so many recipients as one another's substitutes.

    What has to be cut for one of them is refused, but for its first packet, by a peer that takes one of each document.
    """
    whole = [layout for layout in way if layout.account.policy.recipients_per_message >= recipients]
    several = [layout for layout in way if not layout.account.policy.one_packet]
    if len(whole) == len(way) or len(several) == len(way) or not way:
        return way
    return whole if way[0] in whole and way[0].account.policy.one_packet else several or way


def _no_route(document: Document, places: Sequence[int]) -> GatewayError:
    violations = [
        FieldViolation(
            path=f"document.to[{place}].organ_id",
            en=f"no route of this gateway leads to {document.to[place].organ_id}",
            vi=f"Cổng này chưa có tuyến gửi đến {document.to[place].organ_id}.",
        )
        for place in places
    ]
    return GatewayError(ErrorCode.NO_ROUTE, violations=violations, recipient=document.to[places[0]].organ_id)
