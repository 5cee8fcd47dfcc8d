"""The two HTTP applications: the axis with its faults, and the loopback control endpoint that switches them."""

import asyncio
import json
from typing import Protocol

from aiohttp import web

from gateway.sandbox import spoiling
from gateway.sandbox.core import Axis
from gateway.sandbox.faults import Fault, Faults, Wish, read_wish
from gateway.sandbox.tokens import Tokens


class Face(Protocol):
    """One dialect of the axis."""

    @property
    def faults(self) -> Faults:
        """What goes wrong."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one call, whatever it is; never raises for what a caller may send."""


def make_axis_app(face: Face, *, slow_seconds: float) -> web.Application:
    """The application of one face: one route for every path and method, each answer subject to the faults."""
    faults = face.faults

    async def answer(request: web.Request) -> web.StreamResponse:
        spoiled = spoiling.before_the_work(request, faults)
        if spoiled is not None:
            return spoiled
        return await spoiling.after_the_work(request, await face.answer(request), faults)

    async def invite_body(request: web.Request) -> None:
        # An axis that is down does not answer "Expect: 100-continue" either.
        cut = faults.is_on(Fault.DOWN) or faults.is_on(Fault.RESET)
        if not cut and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def delay(request: web.Request, response: web.StreamResponse) -> None:
        spoiling.break_off_stream(request, response)
        gone = request.transport is None or request.transport.is_closing()
        if not gone and faults.take(Fault.SLOW):
            await asyncio.sleep(slow_seconds)

    app = web.Application(client_max_size=64 * 1024)
    app.router.add_route("*", r"/{path:[\s\S]*}", answer, expect_handler=invite_body)
    app.on_response_prepare.append(delay)
    return app


def make_control_app(axis: Axis, faults: Faults, tokens: Tokens) -> web.Application:
    """The control application: `GET/POST /faults`, `DELETE /faults/NAME`, `GET /records`, `POST /tokens/expire`."""

    async def show(_request: web.Request) -> web.Response:
        return web.json_response(faults.describe())

    async def switch_on(request: web.Request) -> web.Response:
        wish = _read_body(await request.text())
        if wish is None:
            return web.json_response({"error": f"name must be one of {', '.join(Fault)}; count at least 1"}, status=400)
        faults.switch_on(wish)
        return web.json_response(faults.describe())

    async def switch_off(request: web.Request) -> web.Response:
        wish = read_wish(request.match_info["name"])
        if wish is None:
            return web.json_response({"error": f"name must be one of {', '.join(Fault)}"}, status=404)
        faults.switch_off(wish.fault)
        return web.json_response(faults.describe())

    async def list_records(_request: web.Request) -> web.Response:
        return web.json_response(axis.records)

    async def expire_tokens(_request: web.Request) -> web.Response:
        return web.json_response({"ended": tokens.expire_all()})

    app = web.Application(client_max_size=4096)
    app.router.add_get("/faults", show)
    app.router.add_post("/faults", switch_on)
    app.router.add_delete("/faults/{name}", switch_off)
    app.router.add_get("/records", list_records)
    app.router.add_post("/tokens/expire", expire_tokens)
    return app


def _read_body(text: str) -> Wish | None:
    """`{"name": NAME, "count": N}`, the count optional."""
    try:
        wish = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(wish, dict) or not isinstance(wish.get("name"), str):
        return None
    count = wish.get("count")
    return read_wish(wish["name"] if count is None else f"{wish['name']}:{count}")
