"""The axis's Quang Nam REST face (axis.md 7): WSO2 client credentials, and a secret that identifies the unit.

What section 7 leaves open is chosen here: refusals come with HTTP 200 and the full envelope; the unit's secret is
taken from header or query `secret` and is the system's own; the list of the own province is
`donvilienthongs/noitinh`.
"""

import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from aiohttp import web

from gateway.sandbox import listing
from gateway.sandbox.codes import AxisCode, Refusal
from gateway.sandbox.core import Item, Submission
from gateway.sandbox.directory import Agency
from gateway.sandbox.faces import TokenFace
from gateway.sandbox.intake import hand_in, submission_of
from gateway.sandbox.spoiling import SUBMISSION
from gateway.sandbox.spool import Arrived
from gateway.sandbox.streaming import PACKET, answer_safely, read_members, send_members
from gateway.sandbox.upload import UploadReader

FACE: Final = "quangnam"
"""Name of this face among tokens and records."""

_PATH = re.compile(r".*/truclienthong/v1\.0\.0/(vanbans|donvilienthongs)(?:/([^/]+))?/?")
_MESSAGE_TYPES = {"edoc", "status"}
_OWN_LIST = "noitinh"


@dataclass(frozen=True, kw_only=True, slots=True)
class QuangNamFace(TokenFace):
    """Turns HTTP calls into calls of the axis and its values into the answers of this dialect."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one call: the token call at any path ending /token, the others below /truclienthong/v1.0.0."""
        return await answer_safely(self._dispatch(request), _render)

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/token") and request.method == "POST":
            return await self._give_token(request)
        path = _PATH.fullmatch(request.path)
        if path is None:
            raise web.HTTPNotFound(reason="Khong co thao tac nay")
        acts = self._acts(path[1], path[2] or "")
        if request.method not in acts:
            raise web.HTTPMethodNotAllowed(request.method, [*acts])
        holder = self.tokens.holder(FACE, request.headers.get("Authorization", ""))
        if holder is None:
            return _render_fault()
        secret = request.headers.get("secret") or request.query.get("secret", "")
        if not self.axis.knows(holder, secret):
            return _render(Refusal(code=AxisCode.BAD_SIGNATURE, sentence="Ma bi mat cua don vi khong dung"))
        result = await acts[request.method](holder, path[2] or "", request)
        return result if isinstance(result, web.StreamResponse) else _render(result)

    def _acts(self, collection: str, name: str) -> Mapping[str, "_Act"]:
        if collection == "vanbans":
            if name:
                return {"GET": self._get, "PUT": self._update_status}
            return {"GET": self._list_received, "POST": self._send}
        if name == _OWN_LIST:
            return {"GET": self._list_own_agencies}
        if name:
            return {"PUT": self._close_agency}
        return {"GET": self._list_agencies, "POST": self._register_agency}

    async def _give_token(self, request: web.Request) -> web.Response:
        """The consumer key and secret are a system's id and secret."""
        form = parse_qs((await request.read()).decode(errors="replace"), max_num_fields=16)
        system_id, secret = _read_basic(request.headers.get("Authorization", ""))
        if not self.axis.knows(system_id, secret):
            wrong = {"error": "invalid_client", "error_description": "Client Authentication failed."}
            return web.json_response(wrong, status=401)
        if form.get("grant_type") != ["client_credentials"]:
            wrong = {"error": "unsupported_grant_type", "error_description": "client_credentials expected"}
            return web.json_response(wrong, status=400)
        return web.json_response(
            {
                "access_token": self.tokens.issue(FACE, system_id),
                "token_type": "Bearer",
                "expires_in": int(self.tokens.life_seconds),
                "scope": form.get("scope", ["am_application_scope default"])[0],
            }
        )

    async def _send(self, system_id: str, _name: str, request: web.Request) -> "_Result":
        reader = UploadReader("edxml")
        arrived = await self.spool.take(_decode(request, reader), strip_crlf=False)
        if isinstance(arrived, Refusal):
            return arrived
        request[SUBMISSION] = True
        doc_id = await hand_in(
            arrived,
            _judge(system_id, arrived, reader),
            axis=self.axis,
            spool=self.spool,
            rewrite_as=self.rewrite_as,
            now=self.now,
        )
        return doc_id if isinstance(doc_id, Refusal) else {"docId": doc_id}

    async def _list_received(self, system_id: str, _name: str, request: web.Request) -> "_Result":
        message_type = request.query.get("messageType", "")
        asked = {name: request.query.get(name, "") for name in ("status", "fromDate", "toDate")}
        if message_type and message_type not in _MESSAGE_TYPES:
            return Refusal(code=AxisCode.PROCESSING, sentence="messageType phai la edoc hoac status")
        items = self.axis.list_received(system_id, message_type)
        chosen = listing.choose_received(items, lambda name: asked.get(name, ""))
        return chosen if isinstance(chosen, Refusal) else {"data": [_render_item(item) for item in chosen]}

    async def _get(self, system_id: str, name: str, request: web.Request) -> "_Result":
        item = self.axis.hand_out(system_id, name, "getEdoc")
        if isinstance(item, Refusal):
            return item
        members = _envelope({"data": PACKET, "docId": item.doc_id})
        return await send_members(request, members, self.spool.path_of(item.packet))

    async def _update_status(self, system_id: str, name: str, request: web.Request) -> "_Result":
        facts = await read_members(request)
        status = "" if facts is None else facts.get("status", "")
        if status != status.upper():
            return Refusal(code=AxisCode.PROCESSING, sentence="status phai la DONE, FAIL hoac PROCESSING")
        return self.axis.acknowledge(system_id, name, status.lower()) or {"docId": name}

    async def _list_agencies(self, _system_id: str, _name: str, _request: web.Request) -> "_Result":
        return {"data": [_render_agency(agency) for agency in self.axis.agencies if not agency.closed]}

    async def _list_own_agencies(self, system_id: str, _name: str, _request: web.Request) -> "_Result":
        own = (each for each in self.axis.agencies if self.axis.system_of(each.code) == system_id)
        return {"data": [_render_agency(agency) for agency in own if not agency.closed]}

    async def _register_agency(self, system_id: str, _name: str, request: web.Request) -> "_Result":
        facts = await read_members(request)
        if facts is None:
            return Refusal(code=AxisCode.PROCESSING, sentence="Noi dung phai la mot doi tuong JSON gom cac chuoi")
        return self.axis.register_agency(system_id, {**facts, "mail": facts.get("email", "")}) or {}

    async def _close_agency(self, system_id: str, name: str, _request: web.Request) -> "_Result":
        return self.axis.delete_agency(system_id, name) or {}


