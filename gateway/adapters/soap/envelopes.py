"""Envelopes: zeep writes ours after the description in `wsdl/`, which is our own, and reads those of peers.

Nothing is fetched for either, and no DTD, entity or outside reference is taken.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree
from zeep import Client, Settings, Transport
from zeep.exceptions import Error
from zeep.loader import parse_xml
from zeep.wsdl.utils import etree_to_string

from gateway.adapters.soap.names import EDOC, SOAP11, SOAP12, TOKEN, XLINK, Operation, child, children, local

WSDL = Path(__file__).with_name("wsdl") / "edoc.wsdl"
"""Our own description of the service."""

_SETTINGS = Settings(forbid_dtd=True, forbid_entities=True, forbid_external=True)
_HUGE = Settings(forbid_dtd=True, forbid_entities=True, forbid_external=True, xml_huge_tree=True)
_open: Any = Client  # zeep declares types for little of what it gives
_parse: Any = parse_xml
_write: Any = etree_to_string
_DEFAULT: Any = {None: TOKEN}
_AT_ONCE = 256 * 1024
"""Bytes that are parsed within one turn of the loop; more goes to a thread."""


class MalformedEnvelopeError(Exception):
    """The bytes are no SOAP envelope. Raised and caught within this package."""


class LocalDocuments(Transport):
    """Gives zeep the documents that were handed to it, and never asks the network."""

    def __init__(self, load: Callable[[str], bytes]) -> None:
        """`load` gives a document or raises; zeep's own sessions are not opened."""
        self._close_session = False
        self._load = load

    def load(self, url: str) -> bytes:
        """A document of ours."""
        return self._load(url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What came: `header` may be missing, `body` may be empty."""

    header: etree._Element | None
    body: etree._Element | None

    @property
    def content(self) -> etree._Element | None:
        """The first element of the body."""
        return next(children(self.body), None)


class Envelopes:
    """Writes the requests of one account."""

    def __init__(
        self, *, organ_id: str, token: str, token_header: bool, secure: Callable[[etree._Element], None]
    ) -> None:
        """`secure` adds what WS-Security wants to an envelope that is otherwise ready."""
        self._client = _open(str(WSDL), transport=LocalDocuments(_read_own), settings=_SETTINGS)
        self._client.set_ns_prefix("edXML", EDOC)
        self._client.set_ns_prefix("xlink", XLINK)
        self._organ_id = organ_id
        self._token = token
        self._token_header = token_header
        self._secure = secure

    def request(self, operation: Operation, **members: str) -> bytes:
        """A request whose body names caller and token, and these members."""
        envelope = self._create(operation, OrganId=self._organ_id, Token=self._token, **members)
        return self._finish(envelope)

    def with_status(self, status: etree._Element) -> bytes:
        """UpdateTraces."""
        headers = {"Status": _group(status), "Signature": self._signature()}
        envelope = self._create(Operation.UPDATE, _soapheaders=headers, OrganId=self._organ_id, Token=self._token)
        return self._finish(envelope)

    def with_document(self, headers: Sequence[etree._Element], references: Sequence[Mapping[str, Any]]) -> bytes:
        """SendDocument; `headers` are the packet's, `references` as zeep takes them."""
        said = {
            local(entry): _group(entry) for entry in headers if local(entry) in {"MessageHeader", "TraceHeaderList"}
        }
        said |= {"ErrorList": {}, "Signature": self._signature()}
        envelope = self._create(Operation.SEND, _soapheaders=said, Reference=list(references))
        header = child(envelope, "Header")
        assert header is not None
        header.extend(entry for entry in headers if local(entry) not in {*said, "DigitalSignature"})
        return self._finish(envelope)

    def _create(self, operation: Operation, **members: Any) -> etree._Element:
        envelope: etree._Element = self._client.create_message(self._client.service, operation.value, **members)
        return envelope

    def _signature(self) -> Mapping[str, object]:
        return {"KeyInfo": {"OrganId": self._organ_id, "Token": self._token}}

    def _finish(self, envelope: etree._Element) -> bytes:
        if self._token_header:
            header = child(envelope, "Header")
            if header is None:
                header = etree.Element(f"{{{SOAP11}}}Header")
                envelope.insert(0, header)
            etree.SubElement(header, f"{{{TOKEN}}}Token", nsmap=_DEFAULT).text = self._token
        self._secure(envelope)
        return bytes(_write(envelope))


async def read_envelope(data: bytes) -> Envelope:
    """A peer's envelope, SOAP 1.1 or 1.2. Raises MalformedEnvelopeError."""
    if len(data) <= _AT_ONCE:
        return parse_envelope(data)
    return await asyncio.to_thread(parse_envelope, data)


def parse_envelope(data: bytes) -> Envelope:
    """The same at once."""
    settings = _SETTINGS if len(data) <= _AT_ONCE else _HUGE
    try:
        root = _parse(data, LocalDocuments(_refuse), settings=settings)
    except (Error, ValueError) as error:
        raise MalformedEnvelopeError(f"no XML: {type(error).__name__}") from None
    name = etree.QName(root)
    if name.localname != "Envelope" or name.namespace not in {SOAP11, SOAP12}:
        raise MalformedEnvelopeError(f"no SOAP envelope but {name.localname}")
    return Envelope(header=child(root, "Header"), body=child(root, "Body"))


def _group(entry: etree._Element) -> Mapping[str, object]:
    """An open group as zeep takes it."""
    return {"_value_1": list(children(entry)), "_attr_1": dict(entry.attrib.items())}


def _read_own(url: str) -> bytes:
    return WSDL.with_name(Path(url).name).read_bytes()


def _refuse(url: str) -> bytes:
    raise MalformedEnvelopeError(f"an outside document is named: {url[:100]}")
