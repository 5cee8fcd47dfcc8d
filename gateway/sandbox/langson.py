"""The axis's Lang Son REST face (axis.md 7): a login for a bearer token, and the system's secret on every call.

Field shapes are those of section 7; what it leaves open is chosen here: refusals come with HTTP 200 and the shape
of a refused sendEdoc, whatever the operation, and the login's good code is "0".
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import BodyPartReader, web

from gateway.sandbox import listing
from gateway.sandbox.attachments import render_attachments
from gateway.sandbox.codes import AxisCode, Refusal
from gateway.sandbox.core import Axis, Item, Submission
from gateway.sandbox.faces import TokenFace
from gateway.sandbox.intake import hand_in, submission_of
from gateway.sandbox.spoiling import SUBMISSION
from gateway.sandbox.spool import Arrived
from gateway.sandbox.streaming import PACKET, answer_safely, encode_packet, read_members, read_part

FACE: Final = "langson"
"""Name of this face among tokens and records."""

_PATH = re.compile(r".*/v1/([A-Za-z/]+?)/?")
_MAX_FIELD = 64
# bytes of a form field beside the file
_BAD_CREDENTIALS = Refusal(code=AxisCode.BAD_SIGNATURE, sentence="Sai systemId hoac secretKey")


@dataclass(frozen=True, kw_only=True, slots=True)
class LangSonFace(TokenFace):
    """Turns HTTP calls into calls of the axis and its values into the answers of this dialect."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one call, at any path that ends as the dialect's do; refusals are JSON too."""
        return await answer_safely(self._dispatch(request), _render_refusal)

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        path = _PATH.fullmatch(request.path)
        operation = path[1] if path else ""
        if operation == "auth/login" and request.method == "POST":
            return await self._log_in(request)
        operations: Mapping[str, tuple[str, _Act]] = {
            "sendEdoc": ("POST", self._send),
            "syncReceivedEdocList": ("GET", self._list_received),
            "getEdoc": ("GET", self._get),
            "updateStatus": ("POST", self._update_status),
            "getAgenciesList": ("GET", self._list_agencies),
        }
        if operation not in operations:
            raise web.HTTPNotFound(reason="Khong co thao tac nay")
        method, act = operations[operation]
        if request.method != method:
            raise web.HTTPMethodNotAllowed(request.method, [method])
        holder = self.tokens.holder(FACE, request.headers.get("Authorization", ""))
        if holder is None:
            return _render_refusal(Refusal(code=AxisCode.BAD_SIGNATURE, sentence="Token het han hoac khong dung"), 401)
        system_id = request.headers.get("X-SystemId", "")
        if system_id != holder or not self.axis.knows(system_id, request.headers.get("X-SecretKey", "")):
            return _render_refusal(_BAD_CREDENTIALS)
        result = await act(system_id, request)
        return _render_refusal(result) if isinstance(result, Refusal) else result

    async def _log_in(self, request: web.Request) -> web.Response:
        """User name and password are a system's id and secret; the other members may be anything."""
        given = await request.read()
        try:
            members = json.loads(given)
        except (ValueError, RecursionError):
            members = None
        facts = members if isinstance(members, dict) else {}
        username, password = facts.get("username"), facts.get("password")
        anonymous = request.query.get("allow_anonymous") == "true"
        if not (isinstance(username, str) and isinstance(password, str) and anonymous):
            username, password = "", ""
        if not self.axis.knows(username, password):
            refused = {"code": AxisCode.BAD_SIGNATURE.value, "message": "Sai tai khoan hoac mat khau", "data": {}}
            return web.json_response(refused, status=401)
        token = self.tokens.issue(FACE, username)
        return web.json_response({"code": AxisCode.OK.value, "message": "Thanh cong", "data": {"token": token}})

    async def _send(self, system_id: str, request: web.Request) -> "_Result":
        if request.content_length is None:
            raise web.HTTPBadRequest(reason="Unexpected end of Stream")
        if request.content_type != "multipart/form-data":
            return Refusal(code=AxisCode.BAD_FILE, sentence="Noi dung phai la multipart/form-data")
        form = await self._read_form(request)
        if isinstance(form, Refusal):
            return form
        arrived, message_type = form
        request[SUBMISSION] = True
        doc_id = await hand_in(
            arrived,
            _judge(system_id, arrived, message_type),
            axis=self.axis,
            spool=self.spool,
            rewrite_as=self.rewrite_as,
            now=self.now,
        )
        if isinstance(doc_id, Refusal):
            return doc_id
        return web.json_response({"success": True, "message": "Thanh cong", "docId": doc_id})

    async def _read_form(self, request: web.Request) -> tuple[Arrived, str] | Refusal:
        """The file and the message type, in either order; a file without its form is removed again."""
        arrived: Arrived | Refusal | None = None
        message_type = ""
        whole = False
        try:
            async for part in await request.multipart():
                if not isinstance(part, BodyPartReader):
                    break
                if part.name == "edocFile" and arrived is None:
                    arrived = await self.spool.take(read_part(part), strip_crlf=False)
                elif part.name == "messageType" and not message_type:
                    message_type = await _read_field(part)
            whole = True
        finally:
            if isinstance(arrived, Arrived) and not whole:
                arrived.path.unlink()
        if arrived is None:
            return Refusal(code=AxisCode.BAD_FILE, sentence="Thieu edocFile")
        return arrived if isinstance(arrived, Refusal) else (arrived, message_type)

    async def _list_received(self, system_id: str, request: web.Request) -> "_Result":
        asked = {name: request.query.get(name, "") for name in ("fromDate", "toDate")}
        items = self.axis.list_received(system_id, request.query.get("messageType", ""))
        chosen = listing.choose_received(items, lambda name: asked.get(name, ""))
        if isinstance(chosen, Refusal):
            return chosen
        rows = [_render_item(item) for item in chosen]
        return web.json_response({"success": True, "message": "Thanh cong", "count": len(rows), "data": rows})

    async def _get(self, system_id: str, request: web.Request) -> "_Result":
        item = self.axis.hand_out(system_id, request.query.get("docId", ""), "getEdoc")
        if isinstance(item, Refusal):
            return item
        sender = self.axis.agencies.get(item.sender)
        data = {
            "docId": item.doc_id,
            "from": item.sender,
            "fromName": "" if sender is None else sender.name,
            "edocCode": item.notation,
            "edocAbstract": item.subject,
            "edxml": PACKET,
            "attachments": [],
        }
        path = self.spool.path_of(item.packet)
        members = {"success": True, "message": "Thanh cong", "data": data}
        head, tail = json.dumps(members).encode().split(json.dumps(PACKET).encode()[1:-1])
        middle, end = tail[: -len(b"]}}")], b"]}}"
        response = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
        await response.prepare(request)
        await response.write(head)
        async for piece in encode_packet(path):
            await response.write(piece)
        await response.write(middle)
        for piece in render_attachments(path):
            await response.write(piece)
        await response.write(end)
        return response

    async def _update_status(self, system_id: str, request: web.Request) -> "_Result":
        facts = await read_members(request)
        if facts is None:
            return Refusal(code=AxisCode.PROCESSING, sentence="Noi dung phai la mot doi tuong JSON gom cac chuoi")
        refusal = self.axis.acknowledge(system_id, facts.get("docId", ""), facts.get("status", ""))
        return refusal or web.json_response({"success": True, "message": "Thanh cong"})

    async def _list_agencies(self, _system_id: str, _request: web.Request) -> "_Result":
        return web.json_response(_render_agencies(self.axis))


