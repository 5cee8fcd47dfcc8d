"""One account on a facade of the Quang Nam kind as port Axis (axis.md 7)."""

import json
from datetime import datetime
from functools import partial
from urllib.parse import quote

from gateway.adapters.envelopes import read_envelope
from gateway.adapters.http import Access, HttpClient
from gateway.adapters.items import read_item, read_taken_item
from gateway.adapters.quangnam.config import QuangNamAccount, SecretIn
from gateway.adapters.quangnam.wire import KIND_MEMBER, json_of, read_unit, unit_of
from gateway.adapters.replies import PacketMember
from gateway.adapters.rest import JSON, RestAxis, RestPeer
from gateway.domain.agency import AgencyEntry
from gateway.domain.ids import AxisDocId, OrganId
from gateway.domain.outcome import Outcome, Rejected, Unavailable
from gateway.domain.packet import AxisItem, PacketKind, Sealed
from gateway.domain.vntime import edxml_date, vietnam_date
from gateway.observability.metrics import Metrics
from gateway.ports import BlobWriter, Clock, DirectoryListing, Fetched, PacketBytes, Waiting

_PACKETS = "vanbans"
"""Collection of packets (văn bản)."""
_UNITS = "donvilienthongs"
"""Collection of connected units (đơn vị liên thông)."""


class QuangNamAxis(RestAxis):
    """Speaks REST behind a WSO2 platform, as the province of Quang Nam did (Quảng Nam)."""

    def __init__(
        self, *, account: QuangNamAccount, clock: Clock, metrics: Metrics, access: Access | None = None
    ) -> None:
        """Open nothing yet; `access` opens the platform in front of the facade.

        Raises OSError or ssl.SSLError if a file of the account's connection cannot be used.
        """
        http = HttpClient(
            connection=account.connection, concurrency=account.concurrency, retry=account.retry, access=access
        )
        secret = {account.secret_name: account.secret}
        peer = RestPeer(
            account=account.name,
            endpoint=account.endpoint,
            headers=secret if account.secret_in is SecretIn.HEADER else {},
            query=secret if account.secret_in is SecretIn.QUERY else {},
            timeouts=account.timeouts,
            http=http,
            clock=clock,
            read_envelope=read_envelope,
            max_list_bytes=account.max_list_bytes,
            max_directory_bytes=account.max_directory_bytes,
        )
        super().__init__(peer=peer, metrics=metrics)

    async def submit(self, sealed: Sealed, body: PacketBytes) -> Outcome:
        """Send a packet once; its addresses are the packet's own.

        Raises what `body` raises, and GatewayError if it is not as long as sealed.
        """
        return await self._calls.observed("sendEdoc", self._peer.send(_PACKETS, json_of(sealed, body), JSON))

    async def waiting(self, kind: PacketKind) -> Waiting | Unavailable:
        """What is not yet acknowledged."""
        work = self._peer.items(_PACKETS, {KIND_MEMBER: kind.value}, partial(read_item, kind=kind))
        return await self._calls.observed("getReceivedEdocList", work)

    async def acknowledged(self, kind: PacketKind, *, since: datetime) -> Waiting | Unavailable:
        """What is acknowledged as done; none where the facade ignores the parameters, which are a guess."""
        query = {KIND_MEMBER: kind.value, "status": "DONE", "fromDate": edxml_date(vietnam_date(since))}
        work = self._peer.items(_PACKETS, query, partial(read_taken_item, kind=kind, since=since))
        return await self._calls.observed("getReceivedEdocList", work)

    async def fetch(self, item: AxisItem, writer: BlobWriter) -> Fetched | Rejected | Unavailable:
        """Download a packet. Rejected if longer than `writer` takes; raises what else `writer` raises."""
        path = _within(_PACKETS, item.axis_doc_id)
        return await self._calls.observed("getEdoc", self._peer.fetch(path, {}, writer, PacketMember(), item=item))

    async def settle(self, axis_doc_id: AxisDocId, *, done: bool) -> Outcome:
        """Set an item's status."""
        body = json.dumps({"status": "DONE" if done else "FAIL"}, separators=(",", ":")).encode()
        work = self._peer.act("PUT", _within(_PACKETS, axis_doc_id), body, subject=axis_doc_id)
        return await self._calls.observed("updateStatus", work)

    async def register(self, unit: AgencyEntry) -> Outcome:
        """Create or update a unit."""
        work = self._peer.act("POST", _UNITS, unit_of(unit), subject=unit.code)
        return await self._calls.observed("registerAgency", work)

    async def deregister(self, code: OrganId) -> Outcome:
        """Take a unit off the directory."""
        work = self._peer.act("PUT", _within(_UNITS, code), b"{}", subject=code)
        return await self._calls.observed("deleteAgency", work)

    async def agencies(self) -> DirectoryListing | Unavailable:
        """The national directory, which holds the province's own; empty, it is Unavailable."""
        return await self._calls.observed("getAgenciesList", self._peer.directory(_UNITS, read_unit))


def _within(collection: str, name: str) -> str:
    return f"{collection}/{quote(name, safe='')}"