_Result = Mapping[str, Any] | Refusal | web.StreamResponse
_Act = Callable[[str, str, web.Request], Awaitable[_Result]]


async def _decode(request: web.Request, reader: UploadReader) -> AsyncIterator[bytes]:
    async for chunk in request.content.iter_any():
        yield reader.feed(chunk)
    reader.finish()


def _judge(system_id: str, arrived: Arrived, reader: UploadReader) -> Submission | Refusal:
    if not reader.found:
        return Refusal(code=AxisCode.BAD_FILE, sentence="Thieu edxml")
    summary = arrived.summary
    if isinstance(summary, Refusal):
        return summary
    if reader.texts.get("messageType") != summary.message_type:
        return Refusal(
            code=AxisCode.MALFORMED, sentence=f"Goi tin la {summary.message_type}, khong khop voi messageType"
        )
    return submission_of(system_id, summary, arrived)


def _read_basic(authorization: str) -> tuple[str, str]:
    """Key and secret of a Basic header; two empty texts for anything else."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        key, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return (key, secret) if scheme.lower() == "basic" else ("", "")


def _envelope(result: Mapping[str, Any] | Refusal) -> dict[str, Any]:
    """All five members, never null."""
    if isinstance(result, Refusal):
        facts = {"errorCode": result.code.value, "errorDesc": result.sentence}
        return {"status": "FAIL", **facts, "data": [], "docId": ""}
    facts = {"errorCode": AxisCode.OK.value, "errorDesc": "Thanh cong"}
    return {"status": "OK", **facts, "data": [], "docId": "", **result}


def _render(result: Mapping[str, Any] | Refusal, status: int = 200) -> web.Response:
    return web.json_response(_envelope(result), status=status)


def _render_fault() -> web.Response:
    """What WSO2 says to a call without a good token."""
    fault = {
        "code": 900901,
        "message": "Invalid Credentials",
        "description": "Access failure for API: /truclienthong/v1.0.0. Make sure you have given the correct token.",
    }
    return web.json_response({"fault": fault}, status=401, headers={"WWW-Authenticate": "OAuth2"})


def _render_item(item: Item) -> dict[str, str]:
    return {
        "serviceType": "eDoc",
        "messageType": item.message_type,
        "statusDesc": listing.DESCRIPTIONS[item.status],
        "docId": item.doc_id,
        "from": item.sender,
        "to": ",".join(item.receivers),
        "status": item.status.value.upper(),
        "createdTime": listing.time_text(item.created),
    }


def _render_agency(agency: Agency) -> dict[str, str]:
    return {"id": agency.id, "pid": agency.pid, "code": agency.code, "name": agency.name}
