"""How an answer of the simulated axis goes wrong: a page instead, half of it, or a cut connection."""

import socket
import struct
from typing import Final

from aiohttp import web

from gateway.sandbox.faults import Fault, Faults

_PAGE: Final = "<!DOCTYPE html><html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"

_HALF: Final = web.RequestKey("half", bool)
"""Whether the answer to a request is to break off."""

SUBMISSION: Final = web.RequestKey("submission", bool)
"""Set by a face on a call that hands in a packet: the fault `answer-lost` concerns it."""

_RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 s: closing sends RST instead of FIN."""


def before_the_work(request: web.Request, faults: Faults) -> web.Response | None:
    """What the client gets instead of any work; None = the request is to be carried out."""
    if faults.take(Fault.DOWN):
        return _cut(request)
    if faults.take(Fault.RESET):
        return _reset(request)
    for fault, status in ((Fault.HTML, 200), (Fault.HTML_502, 502)):
        if faults.take(fault):
            return web.Response(text=_PAGE, content_type="text/html", status=status)
    request[_HALF] = faults.take(Fault.HALF_ANSWER)
    return None


async def after_the_work(request: web.Request, response: web.StreamResponse, faults: Faults) -> web.StreamResponse:
    """What the client gets of an answer that stands, or that was streamed already."""
    if request[_HALF]:
        streamed = request.transport is None or request.transport.is_closing()
        return response if streamed or not isinstance(response, web.Response) else await _send_half(request, response)
    if faults.take(Fault.RESET_AFTER):
        return _reset(request)
    if request.get(SUBMISSION, False) and faults.take(Fault.ANSWER_LOST):
        return _cut(request)
    return response


def break_off_stream(request: web.Request, response: web.StreamResponse) -> None:
    """Let a streamed answer, of which nothing has left yet, end in the middle of its first piece if it must."""
    if isinstance(response, web.Response) or not request.get(_HALF, False):
        return
    write = response.write

    async def write_half(data: bytes | bytearray | memoryview) -> None:
        await write(data[: len(data) // 2])
        _hang_up(request)
        raise ConnectionResetError("the answer breaks off here")

    response.write = write_half  # type: ignore[method-assign]


async def _send_half(request: web.Request, whole: web.Response) -> web.StreamResponse:
    """Promise the whole answer, send the first half, close."""
    body = whole.body if isinstance(whole.body, bytes) else b""
    request[_HALF] = False
    response = web.StreamResponse(
        status=whole.status, headers={"Content-Type": whole.content_type, "Content-Length": str(len(body))}
    )
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    _hang_up(request)
    return response


def _hang_up(request: web.Request) -> None:
    """Close the connection once what was written has left."""
    if request.transport is not None:
        request.transport.close()


def _cut(request: web.Request) -> web.Response:
    """Close the connection without a word; the answer given back to aiohttp goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _reset(request: web.Request) -> web.Response:
    """Close the connection as the system of a crashed peer does, with RST."""
    if request.transport is not None:
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    return _cut(request)
