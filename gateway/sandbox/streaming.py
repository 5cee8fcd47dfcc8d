"""What all REST faces share over HTTP: failures turned into answers, and packets inside JSON without holding them."""

import base64
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.sandbox.codes import AxisCode, Refusal
from gateway.sandbox.spool import CHUNK
from gateway.sandbox.upload import BadUploadError

PACKET = "\0"
"""Stands in an answer's members where the packet goes as base64."""

_LOG = logging.getLogger(__name__)


async def answer_safely(
    work: Awaitable[web.StreamResponse], render: Callable[[Refusal, int], web.Response]
) -> web.StreamResponse:
    """Do a face's work; failures of the call or of the sandbox itself become refusals in the face's own form.

    Args:
        work: Gives the answer.
        render: Makes the answer of a refusal and an HTTP status.
    """
    try:
        return await work
    except web.HTTPException as error:
        return render(Refusal(code=AxisCode.PROCESSING, sentence=error.reason), error.status)
    except (ValueError, BadUploadError, HttpProcessingError, web.RequestPayloadError):
        # a body that is not what its headers say
        return render(Refusal(code=AxisCode.BAD_FILE, sentence="Noi dung khong hop le"), 200)
    except ConnectionError:
        # The client has gone: nobody reads this.
        return web.Response()
    except OSError as error:
        _LOG.exception("sandbox.call_failed")
        return render(Refusal(code=AxisCode.SYSTEM, sentence=type(error).__name__), 200)


async def send_members(request: web.Request, members: Mapping[str, Any], path: Path) -> web.StreamResponse:
    """Answer with a JSON object that holds PACKET once; the file's base64 takes its place."""
    head, tail = json.dumps(members).encode().split(b"\\u0000")
    length = len(head) + _encoded_length(path) + len(tail)
    response = web.StreamResponse(
        headers={"Content-Type": "application/json; charset=utf-8", "Content-Length": str(length)}
    )
    await response.prepare(request)
    await response.write(head)
    async for piece in encode_packet(path):
        await response.write(piece)
    await response.write(tail)
    return response


async def encode_packet(path: Path) -> AsyncIterator[bytes]:
    """A file's base64 in pieces."""
    async for chunk in read_chunks(path):
        yield base64.b64encode(chunk)


def _encoded_length(path: Path) -> int:
    return 4 * -(-path.stat().st_size // 3)


async def read_chunks(path: Path) -> AsyncIterator[bytes]:
    """A file in pieces of CHUNK bytes, whose base64 joins without padding."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


async def read_part(part: BodyPartReader) -> AsyncIterator[bytes]:
    """The bytes of one part of a multipart body."""
    while chunk := await part.read_chunk(CHUNK):
        yield chunk


async def read_members(request: web.Request) -> dict[str, str] | None:
    """The body as a JSON object of strings, null members left out; None for anything else."""
    try:
        members = json.loads(await request.read())
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, dict):
        return None
    given = {name: value for name, value in members.items() if value is not None}
    return given if all(isinstance(value, str) for value in given.values()) else None
