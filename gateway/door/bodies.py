"""Reads what clients send: packets to the blob store in bounded memory, small JSON; impatient with the slow."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.domain.errors import ErrorCode, GatewayError
from gateway.domain.packet import StoredObject
from gateway.door.answers import DoorCode, Refusal
from gateway.door.config import JSON_LIMIT, DoorConfig
from gateway.door.signature import is_hash_of
from gateway.ports import Admission, Blobs

_CHUNK = 256 * 1024
_CRLF = b"\r\n"
_BROKEN = (
    *(ConnectionError, web.RequestPayloadError),
    *(ValueError, KeyError, AssertionError, HttpProcessingError),  # aiohttp's words for a multipart body that is none
)
FILE_PART = "file_doc"
"""The part of a multipart body that holds the packet."""


class BrokenBodyError(Exception):
    """The body ended early, was not what it said, or came too slowly."""


class SlowBodyError(BrokenBodyError):
    """The last of these: another attempt may be quicker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """Reads bodies."""

    config: DoorConfig
    blobs: Blobs
    admission: Admission

    async def packet(self, request: web.BaseRequest, hash_file: str) -> StoredObject | Refusal:
        """Store the packet that `hash_file` names: the body without the CR LF at its end, or with it.

        Raises BrokenBodyError; GatewayError STORAGE_FULL, STORE_UNAVAILABLE.
        """
        if (request.content_length or 0) > self.config.packet_limit + len(_CRLF):
            return _too_large(self.config.packet_limit)
        digest, held = hashlib.sha256(), b""
        try:
            async with (
                asyncio.timeout(self.config.upload.total_seconds()),
                self.admission.admitted(request.content_length or 0),
                self.blobs.writer(limit=self.config.packet_limit) as opened,
            ):
                writer = self.admission.guarded(opened) if request.content_length is None else opened
                async for chunk in self._chunks(request):
                    data = held + chunk
                    held = data[-len(_CRLF) :]
                    digest.update(data[: -len(_CRLF)])
                    await writer.write(data[: -len(_CRLF)])
                whole = digest.copy()
                whole.update(held)
                if is_hash_of(hash_file, whole.digest()):
                    await writer.write(held)
                elif held != _CRLF or not is_hash_of(hash_file, digest.digest()):
                    return _OTHER_HASH
                return await writer.finish()
        except TimeoutError:
            raise SlowBodyError from None
        except GatewayError as error:
            if error.code is ErrorCode.ATTACHMENT_TOO_LARGE:
                return _too_large(self.config.packet_limit)
            raise

    async def members(self, request: web.BaseRequest) -> dict[str, str] | Refusal:
        """The body as one JSON object of printable strings; members that are null are left out.

        Raises BrokenBodyError.
        """
        try:
            members = json.loads(await self.small(request) or b"{}")
        except (ValueError, RecursionError):
            members = None
        if not isinstance(members, dict):
            return _NO_OBJECT
        given = {name: value for name, value in members.items() if value is not None}
        if not all(isinstance(value, str) and value.isprintable() for value in given.values()):
            return _NO_OBJECT
        return given

    async def small(self, request: web.BaseRequest) -> bytes:
        """A body that should be little or nothing. Raises BrokenBodyError where it is more."""
        found = b""
        async for chunk in self._patiently(request.content.iter_chunked(_CHUNK)):
            found += chunk
            if len(found) > JSON_LIMIT:
                raise BrokenBodyError
        return found

    def _chunks(self, request: web.BaseRequest) -> AsyncIterator[bytes]:
        if request.content_type == "multipart/form-data":
            return self._patiently(_file_part(request))
        return self._patiently(request.content.iter_chunked(_CHUNK))

    async def _patiently(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        source = aiter(chunks)
        while True:
            try:
                async with asyncio.timeout(self.config.idle.total_seconds()):
                    chunk = await anext(source, None)
            except TimeoutError as error:
                raise SlowBodyError from error
            except _BROKEN as error:
                raise BrokenBodyError from error
            if chunk is None:
                return
            yield chunk


async def _file_part(request: web.BaseRequest) -> AsyncIterator[bytes]:
    """The bytes of the part `file_doc`, nothing when there is none."""
    reader = MultipartReader(request.headers, request.content)
    while (part := await reader.next()) is not None:
        if isinstance(part, BodyPartReader) and part.name == FILE_PART:
            while chunk := await part.read_chunk(_CHUNK):
                yield chunk
            return


_OTHER_HASH = Refusal(
    code=DoorCode.BAD_FILE, sentence="hash-file không khớp với nội dung gói tin: tệp bị thay đổi hoặc bị cắt"
)
_NO_OBJECT = Refusal(
    code=DoorCode.PROCESSING, sentence="Nội dung phải là một đối tượng JSON gồm các chuỗi, không có ký tự điều khiển"
)


def _too_large(limit: int) -> Refusal:
    return Refusal(code=DoorCode.BAD_FILE, sentence=f"Gói tin vượt quá {limit} byte")