_Result = Refusal | web.StreamResponse
_Act = Callable[[str, web.Request], Awaitable[_Result]]


def _judge(system_id: str, arrived: Arrived, message_type: str) -> Submission | Refusal:
    summary = arrived.summary
    if isinstance(summary, Refusal):
        return summary
    if message_type != summary.message_type:
        return Refusal(
            code=AxisCode.MALFORMED, sentence=f"Goi tin la {summary.message_type}, khong khop voi messageType"
        )
    return submission_of(system_id, summary, arrived)


async def _read_field(part: BodyPartReader) -> str:
    """A short form field; of a longer one only the beginning, the rest is passed over."""
    text = b""
    async for chunk in read_part(part):
        text = (text + chunk)[: _MAX_FIELD + 1]
    return text.decode(errors="replace").strip()


def _render_refusal(refusal: Refusal, status: int = 200) -> web.Response:
    facts = {"docId": "", "status": "FAIL", "errorCode": refusal.code.value, "errorDesc": refusal.sentence}
    return web.json_response({"success": False, "message": refusal.sentence, "data": facts}, status=status)


def _render_item(item: Item) -> dict[str, str]:
    return {
        "serviceType": "eDoc",
        "createdTime": listing.time_text(item.created),
        "updatedTime": listing.time_text(item.updated),
        "messageType": item.message_type,
        "docId": item.doc_id,
        "from": item.sender,
        "to": ",".join(item.receivers),
        "status": item.status.value,
        "statusDesc": listing.DESCRIPTIONS[item.status],
    }


def _render_agencies(axis: Axis) -> list[dict[str, Any]]:
    code_by_id = {agency.id: agency.code for agency in axis.agencies}
    return [
        {
            "orgCode": agency.code,
            "orgName": agency.name,
            "parentCode": code_by_id.get(agency.pid, ""),
            "address": "",
            "email": agency.mail,
            "phone": "",
        }
        for agency in axis.agencies
        if not agency.closed
    ]
