"""What provincial axes with a REST interface share: plain HTTP calls, JSON answers, no list of sent packets."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote, urlencode

import httpx
import structlog

from gateway.adapters.answers import as_unavailable, judge_broken, refuse_too_large
from gateway.adapters.calls import Calls
from gateway.adapters.envelopes import Answer, ReadEnvelope, judge
from gateway.adapters.http import Broken, Call, HttpClient, PacketBody, Repeat, Timeouts
from gateway.adapters.lacking import WithoutSentList
from gateway.adapters.replies import Listing, PacketMember, read_answer, read_embedded, read_listing
from gateway.adapters.scalars import text
from gateway.domain.agency import DirectoryRow
from gateway.domain.errors import GatewayError
from gateway.domain.ids import AccountName, AxisDocId
from gateway.domain.outcome import Outcome, Rejected, Unavailable
from gateway.domain.packet import AxisItem
from gateway.observability.metrics import Metrics
from gateway.ports import BlobWriter, Clock, DirectoryListing, Fetched, Waiting

_log = structlog.get_logger()
_Row = TypeVar("_Row")
_Read = TypeVar("_Read")
ReadItem = Callable[[Mapping[str, object]], AxisItem | None]
"""Reads one line of a list; None = it is not wanted."""
_Query = Mapping[str, str]
_NOTHING: _Query = {}

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestPeer:
    """One account's calls to one peer, and what their answers mean."""

    account: AccountName
    endpoint: str
    headers: Mapping[str, str] = field(repr=False)
    """With every call."""
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    """With every call."""
    timeouts: Timeouts
    http: HttpClient
    clock: Clock
    read_envelope: ReadEnvelope
    max_list_bytes: int
    max_directory_bytes: int

    async def act(self, method: str, path: str, body: bytes, *, subject: str) -> Outcome:
        """A call that may be repeated without harm, about something that has a name already."""
        reply = await self._exchange(method, path, self._read_answer, body=body, repeat=Repeat.ANY_TIME)
        return self._judge(reply, doc_id=AxisDocId(subject))

    async def send(self, path: str, body: PacketBody, content_type: str) -> Outcome:
        """Send a packet once. Raises what the body's chunks raise."""
        reply = await self._exchange(
            "POST", path, self._read_answer, body=body, repeat=Repeat.UNPROCESSED, content_type=content_type
        )
        return self._judge(reply)

    async def items(self, path: str, query: _Query, read_row: ReadItem) -> Waiting | Unavailable:
        """The items of a list, each once."""
        listing = await self._list(path, query, read_row, limit=self.max_list_bytes)
        if isinstance(listing, Unavailable):
            return listing
        envelope, count = listing.answer.envelope, text(listing.members.get("count"))
        empty = not listing.members.get("data") and "0" in {count, envelope.code if envelope else ""}
        if not listing.listed and not empty:
            return Unavailable(reason="the axis said OK but sent no list")
        if listing.skipped:
            _log.info("axis.rows_skipped", account=self.account, rows=listing.skipped)
        items = {item.axis_doc_id: item for item in reversed(listing.rows)}
        return Waiting(items=tuple(reversed(items.values())))

    async def directory(
        self, path: str, read_row: Callable[[Mapping[str, object]], DirectoryRow | None], *, bare: bool = False
    ) -> DirectoryListing | Unavailable:
        """All units. An empty directory is Unavailable: believing it would close every agency.

        `bare`: the list may come without an envelope.
        """
        listing = await self._list(path, _NOTHING, read_row, limit=self.max_directory_bytes, bare=bare)
        if isinstance(listing, Unavailable):
            return listing
        if listing.skipped:
            _log.warning("axis.rows_skipped", account=self.account, rows=listing.skipped)
        if not listing.rows:
            return Unavailable(reason="the axis said OK but listed no agency")
        return DirectoryListing(rows=listing.rows)

    async def fetch(
        self, path: str, query: _Query, writer: BlobWriter, member: PacketMember, *, item: AxisItem
    ) -> Fetched | Rejected | Unavailable:
        """Download a packet out of an answer. Rejected if longer than `writer` takes; raises what else it raises."""

        async def read(response: httpx.Response) -> Fetched | Answer:
            return await read_embedded(response, writer, self.read_envelope, member)

        try:
            reply = await self._exchange("GET", path, read, query=query, repeat=Repeat.UNANSWERED)
        except GatewayError as error:
            return refuse_too_large(error)
        if isinstance(reply, Fetched):
            return reply
        outcome = self._judge(reply, doc_id=item.axis_doc_id)
        return outcome if isinstance(outcome, Rejected) else as_unavailable(outcome)

    async def _list(
        self,
        path: str,
        query: _Query,
        read_row: Callable[[Mapping[str, object]], _Row | None],
        *,
        limit: int,
        bare: bool = False,
    ) -> Listing[_Row] | Unavailable:
        """A list whose envelope is good, or that needs none."""
        read = partial(read_listing, read_row=read_row, read_envelope=self.read_envelope, limit=limit, bare=bare)
        listing = await self._exchange("GET", path, read, query=query, repeat=Repeat.ANY_TIME)
        if isinstance(listing, Broken):
            return as_unavailable(judge_broken(listing))
        answer = listing.answer
        plain = bare and listing.listed and not listing.members and answer.http_status == HTTPStatus.OK
        if not plain and (answer.envelope is None or not answer.envelope.good):
            return as_unavailable(self._judge(answer))
        return listing

    async def _exchange(
        self,
        method: str,
        path: str,
        read: Callable[[httpx.Response], Awaitable[_Read]],
        *,
        query: _Query = _NOTHING,
        body: bytes | PacketBody | None = None,
        repeat: Repeat,
        content_type: str = JSON,
    ) -> _Read | Broken:
        headers = dict(self.headers) if body is None else {**self.headers, "Content-Type": content_type}
        asked = urlencode({**query, **self.query}, quote_via=quote)
        call = Call(
            method=method,
            url=f"{self.endpoint.rstrip('/')}/{path}{'?' if asked else ''}{asked}",
            headers=lambda: headers,
            body=body,
            timeouts=self.timeouts,
            repeat=repeat,
        )
        return await self.http.exchange(call, read)

    async def _read_answer(self, response: httpx.Response) -> Answer:
        return await read_answer(response, self.read_envelope)

    def _judge(self, reply: Answer | Broken, *, doc_id: AxisDocId | None = None) -> Outcome:
        if isinstance(reply, Broken):
            return judge_broken(reply)
        return judge(reply, now=self.clock.now(), doc_id=doc_id)


class RestAxis(WithoutSentList):
    """One account on an axis that gives no list of what was sent."""

    def __init__(self, *, peer: RestPeer, metrics: Metrics) -> None:
        """Open nothing yet."""
        self._peer = peer
        self._calls = Calls(account=peer.account, metrics=metrics)

    @property
    def account(self) -> AccountName:
        """The account's name in the settings."""
        return self._peer.account

    async def aclose(self) -> None:
        """Close all connections."""
        await self._peer.http.aclose()
