"""Temporary files of one call, and base64 text on disk: cleaned, checked, decoded or made in pieces."""

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.sandbox.spool import CHUNK, Spool

_BLANK = b" \t\r\n"


class BadBase64Error(Exception):
    """The text is not base64."""


class Scratch:
    """Hands out names of temporary files and removes the files at the end."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._paths: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        for path in self._paths:
            path.unlink(missing_ok=True)

    def new_path(self) -> Path:
        """A name for one more file."""
        path = self._spool.scratch_path()
        self._paths.append(path)
        return path


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """The bytes of an attachment, on disk."""

    path: Path | None
    # None = no bytes at all
    is_text: bool
    # base64 text, white space allowed; False = the bytes themselves

    def read_base64(self) -> Iterator[bytes]:
        """Base64 text without white space. Raises BadBase64Error."""
        if self.is_text:
            yield from (text for text, _ in _decode(self._chunks()))
        else:
            yield from map(base64.b64encode, self._chunks())

    def write_text(self, path: Path) -> None:
        """Write the base64 text to a file, without white space. Raises BadBase64Error."""
        with path.open("wb") as target:
            target.writelines(self.read_base64())

    def write_bytes(self, path: Path) -> None:
        """Write the bytes themselves to a file. Raises BadBase64Error."""
        with path.open("wb") as target:
            target.writelines((data for _, data in _decode(self._chunks())) if self.is_text else self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        if self.path is None:
            return
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


def _decode(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Pieces of base64 text with what each means; nothing may follow padding."""
    held, ended = b"", False
    for chunk in chunks:
        text = held + chunk.translate(None, _BLANK)
        whole = len(text) - len(text) % 4
        text, held = text[:whole], text[whole:]
        if text and ended:
            raise BadBase64Error
        if text:
            try:
                yield text, binascii.a2b_base64(text, strict_mode=True)
            except binascii.Error as error:
                raise BadBase64Error from error
            ended = text.endswith(b"=")
    if held:
        raise BadBase64Error
