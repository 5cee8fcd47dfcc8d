"""A peer's own WSDL: does it offer what we call, and by which SOAPAction. Told at start, before anything is sent."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zeep import Settings
from zeep.exceptions import Error
from zeep.wsdl import Document
from zeep.wsdl.bindings.soap import SoapBinding

from gateway.adapters.answers import clip
from gateway.adapters.soap.envelopes import LocalDocuments
from gateway.adapters.soap.names import Operation

_MAX_DOCUMENTS = 20
_MAX_BYTES = 4 * 1024 * 1024
_read: Any = Document  # zeep declares types for little of what it gives
_WEB = ("http", "https")
_SETTINGS = Settings(forbid_dtd=True, forbid_entities=True, force_https=False)
_BODIES: Mapping[Operation, str] = {
    Operation.SEND: "Manifest",
    Operation.PENDING: "GetPendingDocumentIdsRequest",
    Operation.GET: "GetDocumentRequest",
    Operation.CONFIRM: "ConfirmReceived",
    Operation.TRACES: "GetTraces",
    Operation.UPDATE: "UpdateTraces",
    Operation.PERMISSION: "CheckPermission",
    Operation.ORGANIZATIONS: "GetOrganizations",
}
_OPTIONAL = frozenset({Operation.PERMISSION, Operation.ORGANIZATIONS})
"""Without them documents pass all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What the peer's WSDL says."""

    problems: tuple[str, ...] = ()
    """One sentence each."""
    lacking: tuple[Operation, ...] = ()
    """Operations without which no document passes; () if the WSDL could not be read."""
    actions: Mapping[Operation, str] = field(default_factory=dict)
    """SOAPActions other than the operation's name."""


class _WantedError(Exception):
    """A document is needed that is not there yet."""

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(url)


class _UnfitError(Exception):
    """The WSDL cannot be read; the message says why."""


async def read_binding(location: str, fetch: Callable[[str], Awaitable[bytes | str]]) -> Binding:
    """Read the WSDL at a URL or in a file, with the documents that it names on the same host or in the same folder.

    `fetch` gives a URL's bytes, or in words why there are none.
    """
    documents: dict[str, bytes] = {}

    def load(url: str) -> bytes:
        if url not in documents:
            raise _WantedError(url)
        return documents[url]

    try:
        while True:
            try:
                document = await asyncio.to_thread(_read, location, LocalDocuments(load), settings=_SETTINGS)
                return _judge(document)
            except _WantedError as wanted:
                documents[wanted.url] = await _get(wanted.url, location, len(documents), fetch)
    except (_UnfitError, Error, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        return Binding(problems=(clip(f"the WSDL {location} cannot be read: {str(error) or type(error).__name__}"),))


async def _get(url: str, location: str, had: int, fetch: Callable[[str], Awaitable[bytes | str]]) -> bytes:
    if had >= _MAX_DOCUMENTS:
        raise _UnfitError(f"it names more than {_MAX_DOCUMENTS} documents")
    if not _is_near(url, location):
        raise _UnfitError(f"it names {url}, which is elsewhere")
    if urlsplit(url).scheme in _WEB:
        found = await fetch(url)
        if isinstance(found, str):
            raise _UnfitError(found)
        return found
    return await asyncio.to_thread(_read_file, Path(url))


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise _UnfitError(f"{path}: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise _UnfitError(f"{path} is longer than {_MAX_BYTES} bytes")
    return data


def _is_near(url: str, location: str) -> bool:
    """True for the same host, or the same folder and what is below it."""
    there, here = urlsplit(url), urlsplit(location)
    if here.scheme in _WEB:
        return (there.scheme, there.netloc) == (here.scheme, here.netloc)
    folder = Path(location).resolve().parent
    return there.scheme not in {*_WEB, "file"} and Path(url).resolve().is_relative_to(folder)


def _judge(document: Document) -> Binding:
    offered: dict[str, Any] = {}
    for binding in document.bindings.values():
        if isinstance(binding, SoapBinding):
            every: Any = binding
            offered.update(every.all())
    problems: list[str] = []
    lacking: list[Operation] = []
    actions: dict[Operation, str] = {}
    for operation, body in _BODIES.items():
        found = offered.get(operation.value)
        if found is None:
            problems.append(f"the WSDL has no operation {operation}")
            if operation not in _OPTIONAL:
                lacking.append(operation)
            continue
        problems += _differences(operation, body, found)
        if found.soapaction and found.soapaction != operation.value:
            actions[operation] = str(found.soapaction)
    return Binding(problems=tuple(problems), lacking=tuple(lacking), actions=actions)


def _differences(operation: Operation, body: str, found: Any) -> list[str]:
    """Where the peer wants another message than ours; it may take ours all the same."""
    if found.style != "document":
        return [f"operation {operation} is of style {found.style}, not document"]
    wanted = getattr(getattr(found.input, "body", None), "name", None)
    if wanted != body:
        return [f"operation {operation} wants {wanted or 'nothing'} in the body, where {body} is sent"]
    return []
