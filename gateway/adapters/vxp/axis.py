"""One account on a VXP axis as port Axis."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import TypeVar

import httpx
import structlog

from gateway.adapters.answers import UNWRITABLE, as_unavailable, header_safe, judge_broken, refuse_too_large
from gateway.adapters.calls import Calls
from gateway.adapters.envelopes import Answer, judge, read_envelope
from gateway.adapters.http import Access, Broken, HttpClient, PacketBody, Repeat
from gateway.adapters.items import read_item, read_taken_item
from gateway.adapters.replies import Listing, read_answer
from gateway.adapters.scalars import text
from gateway.adapters.sharing import Shared
from gateway.adapters.vxp.client import VxpClient
from gateway.adapters.vxp.config import FetchBy, SentList, VxpAccount
from gateway.adapters.vxp.download import read_in_data, read_raw
from gateway.adapters.vxp.rows import read_agency, read_sent
from gateway.adapters.vxp.signing import file_hash
from gateway.domain.agency import AgencyEntry, DirectoryRow
from gateway.domain.errors import GatewayError
from gateway.domain.ids import AccountName, AxisDocId, OrganId
from gateway.domain.outcome import (
    CannotTell,
    Finding,
    Outcome,
    Rejected,
    SentQuery,
    Unavailable,
)
from gateway.domain.packet import AxisItem, PacketKind, Sealed
from gateway.domain.sentlist import SentEntries, SentEntry
from gateway.domain.vntime import edxml_date, vietnam_date
from gateway.observability.metrics import Metrics
from gateway.ports import Axis, BlobWriter, Clock, DirectoryListing, Fetched, PacketBytes, Waiting

_log = structlog.get_logger()
_EDOC = {"servicetype": "eDoc"}
_MAX_PAGES = 100
_USUAL_PAGES = frozenset({10, 15, 20, 25, 30, 40, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000})
"""Row counts at which a list may be one page of a longer one."""
_CANNOT_LIST = CannotTell(reason="the axis is asked by docId only, and the docId was lost with the answer")
_UNOFFERED = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})

_Row = TypeVar("_Row")


class VxpAxis(Axis):
    """Speaks the national dialect. Operations and headers: axis.md sections 2 to 4."""

    def __init__(self, *, account: VxpAccount, clock: Clock, metrics: Metrics, access: Access | None = None) -> None:
        """Open nothing yet; `access` opens a platform in front of the axis.

        Raises OSError or ssl.SSLError if a file of the account's connection cannot be used.
        """
        self._account = account
        self._clock = clock
        self._calls = Calls(account=account.name, metrics=metrics)
        self._http = HttpClient(
            connection=account.connection, concurrency=account.concurrency, retry=account.retry, access=access
        )
        self._client = VxpClient(account=account, clock=clock, http=self._http)
        self._sent = Shared(self._read_all_sent, keep=lambda read: isinstance(read, SentEntries), clock=clock)

    @property
    def account(self) -> AccountName:
        """The account's name in the settings."""
        return self._account.name

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def submit(self, sealed: Sealed, body: PacketBytes) -> Outcome:
        """Send a packet once with sendEdoc. Raises what `body` raises, and GatewayError if it is not as long as sealed.

        Rejected without sending: codes that no header can carry.
        """
        return await self._calls.observed("sendEdoc", self._submit(sealed, body))

    async def find(self, query: SentQuery) -> Finding:
        """Look for a document in getSentEdocList, where the axis lists by sender; CannotTell where it does not.

        One list serves all who ask within seconds, as far as it was asked for late enough for each.
        """
        if self._account.sent_list is SentList.BY_DOCID:
            return _CANNOT_LIST
        return await self._calls.observed("getSentEdocList", self._find(query))

    async def sent_list(self) -> SentEntries | CannotTell:
        """All that getSentEdocList lists, where the axis lists by sender; CannotTell where it does not.

        The operation has no documented pages. A list of a usual page's length is asked for its next page; the same
        rows again mean that the axis knows no pages and this was all.
        """
        if self._account.sent_list is SentList.BY_DOCID:
            return _CANNOT_LIST
        return await self._calls.observed("getSentEdocList", self._sent.get(since=self._clock.now()))

    async def sent_packet(self, axis_doc_id: AxisDocId) -> SentEntries | CannotTell:
        """What getSentEdocList lists under one docId."""
        return await self._calls.observed("getSentEdocList", self._read_one_sent(axis_doc_id))

    async def waiting(self, kind: PacketKind) -> Waiting | Unavailable:
        """What is not yet acknowledged, one answer's worth: acknowledged items make room for further ones."""
        return await self._calls.observed("getReceivedEdocList", self._waiting(kind))

    async def acknowledged(self, kind: PacketKind, *, since: datetime) -> Waiting | Unavailable:
        """What is acknowledged as done, by getReceivedEdocList with a status; none where the axis ignores it."""
        return await self._calls.observed("getReceivedEdocList", self._acknowledged(kind, since))

    async def fetch(self, item: AxisItem, writer: BlobWriter) -> Fetched | Rejected | Unavailable:
        """Download a packet as it is, a trailing line end included. Rejected if longer than `writer` takes.

        Raises what else `writer` raises.
        """
        operation = "downloadEdoc" if self._account.fetch is FetchBy.DOWNLOAD else "getEdoc"
        return await self._calls.observed(operation, self._fetch(item, writer))

    async def settle(self, axis_doc_id: AxisDocId, *, done: bool) -> Outcome:
        """Acknowledge an item with updateStatus."""
        said = {"docId": axis_doc_id, "status": "done" if done else "fail"}
        return await self._calls.observed("updateStatus", self._act("updateStatus", said, b"{}", axis_doc_id))

    async def agencies(self) -> DirectoryListing | Unavailable:
        """The directory with old codes (getAgenciesListQD20), or where the axis has no such list, getAgenciesList.

        An empty directory is Unavailable: believing it would close every agency.
        """
        listing = await self._calls.observed(
            "getAgenciesListQD20", self._agencies("getAgenciesListQD20", {"level": "1"})
        )
        if not isinstance(listing, Rejected):
            return listing
        plain = await self._calls.observed("getAgenciesList", self._agencies("getAgenciesList", {}))
        return as_unavailable(plain) if isinstance(plain, Rejected) else plain

    async def register(self, unit: AgencyEntry) -> Outcome:
        """Create or update a unit with registerAgency."""
        members = {
            "id": "",
            "pcode": unit.parent_code,
            "code": unit.code,
            "name": unit.name,
            "mail": unit.email,
            "mobile": unit.mobile,
            "fax": unit.fax,
        }
        body = json.dumps(members, separators=(",", ":")).encode()
        return await self._calls.observed("registerAgency", self._act("registerAgency", {}, body, unit.code))

    async def deregister(self, code: OrganId) -> Outcome:
        """Take a unit off the directory with deleteAgency."""
        if not header_safe(code):
            return Rejected(code=UNWRITABLE, reason=f"agency code {code!r} is not printable ASCII")
        work = self._act("deleteAgency", {"AgencyCode": code}, b"{}", code)
        return await self._calls.observed("deleteAgency", work)

    async def _submit(self, sealed: Sealed, body: PacketBytes) -> Outcome:
        draft = sealed.draft
        for code in (draft.sender, *draft.recipients):
            if not code or not header_safe(code):
                return Rejected(code=UNWRITABLE, reason=f"agency code {code!r} is not printable ASCII")
        parameters = {
            **_EDOC,
            "messagetype": draft.kind.value,
            "hash-file": file_hash(sealed.sha256, self._account.hash_form),
            "from": draft.sender,
        }
        if draft.recipients:
            parameters["to"] = json.dumps(draft.recipients, separators=(",", ":"))
        reply = await self._client.exchange(
            "sendEdoc",
            parameters,
            _read_answer,
            body=PacketBody(
                chunks=body,
                length=sealed.length,
                trailer=b"\r\n",
                looks_back=draft.kind is PacketKind.DOCUMENT,  # a status is simply repeated
            ),
            timeouts=self._account.timeouts,
            repeat=Repeat.UNPROCESSED,
        )
        return self._judge(reply)

    async def _find(self, query: SentQuery) -> Finding:
        read = await self._sent.get(since=query.listed_since or self._clock.now())
        return read if isinstance(read, CannotTell) else read.find(query)

    async def _read_one_sent(self, axis_doc_id: AxisDocId) -> SentEntries | CannotTell:
        rows = await self._read_sent_page({"docId": axis_doc_id})
        if isinstance(rows, CannotTell):
            return rows
        # An axis that ignores the parameter lists more than was asked for.
        return SentEntries(row for row in rows if row.axis_doc_id == axis_doc_id)

    async def _read_all_sent(self) -> SentEntries | CannotTell:
        rows = await self._read_sent_page({})
        if isinstance(rows, CannotTell) or len(rows) not in _USUAL_PAGES:
            return rows if isinstance(rows, CannotTell) else SentEntries(rows)
        size, seen = len(rows), dict.fromkeys(rows)
        for index in range(2, _MAX_PAGES + 1):
            page = await self._read_sent_page({"pageSize": str(size), "pageIndex": str(index)})
            if isinstance(page, CannotTell):
                return page
            known = len(seen)
            seen.update(dict.fromkeys(page))
            if len(seen) == known or len(page) < size:
                return SentEntries(seen)
        return CannotTell(reason=f"the axis's list has more than {_MAX_PAGES} pages")

    async def _read_sent_page(self, narrowed: dict[str, str]) -> tuple[SentEntry, ...] | CannotTell:
        parameters = {**_EDOC, "messagetype": PacketKind.DOCUMENT.value, "docId": "", **narrowed}
        listing = await self._ask_list("getSentEdocList", parameters, read_sent)
        reply = listing if isinstance(listing, Broken) else listing.answer
        if isinstance(listing, Broken) or listing.answer.envelope is None:
            return CannotTell(reason=as_unavailable(self._judge(reply)).reason, passing=True)
        if not listing.answer.envelope.good:
            return CannotTell(reason=as_unavailable(self._judge(reply)).reason)
        declared = text(listing.members.get("count"))
        if not listing.listed or listing.skipped or (declared.isdecimal() and int(declared) > len(listing.rows)):
            return CannotTell(reason="the axis's list of sent items is not whole")
        return listing.rows

    async def _waiting(self, kind: PacketKind) -> Waiting | Unavailable:
        return await self._received(kind, {}, partial(read_item, kind=kind))

    async def _acknowledged(self, kind: PacketKind, since: datetime) -> Waiting | Unavailable:
        narrowed = {"status": "done", "fromDate": edxml_date(vietnam_date(since))}
        return await self._received(kind, narrowed, partial(read_taken_item, kind=kind, since=since))

    async def _received(
        self, kind: PacketKind, narrowed: dict[str, str], read: Callable[[Mapping[str, object]], AxisItem | None]
    ) -> Waiting | Unavailable:
        listing = await self._list("getReceivedEdocList", {**_EDOC, "messagetype": kind.value, **narrowed}, read)
        if isinstance(listing, Unavailable):
            return listing
        envelope = listing.answer.envelope
        if not listing.listed and (listing.members.get("data") or envelope is None or envelope.code != "0"):
            return Unavailable(reason="the axis said OK but sent no list")
        items = {item.axis_doc_id: item for item in reversed(listing.rows)}
        return Waiting(items=tuple(reversed(items.values())))

    async def _fetch(self, item: AxisItem, writer: BlobWriter) -> Fetched | Rejected | Unavailable:
        raw = self._account.fetch is FetchBy.DOWNLOAD

        async def read(response: httpx.Response) -> Fetched | Answer | Unavailable:
            return await (read_raw if raw else read_in_data)(response, writer)

        try:
            reply = await self._client.exchange(
                "downloadEdoc" if raw else "getEdoc",
                {"docId": item.axis_doc_id, "filePath": f"{item.axis_doc_id}.edxml"},
                read,
                method="GET" if raw else "POST",
                body=None if raw else b"{}",
                timeouts=self._account.timeouts,
                repeat=Repeat.UNANSWERED,
            )
        except GatewayError as error:
            return refuse_too_large(error)
        if isinstance(reply, Fetched | Unavailable):
            return reply
        outcome = self._judge(reply, doc_id=item.axis_doc_id)
        return outcome if isinstance(outcome, Rejected) else as_unavailable(outcome)

    async def _act(self, operation: str, parameters: dict[str, str], body: bytes, subject: str) -> Outcome:
        """A call that may be repeated without harm, about something that has a name already."""
        reply = await self._client.exchange(
            operation,
            parameters,
            _read_answer,
            body=body,
            timeouts=self._account.timeouts,
            repeat=Repeat.ANY_TIME,
        )
        return self._judge(reply, doc_id=AxisDocId(subject))

    async def _agencies(self, operation: str, parameters: dict[str, str]) -> DirectoryListing | Unavailable | Rejected:
        """The directory by one operation; Rejected if the axis does not offer it."""
        listing: Listing[DirectoryRow] | Broken = await self._client.list_rows(
            operation,
            parameters,
            read_agency,
            timeouts=self._account.timeouts,
            limit=self._account.max_directory_bytes,
        )
        if isinstance(listing, Broken):
            return as_unavailable(judge_broken(listing))
        answer = listing.answer
        if answer.envelope is None and answer.http_status not in _UNOFFERED:
            return as_unavailable(self._judge(answer))
        if answer.envelope is None or not answer.envelope.good:
            refusal = as_unavailable(self._judge(answer))
            return Rejected(code=answer.envelope.code if answer.envelope else "", reason=refusal.reason)
        if listing.skipped:
            _log.warning("axis.rows_skipped", account=self.account, operation=operation, rows=listing.skipped)
        if not listing.rows:
            return Unavailable(reason="the axis said OK but listed no agency")
        return DirectoryListing(rows=listing.rows)

    async def _list(
        self,
        operation: str,
        parameters: dict[str, str],
        read_row: Callable[[Mapping[str, object]], _Row | None],
    ) -> Listing[_Row] | Unavailable:
        """A list whose envelope is good."""
        listing = await self._ask_list(operation, parameters, read_row)
        if isinstance(listing, Broken):
            return as_unavailable(judge_broken(listing))
        if listing.answer.envelope is None or not listing.answer.envelope.good:
            return as_unavailable(self._judge(listing.answer))
        if listing.skipped:
            _log.info("axis.rows_skipped", account=self.account, operation=operation, rows=listing.skipped)
        return listing

    async def _ask_list(
        self,
        operation: str,
        parameters: dict[str, str],
        read_row: Callable[[Mapping[str, object]], _Row | None],
    ) -> Listing[_Row] | Broken:
        return await self._client.list_rows(
            operation,
            parameters,
            read_row,
            timeouts=self._account.timeouts,
            limit=self._account.max_list_bytes,
        )

    def _judge(self, reply: Answer | Broken, *, doc_id: AxisDocId | None = None) -> Outcome:
        if isinstance(reply, Broken):
            return judge_broken(reply)
        return judge(reply, now=self._clock.now(), doc_id=doc_id)


async def _read_answer(response: httpx.Response) -> Answer:
    return await read_answer(response, read_envelope)
