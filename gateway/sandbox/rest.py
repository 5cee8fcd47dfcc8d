"""The axis's REST face: every operation of axis.md section 3, by the last segment of any path.

Answers obey what the stock Java client needs (section 4): always JSON, never null, always the full envelope,
and DocId with every answer to sendEdoc.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import BodyPartReader, web

from gateway.sandbox import listing
from gateway.sandbox.codes import AxisCode, Refusal
from gateway.sandbox.core import Submission
from gateway.sandbox.faces import AxisFace
from gateway.sandbox.faults import Fault
from gateway.sandbox.intake import hand_in
from gateway.sandbox.spoiling import SUBMISSION
from gateway.sandbox.spool import Arrived
from gateway.sandbox.streaming import PACKET, answer_safely, read_chunks, read_members, read_part, send_members
from gateway.sandbox.wire import SignedCall, check_signature, hash_matches


@dataclass(frozen=True, kw_only=True, slots=True)
class RestFace(AxisFace):
    """Turns HTTP calls into calls of the axis and its values into the answers of the national API."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one call, whatever its path; failures of the sandbox itself become ErrorCode 20."""
        operation = request.path.rstrip("/").rpartition("/")[2]
        return await answer_safely(self._dispatch(operation, request), partial(_render, operation))

    async def _dispatch(self, operation: str, request: web.Request) -> web.StreamResponse:
        operations = self._operations()
        if operation not in operations:
            raise web.HTTPNotFound(reason="Khong co thao tac nay")
        methods, act = operations[operation]
        if request.method not in methods:
            raise web.HTTPMethodNotAllowed(request.method, methods)
        call = check_signature(request.raw_headers, self.axis.secret_of)
        if isinstance(call, Refusal):
            return _render(operation, call)
        result = await act(call, request)
        return result if isinstance(result, web.StreamResponse) else _render(operation, result)

    def _operations(self) -> Mapping[str, tuple[tuple[str, ...], "_Act"]]:
        post, either = ("POST",), ("POST", "GET")
        return {
            "getAgenciesList": (post, self._list_agencies),
            "getAgenciesListQD20": (post, self._list_agencies_qd20),
            "getSynchronizeUnit": (post, self._list_units),
            "registerAgency": (post, self._register_agency),
            "deleteAgency": (post, self._delete_agency),
            "getReceivedEdocList": (post, self._list_received),
            "getSentEdocList": (post, self._list_sent),
            "sendEdoc": (post, self._send),
            "getEdoc": (post, self._get),
            "downloadEdoc": (("GET",), self._download),
            "updateStatus": (post, self._update_status),
            "countReceiveEdoc": (either, self._count_documents),
            "countReceiveStatus": (either, self._count_statuses),
        }

    async def _list_agencies(self, _call: SignedCall, _request: web.Request) -> "_Result":
        return {"data": listing.render_agencies(self.axis.agencies)}

    async def _list_agencies_qd20(self, call: SignedCall, _request: web.Request) -> "_Result":
        if call.get("level") != "1":
            return Refusal(code=AxisCode.PROCESSING, sentence="level phai la 1")
        return {"data": listing.render_agencies_qd20(self.axis.agencies)}

    async def _list_units(self, _call: SignedCall, _request: web.Request) -> "_Result":
        return {"data": listing.render_units(self.axis)}

    async def _register_agency(self, call: SignedCall, request: web.Request) -> "_Result":
        facts = await read_members(request)
        if facts is None:
            return Refusal(code=AxisCode.PROCESSING, sentence="Noi dung phai la mot doi tuong JSON gom cac chuoi")
        return self.axis.register_agency(call.system_id, facts) or {}

    async def _delete_agency(self, call: SignedCall, _request: web.Request) -> "_Result":
        return self.axis.delete_agency(call.system_id, call.get("AgencyCode")) or {}

    async def _list_received(self, call: SignedCall, _request: web.Request) -> "_Result":
        items = self.axis.list_received(call.system_id, call.get("messagetype"))
        chosen = listing.choose_received(items, call.get)
        if isinstance(chosen, Refusal):
            return chosen
        return {"data": [listing.render_received(item) for item in chosen]}

    async def _list_sent(self, call: SignedCall, _request: web.Request) -> "_Result":
        doc_id = call.get("docId")
        if not doc_id and self.faults.take(Fault.NO_SENT_LIST):
            return Refusal(code=AxisCode.PROCESSING, sentence="docId khong duoc de trong")
        message_type = call.get("messagetype")
        items = self.axis.list_sent(call.system_id, doc_id)
        return {"data": [listing.render_sent(item) for item in items if message_type in {"", item.message_type}]}

    async def _update_status(self, call: SignedCall, _request: web.Request) -> "_Result":
        return self.axis.acknowledge(call.system_id, call.get("docId"), call.get("status")) or {}

    async def _count_documents(self, call: SignedCall, _request: web.Request) -> "_Result":
        return {"count": listing.count_waiting(self.axis.list_received(call.system_id, "edoc"))}

    async def _count_statuses(self, call: SignedCall, _request: web.Request) -> "_Result":
        return {"count": listing.count_waiting(self.axis.list_received(call.system_id, "status"))}

    async def _send(self, call: SignedCall, request: web.Request) -> "_Result":
        multipart = request.content_type == "multipart/form-data"
        body = _read_file_part(request) if multipart else request.content.iter_any()
        arrived = await self.spool.take(body, strip_crlf=not multipart)
        if isinstance(arrived, Refusal):
            return arrived
        request[SUBMISSION] = True
        doc_id = await hand_in(
            arrived,
            _judge(call, arrived),
            axis=self.axis,
            spool=self.spool,
            rewrite_as=self.rewrite_as,
            now=self.now,
        )
        if isinstance(doc_id, Refusal):
            return doc_id
        return {"DocId": doc_id}

    async def _get(self, call: SignedCall, request: web.Request) -> "_Result":
        item = self.axis.hand_out(call.system_id, call.get("docId"), "getEdoc")
        if isinstance(item, Refusal):
            return item
        return await send_members(request, _envelope({"data": PACKET}), self.spool.path_of(item.packet))

    async def _download(self, call: SignedCall, request: web.Request) -> "_Result":
        item = self.axis.hand_out(call.system_id, call.get("docId"), "downloadEdoc")
        if isinstance(item, Refusal):
            return item
        path = self.spool.path_of(item.packet)
        response = web.StreamResponse(
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Length": str(path.stat().st_size),
            }
        )
        await response.prepare(request)
        async for chunk in read_chunks(path):
            await response.write(chunk)
        return response


