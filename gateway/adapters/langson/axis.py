"""One account on an axis of the Lang Son kind as port Axis (axis.md 7)."""

import json
from datetime import datetime
from functools import partial

from gateway.adapters.http import Access, HttpClient
from gateway.adapters.items import read_item, read_taken_item
from gateway.adapters.lacking import WithoutRegistration
from gateway.adapters.langson.config import LangSonAccount
from gateway.adapters.langson.login import LoginAccess
from gateway.adapters.langson.wire import form_of, read_unit, read_verdict, window
from gateway.adapters.replies import PacketMember
from gateway.adapters.rest import ReadItem, RestAxis, RestPeer
from gateway.domain.ids import AxisDocId
from gateway.domain.outcome import Outcome, Rejected, Unavailable
from gateway.domain.packet import AxisItem, PacketKind, Sealed
from gateway.observability.metrics import Metrics
from gateway.ports import BlobWriter, Clock, DirectoryListing, Fetched, PacketBytes, Waiting

_PACKET = PacketMember(name="edxml", inside="data", passed_over=frozenset({"attachments"}))
"""The ready-made attachments beside the packet are its own, once more."""


class LangSonAxis(WithoutRegistration, RestAxis):
    """Speaks REST with a login, as the province of Lang Son does (Lạng Sơn)."""

    def __init__(
        self, *, account: LangSonAccount, clock: Clock, metrics: Metrics, access: Access | None = None
    ) -> None:
        """Open nothing yet; `access` opens a platform in front of the axis.

        Raises OSError or ssl.SSLError if a file of the account's connection cannot be used.
        """
        self._account = account
        self._clock = clock
        http = HttpClient(
            connection=account.connection,
            concurrency=account.concurrency,
            retry=account.retry,
            access=LoginAccess(account=account, clock=clock, platform=access),
        )
        peer = RestPeer(
            account=account.name,
            endpoint=account.endpoint,
            headers=account.system_headers,
            timeouts=account.timeouts,
            http=http,
            clock=clock,
            read_envelope=read_verdict,
            max_list_bytes=account.max_list_bytes,
            max_directory_bytes=account.max_directory_bytes,
        )
        super().__init__(peer=peer, metrics=metrics)

    async def submit(self, sealed: Sealed, body: PacketBytes) -> Outcome:
        """Send a packet once with sendEdoc; its addresses are the packet's own.

        Raises what `body` raises, and GatewayError if it is not as long as sealed.
        """
        form, content_type = form_of(sealed, body)
        return await self._calls.observed("sendEdoc", self._peer.send("v1/sendEdoc", form, content_type))

    async def waiting(self, kind: PacketKind) -> Waiting | Unavailable:
        """What is not yet acknowledged of the last days, as many as the account says."""
        since = self._clock.now() - self._account.list_window
        return await self._list(kind, since, partial(read_item, kind=kind))

    async def acknowledged(self, kind: PacketKind, *, since: datetime) -> Waiting | Unavailable:
        """What the same list shows as done."""
        return await self._list(kind, since, partial(read_taken_item, kind=kind, since=since))

    async def fetch(self, item: AxisItem, writer: BlobWriter) -> Fetched | Rejected | Unavailable:
        """Download a packet with getEdoc. Rejected if longer than `writer` takes; raises what else `writer` raises."""
        work = self._peer.fetch("v1/getEdoc", {"docId": item.axis_doc_id}, writer, _PACKET, item=item)
        return await self._calls.observed("getEdoc", work)

    async def settle(self, axis_doc_id: AxisDocId, *, done: bool) -> Outcome:
        """Acknowledge an item with updateStatus."""
        body = json.dumps({"docId": axis_doc_id, "status": "done" if done else "fail"}, separators=(",", ":")).encode()
        work = self._peer.act("POST", "v1/updateStatus", body, subject=axis_doc_id)
        return await self._calls.observed("updateStatus", work)

    async def agencies(self) -> DirectoryListing | Unavailable:
        """The directory, a list with or without an envelope; empty, it is Unavailable."""
        return await self._calls.observed(
            "getAgenciesList", self._peer.directory("v1/getAgenciesList", read_unit, bare=True)
        )

    async def _list(self, kind: PacketKind, since: datetime, read: ReadItem) -> Waiting | Unavailable:
        query = window(kind, since=since, now=self._clock.now())
        return await self._calls.observed(
            "syncReceivedEdocList", self._peer.items("v1/syncReceivedEdocList", query, read)
        )