_Result = Mapping[str, Any] | Refusal | web.StreamResponse
_Act = Callable[[SignedCall, web.Request], Awaitable[_Result]]


def _judge(call: SignedCall, arrived: Arrived) -> Submission | Refusal:
    """What is wrong with a sendEdoc before the directory is asked: the hash first, then the edXML."""
    if not hash_matches(arrived.digest, call.get("hash-file")):
        return Refusal(code=AxisCode.BAD_SIGNATURE, sentence="Sai chu ky: hash-file khong khop voi noi dung")
    summary = arrived.summary
    if isinstance(summary, Refusal):
        return summary
    if call.get("servicetype") != "eDoc" or call.get("messagetype") != summary.message_type:
        return Refusal(
            code=AxisCode.MALFORMED,
            sentence=f"Goi tin la {summary.message_type}, khong khop voi servicetype va messagetype",
        )
    receivers = listing.read_receivers(call.get("to"))
    if isinstance(receivers, Refusal):
        return receivers
    return Submission(
        system_id=call.system_id,
        sender=call.get("from"),
        receivers=receivers or summary.to_codes,
        summary=summary,
        packet=arrived.kept_name,
        size=arrived.size,
        sha256=arrived.digest.hex(),
    )


def _render(operation: str, result: Mapping[str, Any] | Refusal, status: int = 200) -> web.Response:
    members = _envelope(result)
    if operation == "sendEdoc":
        members.setdefault("DocId", "")
    return web.json_response(members, status=status)


def _envelope(result: Mapping[str, Any] | Refusal) -> dict[str, Any]:
    if isinstance(result, Refusal):
        return {"status": "FAIL", "ErrorCode": result.code.value, "ErrorDesc": result.sentence, "data": []}
    return {"status": "OK", "ErrorCode": AxisCode.OK.value, "ErrorDesc": "Thanh cong", "data": [], **result}


async def _read_file_part(request: web.Request) -> AsyncIterator[bytes]:
    """The bytes of the multipart part `file_doc`; nothing when there is none."""
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader) and part.name == "file_doc":
            async for chunk in read_part(part):
                yield chunk
